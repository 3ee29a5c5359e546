// Package record maintains the audit record. It checks every entry once more soon after
// it was written, signs a digest of the whole record every hour and writes it to a
// directory from which the operator can ship it, adds the entries that the digest newly
// covers to the tallies, and searches and exports the record for examiners.
//
// It guarantees that no digest covers an entry that was missing, altered or added when
// the digest was made; that digests are numbered without gaps and follow one another
// across crashes and restarts; that the entries of a digest are tallied once, in the
// transaction that saves the digest; and that a fault is reported in the log, in
// the record and in the status, and stops only the digests of the stream that has it,
// because the record decides nothing. It trusts the store to be unchanged since the
// last digest, as far as heads and chains show, and the clock only for the hour.
//
// Start here: Digester, then gather in check.go.
package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// Every is the time between two digests.
const Every = time.Hour

const (
	// lookEvery is how often Maintain checks whether a digest is due.
	lookEvery = time.Minute
	// endTime bounds the digest that is made when the process ends.
	endTime = 10 * time.Second
	// page bounds how many rows are read at once.
	page = 256
)

// Signer signs digests; *vault.Vault does.
type Signer interface {
	SignDigest(audit.Digest) (audit.SignedDigest, error)
	SignArchive(audit.Archive) (audit.SignedArchive, error)
	ReceiptKeys() jose.JSONWebKeySet
}

// Config holds the parts of a Digester. Store, Signer, Issuer and Now are
// required.
type Config struct {
	Store  store.Store
	Signer Signer
	Issuer string
	Now    func() time.Time
	// Directory is where each digest is written as a file, for the operator to ship;
	// empty: nowhere.
	Directory string
	// Keep is how long the database keeps archived entries. Default Kept; at least
	// KeptLeast.
	Keep   time.Duration
	Logger *slog.Logger // default: discard
}

func (c *Config) fill() error {
	if c.Store == nil || c.Signer == nil || c.Issuer == "" || c.Now == nil {
		return errors.New("record: config: want Store, Signer, Issuer and Now")
	}
	if c.Keep == 0 {
		c.Keep = Kept
	}
	if c.Keep < KeptLeast {
		return errors.New("record: config: want a Keep of at least half a year")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Digester checks and digests one record. Safe for concurrent use.
type Digester struct {
	c      Config
	making sync.Mutex // held while a digest is made or shipped: one at a time
	// leaving is held while archived entries are deleted, and shared by exports, which
	// begin after an archive and must not see another archive's entries disappear.
	leaving sync.RWMutex
	mu      sync.Mutex
	state   State           // guarded by mu
	told    map[string]bool // guarded by mu; findings that are already in the record
}

// State is the state of the record, as far as this process has looked.
type State struct {
	Checked time.Time // when entries were last checked; zero: not yet
	// Faults are the findings of the last check, and the faults of the shipped digests.
	// Empty: none.
	Faults []string
	// Shipping is why the last digest could not be written to the directory; empty: it
	// could.
	Shipping string
}

// New checks the Config.
func New(c Config) (*Digester, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	return &Digester{c: c, told: map[string]bool{}}, nil
}

// State returns the state.
func (d *Digester) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.Faults = slices.Clone(s.Faults)
	return s
}

// Maintain checks the entries since the last digest, and makes a digest
// whenever one is due and when ctx ends.
func (d *Digester) Maintain(ctx context.Context) {
	if err := d.Check(ctx); err != nil && ctx.Err() == nil {
		d.c.Logger.WarnContext(ctx, "record not checked", "err", err)
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		d.whenDue(ctx)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
			defer cancel()
			if err := d.atEnd(last); err != nil {
				d.c.Logger.WarnContext(ctx, "no digest at the end", "err", err)
			}
			return
		case <-t.C:
		}
	}
}

func (d *Digester) whenDue(ctx context.Context) {
	due, err := d.due(ctx)
	if err == nil && due {
		_, err = d.Digest(ctx)
	}
	if err != nil && ctx.Err() == nil {
		d.c.Logger.WarnContext(ctx, "record not digested", "err", err)
	}
}

// due reports whether the last digest or, before the first digest, the oldest entry is
// an hour old. If the clock was put back, a digest is due at once.
func (d *Digester) due(ctx context.Context) (bool, error) {
	var since time.Time
	err := d.c.Store.View(ctx, func(r store.Reader) error {
		last, err := d.last(r)
		if err != nil || last.Number > 0 {
			since = last.At
			return err
		}
		since, err = oldest(r)
		return err
	})
	now := d.c.Now()
	return err == nil && !since.IsZero() && (now.Sub(since) >= Every || now.Before(since.Add(-time.Minute))), err
}

