package counter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// A ticket's code has eight of the 30 written.CodeLetters: 6.6e11 codes, 39 bits, for
// the half hour of asking. It finds a ticket and proves nothing: with a thousand tickets open in a province, who tries 10 codes an hour
// from each of a thousand networks hits one in seven years, and then still needs the
// bound phone, or a supervisor who reads the number off a screen that is not there.
const codeSize = 8

// parseCode reads the typed code of a ticket, or the pairing number of a pad.
func parseCode(typed string) (string, bool) {
	code, formed := written.Code(typed)
	return code, formed && len(code) == codeSize
}

// ShownCode is a code as it is read aloud: 4-4.
func ShownCode(code string) string { return code[:codeSize/2] + "-" + code[codeSize/2:] }

func (c *Counter) codeIndex(what, code string) vault.Index {
	return c.c.Vault.Index(vault.IndexTicket, what+"\x00"+code)
}

// NewCode makes the code of the clerk's own ticket, for the holder's phone, before a
// browser has it (handable). It is returned once; another call makes another code, and the
// first one finds nothing any more. Errors: ErrMember, ErrDocument, ErrTicket, ErrState.
func (c *Counter) NewCode(ctx context.Context, by liuma.StaffID, id liuma.TicketID) (string, error) {
	code := written.NewCode(codeSize)
	err := c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		t, err := c.ownTicket(tx, by, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if !c.handable(t) {
			return audit.Entry{}, ErrState
		}
		t.Code, t.Pad = c.codeIndex("code", code), ""
		e := c.entry(by.Actor(), audit.TicketHanded, t, "ok")
		e.Note += " by=code"
		return e, tx.UpdateTicket(t)
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// ByCode finds the live ticket that a typed code is of. source names the sender of the
// request (an address, say): from the eleventh wrong code an hour on it is refused
// without a look. Whether the ticket stands is another question. Errors:
// CodeTicketUnknown, CodeTooManyRequests.
func (c *Counter) ByCode(ctx context.Context, source, typed string) (store.Ticket, error) {
	from := c.codeIndex("source", source)
	if until := c.tries.slowed(from, c.c.Now()); !until.IsZero() {
		return store.Ticket{}, &liuma.Error{Code: liuma.CodeTooManyRequests, Until: c.c.Engine.ToWall(until)}
	}
	code, formed := parseCode(typed)
	var t store.Ticket
	err := store.ErrNotFound
	if formed {
		err = c.c.Store.View(ctx, func(r store.Reader) (err error) {
			t, err = r.TicketByCode(c.codeIndex("code", code))
			return err
		})
	}
	if errors.Is(err, store.ErrNotFound) {
		if c.tries.add(from, c.c.Now()) {
			c.c.Logger.ErrorContext(ctx, "ALARM: codes of tickets are being guessed", "wrong", triesAlarm, "within", triesPeriod)
		}
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	if err != nil {
		return store.Ticket{}, liuma.Outward(err)
	}
	return t, nil
}

// Wrong codes are counted in memory, as wrong freeze codes are: who sends them writes
// nothing to the disk. Here a right one is refused too while its source is slowed: its
// holder stands at a counter, where the clerk can send the ticket to a pad.
const (
	triesPeriod  = time.Hour
	triesSource  = 10      // wrong ones of one source within the period
	triesSources = 1 << 14 // that are counted at a time, each by itself
	triesShared  = 1 << 14 // wrong ones of all other sources together
	triesAlarm   = 1000    // wrong ones within the period, from all sources
)

// triesOthers stands for all sources that come after triesSources others within a period.
// They are counted as one, to triesShared: whoever has that many networks has none left from
// which codes are tried without end. Then others are slowed with them; the pad stays.
func triesOthers() vault.Index { return vault.Index{} }

type tries struct {
	mu      sync.Mutex
	since   time.Time           // guarded by mu
	sources map[vault.Index]int // guarded by mu
	all     int                 // guarded by mu: wrong ones within the period
}

func newTries() *tries { return &tries{sources: map[vault.Index]int{}} }

// of is under which a source is counted, and how many wrong ones it may give. The caller
// holds mu.
func (t *tries) of(source vault.Index) (vault.Index, int) {
	if _, counted := t.sources[source]; counted || len(t.sources) < triesSources {
		return source, triesSource
	}
	return triesOthers(), triesShared
}

// begin begins another period where the last one is over. The caller holds mu.
func (t *tries) begin(now time.Time) {
	if now.Sub(t.since) >= triesPeriod {
		t.since, t.all = now, 0
		clear(t.sources)
	}
}

// slowed is until when a source is slowed, or zero.
func (t *tries) slowed(source vault.Index, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begin(now)
	if from, most := t.of(source); t.sources[from] >= most {
		return t.since.Add(triesPeriod)
	}
	return time.Time{}
}

// add counts a wrong one, and reports whether this one made it an alarm.
func (t *tries) add(source vault.Index, now time.Time) (alarm bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begin(now)
	from, _ := t.of(source)
	t.sources[from]++
	t.all++
	return t.all == triesAlarm
}
