package rows

import "github.com/liuma-pin/liuma/internal/store"

// Wanted is a row that a transaction is likely to read.
type Wanted struct {
	Table *Table
	Home  []byte // of a homed table; nil: it is not known
	Key   []byte
}

// Wanted are the rows of what is expected.
func (c *Codec) Wanted(e store.Expected) (out []Wanted) {
	if !e.Card.IsZero() {
		out = append(out, Wanted{&c.cards.Table, nil, e.Card[:]}, Wanted{&c.intents.Table, nil, e.Card[:]})
	}
	if e.Business != "" {
		key, _ := numberKey(e.Channel, e.Business)
		home := unclaimed() // where a request is whose number nobody claimed
		if !e.Card.IsZero() {
			home = e.Card[:]
		}
		out = append(out, Wanted{&c.numbers.Table, nil, key},
			Wanted{&c.requests.Table, home, requestKey(e.Channel, e.Business)})
	}
	if e.Handle != "" {
		out = append(out, Wanted{&c.claims.Table, nil, claimKey(e.Channel, e.Handle)})
	}
	return out
}

// Fresh are the rows of what is expected to be written without looking first.
func (c *Codec) Fresh(e store.Expected) []Wanted {
	key, _ := numberKey(e.Channel, e.Business)
	return []Wanted{{&c.numbers.Table, nil, key}, {&c.requests.Table, unclaimed(), key}}
}

// Sought is a row that whoever expects something looks for in any case, nearly always in
// vain: the request under a business number that is about to be taken. False: there is none.
func (c *Codec) Sought(e store.Expected) (Wanted, bool) {
	if e.Business == "" {
		return Wanted{}, false
	}
	return Wanted{Table: &c.requests.Table, Key: requestKey(e.Channel, e.Business)}, true
}
