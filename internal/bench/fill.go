package bench

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	channelID = "bench"
	secret    = "274916"
)

// mostAsked is the most cards that are asked about. They have PINs that real keepers
// evaluated; all others have random verifiers, whose PINs nobody knows.
const mostAsked = 20_000

// Filling is the cost of the rows of the database and of all ledgers, without the PINs of
// the cards that are asked about. Processor time and memory are those of this process; a
// PostgreSQL server's are not included.
type Filling struct {
	Cards     int     `json:"cards"` // that this run wrote; fewer than there are if it went on with another's
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"cards_per_second"`
	PerCPU    float64 `json:"cards_per_processor_second"`
	RSS       float64 `json:"rss_mib"` // the most this process had so far
	Bytes     int64   `json:"bytes"`   // database and ledgers
}

// filled is a database with its cards.
type filled struct {
	config  config.Config
	on      *onServer // nil: the database is a file
	channel world.Party
	deck    *deck
	filling Filling
	keepers processes // with Config.Remote
	kept    *kept
}

// fill makes the data directory and the cards, with the rows that enrolment would have
// written but without its ceremonies. It continues what an earlier run began.
func fill(ctx context.Context, c Config, on *onServer) (_ *filled, err error) {
	k, err := openKept(c)
	if err != nil {
		return nil, err
	}
	f := &filled{on: on, kept: k}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.keepers.stop())
		}
	}()
	if k.ready() {
		if err := f.resume(c, k); err != nil {
			return nil, err
		}
	} else if err := f.begin(ctx, c, k); err != nil {
		return nil, err
	}
	if k.Filled != nil && on == nil {
		f.filling = *k.Filled
		return f, f.keepers.start()
	}
	if err := f.keepers.stop(); err != nil { // their ledgers are written from here
		return nil, err
	}
	if err := f.write(ctx, c); err != nil {
		return nil, err
	}
	k.Filled = &f.filling
	if err := k.save(c); err != nil {
		return nil, err
	}
	return f, f.keepers.start()
}

// resume takes up a directory whose PINs are set.
func (f *filled) resume(c Config, k *kept) (err error) {
	if f.deck, f.channel, err = k.dealt(c); err != nil {
		return err
	}
	if f.config, err = c.loadConfig(); err != nil || !c.Remote {
		return err
	}
	f.keepers, err = openProcesses(c)
	return err
}

// begin makes the world and sets the PINs of the cards that will be asked about.
func (f *filled) begin(ctx context.Context, c Config, k *kept) (err error) {
	if c.Remote {
		if f.keepers, err = newProcesses(ctx, c); err != nil {
			return err
		}
	}
	of := world.Config{Dir: c.data(), Clock: world.Running(0), Shape: c.Shape, Configure: func(conf *config.Config) error {
		conf.Log, conf.AllowStandIn = "error", false
		return nil
	}}
	if c.Remote {
		of.House = f.keepers
	}
	w, err := world.New(ctx, of)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s := w.System
	f.config = s.Config
	channel := world.NationalChannel(channelID)
	channel.Name, channel.Actions = liuma.Text{ZH: "压测", EN: "Bench"}, []liuma.Action{liuma.ActionVerify}
	if f.channel, err = w.Register(ctx, channel); err != nil {
		return err
	}
	f.deck = k.deal(s.Quorum.KeySet(), c.asked)
	asked := make([]store.Card, len(f.deck.verifier))
	for i := range asked {
		asked[i] = f.deck.card(f.deck.askedAt(i))
	}
	if err := setPINs(ctx, c, s, asked); err != nil {
		return err
	}
	for i := range asked {
		f.deck.verifier[i] = asked[i].Verifier
	}
	return k.keepPINs(c, f.deck, f.channel)
}

// collectEvery is how much the heap grows, in per cent, before it is collected while rows
// are made: they are short-lived, and there are few of them at a time.
const collectEvery = 300

// write writes all missing rows.
func (f *filled) write(ctx context.Context, c Config) error {
	defer debug.SetGCPercent(debug.SetGCPercent(collectEvery))
	began := time.Now()
	before, err := usage(os.Getpid())
	if err != nil {
		return err
	}
	if f.on != nil {
		if err := f.toServer(ctx, c); err != nil {
			return err
		}
	}
	written, err := f.writeAll(ctx, c)
	if err != nil {
		return err
	}
	after, err := usage(os.Getpid())
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	f.filling.Cards, f.filling.Seconds, f.filling.PerSecond = written, took, float64(written)/took
	f.filling.PerCPU, f.filling.RSS = float64(written)/(after.cpu-before.cpu).Seconds(), after.rssMiB
	if f.on != nil {
		return f.settle(ctx, c)
	}
	f.filling.Bytes, err = size(append(f.ledgers(), f.config.Database)...)
	return err
}

// writeAll writes the database and all ledgers at once: each is a file of its own, and one
// alone keeps no more than a processor busy.
func (f *filled) writeAll(ctx context.Context, c Config) (written int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ledgers := f.ledgers()
	errs := make([]error, 1+len(ledgers))
	var wg sync.WaitGroup
	for i, file := range ledgers {
		wg.Go(func() {
			if errs[1+i] = writeLedger(ctx, c, file, f.deck); errs[1+i] != nil {
				cancel()
			}
		})
	}
	if written, errs[0] = f.writeCards(ctx, c); errs[0] != nil {
		cancel()
	}
	wg.Wait()
	return written, errors.Join(errs...)
}

// writeCards writes the rows of the database, and tells how many cards were missing.
func (f *filled) writeCards(ctx context.Context, c Config) (written int, err error) {
	v, err := vault.Open(f.config.Vault)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	m, err := newMaker(v)
	if err != nil {
		return 0, err
	}
	var to target
	if f.on != nil {
		to, err = openCopied(ctx, f.on.primary.DSN(databaseName))
	} else {
		to, err = openFile(f.config.Database)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.close(context.WithoutCancel(ctx))) }()
	w := &filler{deck: f.deck, make: m, to: to, chunk: c.chunk, window: c.window, bar: c.bar}
	last, err := to.last(ctx, cardsTable)
	if err != nil {
		return 0, err
	}
	there := f.deck.upTo(last)
	return f.deck.size - there, w.fill(ctx)
}

// ledgers are the files of all keepers.
func (f *filled) ledgers() (out []string) {
	for _, dir := range slices.Concat(f.config.Keepers.Directories, f.keepers.dirs()) {
		out = append(out, filepath.Join(dir, "ledger.db"))
	}
	return out
}

// proposing is how many PINs are being set: enough to share the syncs of keepers, and few
// enough that three of them on a busy machine answer in time.
const proposing = 24

// setPINs has the real keeper evaluate the PIN of each card. It stops at the first error,
// since a version can be proposed only once.
func setPINs(ctx context.Context, c Config, s *server.System, cards []store.Card) error {
	bar := c.bar("setting PINs", len(cards))
	defer bar.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range proposing {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(cards) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				card := &cards[i]
				v, err := s.Quorum.Propose(ctx, keeper.Target{Card: card.ID, Tag: ledger.Tag(card.Holder)}, card.Version, card.KeySet, secretOf(card.ID))
				if err != nil {
					cancel(err)
					return
				}
				card.Verifier = v
				bar.Add(1)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// writeLedger writes a keeper's rows: committed, no guesses. It goes on after the last
// row of an earlier run: a transaction has all of its rows or none, and they come in
// order.
func writeLedger(ctx context.Context, c Config, file string, from source) (err error) {
	b, err := ledgersqlite.Open(ctx, file, ledgersqlite.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	bar := c.bar("writing ledger", from.len())
	defer bar.Done()
	meta, err := b.Meta(ctx)
	if err != nil {
		return err
	}
	chunk := cmp.Or(c.chunk, chunk)
	parts := (from.len() + chunk - 1) / chunk
	first, err := missing(ctx, b, from, chunk, parts)
	if err != nil {
		return err
	}
	bar.Add(int64(min(first*chunk, from.len())))
	for i := first; i < parts; i++ {
		part := from.part(i*chunk, min((i+1)*chunk, from.len()))
		rows := make([]ledger.Row, len(part))
		for i, card := range part {
			rows[i] = ledger.Row{Card: card.ID, Version: card.Version, KeySet: card.KeySet, Verifier: card.Verifier, Mark: card.Version, Tag: ledger.Tag(card.Holder)}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		meta.Sequence++
		if err := b.Apply(ctx, rows, meta); err != nil {
			return err
		}
		bar.Add(int64(len(part)))
	}
	return nil
}

// missing is the first part that a ledger lacks. A card that was only proposed has no
// version yet.
func missing(ctx context.Context, b ledger.Backend, from source, chunk, parts int) (first int, err error) {
	first = sort.Search(parts, func(i int) bool {
		if err != nil {
			return true
		}
		var found []ledger.Row
		found, err = b.Load(ctx, []liuma.CardID{from.part(i*chunk, i*chunk+1)[0].ID})
		return err == nil && found[0].Version == 0
	})
	return first, err
}

func (c Config) bar(label string, total int) *progress.Bar {
	return progress.Count(c.Out, label, int64(total), c.Terminal)
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
