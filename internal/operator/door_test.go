package operator_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/operator"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// raw is a plain HTTP client at the socket.
func (h *house) raw() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return h.connect(ctx)
		},
	}}
}

func (h *house) connect(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(h.Dir, operator.SocketName))
}

// What the command never sends is refused with a code, and changes nothing.
func TestDoorRefuses(t *testing.T) {
	h := serve(t)
	if err := h.dial(t).Add(t.Context(), channel(t, "zj")); err != nil {
		t.Fatal(err)
	}
	before := entries(t, h.System.Store, nil)
	p := channel(t, "private")
	secret := pair(t).Private
	p.Key = jose.JSONWebKey{Key: secret, KeyID: "k"}
	private, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	key, err := json.Marshal(channel(t, "x").Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		code               operator.Code
	}{
		"unknown member":    {"POST", "/v1/parties/change", `{"what":"stop","kind":"channel","id":"zj","force":true}`, 400, operator.CodeRequest},
		"doubled member":    {"POST", "/v1/parties/change", `{"what":"stop","kind":"channel","id":"x","id":"zj"}`, 400, operator.CodeRequest},
		"unknown change":    {"POST", "/v1/parties/change", `{"what":"delete","kind":"channel","id":"zj"}`, 400, operator.CodeRequest},
		"stop with a kid":   {"POST", "/v1/parties/change", `{"what":"stop","kind":"channel","id":"zj","kid":"k"}`, 400, operator.CodeRequest},
		"stop with a key":   {"POST", "/v1/parties/change", `{"what":"stop","kind":"channel","id":"zj","key":` + string(key) + `}`, 400, operator.CodeRequest},
		"add without a key": {"POST", "/v1/parties/change", `{"what":"add_key","kind":"channel","id":"zj"}`, 400, operator.CodeRequest},
		"long body":         {"POST", "/v1/parties/change", `{"what":"` + strings.Repeat("x", 70_000), 413, operator.CodeTooLarge},
		"private key":       {"POST", "/v1/parties", string(private), 422, operator.CodeKey},
		"unknown party":     {"POST", "/v1/parties/change", `{"what":"stop","kind":"channel","id":"nobody"}`, 404, operator.CodeUnknown},
		"another method":    {"GET", "/v1/parties/change", "", 405, ""},
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
		var got struct {
			Status int           `json:"status"`
			Code   operator.Code `json:"code"`
			Detail string        `json:"detail"`
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		_ = json.Unmarshal(body, &got)
		if resp.StatusCode != tt.status || got.Code != tt.code || tt.code != "" && (got.Status != tt.status || got.Detail == "") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if diff := cmp.Diff(before, entries(t, h.System.Store, nil)); diff != "" {
		t.Error("a refusal changed something:", diff)
	}
}

// halfFile is a file that was cut in its last line, which is a good row still:
// "cancelled" has become nothing, which means normal.
func halfFile(t *testing.T, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := registry.Sample(&b, rows, 9); err != nil {
		t.Fatal(err)
	}
	whole := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return whole[:bytes.LastIndexByte(whole, ',')+1]
}

// chunked writes an import as it is on the wire, up to the end that it is given.
func chunked(body []byte, end string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /v1/registry/import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: Liuma-Whole\r\n\r\n")
	fmt.Fprintf(&b, "%x\r\n", len(body))
	b.Write(body)
	b.WriteString(end)
	return b.Bytes()
}

// A file that does not come whole leaves whole chunks: the half line at its
// end is no row, whoever went away and however.
func TestCutOff(t *testing.T) {
	h := serve(t)
	for name, end := range map[string]string{
		"ends without the trailer":          "\r\n0\r\n\r\n",
		"ends with another trailer":         "\r\n0\r\nLiuma-Other: yes\r\n\r\n",
		"the caller died after a piece":     "\r\n",
		"the caller died within a piece":    "",
		"the caller died before the end":    "\r\n0\r\n",
		"the caller died after half a line": "\r\n5\r\nabc",
	} {
		before := people(t, h.System.Store)
		conn, err := h.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body := halfFile(t, 620)
		if name == "the caller died within a piece" {
			raw := chunked(append(body, "more"...), "")
			_, err = conn.Write(raw[:len(raw)-4])
		} else {
			_, err = conn.Write(chunked(body, end))
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "the caller died") {
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
		} else if line := lastLine(t, conn); !strings.Contains(line, `"code":"import_cut"`) || !strings.Contains(line, `"kept":500,`) {
			t.Errorf("%s: %s", name, line)
		}
		h.idle(t)
		// The same people each time: only the first run adds any.
		if got := people(t, h.System.Store) - before; got != 500 && got != 0 {
			t.Errorf("%s: %d people more, want whole chunks", name, got)
		}
	}
	if got := people(t, h.System.Store); got != 520 {
		t.Errorf("%d people, want 20 and one chunk of 500", got)
	}
}

func lastLine(t *testing.T, conn net.Conn) string {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return lines[len(lines)-1]
}

// idle waits until no import is under way.
func (h *house) idle(t *testing.T) {
	t.Helper()
	for range 500 {
		_, err := h.dial(t).Import(t.Context(), strings.NewReader("x"), operator.ImportConfig{})
		if r, ok := errors.AsType[*operator.Refusal](err); ok && r.Code == operator.CodeBusy {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		return
	}
	t.Fatal("an import goes on without a caller")
}

// A caller that sends its whole file and goes away at once is noticed too: the
// import ends after the chunk it is at.
func TestCallerDiesAfterSending(t *testing.T) {
	h := serve(t)
	conn, err := h.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := registry.Sample(&file, 10_000, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(chunked(file.Bytes(), "\r\n0\r\nLiuma-Whole: yes\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	h.idle(t)
	got := people(t, h.System.Store) - 20
	if got%500 != 0 || got == 10_000 {
		t.Errorf("%d people kept for nobody", got)
	}
}

// A server that dies in the middle of an import leaves nothing certain.
func TestServerDies(t *testing.T) {
	h := serve(t)
	h.stop()
	ln, err := net.Listen("unix", filepath.Join(h.Dir, operator.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/hello":
			_, _ = io.WriteString(w, `{"door":"liuma-operator/1"}`)
		case "/v1/registry/import":
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.WriteString(w, "{\"read\":5}\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			panic(http.ErrAbortHandler)
		}
	})}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	o := h.dial(t)
	sum, err := o.Import(t.Context(), bytes.NewReader(sample(t, 5000)), operator.ImportConfig{})
	if !errors.Is(err, operator.ErrLost) || sum != (registry.Summary{}) {
		t.Errorf("import: %+v, %v", sum, err)
	}
	if err := o.Stop(t.Context(), store.ClientChannel, "zj"); !errors.Is(err, operator.ErrLost) {
		t.Errorf("stop: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	if _, err := o.Import(ctx, strings.NewReader(""), operator.ImportConfig{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an import that was given up: %v", err)
	}
}

func TestOpenDoorRefuses(t *testing.T) {
	if _, err := operator.OpenDoor(t.Context(), operator.DoorConfig{}); err == nil {
		t.Error("opened a door to nothing")
	}
	h := serve(t)
	if _, err := operator.OpenDoor(t.Context(), operator.DoorConfig{Dir: h.Dir, System: h.System}); !errors.Is(err, operator.ErrServed) {
		t.Errorf("a second door: %v", err)
	}
}
