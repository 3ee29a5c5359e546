//go:build linux

package failover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/test/history"
)

// ask compares acts with what the authority says of their business numbers now.
func (h *house) ask(acts []*history.Tried) {
	h.t.Helper()
	work := make(chan *history.Tried)
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 8 {
		all.Go(func() {
			for a := range work {
				if why := h.stands(a); why != "" {
					mu.Lock()
					h.t.Errorf("%s %s at %s: %s", a.Kind, a.Number, clockOf(a.Ended), why)
					mu.Unlock()
				}
			}
		})
	}
	for _, a := range acts {
		if a.Told() {
			work <- a
		}
	}
	close(work)
	all.Wait()
}

// stands asks another authority than the one that answered, where there are several.
func (h *house) stands(a *history.Tried) string {
	v, err := h.client(a.By.Channel(), a.Device+1).Verification(context.Background(), a.Number)
	switch {
	case err != nil:
		return fmt.Sprintf("told %s, and now %v", a.Said, err)
	case v.State != "decided" || history.VerdictOf(v) != a.Said:
		return fmt.Sprintf("told %s, and now it is %s %s %s", a.Said, v.State, v.Verdict, v.Code)
	}
	return ""
}

// count compares what everybody was told with the database and the keepers' ledgers, once
// all processes have ended.
func (h *house) count() {
	h.t.Helper()
	for _, a := range h.at {
		a.kill()
	}
	must(h.t, h.keepers.Close())
	keys, err := vault.Open(h.conf.Vault)
	must(h.t, err)
	password, err := config.ReadSecret(h.conf.DatabasePassword)
	must(h.t, err)
	db, err := postgres.Open(h.t.Context(), postgres.Config{DSN: h.conf.Database, Password: password, Seal: keys})
	must(h.t, err)
	defer db.Close()
	cards := map[*history.Person]liuma.CardID{}
	must(h.t, db.View(h.t.Context(), func(r store.Reader) error {
		for _, p := range h.all {
			if p.Card != "" {
				h.compare(r, p, cards)
			}
		}
		return h.doubled(r)
	}))
	h.spent(cards)
}

// compare compares one person's answers with the rows.
func (h *house) compare(r store.Reader, p *history.Person, cards map[*history.Person]liuma.CardID) {
	h.t.Helper()
	link, err := r.LinkByHandle(liuma.ChannelID(p.Channel()), store.Handle(p.Card))
	if err != nil {
		h.t.Errorf("the link of %s, who was told of it: %v", p.Facts.CardNo, err)
		return
	}
	cards[p] = link.Card
	row, err := r.Card(link.Card)
	if err != nil {
		h.t.Errorf("the card of %s: %v", p.Facts.CardNo, err)
		return
	}
	if _, frozen := p.Stopped(); frozen && !row.Frozen {
		h.t.Errorf("%s was told that the card is frozen, and it is not", p.Facts.CardNo)
	}
	for _, a := range p.Acts() {
		if !a.Told() {
			continue
		}
		q, err := r.Request(liuma.ChannelID(p.Channel()), liuma.BusinessNo(a.Number))
		switch {
		case err != nil:
			h.t.Errorf("%s %s was told %s: %v", a.Kind, a.Number, a.Said, err)
		case !q.Decided || a.Kind != history.Freeze && string(q.Verdict) != a.Said:
			h.t.Errorf("%s %s was told %s, in the database it is decided=%v %s", a.Kind, a.Number, a.Said, q.Decided, q.Verdict)
		}
	}
}

// doubled looks for what is twice on the record, whose streams are checked on the way.
func (h *house) doubled(r store.Reader) error {
	entries, err := storetest.Record(r)
	if err != nil {
		return err
	}
	type once struct{ number, event string }
	seen := map[once]int{}
	for _, e := range entries {
		if e.BusinessNo != "" {
			seen[once{string(e.BusinessNo), string(e.Event)}]++
		}
	}
	for k, n := range seen {
		if n > 1 {
			h.t.Errorf("%s of %s is on the record %d times", k.event, k.number, n)
		}
	}
	h.t.Logf("%d entries on the record, none twice for a business number", len(entries))
	return nil
}

// spent compares verdicts with the keepers' counts: right and wrong rest on two
// evaluations, each with a spend of its own.
func (h *house) spent(cards map[*history.Person]liuma.CardID) {
	h.t.Helper()
	sums := map[*history.Person]uint64{}
	for _, post := range h.keepers.Posts() {
		b, err := ledgersqlite.Open(h.t.Context(), filepath.Join(post.Dir, "ledger.db"), ledgersqlite.Config{})
		must(h.t, err)
		for p, id := range cards {
			rows, err := b.Load(h.t.Context(), []liuma.CardID{id})
			must(h.t, err)
			sums[p] += rows[0].Tally.Spent
		}
		must(h.t, b.Close())
	}
	for p := range cards {
		guesses := uint64(0)
		for _, a := range p.Acts() {
			if a.Old != "" && (a.Said == "right" || a.Said == "wrong") {
				guesses++
			}
		}
		if sums[p] < 2*guesses {
			h.t.Errorf("%s: %d verdicts, and %d guesses are counted", p.Facts.CardNo, guesses, sums[p])
		}
	}
}

// keepLogs writes what everybody said into the directory of -logs.
func (h *house) keepLogs() {
	if *logs != "" {
		must(h.t, os.MkdirAll(*logs, 0o755))
		h.keep(*logs)
	}
}
