package admin

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

// Record checks, digests and exports the audit record; *record.Digester does.
type Record interface {
	Digest(context.Context) (audit.SignedDigest, error)
	Resume(ctx context.Context, given jose.JSONWebKeySet, actor string, reason audit.Reason) (audit.SignedDigest, error)
	Needs(ctx context.Context, kid string) (bool, error)
	Export(ctx context.Context, q record.Query, w io.Writer) error
	Find(ctx context.Context, q record.Search) (record.Found, error)
	CheckStream(ctx context.Context, s audit.Stream) (record.Checked, error)
	Plan(ctx context.Context, before time.Time) (record.Plan, error)
	Keep(ctx context.Context, token, actor string, reason audit.Reason) (store.Archive, error)
	State() record.State
}

// ErrArchive means that a signature does not belong to the next archive: another one
// was kept meanwhile, or it is of another record.
var ErrArchive = errors.New("this is not the next archive of the record")

// ErrNothingToArchive means that every digest that is old enough is in an archive
// already.
var ErrNothingToArchive = errors.New("nothing to archive: no digest from before that time is outside of the archives")

// ArchivePlan says what the next archive will hold. ExportRecord writes it if that
// digest is Query.Archive.
type ArchivePlan struct {
	Number   uint64    `json:"number"`
	Digest   uint64    `json:"digest"` // the last one in it
	DigestAt time.Time `json:"digest_at"`
}

// Archive is an archive that is kept. Its entries leave the database by themselves on a
// given day.
type Archive struct {
	Number  uint64    `json:"number"`
	Digest  uint64    `json:"digest"`
	Leaving time.Time `json:"leaving"`
}

// Retention says how long each kind of row is kept, and how old the kept rows are.
type Retention struct {
	Requests   int `json:"requests_days"`
	Ceremonies int `json:"ceremonies_days"`
	Record     int `json:"record_days"`
	// OldestRequest and RequestsKept are of the last whole walk through the requests,
	// which ended at WalkedAt; null before the first.
	OldestRequest *time.Time `json:"oldest_request"`
	RequestsKept  uint64     `json:"requests"`
	WalkedAt      *time.Time `json:"walked_at"`
	// OldestDigest is the time of the first digest in the database, Archives the number
	// of the last archive, and Left the number of the last archive whose entries have
	// left or are leaving.
	OldestDigest *time.Time `json:"oldest_digest"`
	Archives     uint64     `json:"archives"`
	Left         uint64     `json:"archives_left"`
	// Due says that some entries have been kept long enough and are in no archive.
	Due bool `json:"archive_due"`
	// Bytes are the size of the database's file.
	Bytes int64 `json:"database_bytes"`
}

// Digest is a digest that was made.
type Digest struct {
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	Streams uint64    `json:"streams"`
	Entries uint64    `json:"entries"`
	Token   string    `json:"token"` // signed; docs/AUDIT.md describes it
	// Faults were found when the entries were checked. Shipping is the reason why the
	// digest is not in the directory of digests.
	Faults   []string `json:"faults"`
	Shipping string   `json:"shipping,omitempty"`
}

// RecordStatus is the state of the audit record.
type RecordStatus struct {
	Digest  uint64     `json:"digest"` // number of the last one; 0: none
	At      *time.Time `json:"digest_at"`
	Entries uint64     `json:"entries"` // that the last one is over
	// From the running server: when it last checked the entries, the faults it found,
	// and why the last digest is not in the directory of digests.
	Checked  *time.Time `json:"checked_at"`
	Faults   []string   `json:"faults"`
	Shipping string     `json:"shipping,omitempty"`
}

// MakeDigest makes the next digest now.
func (a *Admin) MakeDigest(ctx context.Context) (Digest, error) {
	return a.made(a.c.Record.Digest(ctx))
}

// ResumeDigests makes the next digest with public keys that the operator kept, on
// the record with a reason.
func (a *Admin) ResumeDigests(ctx context.Context, keys jose.JSONWebKeySet, reason audit.Reason) (Digest, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return Digest{}, err
	}
	return a.made(a.c.Record.Resume(ctx, keys, ActorOf(ctx), reason))
}

