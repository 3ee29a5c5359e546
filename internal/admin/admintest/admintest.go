// Package admintest is the trial that every admin.Administration passes: its
// changes, its refusals and their words, and its audit entries are the same in
// the process that has the store and at the other end of a socket. It
// guarantees that everything in a World is real but the clock and the parts of
// a running server. Only tests import it.
//
// Start here: Run.
package admintest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/guard"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Card is the card that a World's server knows.
var Card = liuma.CardID{7}

// Start is the time that every World's clock shows.
var Start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// Run puts an Administration on trial: over makes it from a World, on top of
// the World's Admin.
func Run(t *testing.T, over func(t *testing.T, w *World) admin.Administration) {
	for _, trial := range []struct {
		name string
		run  func(t *testing.T, w *World, a admin.Administration)
	}{
		{"clients", clients}, {"refused clients", refusedClients}, {"clients at once", clientsAtOnce}, {"a failing store", failingStore},
		{"import", imports}, {"conflicts", conflicts}, {"corrections", corrections}, {"rights", rights}, {"agencies", agenciesImported}, {"refused imports", refusedImports}, {"a file that changes", changingFiles},
		{"interrupted import", interruptedImport}, {"one import at a time", oneImport},
		{"status", status}, {"documents", documents}, {"status of people", statusOfPeople}, {"texts", texts}, {"texts page by page", pagesOfTexts}, {"signing keys", signingKeys}, {"root keys", rootKeys}, {"root keys dropped", rootKeysDropped}, {"record", records}, {"key of the last digest", lastDigestKey},
		{"numbers", numbers}, {"alarms", alarmsListed}, {"dropped texts", droppedTexts}, {"letters", letters}, {"searches", searches},
	} {
		t.Run(trial.name, func(t *testing.T) {
			w := New(t, Options{})
			trial.run(t, w, over(t, w))
		})
	}
	for _, trial := range []struct {
		name string
		run  func(t *testing.T, w *World, a admin.Administration)
	}{
		{"status of a server", servedStatus}, {"signing keys of a server", servedKeys}, {"root keys of a server", servedRootKeys}, {"inbox", inbox}, {"restored cards", restoredCards}, {"erasing", erasing}, {"retry wakes the outbox", retryWakes},
		{"keepers", keepers}, {"clock accepted", clockAccepted}, {"clock not kept", clockNotKept},
	} {
		t.Run(trial.name, func(t *testing.T) {
			w := New(t, Options{Served: true})
			trial.run(t, w, over(t, w))
		})
	}
}

// Options choose the parts of a World.
type Options struct {
	Served bool // a server is running
}

// World is a data directory that an Admin administers: real files in a
// directory of the test's own, which no other account can enter.
type World struct {
	Dir      string
	Store    store.Store
	KeyFile  string
	Admin    *admin.Admin
	Registry *Gate
	Agencies *agency.Book
	Server   *Server // nil unless served
	// Broken makes the store fail from now on.
	Broken  atomic.Bool
	record  *record.Digester
	Letters *letter.Letters
	// Policy is the World's policy; there are no files.
	Policy *edition.Editions
	// Hands are the machine's clocks.
	Hands *Hands
	// Upkeep has the keepers, with a server and without.
	Upkeep Upkeep
	clock  *clock.Clock
	vault  *vault.Vault
}

// New makes a World and closes it when the test ends.
func New(t *testing.T, o Options) *World {
	t.Helper()
	// The path of a socket must be short, which a test's own directory is not.
	dir, err := os.MkdirTemp("", "lm")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	w := &World{Dir: dir, KeyFile: filepath.Join(dir, "vault.key"), Hands: &Hands{}}
	w.clock = clock.Resume(w.Hands, clock.State{})
	must(t, vault.Create(w.KeyFile))
	v, err := vault.Open(w.KeyFile)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "liuma.db"), sqlite.Config{Seal: v})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	w.Store = breakable{db, &w.Broken}
	people, err := registry.New(registry.Config{Store: w.Store, Vault: v, Now: Now})
	must(t, err)
	w.Registry = &Gate{Registry: people}
	w.Agencies, err = agency.Open(t.Context(), agency.Config{Store: w.Store, Now: Now, Regions: directory.Published})
	must(t, err)
	w.vault = v
	w.Letters, err = letter.New(letter.Config{Store: w.Store, Vault: v, Registry: people, Now: Now})
	must(t, err)
	w.record, err = record.New(record.Config{Store: w.Store, Signer: v, Issuer: "https://pin.example.cn", Now: Now, Directory: filepath.Join(dir, "digests")})
	must(t, err)
	w.Policy = w.OpenPolicy(t)
	if o.Served {
		w.Server = &Server{keeper: clock.Resume(w.Hands, clock.State{})}
	}
	w.Admin, err = admin.New(w.Config())
	must(t, err)
	return w
}

