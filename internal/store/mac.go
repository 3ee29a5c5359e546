package store

import (
	"encoding/binary"

	"github.com/liuma-pin/liuma/internal/vault"
)

// CardMAC covers the members of a card that must not change by writing to the
// database alone: those that tie a PIN to its holder, the card's standing, and
// the region whose recovery rules apply. Every writer of a card sets MAC to it,
// after checking the MAC of the card that it read in the same transaction.
func CardMAC(v *vault.Vault, c Card) vault.MAC {
	frozen := []byte{0}
	if c.Frozen {
		frozen[0] = 1
	}
	at := c.FrozenAt
	since := binary.BigEndian.AppendUint64(nil, c.Behind) // and the time, unless it is zero
	if !at.IsZero() {
		since = binary.BigEndian.AppendUint64(since, uint64(at.UnixMilli()))
	}
	return v.RowMAC("card", c.Holder[:], c.ID[:], binary.BigEndian.AppendUint32(nil, uint32(c.Version)),
		binary.BigEndian.AppendUint32(nil, c.KeySet), c.Verifier[:], []byte(c.Physical), frozen, since, []byte(c.Region))
}