// oldest returns the time of the first undigested entries of some streams.
func oldest(r store.Reader) (at time.Time, err error) {
	streams, err := r.Undigested(audit.Stream{}, page)
	if err != nil {
		return at, err
	}
	for _, s := range streams {
		first, err := r.Entries(s, 0, 1)
		if err != nil {
			return at, err
		}
		if len(first) > 0 && (at.IsZero() || first[0].At.Before(at)) {
			at = first[0].At
		}
	}
	return at, nil
}

// last reads the last digest and checks that it is this authority's.
func (d *Digester) last(r store.Reader) (audit.SignedDigest, error) {
	return d.lastBy(r, d.c.Signer.ReceiptKeys())
}

// lastBy reads the last digest and checks it with keys.
func (d *Digester) lastBy(r store.Reader, keys jose.JSONWebKeySet) (audit.SignedDigest, error) {
	row, err := r.LastDigest()
	if errors.Is(err, store.ErrNotFound) {
		return audit.SignedDigest{}, nil
	}
	if err != nil {
		return audit.SignedDigest{}, err
	}
	last, err := audit.ParseDigest(row.Token, &keys)
	if err == nil && (last.Number != row.Number || last.Issuer != d.c.Issuer) {
		err = errors.New("it is another one")
	}
	if errors.Is(err, audit.ErrOtherKey) {
		err = fmt.Errorf("%w; if that key was dropped, 'liuma audit digest --keys FILE' goes on", err)
	}
	if err != nil {
		return last, &audit.Finding{Digest: row.Number, What: string(audit.Altered) + ": " + err.Error()}
	}
	return last, nil
}

// Digest checks the entries since the last digest, makes the next digest, and writes it
// to the directory. Streams with a fault stay out of it. If the last digest was
// altered, the error is a *audit.Finding, and no digest follows.
func (d *Digester) Digest(ctx context.Context) (audit.SignedDigest, error) {
	return d.make(ctx, d.c.Signer.ReceiptKeys(), d.entry(audit.RecordDigested, "ok"))
}

// make makes the next digest; keys must check the last one. The note of its entry
// begins with the number.
func (d *Digester) make(ctx context.Context, keys jose.JSONWebKeySet, e audit.Entry) (audit.SignedDigest, error) {
	d.making.Lock()
	defer d.making.Unlock()
	g, err := d.gather(ctx, keys)
	if f, ok := errors.AsType[*audit.Finding](err); ok {
		g.findings = append(g.findings, f)
	} else if err != nil {
		return audit.SignedDigest{}, err
	}
	d.tell(ctx, g.findings)
	if err != nil {
		return audit.SignedDigest{}, err
	}
	signed, err := d.c.Signer.SignDigest(g.digest(d.c.Issuer, d.c.Now()))
	if err != nil {
		return audit.SignedDigest{}, err
	}
	// A crash before the commit leaves the previous digest, and the next one covers
	// both hours. A crash after it leaves a digest that is not yet in the directory;
	// the next start writes it there (I-16). The entries that the digest newly covers
	// are added to the tallies in the same transaction, once.
	lost := 0
	note := e.Note
	err = d.c.Store.Update(ctx, func(tx store.Tx) (_ audit.Entry, err error) {
		e.At, e.Note = d.c.Now().UTC(), strings.TrimSpace(fmt.Sprintf("digest=%d %s", signed.Number, note))
		if err := tx.InsertDigest(store.Digest{Number: signed.Number, Token: signed.Token}, g.changes); err != nil {
			return audit.Entry{}, err
		}
		lost, err = tally.Keep(tx, g.counted, e.At)
		return e, err
	})
	if err != nil {
		return audit.SignedDigest{}, fmt.Errorf("record: keep digest %d: %w", signed.Number, err)
	}
	if lost > 0 {
		d.c.Logger.ErrorContext(ctx, "hours of the tallies were altered; nothing is added to them", "hours", lost)
	}
	d.ship(ctx)
	return signed, nil
}

// atEnd makes a digest if entries were written since the last one.
func (d *Digester) atEnd(ctx context.Context) error {
	worth := false
	err := d.c.Store.View(ctx, func(r store.Reader) error {
		return undigested(r, func(s audit.Stream) error {
			from, err := digestedHead(r, s, math.MaxInt64)
			if err != nil || worth {
				return err
			}
			return entries(r, s, from.Number, func(e audit.Recorded) bool {
				worth = worth || e.Event != audit.RecordDigested
				return !worth
			})
		})
	})
	if err == nil && worth {
		_, err = d.Digest(ctx)
	}
	return err
}

func (d *Digester) entry(event audit.Event, outcome string) audit.Entry {
	return audit.Entry{At: d.c.Now().UTC(), Actor: "system", Event: event, Card: liuma.CardID{}, Outcome: outcome}
}