// OpenPolicy opens the policy of the store, as a process does that starts.
func (w *World) OpenPolicy(t *testing.T) *edition.Editions {
	t.Helper()
	two, err := proposal.New(proposal.Config{Store: w.Store, Now: w.clock.Now})
	must(t, err)
	e, err := edition.Open(t.Context(), edition.Config{Store: w.Store, Proposals: two, Now: w.clock.Now, National: policy.National()})
	must(t, err)
	return e
}

// Config is a new copy of the Config that Admin was made with.
func (w *World) Config() admin.Config {
	c := admin.Config{Store: w.Store, Registry: w.Registry, Agencies: w.Agencies, Record: w.record, Vault: w.vault, Clock: w.clock,
		Issuer: "https://pin.example.cn", Shape: "2/3", TextsDriver: "none", Upkeep: &w.Upkeep, Policy: w.Policy, Letters: w.Letters, Retention: admin.Retention{Record: 1095}}
	if w.Server != nil {
		c.Server = &admin.Server{Since: Start.Add(-time.Hour), Authority: w.Server, Quorum: w.Server, Keepers: w.Server, Outbox: w.Server, Inbox: w.Server}
	}
	return c
}

// Now is the World's clock.
func Now() time.Time { return Start }

// breakable is a store that fails once Broken was called.
type breakable struct {
	store.Store
	broken *atomic.Bool
}

func (b breakable) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	if b.broken.Load() {
		return store.ErrFailed
	}
	return b.Store.Update(ctx, f)
}

func (b breakable) View(ctx context.Context, f func(store.Reader) error) error {
	if b.broken.Load() {
		return store.ErrFailed
	}
	return b.Store.View(ctx, f)
}

// Gate is a registry that can hold the start of its next import.
type Gate struct {
	*registry.Registry
	mu   sync.Mutex
	held *hold // guarded by mu
}

type hold struct{ began, release chan struct{} }

// Hold makes the next import wait: began is closed when it waits, and release
// lets it go on.
func (g *Gate) Hold() (began <-chan struct{}, release func()) {
	h := &hold{began: make(chan struct{}), release: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = h
	return h.began, func() { close(h.release) }
}

// Import is registry.Import, after release.
func (g *Gate) Import(ctx context.Context, r io.Reader, c registry.ImportConfig) (registry.Summary, error) {
	g.mu.Lock()
	h := g.held
	g.held = nil
	g.mu.Unlock()
	if h != nil {
		close(h.began)
		<-h.release
	}
	return g.Registry.Import(ctx, r, c)
}

// Server stands in for the parts of a running server.
type Server struct {
	Woken    atomic.Int64 // how often the outbox was asked to look
	keeper   *clock.Clock // of its one keeper
	mu       sync.Mutex
	notReady error             // guarded by mu
	took     []notify.Received // guarded by mu
	acts     []string          // guarded by mu
}

// Ail makes the server unable to give verdicts.
func (s *Server) Ail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notReady = err
}

// Take puts a message into the inbox.
func (s *Server) Take(r notify.Received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, r)
}

// Ready returns the error that Ail set.
func (s *Server) Ready(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notReady
}

// Spraying reports a spray.
func (s *Server) Spraying() authority.Spraying {
	return authority.Spraying{Guesses: 90, Wrong: 70, Slowed: 12,
		Alarms: []guard.Alarm{{Kind: guard.ValueSprayed, At: Start, Channel: "app", Guesses: 61, Slowed: 12}}}
}

// ChannelCodes counts the codes of a channel whose codes are not typed in.
func (s *Server) ChannelCodes(context.Context) ([]authority.ChannelCodes, error) {
	return []authority.ChannelCodes{{Channel: "app", Hour: 300, Day: 300, Most: policy.Codes{Hour: 300, Day: 2000}, Judged: 90, Returned: 4}}, nil
}

// RationUses lists a registry client that cancelled as many cards as it may, and
// another that did little.
func (s *Server) RationUses(context.Context) ([]authority.RationUse, error) {
	most := policy.Ration{Hour: 50, Day: 200}
	return []authority.RationUse{
		{Client: "mohrss", Kind: store.ClientRegistry, Act: authority.ActCancellation, Hour: 50, Day: 60, Most: most, Refused: 7, Told: Start},
		{Client: "zj", Kind: store.ClientRegistry, Act: authority.ActCancellation, Hour: 2, Day: 3, Most: most},
	}, nil
}

// RaiseHead answers as an authority with one card, which is behind.
func (s *Server) RaiseHead(_ context.Context, actor string, card liuma.CardID, reason audit.Reason) (authority.Raised, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.notReady != nil:
		return authority.Raised{}, liuma.Fail(liuma.CodeUnavailable, s.notReady)
	case card != Card:
		return authority.Raised{}, liuma.Outward(store.ErrNotFound)
	}
	s.acts = append(s.acts, actor+" raised: "+string(reason))
	return authority.Raised{From: 3, To: 9, Version: 2, Taken: true}, nil
}

