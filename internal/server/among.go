package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
)

// NameFile, beside the vault's key, keeps the name of an authority among those on its
// database. It is made at the first start and belongs to one data directory: a copy of the
// directory for another machine leaves it out.
const NameFile = "authority.id"

// ErrName says that the file of the name does not hold one.
var ErrName = errors.New("server: " + NameFile + " holds no name; delete it, and the next start makes another")

// nameShape is what a name may be.
var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// nameOf is the name under which a served directory works with its database: none where
// nobody else can work with it, because it is a file, or because the keepers are in this
// process, where no other authority reaches them.
//
// A crash while the file is made leaves none or an empty one, which is made again.
func nameOf(c config.Config) (string, error) {
	if !c.OnServer() || !c.Keepers.AreRemote() {
		return "", nil
	}
	path := filepath.Join(home(c), NameFile)
	for {
		text, err := os.ReadFile(path)
		if name := strings.TrimSpace(string(text)); err == nil && name != "" {
			if !nameShape.MatchString(name) {
				return "", ErrName
			}
			return name, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		var random [4]byte
		rand.Read(random[:])
		if err := (diskfile.Disk{}).Write(home(c), NameFile, []byte("authority-"+hex.EncodeToString(random[:])+"\n")); err != nil {
			return "", err
		}
	}
}

// nameThere is the name that nameOf made at an earlier start; empty: there is none.
func nameThere(c config.Config) string {
	if !c.OnServer() || !c.Keepers.AreRemote() {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(home(c), NameFile))
	if name := strings.TrimSpace(string(text)); err == nil && nameShape.MatchString(name) {
		return name
	}
	return ""
}

// prove has a transaction run again for a card's row that another authority moved on.
func (d *Data) prove(ctx context.Context, card liuma.CardID, read uint64, now func(context.Context) (uint64, error)) error {
	q := d.heads.Load()
	if q == nil {
		return nil
	}
	err := q.Prove(ctx, card, read, workOf(ctx), now)
	if errors.Is(err, keeper.ErrMoved) {
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	return err
}

// workOf names the holds that an act is done under; empty: none.
func workOf(ctx context.Context) string {
	var work []byte
	for _, h := range store.HoldsIn(ctx) {
		work = append(work, h.Token[:]...)
	}
	return string(work)
}

// rowNow reads where a card's row stands; nil where nobody else writes rows.
func (d *Data) rowNow() func(context.Context, liuma.CardID) (uint64, error) {
	if !d.shared() {
		return nil
	}
	return func(ctx context.Context, card liuma.CardID) (rev uint64, err error) {
		err = d.Database.View(ctx, func(r store.Reader) error {
			c, err := r.Card(card)
			rev = c.Rev
			return err
		})
		return rev, err
	}
}

// shared reports whether other authorities may work with the database.
func (d *Data) shared() bool { return d.Database.Self().Name != "" }

// ended records that another authority has ended without a word, and that this one ended
// it. A crash before the entry is written leaves it out; the other's next start is recorded.
func (d *Data) ended(o Options) func(store.Peer) {
	return func(p store.Peer) {
		o.Logger.Error("AN AUTHORITY IS GONE: what it held is free, and nothing that it still sends is kept", "authority", p.Name, "host", p.Host, "process", p.PID, "since", p.Since)
		if d.opened.Load() {
			go d.tellPeer(o, audit.AuthorityEnded, p, "alarm")
		}
	}
}

// tellPeer records something about an authority's process.
func (d *Data) tellPeer(o Options, event audit.Event, p store.Peer, outcome string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := d.Database.Update(ctx, func(store.Tx) (audit.Entry, error) {
		return audit.Entry{At: d.Clock.Now().UTC(), Actor: "system", Event: event, Outcome: outcome,
			Note: fmt.Sprintf("authority=%s host=%s process=%d", p.Name, p.Host, p.PID)}, nil
	})
	if err != nil && !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrFailed) {
		o.Logger.Error("not recorded about an authority", "event", event, "authority", p.Name, "err", err)
	}
}

// join takes the keys that the others have, and follows them; and it records that this
// authority serves, and at its end that it does no more.
func (s *System) join(ctx context.Context) error {
	if !s.shared() {
		return nil
	}
	if err := s.Keyring.Join(ctx); err != nil {
		return err
	}
	s.beside(s.Keyring.Follow)
	self := s.Database.Self()
	s.options.Logger.InfoContext(ctx, "serving beside other authorities on the same database", "authority", self.Name)
	s.tellPeer(s.options, audit.AuthorityJoined, self, "ok")
	s.closers.add(func() error { s.tellPeer(s.options, audit.AuthorityLeft, self, "ok"); return nil })
	return nil
}
