package door_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

// crowd is a door whose handler holds every request until it is let go.
type crowd struct {
	t       *testing.T
	log     *door.Log
	bounds  *door.InFlight
	out     *bytes.Buffer
	running sync.WaitGroup
	let     chan struct{}
	began   chan struct{}
}

func newCrowd(t *testing.T, c door.InFlightConfig) *crowd {
	t.Helper()
	k := &crowd{t: t, out: &bytes.Buffer{}, let: make(chan struct{}), began: make(chan struct{})}
	c.Door, c.Now, c.Logger = "native", func() time.Time { return start }, slog.New(slog.NewTextHandler(k.out, nil))
	var err error
	if k.bounds, err = door.NewInFlight(c); err != nil {
		t.Fatal(err)
	}
	k.log, err = door.NewLog(door.LogConfig{Now: c.Now, Logger: slog.New(slog.DiscardHandler), InFlight: k.bounds,
		Fault:  func(*door.Visit, *http.Request) {},
		Refuse: func(v *door.Visit, _ *http.Request, err error) { v.Header().Set("Code", string(liuma.CodeOf(err))) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.empty)
	return k
}

func from(source, path string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = source + ":1234"
	return r
}

// ask sends a request, and returns why it was refused; what is not refused stays
// in flight.
func (k *crowd) ask(r *http.Request, client string) (code liuma.Code) {
	k.t.Helper()
	refused := make(chan liuma.Code, 1)
	k.running.Go(func() {
		w := httptest.NewRecorder()
		k.log.Serve(w, r, func(v *door.Visit, _ *http.Request) {
			if client != "" {
				if err := v.Admit(client); err != nil {
					v.Header().Set("Code", string(liuma.CodeOf(err)))
					return
				}
			}
			k.began <- struct{}{}
			<-k.let
		})
		if c := w.Header().Get("Code"); c != "" {
			refused <- liuma.Code(c)
		}
	})
	select {
	case <-k.began:
		return ""
	case code := <-refused:
		return code
	case <-time.After(time.Minute):
		k.t.Fatal("neither served nor refused")
	}
	return ""
}

// empty ends what is in flight.
func (k *crowd) empty() {
	close(k.let)
	k.running.Wait()
	k.let = make(chan struct{})
}

func (k *crowd) asks(n int, source, client string) {
	k.t.Helper()
	for range n {
		if code := k.ask(from(source, "/v1"), client); code != "" {
			k.t.Fatalf("%s of %q: %s", source, client, code)
		}
	}
}

func TestOneSourceLeavesRoomForOthers(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 10, PerSource: 3, PerClient: 4})
	k.asks(3, "192.0.2.1", "")
	if code := k.ask(from("192.0.2.1", "/v1"), ""); code != liuma.CodeTooManyRequests {
		t.Errorf("fourth: %q", code)
	}
	k.asks(1, "192.0.2.2", "")
	k.empty()
	k.asks(3, "192.0.2.1", "") // as before
}

// TestAHouseholdIsOneSource: who has a /64 of IPv6 has one share, not 2^64.
func TestAHouseholdIsOneSource(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 10, PerSource: 1, PerClient: 4})
	k.asks(1, "[2001:db8::1]", "")
	if code := k.ask(from("[2001:db8::2]", "/v1"), ""); code != liuma.CodeTooManyRequests {
		t.Errorf("%q", code)
	}
	k.asks(1, "[2001:db8:0:1::1]", "")
}

// TestOneClientLeavesRoomForOthers: also for those behind the same address.
func TestOneClientLeavesRoomForOthers(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 10, PerSource: 3, PerClient: 4})
	k.asks(4, "192.0.2.1", "greedy")
	if code := k.ask(from("192.0.2.1", "/v1"), "greedy"); code != liuma.CodeTooManyRequests {
		t.Errorf("fifth: %q", code)
	}
	if code := k.ask(from("192.0.2.9", "/v1"), "greedy"); code != liuma.CodeTooManyRequests {
		t.Errorf("fifth from elsewhere: %q", code)
	}
	k.asks(4, "192.0.2.1", "modest")
	k.empty()
	k.asks(4, "192.0.2.1", "greedy")
}

func TestAFullDoor(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 4, PerSource: 3, PerClient: 3})
	k.asks(3, "192.0.2.1", "")
	k.asks(1, "192.0.2.2", "")
	if code := k.ask(from("192.0.2.3", "/v1"), ""); code != liuma.CodeTooManyRequests {
		t.Errorf("%q", code)
	}
	if got := k.bounds.Crowd(); got.InFlight != 4 || got.Refused != 1 {
		t.Errorf("%+v", got)
	}
	for _, path := range []string{door.HealthPath, door.ReadyPath} {
		if code := k.ask(from("192.0.2.1", path), ""); code != "" {
			t.Errorf("%s: %s", path, code)
		}
	}
	k.empty()
	if got := k.bounds.Crowd(); got.InFlight != 0 {
		t.Errorf("%d in flight after all ended", got.InFlight)
	}
}

