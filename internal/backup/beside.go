package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgerfile "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// sharedHead is the head of clients and seal keys, with the same name as in
// package server.
const sharedHead vault.Head = "shared"

// Beside compares a backup's database with the keepers and the file of heads
// that would be used with it.
type Beside struct {
	Remote  bool     // the keepers are on other machines, and their ledgers were not read
	Own     bool     // the keepers are the backup's own; there was no data directory to compare with
	NoHeads bool     // there is no file of heads: nothing opens until 'liuma heads accept'
	Head    uint64   // the number in the file of heads; if it is above Manifest.Clients, nothing opens either
	Keepers int      // how many ledgers were read
	Away    []string // keepers whose ledgers were not read
	// Older are keepers that are behind the sequence that the database remembers:
	// each will stop with the alarm rolled_back.
	Older []string

	Cards    int64 // in the database
	Behind   int64 // cards of which keepers have seen a later row: refused until 'liuma restore accept'
	LaterPIN int64 // of these, cards with a later PIN at the keepers, which they take over
	Since    int64 // cards that only keepers know, so they were enrolled later
}

// held is what the ledgers hold about one card.
type held struct {
	head     uint64          // the highest in any ledger
	versions []liuma.Version // of each ledger that has the card
}

// version returns the latest PIN that a quorum of keepers has.
func (h held) version(quorum int) liuma.Version {
	if len(h.versions) < quorum {
		return 0
	}
	slices.Sort(h.versions)
	return h.versions[len(h.versions)-quorum]
}

// beside makes the comparison. It returns nil if no data directory is given and
// the backup has no keepers.
func (q Question) beside(ctx context.Context, c *sqlite.Copy, v *vault.Vault, m Manifest) (*Beside, error) {
	b := &Beside{}
	var dirs []string
	quorum := 1
	switch {
	case q.Against != nil:
		shape, err := q.Against.Keepers.SplitShape()
		if err != nil {
			return nil, err
		}
		b.Remote = q.Against.Keepers.AreRemote()
		dirs, quorum = q.Against.Keepers.Directories, shape.Majority()
		if err := b.heads(v, filepath.Dir(q.Against.Vault)); err != nil {
			return nil, err
		}
	case m.Keepers() > 0:
		b.Own, b.NoHeads = true, true
		for i := range m.Keepers() {
			dirs = append(dirs, filepath.Join(q.Dir, filepath.FromSlash(keeperName(i+1, ""))))
		}
		quorum = len(dirs)/2 + 1
	default:
		return nil, nil
	}
	cards := map[liuma.CardID]held{}
	sequences := map[string]uint64{}
	for i, dir := range dirs {
		name := fmt.Sprintf("k%d", i+1)
		switch sequence, err := readLedger(ctx, dir, cards); {
		case errors.Is(err, fs.ErrNotExist):
			b.Away = append(b.Away, name)
		case err != nil:
			return nil, fmt.Errorf("keeper %s: %w", name, err)
		default:
			b.Keepers++
			sequences[name] = sequence
		}
	}
	return b, c.View(ctx, func(r store.Reader) error { return b.compare(r, cards, sequences, quorum) })
}

// heads reads the file of heads.
func (b *Beside) heads(v *vault.Vault, dir string) error {
	h, err := vault.OpenHeads(v, dir)
	if errors.Is(err, vault.ErrNoHeads) {
		b.NoHeads = true
		return nil
	}
	if err == nil {
		b.Head = h.Get(sharedHead)
	}
	return err
}

// readLedger adds what one ledger holds about each card in use.
func readLedger(ctx context.Context, dir string, cards map[liuma.CardID]held) (sequence uint64, err error) {
	l, err := ledgerfile.OpenCopy(ctx, filepath.Join(dir, ledgerFile))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if sequence, err = l.Sequence(ctx); err != nil {
		return 0, err
	}
	return sequence, l.Scan(ctx, func(r ledger.Row) error {
		if r.Retired.IsZero() && r.Version > 0 {
			h := cards[r.Card]
			h.head, h.versions = max(h.head, r.Head), append(h.versions, r.Version)
			cards[r.Card] = h
		}
		return nil
	})
}

// comparePage is how many cards are read at a time.
const comparePage = 256

// compare classifies the cards of the database by what the keepers hold about
// them, and removes them from the map.
func (b *Beside) compare(r store.Reader, cards map[liuma.CardID]held, sequences map[string]uint64, quorum int) error {
	seen, err := r.KeepersSeen()
	if err != nil {
		return err
	}
	for name, sequence := range sequences {
		if sequence < seen[name] {
			b.Older = append(b.Older, name)
		}
	}
	slices.Sort(b.Older)
	for after := (liuma.CardID{}); ; {
		page, err := r.CardIDs(after, comparePage)
		if err != nil {
			return err
		}
		for _, id := range page {
			b.Cards++
			after = id
			h, ok := cards[id]
			delete(cards, id)
			card, err := r.Card(id)
			if errors.Is(err, store.ErrSeal) {
				continue // already counted with the refused rows
			}
			if err != nil {
				return err
			}
			if ok && h.head > card.Rev {
				b.Behind++
				if h.version(quorum) > card.Version {
					b.LaterPIN++
				}
			}
		}
		if len(page) < comparePage {
			break
		}
	}
	b.Since = int64(len(cards))
	return nil
}
