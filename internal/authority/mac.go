package authority

import (
	"encoding/binary"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// WriteCard writes a card that was read by ReadCard in this transaction.
func (a *Authority) WriteCard(tx store.Tx, c store.Card) error {
	c.MAC = store.CardMAC(a.vault, c)
	return tx.UpdateCard(c)
}

// intentMAC covers the members of an intent that become the card's PIN.
func (a *Authority) intentMAC(in store.Intent) vault.MAC {
	return a.vault.RowMAC("intent", in.Card[:], u32(uint32(in.From)), u32(uint32(in.Version)), u32(in.KeySet),
		in.Verifier[:], []byte{byte(in.State)}, []byte(in.Channel), []byte(in.BusinessNo))
}
