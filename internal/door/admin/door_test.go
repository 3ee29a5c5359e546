package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	door "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// house is a World whose administration door is open.
type house struct {
	*admintest.World
	stop func() // stops the door and waits for it
}

func serve(t *testing.T, w *admintest.World) *house {
	t.Helper()
	h := &house{World: w}
	d, err := door.Open(t.Context(), door.Config{Dir: h.Dir, Admin: h.Admin.Guarded(), Drain: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error("door:", err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

func (h *house) dial(t *testing.T) *door.Remote {
	t.Helper()
	r, err := door.Dial(t.Context(), h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (h *house) connect(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(h.Dir, door.SocketName))
}

// raw is a plain HTTP client at the socket.
func (h *house) raw() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return h.connect(ctx) },
	}}
}

// Everything is the same at the other end of the socket.
func TestAdministration(t *testing.T) {
	admintest.Run(t, func(t *testing.T, w *admintest.World) admin.Administration { return serve(t, w).dial(t) })
}

// A request that the command never sends is refused with an error code, and
// changes nothing.
func TestDoorRefuses(t *testing.T) {
	h := serve(t, admintest.New(t, admintest.Options{}))
	if err := h.dial(t).AddClient(t.Context(), admintest.Channel(t, "zj")); err != nil {
		t.Fatal(err)
	}
	before := h.Entries(t)
	c := admintest.Channel(t, "private")
	c.Key = jose.JSONWebKey{Key: admintest.Pair(t).Private, KeyID: "k"}
	private, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	key, err := json.Marshal(admintest.Channel(t, "x").Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		code               door.Code
	}{
		"unknown member":    {"POST", "/v1/clients/change", `{"what":"stop","kind":"channel","id":"zj","force":true}`, 400, door.CodeRequest},
		"doubled member":    {"POST", "/v1/clients/change", `{"what":"stop","kind":"channel","id":"x","id":"zj"}`, 400, door.CodeRequest},
		"unknown change":    {"POST", "/v1/clients/change", `{"what":"delete","kind":"channel","id":"zj"}`, 400, door.CodeRequest},
		"stop with a kid":   {"POST", "/v1/clients/change", `{"what":"stop","kind":"channel","id":"zj","kid":"k"}`, 400, door.CodeRequest},
		"stop with a key":   {"POST", "/v1/clients/change", `{"what":"stop","kind":"channel","id":"zj","key":` + string(key) + `}`, 400, door.CodeRequest},
		"add without a key": {"POST", "/v1/clients/change", `{"what":"add_key","kind":"channel","id":"zj"}`, 400, door.CodeRequest},
		"long body":         {"POST", "/v1/clients/change", `{"what":"` + strings.Repeat("x", 70_000), 413, door.CodeTooLarge},
		"private key":       {"POST", "/v1/clients", string(private), 422, door.CodeKey},
		"unknown client":    {"POST", "/v1/clients/change", `{"what":"stop","kind":"channel","id":"nobody"}`, 404, door.CodeUnknown},
		"rotate something":  {"POST", "/v1/keys/rotate", `{"kid":"k"}`, 400, door.CodeRequest},
		"drop nothing":      {"POST", "/v1/keys/drop", `{}`, 400, door.CodeRequest},
		"vault, no reason":  {"POST", "/v1/keys/vault/rotate", `{"reason":" "}`, 422, door.CodeReason},
		"vault, more":       {"POST", "/v1/keys/vault/rotate", `{"reason":"x","force":true}`, 400, door.CodeRequest},
		"retry nothing":     {"POST", "/v1/texts/retry", `{}`, 400, door.CodeRequest},
		"another method":    {"GET", "/v1/clients/change", "", 405, ""},
		"another path":      {"GET", "/", "", 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://x"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.raw().Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got problem
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		_ = json.Unmarshal(body, &got)
		if resp.StatusCode != tt.status || got.Code != tt.code || tt.code != "" && (got.Status != tt.status || got.Detail == "") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if diff := cmp.Diff(before, h.Entries(t)); diff != "" {
		t.Error("a refusal changed something:", diff)
	}
}

type problem struct {
	Status int       `json:"status"`
	Code   door.Code `json:"code"`
	Detail string    `json:"detail"`
}

// filled sets every member of a struct, so that one which gets lost shows.
func filled(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(admintest.Start))
			return
		}
		for i := range v.NumField() {
			filled(t, v.Field(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(t, v.Index(0))
	default:
		t.Fatalf("a member of type %s is not tried here", v.Type())
	}
}

// A member that is added to a client later goes over the socket as well.
func TestNothingOfAClientIsLost(t *testing.T) {
	var c store.Client
	filled(t, reflect.ValueOf(&c).Elem())
	if diff := cmp.Diff(c, door.OverTheWire(t, c)); diff != "" {
		t.Error(diff)
	}
	p := admintest.Channel(t, "zj")
	key := p.Key
	v := reflect.ValueOf(&p).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Name != "Key" {
			filled(t, v.Field(i))
		}
	}
	got := door.OverTheWire(t, p)
	if got.Key.KeyID != key.KeyID || !reflect.DeepEqual(got.Key.Key, key.Key) {
		t.Error("the key was changed")
	}
	got.Key, p.Key = key, key
	if !reflect.DeepEqual(p, got) {
		t.Errorf("got %+v, want %+v", got, p)
	}
}

// A server that is stopped stops an import after the chunk it is at, and says so.
func TestImportWhileStopping(t *testing.T) {
	h := serve(t, admintest.New(t, admintest.Options{}))
	stopped := make(chan struct{})
	once := sync.OnceFunc(func() { go func() { h.stop(); close(stopped) }() })
	file := h.File(t, admintest.Sample(t, 10_000))
	sum, err := h.dial(t).ImportRegistry(t.Context(), file, admin.ImportConfig{Progress: func(int64) { once() }})
	r, ok := errors.AsType[*door.Refusal](err)
	if !ok || r.Code != door.CodeStopping || sum.Kept == 0 || sum.Kept >= 10_000 || sum.Kept%500 != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	<-stopped
	if got := h.People(t); got != sum.Kept {
		t.Errorf("%d people, %d said", got, sum.Kept)
	}
	if _, err := os.Lstat(filepath.Join(h.Dir, door.SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if sum, err := h.dialled(t).ImportRegistry(t.Context(), file, admin.ImportConfig{}); !errors.Is(err, door.ErrNoDoor) || sum != (registry.Summary{}) {
		t.Errorf("an import at a door that is gone: %+v, %v", sum, err)
	}
}

// dialled is a Remote whose server has gone away since.
func (h *house) dialled(t *testing.T) *door.Remote {
	t.Helper()
	again := serve(t, h.World)
	r := again.dial(t)
	again.stop()
	return r
}

// A server that dies in the middle of something leaves nothing certain.
func TestServerDies(t *testing.T) {
	w := admintest.New(t, admintest.Options{})
	ln, err := net.Listen("unix", filepath.Join(w.Dir, door.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/hello":
			_, _ = io.WriteString(rw, `{"door":"liuma-admin/2"}`)
		case "/v1/registry/import":
			_, _ = io.WriteString(rw, "{\"read\":5}\n")
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		default:
			panic(http.ErrAbortHandler)
		}
	})}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	r := (&house{World: w}).dial(t)
	file := w.File(t, admintest.Sample(t, 5000))
	sum, err := r.ImportRegistry(t.Context(), file, admin.ImportConfig{})
	if !errors.Is(err, door.ErrLost) || sum != (registry.Summary{}) {
		t.Errorf("import: %+v, %v", sum, err)
	}
	if err := r.StopClient(t.Context(), store.ClientChannel, "zj"); !errors.Is(err, door.ErrLost) {
		t.Errorf("stop: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	if _, err := r.ImportRegistry(ctx, file, admin.ImportConfig{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an import that was given up: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := door.Open(t.Context(), door.Config{}); err == nil {
		t.Error("opened a door to nothing")
	}
	h := serve(t, admintest.New(t, admintest.Options{}))
	if _, err := door.Open(t.Context(), door.Config{Dir: h.Dir, Admin: h.Admin.Guarded()}); !errors.Is(err, door.ErrServed) {
		t.Errorf("a second door: %v", err)
	}
	h.stop()
	d, err := door.Open(t.Context(), door.Config{Dir: h.Dir, Admin: h.Admin.Guarded()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := door.Dial(t.Context(), h.Dir); !errors.Is(err, door.ErrNoDoor) {
		t.Errorf("a door that was closed unserved: %v", err)
	}
}
