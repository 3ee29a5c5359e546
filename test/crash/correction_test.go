package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	storesqlite "github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// renamed is a holder whose ID number is being corrected.
type renamed struct {
	*holder
	number           string // the new one
	of, to           vault.Index
	tagOf, tagTo     ledger.Tag
	card             liuma.CardID
	spent            map[string]uint64 // guesses, by the keeper's directory
	done             bool
	cutWhileItMoved  bool
	askedUnderNumber int
}

// TestKilledCorrection: the server is killed while it moves cards from one ID number to
// another. Whatever is on disk then, each card is under one of the two numbers and no
// other card is under either, its keepers hold its old tag or the new one and every
// guess that they counted; and in the end each is under the new number, with its PIN.
func TestKilledCorrection(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	h, bureau, all := newCorrectingHouse(t, build(t), 24)
	n, left := 0, len(all)
	for ; n < max(6, kills(t)) && left > 0; n++ {
		h.start(t)
		// The first kill comes at once: on a slow machine all are done a moment later.
		after := time.Duration(0)
		if n > 0 {
			after = time.Duration(rng.IntN(25)) * time.Millisecond
		}
		h.correctUntilKilled(t, bureau, all, after)
		left = h.checkCorrections(t, all)
	}
	cut := 0
	for _, p := range all {
		if p.cutWhileItMoved {
			cut++
		}
	}
	t.Logf("%d kills, %d corrections cut off while they were carried out", n, cut)
	if cut == 0 {
		t.Error("no correction was cut off; the test proves nothing")
	}
	h.start(t)
	for deadline := time.Now().Add(time.Minute); left > 0 && time.Now().Before(deadline); {
		left = 0
		for _, p := range all {
			if out, err := h.correct(t, bureau, p); err != nil || out.State != "done" {
				left++
			}
		}
	}
	for _, p := range all {
		ch, err := h.client.Challenge(t.Context())
		must(t, err)
		d := client.DeviceRequest{Channel: channelID, Action: client.Verify, BusinessNo: p.number0(), Purpose: purpose, Challenge: ch,
			Subject: client.Subject{Card: p.holder.card}}
		sealed, err := d.SealPIN([]byte(p.pin))
		must(t, err)
		v, err := h.client.Verify(t.Context(), client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed})
		if err != nil || !v.Right() {
			t.Errorf("the PIN afterwards: %+v, %v", v, err)
		}
	}
	h.kill(t)
	if left := h.checkCorrections(t, all); left > 0 {
		t.Errorf("%d corrections were never carried out", left)
	}
}

// number0 is a business number of the channel for this holder.
func (p *renamed) number0() string { return p.holder.number() }

// newCorrectingHouse has holders with wrong guesses, whose corrections have waited long
// enough: the server that starts carries them out.
func newCorrectingHouse(t *testing.T, binary string, people int) (*house, testkit.Party, []*renamed) {
	t.Helper()
	h := &house{binary: binary, Env: testkit.New(t, testkit.Options{Shape: "2/3", People: 2 * people, Clock: testkit.RunningClock(-100 * time.Hour),
		Configure: func(c *config.Config) { c.Log = "error" }})}
	h.channel = h.AddParty(testkit.NationalChannel(channelID))
	bureau := h.AddParty(store.Client{ID: "bureau", Kind: store.ClientRegistry})
	caller := authority.Caller{Client: h.channel.Client}
	var all []*renamed
	for _, f := range h.People[:people] {
		p := &renamed{holder: h.newHolder(f), number: renumbered(t, f.IDNumber)}
		p.pin = "483920"
		handle := h.Enroll(caller, f, p.pin)
		p.holder.card = string(handle)
		for range 3 {
			h.Verify(caller, handle, "629374")
		}
		p.of, p.to = h.System.Vault.Index(vault.IndexIDNumber, f.IDNumber), h.System.Vault.Index(vault.IndexIDNumber, p.number)
		p.tagOf, p.tagTo = h.System.Authority.TagOf(p.of), h.System.Authority.TagOf(p.to)
		must(t, h.System.Store.View(t.Context(), func(r store.Reader) error {
			l, err := r.LinkByHandle(channelID, handle)
			p.card = l.Card
			return err
		}))
		_, err := h.System.Authority.CorrectNumber(t.Context(), authority.Caller{Client: bureau.Client}, authority.CorrectionRequest{
			BusinessNo: h.BusinessNo(), FormerIDNumber: f.IDNumber, IDNumber: p.number, CardNo: f.CardNo, Digest: testkit.Digest(p.number)})
		if liuma.CodeOf(err) != liuma.CodeCorrectionStopped { // there is no phone to tell
			t.Fatalf("the correction does not stop: %v", err)
		}
		all = append(all, p)
	}
	h.letGoOn(t)
	if !h.Clock.CatchUp() {
		t.Fatal("the enrolments took longer than corrections wait")
	}
	h.leave(t)
	for _, p := range all {
		p.spent = h.spentOf(t, p, nil)
	}
	return h, bureau, all
}

