package operator

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// local is the Office of the process that has the store. The register of
// parties is Book's own.
type local struct {
	*parties.Book
	office *server.Office
	now    func() time.Time
	server *serving // nil where nothing is served
	close  func() error
}

// serving is what a serving process adds to the answers.
type serving struct {
	system *server.System
	since  time.Time
	signs  string
}

func openLocal(ctx context.Context, c Config) (Office, error) {
	off, err := server.OpenOffice(ctx, c.Directory, server.Options{Now: c.Now, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	return newLocal(off, c.Now, nil, off.Close)
}

func newLocal(off *server.Office, now func() time.Time, s *serving, done func() error) (*local, error) {
	book, err := parties.New(parties.Config{Store: off.Store, Now: now, Actor: Actor})
	if err != nil {
		return nil, err
	}
	return &local{Book: book, office: off, now: now, server: s, close: done}, nil
}

// Close gives the directory back; the office of a server has nothing to give.
func (l *local) Close() error { return l.close() }

func (l *local) Import(ctx context.Context, in io.Reader, c ImportConfig) (registry.Summary, error) {
	return l.office.Registry.Import(ctx, in, registry.ImportConfig{Actor: Actor, Progress: c.Progress, Reject: c.Reject})
}

func (l *local) Status(ctx context.Context) (Status, error) {
	s := Status{At: l.now().UTC(), Issuer: l.office.Config.Issuer, Shape: l.office.Config.Keepers.Shape}
	seen := map[string]uint64{}
	err := l.office.Store.View(ctx, func(r store.Reader) (err error) {
		if s.Cards, err = r.CountCards(); err != nil {
			return err
		}
		if s.People, err = r.CountPersons(); err != nil {
			return err
		}
		if s.OpenIntents, err = countIntents(r); err != nil {
			return err
		}
		if seen, err = r.KeepersSeen(); err != nil {
			return err
		}
		keys, err := r.SealKeys() // newest first
		if err == nil && len(keys) > 0 {
			s.SealKey = &SealKey{ID: keys[0].ID, MadeAt: keys[0].MadeAt.UTC(), RetireAt: keys[0].RetireAt.UTC()}
		}
		return err
	})
	if err != nil {
		return Status{}, err
	}
	if s.Texts, err = l.textsState(ctx); err != nil {
		return Status{}, err
	}
	if l.server != nil {
		s.Serving = l.server.state(ctx)
		for id, sequence := range l.server.system.Quorum.Seen() {
			seen[string(id)] = max(seen[string(id)], sequence)
		}
	}
	for id, sequence := range seen {
		s.Keepers = append(s.Keepers, KeeperState{ID: id, Sequence: sequence})
	}
	slices.SortFunc(s.Keepers, func(x, y KeeperState) int { return strings.Compare(x.ID, y.ID) })
	return s, nil
}

// countIntents counts page by page.
func countIntents(r store.Reader) (n int64, err error) {
	const page = 500
	var after liuma.CardID
	for {
		list, err := r.Intents(after, page)
		if err != nil {
			return 0, err
		}
		n += int64(len(list))
		if len(list) < page {
			return n, nil
		}
		after = list[len(list)-1].Card
	}
}

func (s *serving) state(ctx context.Context) *Serving {
	out := &Serving{Since: s.since, Ready: true, Signs: s.signs, Keys: kids(s.system.Vault)}
	if err := s.system.Authority.Ready(ctx); err != nil {
		out.Ready, out.Why = false, err.Error()
	}
	return out
}

func kids(v *vault.Vault) []string {
	var out []string
	for _, k := range v.ReceiptKeys().Keys {
		out = append(out, k.KeyID)
	}
	return out
}

// signingKey is the kid that the system signs with: the key file's, as long as
// the file holds the keys that the system has read from it. Empty if the file
// was changed in between, so that nobody takes a guess for knowledge.
func signingKey(s *server.System) (string, error) {
	file, err := vault.SigningKeys(s.Config.Vault)
	if err != nil {
		return "", err
	}
	var signs string
	var there []string
	for _, k := range file {
		there = append(there, k.ID)
		if k.State == vault.KeySigning {
			signs = k.ID
		}
	}
	if !slices.Equal(there, kids(s.Vault)) {
		return "", nil
	}
	return signs, nil
}
