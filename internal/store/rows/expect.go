package rows

import "github.com/liuma-pin/liuma/internal/store"

// Wanted is a row that a transaction is likely to read.
type Wanted struct {
	Table *Table
	Key   []byte
}

// Wanted are the rows of what is expected.
func (c *Codec) Wanted(e store.Expected) (out []Wanted) {
	if !e.Card.IsZero() {
		out = append(out, Wanted{&c.cards.Table, e.Card[:]}, Wanted{&c.intents.Table, e.Card[:]})
	}
	if e.Business != "" {
		out = append(out, Wanted{&c.requests.Table, join(string(e.Channel), string(e.Business))})
	}
	if e.Handle != "" {
		out = append(out, Wanted{&c.claims.Table, claimKey(e.Channel, e.Handle)})
	}
	return out
}