// letGoOn has an operator let the corrections go on that stopped, because the holders
// have no phone.
func (h *house) letGoOn(t *testing.T) {
	t.Helper()
	stopped, err := h.System.Registry.Corrections(t.Context(), "")
	must(t, err)
	for _, c := range stopped {
		must(t, h.System.Registry.GoOn(t.Context(), "operator", c.ID, "seen"))
		must(t, h.System.Authority.GoOnCorrecting(t.Context(), c.ID))
	}
	waiting, err := h.System.Registry.Corrections(t.Context(), "")
	must(t, err)
	for _, c := range waiting {
		if c.Until == nil {
			t.Fatalf("the correction does not wait: %+v", c)
		}
	}
}

// renumbered is another valid number with the same birthday.
func renumbered(t *testing.T, number string) string {
	t.Helper()
	for sequence := 997; sequence > 900; sequence-- {
		for _, check := range "0123456789X" {
			id, err := registry.ParseIDNumber(fmt.Sprintf("%s%03d%c", number[:14], sequence, check))
			if err == nil && id.Canonical() != number {
				return id.Canonical()
			}
		}
	}
	t.Fatal("no other number")
	return ""
}

// correct tells the server of a correction again, which has it go on.
func (h *house) correct(t *testing.T, bureau testkit.Party, p *renamed) (*client.Correction, error) {
	c, err := bureau.Connect("http://"+h.native, &http.Client{Timeout: 2 * time.Minute})
	if err != nil {
		return nil, err
	}
	p.askedUnderNumber++
	return c.CorrectIDNumber(t.Context(), client.CorrectionRequest{BusinessNo: fmt.Sprintf("c-%s-%d", p.number[10:], p.askedUnderNumber),
		FormerIDNumber: p.facts.IDNumber, IDNumber: p.number, CardNo: p.facts.CardNo})
}

// correctUntilKilled has all that are left carried out at once, and kills the server
// a little after it began.
func (h *house) correctUntilKilled(t *testing.T, bureau testkit.Party, all []*renamed, after time.Duration) {
	t.Helper()
	var wg sync.WaitGroup
	first := make(chan struct{}, len(all))
	for _, p := range all {
		if p.done {
			continue
		}
		wg.Go(func() {
			_, _ = h.correct(t, bureau, p) // cut off, or answered
			first <- struct{}{}
		})
	}
	select {
	case <-first:
	case <-time.After(10 * time.Second):
	}
	time.Sleep(after)
	h.kill(t)
	wg.Wait()
}

// checkCorrections looks at the dead server's files. It returns how many corrections
// are not done.
func (h *house) checkCorrections(t *testing.T, all []*renamed) (left int) {
	t.Helper()
	keys, err := vault.Open(h.config.Vault)
	must(t, err)
	db, err := storesqlite.Open(t.Context(), h.config.Database, storesqlite.Config{Seal: keys})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	for _, p := range all {
		moved := false
		must(t, db.View(t.Context(), func(r store.Reader) error {
			old, err := r.CardByHolder(p.of)
			now, err2 := r.CardByHolder(p.to)
			switch {
			case err == nil && errors.Is(err2, store.ErrNotFound) && old.ID == p.card && old.Version == 1:
			case err2 == nil && errors.Is(err, store.ErrNotFound) && now.ID == p.card && now.Version == 1:
				moved = true
			default:
				return fmt.Errorf("under the old number %v (%w), under the new one %v (%w)", old.ID, err, now.ID, err2)
			}
			was, err := r.Person(p.of)
			is, err2 := r.Person(p.to)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			if moved != (was.CorrectedTo == p.to) || moved != (is.Awaited == vault.Index{}) || moved != (len(is.Sealed) > 0) {
				return fmt.Errorf("card moved %v, people %+v and %+v", moved, was, is)
			}
			c, err := r.CorrectionOf(p.of)
			p.done = moved && errors.Is(err, store.ErrNotFound)
			p.cutWhileItMoved = p.cutWhileItMoved || err == nil && (c.State == store.CorrectionMoving || c.State == store.CorrectionMoved)
			if err != nil && !p.done {
				return err
			}
			return nil
		}))
		tags := map[ledger.Tag]int{}
		for dir, n := range h.spentOf(t, p, tags) {
			if n < p.spent[dir] {
				t.Errorf("%s counted %d guesses and has %d", dir, p.spent[dir], n)
			}
		}
		if tags[p.tagOf]+tags[p.tagTo] != 3 || moved && tags[p.tagTo] < 2 || p.done && tags[p.tagTo] != 3 {
			t.Errorf("moved %v, done %v: %d keepers have the old tag, %d the new one", moved, p.done, tags[p.tagOf], tags[p.tagTo])
		}
		if !p.done {
			left++
		}
	}
	return left
}

// spentOf are the guesses that each keeper counted for a holder, and the tags that they
// have the card under.
func (h *house) spentOf(t *testing.T, p *renamed, tags map[ledger.Tag]int) map[string]uint64 {
	t.Helper()
	out := map[string]uint64{}
	for _, dir := range h.config.Keepers.Directories {
		b, err := ledgersqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), ledgersqlite.Config{})
		must(t, err)
		rows, err := b.Load(t.Context(), []liuma.CardID{p.card})
		must(t, err)
		must(t, rows[0].Tally.Validate())
		out[dir] = rows[0].Tally.Spent
		if tags != nil {
			tags[rows[0].Tag]++
		}
		must(t, b.Close())
	}
	return out
}
