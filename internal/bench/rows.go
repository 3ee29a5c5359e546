package bench

import (
	"errors"
	"slices"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/vault"
)

// maker makes rows of cards as the store does, with the store's own code and the vault's
// seals, without a database beneath. Safe for concurrent use.
type maker struct {
	codec   *rows.Codec
	vault   *vault.Vault
	process audit.ProcessID
}

func newMaker(v *vault.Vault) (*maker, error) {
	codec, err := rows.NewCodec(v, nil, nil)
	return &maker{codec: codec, vault: v, process: audit.NewProcessID()}, err
}

// Names of the tables that are filled.
const (
	cardsTable  = "cards"
	claimsTable = "claims"
)

func (m *maker) handle(c store.Card) store.Handle {
	return store.Handle(m.vault.Handle(channelID, c.ID))
}

// cards are the rows of cards with their links, in the order of their keys.
func (m *maker) cards(part []store.Card) ([]rows.Row, error) {
	// The entry stays in the pile: what is filled has no record of its own.
	e := audit.Entry{At: part[0].CreatedAt, Actor: "operator", Event: audit.CardEnrolled, Outcome: "ok", Note: "bench"}
	p, err := m.enrolled(part, func(tx *rows.Tx) error { return tx.Finish(e, m.process) })
	return p.cards, err
}

// claims are the rows by which links are found, in the order of the cards.
func (m *maker) claims(part []store.Card) ([]rows.Row, error) {
	p, err := m.enrolled(part, func(*rows.Tx) error { return nil })
	return p.claims, err
}

// enrolled are the rows that cards and their links come to, once finish has ended the
// transaction.
func (m *maker) enrolled(part []store.Card, finish func(*rows.Tx) error) (*pile, error) {
	into := &pile{}
	tx := rows.NewTx(m.codec, into)
	defer tx.End()
	for _, c := range part {
		if err := m.enrol(tx, c); err != nil {
			return into, err
		}
	}
	return into, finish(tx)
}

func (m *maker) enrol(tx *rows.Tx, c store.Card) error {
	if err := tx.InsertCard(c); err != nil {
		return err
	}
	return tx.PutLink(store.Link{Channel: channelID, Card: c.ID, At: c.CreatedAt, Handle: m.handle(c)})
}

// pile is a transaction of no database: it keeps the rows of cards and claims.
type pile struct {
	rows.Sink // what is not below is never called
	cards     []rows.Row
	place     map[string]int // of a card's row
	claims    []rows.Row
}

var errPile = errors.New("bench: a card's row was asked for that is not there")

// Get has no row of before.
func (*pile) Get(*rows.Table, []byte, []byte) (rows.Row, error) { return rows.Row{}, store.ErrNotFound }

// List has none either.
func (*pile) List(*rows.Table, rows.Query) ([]rows.Row, error) { return nil, nil }

// AppendEntry drops the entry.
func (*pile) AppendEntry(audit.Recorded) error { return nil }

// Insert keeps a row; others than those of cards and claims are the entry's.
func (p *pile) Insert(t *rows.Table, r rows.Row) error {
	switch t.Name {
	case cardsTable:
		if p.place == nil {
			p.place = map[string]int{}
		}
		r.Key = slices.Clone(r.Key)
		p.place[string(r.Key)] = len(p.cards)
		p.cards = append(p.cards, r)
	case claimsTable:
		p.claims = append(p.claims, r)
	}
	return nil
}

// Update replaces the row of a card.
func (p *pile) Update(t *rows.Table, r rows.Row, _ uint64) error {
	i, there := p.place[string(r.Key)]
	if t.Name != cardsTable || !there {
		return errPile
	}
	p.cards[i].Body, p.cards[i].Rev, p.cards[i].Looks, p.cards[i].Seal = r.Body, r.Rev, r.Looks, r.Seal
	return nil
}
