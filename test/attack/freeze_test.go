package attack

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

// Whoever tries freeze codes may not keep a holder from freezing the card: not
// from one network, not from many, and not from the holder's own.

// freezes sends a freeze code from an address, without cookies.
func (w *world) freezes(from, code string) (status int, page string) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, hosted+"/freeze", strings.NewReader(url.Values{"code": {code}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from + ":50000"
	rec := httptest.NewRecorder()
	w.System.Hosted.Handler.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// wrongFreezeCode is the nth code that nobody was sent.
func wrongFreezeCode(n int) string { return fmt.Sprintf("ZZZ%08d", 22222222+n) }

// entries counts the entries of an event.
func (w *world) entries(ev audit.Event) (n int) {
	w.t.Helper()
	w.must(w.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		n = 0
		for _, e := range all {
			if e.Event == ev {
				n++
			}
		}
		return err
	}))
	return n
}

// TestWrongFreezeCodesStopNoRightOne: 3,000 wrong codes from 300 networks, and
// ten and more from the carrier's address that the holder shares with them.
func TestWrongFreezeCodesStopNoRightOne(t *testing.T) {
	w := newWorld(t, false)
	code := w.LastFreezeCode(w.who.Phone)
	const carrier = "100.64.0.1"
	for i := range 3000 {
		from := fmt.Sprintf("198.%d.%d.7", 18+i/10/256, i/10%256)
		if status, page := w.freezes(from, wrongFreezeCode(i)); status != http.StatusUnprocessableEntity {
			t.Fatalf("wrong code %d: %d\n%s", i, status, page)
		}
	}
	for i := range 25 {
		status, _ := w.freezes(carrier, wrongFreezeCode(i))
		want := http.StatusUnprocessableEntity
		if i >= 10 {
			want = http.StatusTooManyRequests
		}
		if status != want {
			t.Fatalf("wrong code %d from the carrier: %d, want %d", i, status, want)
		}
	}
	start := time.Now()
	if status, page := w.freezes(carrier, code); status != http.StatusOK || !strings.Contains(page, w.who.MaskedName()) {
		t.Fatalf("the right code is refused: %d\n%s", status, page)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the right code took %v", took)
	}
	if s := w.watch.standing(w.seen); s != "frozen" {
		t.Errorf("the card is %s", s)
	}
}

// TestWrongFreezeCodesLeaveOneEntry: wrong codes write nothing when they come.
// The record gets one entry an hour with their number.
func TestWrongFreezeCodesLeaveOneEntry(t *testing.T) {
	w := newWorld(t, false)
	for i := range 500 {
		w.freezes(fmt.Sprintf("198.18.%d.7", i%256), wrongFreezeCode(i))
	}
	ctx := context.Background()
	w.must(w.System.Authority.MaintainOnce(ctx))
	if n := w.entries(audit.FreezeTried); n != 1 {
		t.Errorf("500 wrong codes left %d entries, want 1", n)
	}
	w.freezes("198.18.0.7", wrongFreezeCode(1))
	w.must(w.System.Authority.MaintainOnce(ctx))
	if n := w.entries(audit.FreezeTried); n != 1 {
		t.Errorf("%d entries within the hour, want 1", n)
	}
	w.Clock.Advance(time.Hour)
	w.must(w.System.Authority.MaintainOnce(ctx))
	if n := w.entries(audit.FreezeTried); n != 2 {
		t.Errorf("%d entries after an hour, want 2", n)
	}
}

// TestAFreezeCodeSentAgainAndAgain: who has a right code, of a card of their
// own, fills neither the record nor the outbox with it.
func TestAFreezeCodeSentAgainAndAgain(t *testing.T) {
	w := newWorld(t, false)
	code := w.LastFreezeCode(w.who.Phone)
	for range 50 {
		if status, page := w.freezes("198.18.0.7", code); status != http.StatusOK {
			t.Fatalf("%d\n%s", status, page)
		}
	}
	if n := w.entries(audit.CardFrozen); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}
