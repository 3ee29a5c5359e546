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

// NameFile, beside the vault's key, keeps the name that tells this authority from the
// others on the same database. It is made at the first start and belongs to one data
// directory: do not copy it with the directory to another machine.
const NameFile = "authority.id"

// ErrName means that NameFile holds something that cannot be a name.
var ErrName = errors.New("server: " + NameFile + " holds no name; delete it, and the next start makes another")

// nameShape is the form of a valid name.
var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// nameOf returns the name under which a served directory works with its database. It is
// empty if no other authority can share the database: because the database is a file, or
// because the keepers run inside this process, where another authority cannot reach
// them.
//
// A crash while the file is made leaves no file or an empty one; the next start makes it
// again.
func nameOf(c config.Config) (string, error) {
	if !c.OnServer() || !c.Keepers.AreRemote() {
		return "", nil
	}
	for {
		name, err := readName(c)
		if name != "" || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return name, err
		}
		var random [4]byte
		rand.Read(random[:])
		if err := (diskfile.Disk{}).Write(home(c), NameFile, []byte("authority-"+hex.EncodeToString(random[:])+"\n")); err != nil {
			return "", err
		}
	}
}

// nameThere returns the name that nameOf made at an earlier start, or an empty
// string.
func nameThere(c config.Config) string {
	if !c.OnServer() || !c.Keepers.AreRemote() {
		return ""
	}
	name, err := readName(c)
	if err != nil {
		return ""
	}
	return name
}

// readName returns the name in the file, and an empty one if the file is empty, as a
// crash while it was made leaves it.
func readName(c config.Config) (string, error) {
	text, err := os.ReadFile(filepath.Join(home(c), NameFile))
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(text))
	if name != "" && !nameShape.MatchString(name) {
		return "", ErrName
	}
	return name, nil
}

// prove makes a transaction run again (store.ErrConflict) if another authority has
// changed the card's row since the transaction read it.
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

// workOf returns the tokens of the holds that an act runs under, as one string;
// empty if there are none.
func workOf(ctx context.Context) string {
	var work []byte
	for _, h := range store.HoldsIn(ctx) {
		work = append(work, h.Token[:]...)
	}
	return string(work)
}

// rowNow returns a function that reads the current revision of a card's row, or
// nil if no other authority writes rows.
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

// ended records that another authority stopped without signing off, and that this authority
// ended its process in the database. A crash before the entry is written loses the entry;
// the other authority's next start is recorded.
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

// join takes over the keys that the other authorities use, and keeps following them.
// It records that this authority serves now and, at its end, that it has left.
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
