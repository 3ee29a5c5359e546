package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

const (
	channelID = "bench"
	secret    = "274916"
	chunk     = 5000 // cards written in one transaction
)

// filled is a database with its cards. All have a PIN; those in asked have one
// of their own (secretOf), set by the real keeper, and are spread evenly among
// the rest.
type filled struct {
	config  config.Config
	on      *onServer // nil: the database is a file
	channel world.Party
	asked   []store.Card
	bytes   int64
	keepers processes // with Config.Remote
}

// fill makes the data directory and the cards, with the rows that enrolment
// would have written but without its ceremonies.
func fill(ctx context.Context, c Config, on *onServer) (_ *filled, err error) {
	f := &filled{on: on}
	if c.Remote {
		if f.keepers, err = newProcesses(ctx, c); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, f.keepers.stop())
			}
		}()
	}
	cards, err := f.cards(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := f.keepers.stop(); err != nil { // their ledgers are written from here
		return nil, err
	}
	for _, ledger := range f.ledgers() {
		if err := writeLedger(ctx, c, ledger, cards); err != nil {
			return nil, err
		}
	}
	if on != nil {
		if err := f.toServer(ctx, c); err != nil {
			return nil, err
		}
	} else if f.bytes, err = size(append(f.ledgers(), f.config.Database)...); err != nil {
		return nil, err
	}
	return f, f.keepers.start()
}

// ledgers are the files of all keepers.
func (f *filled) ledgers() (out []string) {
	for _, dir := range slices.Concat(f.config.Keepers.Directories, f.keepers.dirs()) {
		out = append(out, filepath.Join(dir, "ledger.db"))
	}
	return out
}

// cards makes the world, sets the PINs of the cards that will be asked about,
// and writes all cards with their links.
func (f *filled) cards(ctx context.Context, c Config) (_ deck, err error) {
	of := world.Config{Dir: c.Dir, Clock: world.Running(0), Shape: c.Shape, Configure: func(conf *config.Config) error {
		conf.Log, conf.AllowStandIn = "error", false
		return nil
	}}
	if c.Remote {
		of.House = f.keepers
	}
	w, err := world.New(ctx, of)
	if err != nil {
		return deck{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s := w.System
	f.config = s.Config
	channel := world.NationalChannel(channelID)
	channel.Name, channel.Actions = liuma.Text{ZH: "压测", EN: "Bench"}, []liuma.Action{liuma.ActionVerify}
	if f.channel, err = w.Register(ctx, channel); err != nil {
		return deck{}, err
	}
	d := newDeck(c.Cards, s.Quorum.KeySet())
	f.asked = d.part(0, min(c.Cards, int(c.For.Seconds()*expected)))
	if err := setPINs(ctx, c, s, f.asked); err != nil {
		return deck{}, err
	}
	d.asked = f.asked
	return d, write(ctx, c, s, d)
}

// deck is all cards of the database. Only those that are asked about are in memory; the
// others are made up when they are written, each time the same.
type deck struct {
	size   int
	keySet uint32
	at     time.Time
	seed   [32]byte
	asked  []store.Card // the first ones
}

func newDeck(size int, keySet uint32) (d deck) {
	d = deck{size: size, keySet: keySet, at: time.Now().UTC().Truncate(time.Millisecond)}
	rand.Read(d.seed[:])
	return d
}

// part is the cards from one to before another.
func (d deck) part(from, to int) []store.Card {
	cards := make([]store.Card, 0, to-from)
	for i := from; i < to; i++ {
		if i < len(d.asked) {
			cards = append(cards, d.asked[i])
			continue
		}
		seed := d.seed
		binary.BigEndian.PutUint64(seed[:], binary.BigEndian.Uint64(seed[:])^uint64(i))
		from := mathrand.NewChaCha8(seed)
		card := store.Card{Region: "33", Version: 1, KeySet: d.keySet, Reserved: 1,
			PINSetAt: d.at, CreatedAt: d.at, Physical: liuma.PhysicalNormal}
		from.Read(card.ID[:])
		from.Read(card.Verifier[:])
		from.Read(card.Holder[:])
		cards = append(cards, card)
	}
	return cards
}

// parts visits all cards, a transaction's worth at a time.
func (d deck) parts(bar *progress.Bar, visit func([]store.Card) error) error {
	for from := 0; from < d.size; from += chunk {
		part := d.part(from, min(from+chunk, d.size))
		if err := visit(part); err != nil {
			return err
		}
		bar.Add(int64(len(part)))
	}
	return nil
}

// secretOf is the PIN of a card. Cards have different ones, as in life: where many
// guess one value at once, the guard slows them.
func secretOf(card liuma.CardID) []byte {
	h := fnv.New32a()
	h.Write(card[:])
	return fmt.Appendf(nil, "%06d", h.Sum32()%1_000_000)
}

// setPINs has the real keeper evaluate the PIN of each card.
func setPINs(ctx context.Context, c Config, s *server.System, cards []store.Card) error {
	bar := c.bar("setting PINs", len(cards))
	defer bar.Done()
	work := make(chan *store.Card)
	errs := make([]error, 128)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for card := range work {
				v, err := s.Quorum.Propose(ctx, keeper.Target{Card: card.ID, Tag: ledger.Tag(card.Holder)}, card.Version, card.KeySet, secretOf(card.ID))
				if err != nil {
					errs[i] = err
					continue
				}
				card.Verifier = v
				bar.Add(1)
			}
		})
	}
	for i := range cards {
		work <- &cards[i]
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

func write(ctx context.Context, c Config, s *server.System, cards deck) error {
	bar := c.bar("writing cards", cards.size)
	defer bar.Done()
	return cards.parts(bar, func(part []store.Card) error {
		return s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			for i := range part {
				card := &part[i]
				if err := tx.InsertCard(*card); err != nil {
					return audit.Entry{}, err
				}
				err := tx.PutLink(store.Link{Channel: channelID, Card: card.ID, At: card.CreatedAt,
					Handle: store.Handle(s.Vault.Handle(channelID, card.ID))})
				if err != nil {
					return audit.Entry{}, err
				}
			}
			return audit.Entry{At: time.Now(), Actor: "operator", Event: audit.CardEnrolled, Outcome: "ok", Note: "bench"}, nil
		})
	})
}

// writeLedger writes a keeper's rows: committed, no guesses.
func writeLedger(ctx context.Context, c Config, file string, cards deck) (err error) {
	b, err := ledgersqlite.Open(ctx, file, ledgersqlite.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	bar := c.bar("writing ledger", cards.size)
	defer bar.Done()
	meta, err := b.Meta(ctx)
	if err != nil {
		return err
	}
	return cards.parts(bar, func(part []store.Card) error {
		rows := make([]ledger.Row, len(part))
		for i, card := range part {
			rows[i] = ledger.Row{Card: card.ID, Version: card.Version, KeySet: card.KeySet, Verifier: card.Verifier, Mark: card.Version, Tag: ledger.Tag(card.Holder)}
		}
		meta.Sequence++
		return b.Apply(ctx, rows, meta)
	})
}

func size(paths ...string) (total int64, err error) {
	for _, p := range paths {
		fi, err := os.Stat(p)
		if err != nil {
			return 0, err
		}
		total += fi.Size()
	}
	return total, nil
}