// TestSourcesBehindAProxy: what a trusted proxy says is believed; a proxy that
// says nothing is not taken for one source; nobody else is believed.
func TestSourcesBehindAProxy(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 20, PerSource: 1, PerClient: 4, Proxies: door.Proxies{netip.MustParsePrefix("127.0.0.0/8")}})
	by := func(proxy, forwarded string) *http.Request {
		r := from(proxy, "/v1")
		r.Header.Set("X-Forwarded-For", forwarded)
		return r
	}
	for _, tt := range []struct {
		r    *http.Request
		want liuma.Code
	}{
		{by("127.0.0.1", "192.0.2.1"), ""},
		{by("127.0.0.1", "192.0.2.1"), liuma.CodeTooManyRequests},
		{by("127.0.0.1", "198.51.100.1, 192.0.2.1"), liuma.CodeTooManyRequests},
		{by("127.0.0.1", "192.0.2.2"), ""},
		{from("127.0.0.1", "/v1"), ""},
		{from("127.0.0.1", "/v1"), ""},
		{by("198.51.100.7", "192.0.2.3"), ""},
		{by("198.51.100.7", "192.0.2.4"), liuma.CodeTooManyRequests},
	} {
		if code := k.ask(tt.r, ""); code != tt.want {
			t.Errorf("%s for %q: %q", tt.r.RemoteAddr, tt.r.Header.Get("X-Forwarded-For"), code)
		}
	}
}

// TestASlowBodyTakesNoneOfTheTotal: or eight phones that dawdle shut a door.
func TestASlowBodyTakesNoneOfTheTotal(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 3, PerSource: 2, PerClient: 2, Body: 100})
	var pens []*io.PipeWriter
	t.Cleanup(func() {
		for _, pen := range pens {
			pen.Close()
		}
	})
	var reading sync.WaitGroup
	for i := range 6 {
		body, pen := io.Pipe()
		pens = append(pens, pen)
		r := httptest.NewRequest("POST", "/par", body)
		r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", 1+i/2)
		reading.Add(1)
		go k.log.Serve(httptest.NewRecorder(), r, func(*door.Visit, *http.Request) {})
		go func() { _, _ = pen.Write([]byte("a")); reading.Done() }() // it is being read
	}
	all := make(chan struct{})
	go func() { reading.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(time.Minute):
		t.Fatal("the bodies are not read before their requests count")
	}
	k.asks(2, "192.0.2.77", "")
	if code := k.ask(from("192.0.2.1", "/v1"), ""); code != liuma.CodeTooManyRequests {
		t.Errorf("a source may have more than its share by reading slowly: %q", code)
	}
}

// TestABodyReadAheadIsTheSame: whole, too long, and broken off.
func TestABodyReadAheadIsTheSame(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 3, PerSource: 2, PerClient: 2, Body: 10})
	broken := errors.New("broken off")
	for what, tt := range map[string]struct {
		body io.Reader
		want string
		err  error
	}{
		"short":      {strings.NewReader("abc"), "abc", nil},
		"exact":      {strings.NewReader("0123456789"), "0123456789", nil},
		"long":       {strings.NewReader(strings.Repeat("x", 5000)), strings.Repeat("x", 5000), nil},
		"broken off": {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), "abc", broken},
	} {
		r := httptest.NewRequest("POST", "/par", tt.body)
		k.log.Serve(httptest.NewRecorder(), r, func(_ *door.Visit, r *http.Request) {
			if b, err := io.ReadAll(r.Body); string(b) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: %d bytes, %v", what, len(b), err)
			}
		})
	}
}

func TestARefusalIsLoggedOnceAMinuteWithoutAnAddress(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 10, PerSource: 1, PerClient: 4})
	k.asks(1, "192.0.2.1", "")
	for range 5 {
		k.ask(from("192.0.2.1", "/v1"), "")
	}
	log := k.out.String()
	if strings.Count(log, "too many requests") != 1 || !strings.Contains(log, "bound=source") || strings.Contains(log, "192.0.2") {
		t.Errorf("log: %s", log)
	}
}

// TestAPanicLeavesTheDoor: or a handler's fault would shut it for good.
func TestAPanicLeavesTheDoor(t *testing.T) {
	k := newCrowd(t, door.InFlightConfig{Total: 3, PerSource: 1, PerClient: 1})
	k.log.Serve(httptest.NewRecorder(), from("192.0.2.1", "/v1"), func(v *door.Visit, _ *http.Request) {
		_ = v.Admit("a")
		panic("fault")
	})
	if got := k.bounds.Crowd(); got.InFlight != 0 {
		t.Errorf("%+v", got)
	}
	k.asks(1, "192.0.2.1", "a")
}

func TestInFlightConfigIsChecked(t *testing.T) {
	good := door.InFlightConfig{Door: "native", Total: 3, PerSource: 2, PerClient: 2, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	if _, err := door.NewInFlight(good); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*door.InFlightConfig){
		"a source may have all": func(c *door.InFlightConfig) { c.PerSource = 3 },
		"a client may have all": func(c *door.InFlightConfig) { c.PerClient = 3 },
		"no source":             func(c *door.InFlightConfig) { c.PerSource = 0 },
		"no name":               func(c *door.InFlightConfig) { c.Door = "" },
	} {
		c := good
		spoil(&c)
		if _, err := door.NewInFlight(c); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}
