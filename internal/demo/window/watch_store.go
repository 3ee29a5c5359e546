package window

import (
	"context"
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Store shows in the hub the authority's decisions (its audit entries) and the
// rows as they are stored. It changes nothing. For server.Options.BetweenStore.
func (h *Hub) Store(s store.Store) store.Store { return &watchedStore{Store: s, hub: h} }

type watchedStore struct {
	store.Store
	hub *Hub
}

// row is a row that a transaction wrote.
type row struct {
	title liuma.Text
	facts []Fact
}

func (s *watchedStore) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	// f may run more than once; only the writes of its last run count.
	var entry audit.Entry
	var rows []row
	err := s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		seen := &watchedTx{Tx: tx}
		e, err := f(seen)
		entry, rows = e, seen.rows
		return e, err
	})
	if err != nil {
		return err
	}
	if title, ok := titleOf(entry.Event); ok {
		s.hub.Saw(Authority, "", title, entryFacts(entry)...)
	}
	for _, r := range rows {
		s.hub.Saw(Database, "", r.title, r.facts...)
	}
	return nil
}

// titleOf names an entry for a visitor; false for housekeeping.
func titleOf(e audit.Event) (liuma.Text, bool) {
	switch e {
	case audit.AssertionUsed:
		return both(words.AssertionUsed), true
	case audit.CeremonyPushed:
		return both(words.CeremonyPushed), true
	case audit.CeremonyStepped:
		return both(words.CeremonyStepped), true
	case audit.CeremonyEnded:
		return both(words.CeremonyEnded), true
	case audit.AttemptBegun:
		return both(words.AttemptBegun), true
	case audit.AttemptDecided:
		return both(words.AttemptDecided), true
	case audit.AttemptUndecided:
		return both(words.AttemptUndecided), true
	case audit.CardEnrolled:
		return both(words.CardEnrolled), true
	case audit.CardLinked:
		return both(words.CardLinked), true
	case audit.PINIntended:
		return both(words.PINIntended), true
	case audit.PINProposed:
		return both(words.PINProposed), true
	case audit.PINSet:
		return both(words.PINSet), true
	case audit.PINSettled:
		return both(words.PINSettled), true
	case audit.PINAbandoned:
		return both(words.PINAbandoned), true
	case audit.CodeRedeemed:
		return both(words.CodeRedeemed), true
	case audit.CodeReplayed:
		return both(words.CodeReplayed), true
	case audit.ReceiptRedeemed:
		return both(words.ReceiptRedeemed), true
	case audit.CardFrozen:
		return both(words.CardFrozen), true
	case audit.CardUnfrozen:
		return both(words.CardUnfrozen), true
	case audit.PINReset:
		return both(words.PINReset), true
	case audit.PhoneChanged:
		return both(words.PhoneChanged), true
	case audit.CardUnlinked:
		return both(words.CardUnlinked), true
	case audit.FreezeTried:
		return both(words.FreezeTried), true
	case audit.MessageSent:
		return both(words.MessageSent), true
	case audit.CodeSent:
		return both(words.CodeSent), true
	case audit.CodeRight:
		return both(words.CodeRight), true
	case audit.CodeWrong:
		return both(words.CodeWrong), true
	case audit.CardAdopted:
		return both(words.CardAdopted), true
	case audit.KeeperAlarm:
		return both(words.KeeperAlarm), true
	}
	return liuma.Text{}, false
}

func entryFacts(e audit.Entry) []Fact {
	facts := []Fact{{"audit", string(e.Event)}}
	for _, f := range []Fact{{"actor", e.Actor}, {"business_no", string(e.BusinessNo)}, {"outcome", e.Outcome}, {"note", e.Note}} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	if !e.Card.IsZero() {
		facts = append(facts, cardFact(e.Card))
	}
	return facts
}

// watchedTx notes the rows that tell something. It is used by one goroutine,
// as every Tx.
type watchedTx struct {
	store.Tx
	rows []row
}

// note keeps a row that was written.
func (t *watchedTx) note(err error, title liuma.Text, facts ...Fact) error {
	if err == nil {
		t.rows = append(t.rows, row{title: title, facts: facts})
	}
	return err
}

func cardRow(c store.Card) []Fact {
	facts := []Fact{
		cardFact(c.ID), {"holder (blind index)", bytesOf(c.Holder[:])},
		versionFact(c.Version), {"verifier", "–"},
		{"tally", fmt.Sprintf("spent %d, cleared %d", c.Tally.Spent, max(c.Tally.Cleared[0], c.Tally.Cleared[1]))},
	}
	if !c.Verifier.IsZero() {
		facts[3].Value = bytesOf(c.Verifier[:])
	}
	return facts
}

func (t *watchedTx) InsertCard(c store.Card) error {
	return t.note(t.Tx.InsertCard(c), both(words.RowCardNew), cardRow(c)...)
}

func (t *watchedTx) UpdateCard(c store.Card) error {
	return t.note(t.Tx.UpdateCard(c), both(words.RowCard), cardRow(c)...)
}

func (t *watchedTx) PutLink(l store.Link) error {
	return t.note(t.Tx.PutLink(l), both(words.RowLink),
		Fact{"channel", string(l.Channel)}, cardFact(l.Card), Fact{"handle", cut(string(l.Handle))}, Fact{"wrong", fmt.Sprint(l.Wrong)})
}

func (t *watchedTx) DeleteLink(ch liuma.ChannelID, h store.Handle) error {
	return t.note(t.Tx.DeleteLink(ch, h), both(words.RowLinkEnded), Fact{"channel", string(ch)}, Fact{"handle", cut(string(h))})
}

func requestRow(r store.Request) []Fact {
	facts := []Fact{{"channel", string(r.Channel)}, {"business_no", string(r.BusinessNo)}, {"action", string(r.Action)}, {"purpose (hash)", bytesOf(r.Purpose[:])}}
	verdict := "–"
	if r.Decided {
		verdict = strings.TrimSpace(string(r.Verdict) + " " + string(r.Code))
	}
	facts = append(facts, Fact{"verdict", verdict})
	if r.Verdict == liuma.Wrong || r.Verdict == liuma.Locked {
		facts = append(facts, Fact{"tries left", fmt.Sprint(r.TriesLeft)})
	}
	return facts
}

func (t *watchedTx) InsertRequest(r store.Request) error {
	return t.note(t.Tx.InsertRequest(r), both(words.RowNumberTaken), requestRow(r)...)
}

func (t *watchedTx) UpdateRequest(r store.Request) error {
	return t.note(t.Tx.UpdateRequest(r), both(words.RowNumberDecided), requestRow(r)...)
}

func (t *watchedTx) InsertCeremony(c store.Ceremony) error {
	return t.note(t.Tx.InsertCeremony(c), both(words.RowCeremony),
		Fact{"channel", string(c.Channel)}, Fact{"step", c.Step}, Fact{"request_uri (hash)", bytesOf(c.RequestURI[:])}, Fact{"details (sealed)", bytesOf(c.Sealed)})
}