// Frozen is the number of the person whose card the server knows.
const Frozen = "330521195503070026"

// FreezeByStaff answers as an authority that has one card, of Huzhou.
func (s *Server) FreezeByStaff(_ context.Context, by authority.ByStaff, q authority.HotlineFreeze) (authority.Verification, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.IDNumber != Frozen || !by.Region.Contains("330521") {
		return authority.Verification{}, liuma.Fail(liuma.CodeNotFound, nil)
	}
	s.acts = append(s.acts, by.Member.Actor()+" froze")
	return authority.Verification{}, nil
}

// ReportLossByStaff does the same, for a week.
func (s *Server) ReportLossByStaff(ctx context.Context, by authority.ByStaff, q authority.HotlineFreeze) (authority.Verification, error) {
	_, err := s.FreezeByStaff(ctx, by, q)
	return authority.Verification{Until: Start.AddDate(0, 0, 7)}, err
}

// Hastenable answers as an authority with one correction, whose holder was told.
func (s *Server) Hastenable(_ context.Context, id string) (uint64, time.Time, error) {
	switch id {
	case "told":
		return 7, Start.Add(70 * time.Hour), nil
	case "untold":
		return 7, time.Time{}, authority.ErrNotHastened
	}
	return 0, time.Time{}, store.ErrNotFound
}

// Hasten records the call.
func (s *Server) Hasten(_ context.Context, actor, id string, no uint64, until time.Time, reason audit.Reason) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = append(s.acts, fmt.Sprintf("%s hastened %s no=%d until=%s: %s", actor, id, no, until.Format(time.RFC3339), reason))
	return nil
}

// GoOnCorrecting leaves a correction as it was received. AcceptRestore answers as an
// authority with two cards, one a step.
func (s *Server) GoOnCorrecting(context.Context, string) error { return nil }

func (s *Server) AcceptRestore(_ context.Context, actor string, after liuma.CardID, reason audit.Reason) (authority.Accepted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = append(s.acts, actor+" accepted: "+string(reason))
	if after.IsZero() {
		return authority.Accepted{Cards: 1, Raised: 1, Last: Card}, nil
	}
	return authority.Accepted{Cards: 1, Failed: 1, Last: liuma.CardID{9}, Done: true}, nil
}

// ErasePerson answers as an authority that has a person with a card in use, or with
// none, by the number.
func (s *Server) ErasePerson(_ context.Context, actor string, holder vault.Index, reason audit.Reason, trial bool) (authority.Erasure, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.notReady != nil:
		return authority.Erasure{}, s.notReady
	case trial:
		return authority.Erasure{State: authority.EraseReady, Person: true, Links: 2, Notices: 3, Conflicts: 4, Card: Card.String(), Until: &Start}, nil
	}
	s.acts = append(s.acts, fmt.Sprintf("%s erased %x: %s", actor, holder[:4], reason))
	return authority.Erasure{State: authority.EraseDone, Person: true}, nil
}

// Acts lists the acts on cards so far.
func (s *Server) Acts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acts)
}

// Seen returns the sequence numbers of two keepers.
func (s *Server) Seen() map[keeper.ID]uint64 { return map[keeper.ID]uint64{"k1": 7, "k2": 5} }

// Stats returns the numbers of a server that has sent a few messages.
func (s *Server) Stats(context.Context) (notify.Stats, error) {
	return notify.Stats{Notices: notify.QueueStats{Waiting: 2, Overdue: 1, Oldest: 90 * time.Second, Letters: 3, Sent: 4, Late: 1, Retried: 2, Delivered: 3, Dead: 1}}, nil
}

// Wake counts its calls.
func (s *Server) Wake() { s.Woken.Add(1) }

// Texts returns the messages that the inbox kept.
func (s *Server) Texts(string) []notify.Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.took)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Entries are the audit entries of operators so far.
func (w *World) Entries(t *testing.T) (out []audit.Entry) {
	t.Helper()
	must(t, w.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		out = nil
		for _, e := range all {
			if e.Actor == admin.Actor {
				out = append(out, e.Entry)
			}
		}
		return err
	}))
	return out
}

// People counts the registry.
func (w *World) People(t *testing.T) (n int64) {
	t.Helper()
	must(t, w.Store.View(t.Context(), func(r store.Reader) (err error) {
		n, err = r.CountPersons()
		return err
	}))
	return n
}

// Pair makes a key pair.
func Pair(t *testing.T) admin.KeyPair {
	t.Helper()
	p, err := admin.NewKeyPair()
	must(t, err)
	return p
}

// Channel is a channel to be registered, with a key of its own.
func Channel(t *testing.T, id string) admin.Client {
	t.Helper()
	return admin.Client{
		ID: id, Kind: store.ClientChannel, Name: liuma.Text{ZH: "浙江人社", EN: "<Zhejiang> & co"}, Key: Pair(t).Public,
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify},
	}
}