func (a *Admin) made(d audit.SignedDigest, err error) (Digest, error) {
	if err != nil {
		return Digest{}, err
	}
	s := a.c.Record.State()
	return Digest{Number: d.Number, At: d.At, Streams: d.Streams, Entries: d.Entries, Token: d.Token, Faults: s.Faults, Shipping: s.Shipping}, nil
}

// ExportRecord writes the audit record, or a part of it, as lines of JSON.
func (a *Admin) ExportRecord(ctx context.Context, q record.Query, w io.Writer) error {
	return a.c.Record.Export(ctx, q, w)
}

func (a *Admin) recordStatus(ctx context.Context) (out RecordStatus, err error) {
	var last store.Digest
	err = a.c.Store.View(ctx, func(r store.Reader) (err error) {
		last, err = r.LastDigest()
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	if err == nil {
		out.Digest = last.Number
		if d, err := audit.ParseDigest(last.Token, nil); err == nil {
			out.At, out.Entries = &d.At, d.Entries
		}
	}
	if a.c.Server == nil {
		return out, nil
	}
	s := a.c.Record.State()
	if !s.Checked.IsZero() {
		out.Checked = &s.Checked
	}
	out.Faults, out.Shipping = s.Faults, s.Shipping
	return out, nil
}

// PlanArchive says what the next archive would hold. A zero time means now, less the
// time for which the record is kept.
func (a *Admin) PlanArchive(ctx context.Context, before time.Time) (ArchivePlan, error) {
	p, err := a.c.Record.Plan(ctx, before)
	if errors.Is(err, record.ErrNothingToArchive) {
		return ArchivePlan{}, ErrNothingToArchive
	}
	return ArchivePlan{p.Number, p.Digest, p.DigestAt}, err
}

// KeepArchive records, with a reason, that an archive was written and read back.
func (a *Admin) KeepArchive(ctx context.Context, token string, reason audit.Reason) (Archive, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return Archive{}, err
	}
	kept, err := a.c.Record.Keep(ctx, token, ActorOf(ctx), reason)
	if errors.Is(err, record.ErrArchive) || errors.Is(err, store.ErrNotArchived) {
		return Archive{}, ErrArchive
	}
	if err != nil {
		return Archive{}, err
	}
	out := Archive{Number: kept.Number, Digest: kept.Digest}
	err = a.c.Store.View(ctx, func(r store.Reader) error {
		at, err := digestTime(r, kept.Digest)
		out.Leaving = at.Add(time.Duration(a.c.Retention.Record) * 24 * time.Hour)
		return err
	})
	return out, err
}

// digestTime is when a digest was made; zero if there is no digest of that number.
func digestTime(r store.Reader, number uint64) (time.Time, error) {
	list, err := r.Digests(max(number, 1)-1, 1)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	d, err := audit.ParseDigest(list[0].Token, nil)
	return d.At, err
}

// retention reads the ages of the kinds of rows that are kept for a time.
func (a *Admin) retention(ctx context.Context) (Retention, error) {
	out := a.c.Retention
	err := a.c.Store.View(ctx, func(r store.Reader) error {
		sw, err := r.Sweep()
		if err != nil {
			return err
		}
		if !sw.EndedAt.IsZero() {
			out.WalkedAt, out.RequestsKept = &sw.EndedAt, sw.LastKept
		}
		if !sw.LastOldest.IsZero() {
			out.OldestRequest = &sw.LastOldest
		}
		return a.archives(r, &out)
	})
	if a.c.DatabaseBytes != nil && err == nil {
		out.Bytes = a.c.DatabaseBytes(ctx)
	}
	return out, err
}

func (a *Admin) archives(r store.Reader, out *Retention) error {
	var last store.Archive
	for {
		list, err := r.Archives(out.Archives, 100)
		if err != nil {
			return err
		}
		for _, x := range list {
			last, out.Archives = x, x.Number
			if !x.LeavesAt.IsZero() {
				out.Left = x.Number
			}
		}
		if len(list) == 0 {
			break
		}
	}
	first, err := digestTime(r, 1)
	if err != nil {
		return err
	}
	if !first.IsZero() {
		out.OldestDigest = &first
	}
	next, err := digestTime(r, last.Digest+1)
	out.Due = !next.IsZero() && a.c.Clock.Now().Sub(next) >= time.Duration(out.Record)*24*time.Hour
	return err
}
