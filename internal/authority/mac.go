package authority

import (
	"encoding/binary"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// putCard writes a card that was read by checkedCard in this transaction.
func (a *Authority) putCard(tx store.Tx, c store.Card) error {
	c.MAC = store.CardMAC(a.Vault, c)
	return tx.UpdateCard(c)
}

// intentMAC covers what would become the card's PIN.
func (a *Authority) intentMAC(in store.Intent) vault.MAC {
	return a.Vault.RowMAC("intent", in.Card[:], u32(uint32(in.From)), u32(uint32(in.Version)), u32(in.KeySet),
		in.Verifier[:], []byte{byte(in.State)}, []byte(in.Channel), []byte(in.BusinessNo))
}
