package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

var (
	// ErrSearch says that the stream, or the place to go on from, is not written in a valid
	// form.
	ErrSearch = errors.New("want a card's identifier of 32 hexadecimal digits, or a stream as card: or process: and 32 hexadecimal digits")
	// ErrNoStream says that there is no such stream.
	ErrNoStream = errors.New("the record has no such stream")
)

// RecordSearch says which entries to find; an empty member matches every entry.
type RecordSearch struct {
	Stream     string    `json:"stream"` // "card:" or "process:" and the identifier, or a card's identifier alone
	Actor      string    `json:"actor"`
	Event      string    `json:"event"`
	Outcome    string    `json:"outcome"`
	BusinessNo string    `json:"business_no"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"`
	After      string    `json:"after"` // FoundEntries.Next of the part before
}

// EntryView is an entry as it is shown.
type EntryView struct {
	Stream     string    `json:"stream"`
	Number     uint64    `json:"number"`
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	Event      string    `json:"event"`
	BusinessNo string    `json:"business_no"`
	Outcome    string    `json:"outcome"`
	Note       string    `json:"note"`
}

// FoundEntries is one part of a search's result.
type FoundEntries struct {
	Entries []EntryView `json:"entries"`
	Looked  int         `json:"looked_at"`      // entries
	Next    string      `json:"next,omitempty"` // where the next part begins; empty: this was the last
}

// StreamChecked is the result of checking a stream.
type StreamChecked struct {
	Stream string `json:"stream"`
	Whole  bool   `json:"whole"`
	Fault  string `json:"fault,omitempty"` // missing, altered or added
	At     uint64 `json:"fault_at,omitempty"`
	// From and To are the first and last entry in the database. Hash is the last entry's
	// hash, with which the chain was compared.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Hash string `json:"hash"`
	// Digested is the last entry that a signed digest covers; 0: none is covered yet.
	Digested uint64 `json:"digested"`
}

// FindEntries looks through the record; see Administration.
func (a *Admin) FindEntries(ctx context.Context, q RecordSearch) (FoundEntries, error) {
	s := record.Search{Actor: q.Actor, Event: audit.Event(q.Event), Outcome: q.Outcome, BusinessNo: liuma.BusinessNo(q.BusinessNo), Since: q.Since, Until: q.Until}
	var err error
	if q.Stream != "" {
		if s.Stream, err = parseStream(q.Stream); err != nil {
			return FoundEntries{}, err
		}
	}
	if q.After != "" {
		if s.After, err = parsePlace(q.After); err != nil {
			return FoundEntries{}, err
		}
	}
	found, err := a.c.Record.Find(ctx, s)
	if err != nil {
		return FoundEntries{}, err
	}
	out := FoundEntries{Entries: make([]EntryView, 0, len(found.Entries)), Looked: found.Looked}
	for _, e := range found.Entries {
		out.Entries = append(out.Entries, EntryView{Stream: e.Stream.String(), Number: e.Number, At: e.At, Actor: e.Actor,
			Event: string(e.Event), BusinessNo: string(e.BusinessNo), Outcome: e.Outcome, Note: e.Note})
	}
	if !found.Next.IsZero() {
		out.Next = found.Next.Stream.String() + "/" + strconv.FormatUint(found.Next.Number, 10)
	}
	return out, nil
}

// CheckStream checks the hash chain of one stream; see Administration.
func (a *Admin) CheckStream(ctx context.Context, stream string) (StreamChecked, error) {
	s, err := parseStream(stream)
	if err != nil {
		return StreamChecked{}, err
	}
	c, err := a.c.Record.CheckStream(ctx, s)
	if errors.Is(err, store.ErrNotFound) {
		return StreamChecked{}, ErrNoStream
	}
	if err != nil {
		return StreamChecked{}, err
	}
	out := StreamChecked{Stream: s.String(), Whole: c.Break == nil, From: c.From, To: c.Head.Number, Hash: c.Head.Hash.String(), Digested: c.Digested}
	if c.Break != nil {
		out.Fault, out.At = string(c.Break.Fault), c.Break.Number
	}
	return out, nil
}

// SeekCard finds a person's card by their document; see Administration.
func (a *Admin) SeekCard(ctx context.Context, number string, reason audit.Reason) (registry.Sought, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return registry.Sought{}, err
	}
	id, err := parseNumber(number)
	if err != nil {
		return registry.Sought{}, err
	}
	return a.c.Registry.Seek(ctx, ActorOf(ctx), id, reason)
}

// parseStream reads the name of a stream, or a card's identifier alone.
func parseStream(name string) (audit.Stream, error) {
	if !strings.Contains(name, ":") {
		name = audit.OfCard.String() + ":" + name
	}
	s, err := audit.ParseStream(name)
	if err != nil {
		return s, fmt.Errorf("%w", ErrSearch)
	}
	return s, nil
}

// parsePlace reads the place where a search goes on.
func parsePlace(text string) (p audit.Place, err error) {
	name, number, ok := strings.Cut(text, "/")
	if p.Stream, err = parseStream(name); err != nil {
		return p, err
	}
	if p.Number, err = strconv.ParseUint(number, 10, 63); err != nil || !ok {
		return p, ErrSearch
	}
	return p, nil
}
