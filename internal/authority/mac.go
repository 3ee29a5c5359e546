package authority

import (
	"encoding/binary"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func (a *Authority) cardMAC(c store.Card) vault.MAC { return CardMAC(a.Vault, c) }

// CardMAC covers what ties a PIN to its holder (DESIGN section 3). It is
// exported for the bench, which fills a database without ceremonies.
func CardMAC(v *vault.Vault, c store.Card) vault.MAC {
	return v.RowMAC("card", c.Holder[:], c.ID[:], u32(uint32(c.Version)), u32(c.KeySet), c.Verifier[:])
}

// intentMAC covers what would become the card's PIN.
func (a *Authority) intentMAC(in store.Intent) vault.MAC {
	return a.Vault.RowMAC("intent", in.Card[:], u32(uint32(in.From)), u32(uint32(in.Version)), u32(in.KeySet),
		in.Verifier[:], []byte{byte(in.State)}, []byte(in.Channel), []byte(in.BusinessNo))
}
