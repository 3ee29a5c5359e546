package attack

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/locale"
)

// TestOneChannelLeavesRoomForOthers: a channel sends two thousand verifications
// at once, and what is refused again half a second later, all for one card, so that they wait for
// one another. Beside it another channel's holders notice nothing.
func TestOneChannelLeavesRoomForOthers(t *testing.T) {
	const parallel = 2000
	w := newWorld(t, false)
	card := w.ownCard()
	var requests []client.VerifyRequest
	ch := w.shady.challenge()
	for range parallel {
		d := client.DeviceRequest{Channel: w.shady.ID, Action: client.Verify, Subject: client.Subject{Card: card}, BusinessNo: w.number(), Purpose: purpose, Challenge: ch}
		sealed, err := d.SealPIN([]byte("715283"))
		requests = append(requests, client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: must(t, sealed, err)})
	}
	elsewhere, err := w.shady.Connect(native, &http.Client{Transport: from{w.System.Door.Handler, "198.51.100.9:1"}})
	must(t, elsewhere, err)
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	var refused, served atomic.Int64
	for _, q := range requests {
		flood.Go(func() {
			for ctx.Err() == nil {
				_, err := elsewhere.Verify(ctx, q)
				switch client.CodeOf(err) {
				case string(liuma.CodeTooManyRequests):
					refused.Add(1)
					time.Sleep(500 * time.Millisecond) // or the flood is one of this test's processors
				default:
					served.Add(1)
					return
				}
			}
		})
	}
	for refused.Load() == 0 && served.Load() < parallel {
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		got, err := w.home.verify(w.card, goodPIN)
		if err != nil || !got.Right() {
			t.Errorf("another channel's verification %d: %+v, %v", i, got, err)
		}
		for _, door := range w.System.Doors() {
			if door.Door == "channel" && door.Requests.InFlight > door.Requests.PerClient+door.Requests.PerSource {
				t.Errorf("in flight: %+v", door.Requests)
			}
		}
	}
	stop()
	flood.Wait()
	if refused.Load() == 0 || served.Load() == 0 {
		t.Errorf("%d refused, %d served: the flood proves nothing", refused.Load(), served.Load())
	}
	for _, door := range w.System.Doors() {
		if door.Requests.InFlight != 0 {
			t.Errorf("left behind: %+v", door)
		}
	}
	// What was refused was not done, and counted nothing.
	if got, err := w.shady.verify(card, "715283"); err != nil || !got.Right() {
		t.Errorf("the channel's own, afterwards: %+v, %v", got, err)
	}
}

// from is a way to a door from an address of one's own.
type from struct {
	door    http.Handler
	address string
}

func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, f.address
	rec := httptest.NewRecorder()
	f.door.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// slowBody is a body that says nothing until it is let go.
type slowBody struct{ let <-chan struct{} }

func (b slowBody) Read([]byte) (int, error) { <-b.let; return 0, http.ErrBodyReadAfterClose }
func (slowBody) Close() error               { return nil }

// TestBodiesThatDawdleShutNoPages: a thousand posts from two addresses whose
// bodies do not come, to the pages and to the protocol; a visitor from a third
// address is served, and one more from the first gets a page that says what to do.
func TestBodiesThatDawdleShutNoPages(t *testing.T) {
	w := newWorld(t, false)
	visit := func(from, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, hosted+path, nil)
		r.RemoteAddr = from
		rec := httptest.NewRecorder()
		w.System.Hosted.Handler.ServeHTTP(rec, r)
		return rec
	}
	let := make(chan struct{})
	var dawdling sync.WaitGroup
	dawdle := func(from, path string) {
		dawdling.Go(func() {
			r := httptest.NewRequest(http.MethodPost, hosted+path, slowBody{let})
			r.RemoteAddr = from
			w.System.Hosted.Handler.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	for _, from := range []string{"192.0.2.1:1", "192.0.2.2:1"} {
		for range 260 {
			dawdle(from, "/freeze")
			dawdle(from, "/par")
		}
		// A look takes a place, too, and a post that finds none then is over: another
		// comes for it, or the address might never be full.
		for visit(from, "/freeze").Code != http.StatusTooManyRequests {
			dawdle(from, "/freeze")
			time.Sleep(time.Millisecond)
		}
	}
	if rec := visit("192.0.2.3:1", "/freeze"); rec.Code != http.StatusOK {
		t.Errorf("another visitor: %d", rec.Code)
	}
	if rec := visit("192.0.2.1:1", "/healthz"); rec.Code != http.StatusOK {
		t.Errorf("health: %d", rec.Code)
	}
	rec := visit("192.0.2.1:1", "/freeze")
	if !strings.Contains(rec.Body.String(), locale.Explain(liuma.CodeTooManyRequests, "").Next.ZH) || rec.Header().Get("Retry-After") == "" ||
		rec.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("the refusal: %v\n%s", rec.Header(), rec.Body)
	}
	close(let)
	dawdling.Wait()
	if rec := visit("192.0.2.1:1", "/freeze"); rec.Code != http.StatusOK {
		t.Errorf("afterwards: %d", rec.Code)
	}
}
