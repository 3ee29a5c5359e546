package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

const hookSecret = "0123456789abcdef0123456789abcdef"

func hookClock() time.Time { return time.Unix(1_795_333_920, 0) }

func newHook(t testing.TB, url string, previous string) *Webhook {
	t.Helper()
	w, err := NewWebhook(WebhookConfig{URL: url, Secret: []byte(hookSecret), Previous: []byte(previous), Now: hookClock})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func sampleText(t testing.TB) Text {
	t.Helper()
	text, err := mustTemplates(t).write(CodeReset, Chinese, "330500", given())
	if err != nil {
		t.Fatal(err)
	}
	text.ID, text.Phone, text.Expires = "abcdefghijklmnopqrstuvwxyz", testPhone, time.Date(2026, 11, 22, 7, 42, 0, 0, time.UTC)
	return text
}

// TestSignatureVector is the example of docs/NOTICES.md, made with another
// program: printf '%s' '1795333920.{"receipts":[…]}' | openssl dgst -sha256 -hmac …
func TestSignatureVector(t *testing.T) {
	body := `{"receipts":[{"id":"abcdefghijklmnopqrstuvwxyz","status":"delivered"}]}`
	const want = "v1=60a03e4f14f1b90a222babc9ee419027e362e364272c8e5fd73a652df7877b96"
	if got := Signature([]byte(hookSecret), "1795333920", []byte(body)); got != want {
		t.Errorf("got %s", got)
	}
}

// TestWebhookSendsSignedJSON reads the request like an adapter.
func TestWebhookSendsSignedJSON(t *testing.T) {
	text := sampleText(t)
	var got map[string]any
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Idempotency-Key") != text.ID || r.Header.Get("Liuma-Timestamp") != "1795333920" ||
			r.Header.Get("Liuma-Signature") != Signature([]byte(hookSecret), "1795333920", body) {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		if r.URL.RawQuery != "" || strings.Contains(r.URL.Path, "138") {
			t.Errorf("something is in the address: %s", r.URL)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		rw.WriteHeader(http.StatusAccepted)
		fmt.Fprint(rw, `{"ref":"vendor-1","more":true}`)
	}))
	defer srv.Close()
	ref, err := newHook(t, srv.URL, "").Send(t.Context(), text)
	if err != nil || ref != "vendor-1" {
		t.Fatalf("%q, %v", ref, err)
	}
	for name, want := range map[string]any{"id": text.ID, "phone": testPhone, "text": text.Body, "kind": "code", "template": "code_reset",
		"language": "zh-CN", "region": "330500", "segments": 1.0, "signature": "【电子社保卡】", "expires": "2026-11-22T07:42:00Z"} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if p, ok := got["params"].(map[string]any); !ok || p["code"] != "048213" || p["holder"] != "王*奶" {
		t.Errorf("params %v", got["params"])
	}
}

func TestWebhookAnswers(t *testing.T) {
	text := sampleText(t)
	for name, c := range map[string]struct {
		status int
		header string
		body   string
		ref    string
		kind   FailureKind
		word   string // empty: the text is taken
		after  time.Duration
	}{
		"taken, no body":     {status: 204},
		"taken, garbage":     {status: 200, body: "<html>"},
		"taken, other JSON":  {status: 200, body: `["ref"]`},
		"bad request":        {status: 400, kind: Permanent, word: "refused"},
		"unprocessable":      {status: 422, kind: Permanent, word: "refused"},
		"wrong secret":       {status: 401, word: "unauthorized"},
		"forbidden":          {status: 403, word: "unauthorized"},
		"wrong path":         {status: 404, word: "unexpected_answer"},
		"redirect":           {status: 307, word: "unexpected_answer"},
		"throttled":          {status: 429, header: "17", kind: Throttled, word: "throttled", after: 17 * time.Second},
		"throttled, no time": {status: 429, header: "tomorrow", kind: Throttled, word: "throttled"},
		"busy":               {status: 503, header: "3", kind: Throttled, word: "gateway_busy", after: 3 * time.Second},
		"broken":             {status: 503, word: "gateway_error"},
		"internal":           {status: 500, word: "gateway_error"},
		"endless":            {status: 200, body: strings.Repeat("x", maxAnswer+1), word: "answer_too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it followed a redirect") }))
			defer elsewhere.Close()
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				if c.header != "" {
					rw.Header().Set("Retry-After", c.header)
				}
				if c.status == 307 {
					rw.Header().Set("Location", elsewhere.URL)
				}
				rw.WriteHeader(c.status)
				fmt.Fprint(rw, c.body)
			}))
			defer srv.Close()
			ref, err := newHook(t, srv.URL, "").Send(t.Context(), text)
			if c.word == "" {
				if err != nil || ref != c.ref {
					t.Errorf("%q, %v", ref, err)
				}
				return
			}
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Kind != c.kind || f.Word != c.word || f.After != c.after {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestGatewayErrorsHideTheText: sends fail before an answer comes. The errors
// of net/http quote addresses, and Kannel's address contains number, text and
// password.
func TestGatewayErrorsHideTheText(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer slow.Close()
	defer close(hang)
	text := sampleText(t)
	for _, gateway := range []struct {
		url, word string
		within    time.Duration
	}{{gone.URL, "unreachable", patience.Limit}, {slow.URL, FaultTimeout, 200 * time.Millisecond}} {
		url, word := gateway.url, gateway.word
		kannel := newKannel(t, url)
		for _, d := range []Driver{newHook(t, url, ""), kannel} {
			ctx, cancel := context.WithTimeout(t.Context(), gateway.within)
			_, err := d.Send(ctx, text)
			cancel()
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Kind != Temporary || f.Word != word {
				t.Errorf("%T: %v", d, err)
			}
			for _, secret := range []string{testPhone, "048213", "pass-word", "username", text.ID} {
				if strings.Contains(fmt.Sprintf("%v %+v", err, f.Cause), secret) {
					t.Errorf("%T: the error has %q: %v", d, secret, err)
				}
			}
		}
	}
}

func TestGatewaysMustBePrivate(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://sms.example/send": true, "http://127.0.0.1:8080/": true, "http://[::1]:1/": true, "http://localhost/": true,
		"http://sms.example/": false, "http://10.0.0.1/": false, "ftp://127.0.0.1/": false, "//sms.example": false, "": false,
		"https://user:pw@sms.example/": false, "http://localhost.example/": false, "https://": false, "http://127.0.0.1.example/": false,
	} {
		_, err := NewWebhook(WebhookConfig{URL: url, Secret: []byte(hookSecret)})
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		_, err = NewKannel(KannelConfig{SendURL: url, ReceiptURL: "https://pin.example/k", Username: "u", Password: "p", Vault: openVault(t, t.TempDir())})
		if (err == nil) != ok {
			t.Errorf("kannel, %q: %v", url, err)
		}
	}
	for _, secret := range []string{"", "short"} {
		if _, err := NewWebhook(WebhookConfig{URL: "https://x.example", Secret: []byte(secret)}); err == nil {
			t.Errorf("secret %q was accepted", secret)
		}
	}
}

// TestReceiptsAreReadStrictly: no reader of the same bytes may read anything
// else.
func TestReceiptsAreReadStrictly(t *testing.T) {
	const now = "1795333920"
	h := newHook(t, "https://x.example", "")
	for body, want := range map[string][]Report{
		`{"receipts":[{"id":"a","ref":null,"status":"delivered"},{"ref":"r","id":null,"status":"failed"}]}`: {{ID: "a", Delivered: true}, {Ref: "r"}},
		`{"receipts":[{"id":"a","status":"delivered"}]}}`:                                                   nil,
		`{"Receipts":[{"id":"a","status":"delivered"}]}`:                                                    nil,
		`{"receipts":[{"ID":"a","status":"delivered"}]}`:                                                    nil,
		`{"receipts":[{"id":"a","status":"failed","status":"delivered"}]}`:                                  nil,
		`{"receipts":[{"id":"a","status":"delivered","x":null}]}`:                                           nil,
		`{"receipts":[{"id":7,"status":"delivered"}]}`:                                                      nil,
		`{"receipts":[[]]}`:   nil,
		`{"receipts":[null]}`: nil,
		`{"receipts":null}`:   nil,
		`[]`:                  nil,
	} {
		got, err := h.ReadReports(now, Signature([]byte(hookSecret), now, []byte(body)), []byte(body))
		if !slices.Equal(got, want) || (err == nil) != (want != nil) || errors.Is(err, ErrForged) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
		if got, err := h.ReadReports(now, Signature([]byte("x"), now, []byte(body)), []byte(body)); !errors.Is(err, ErrForged) || got != nil {
			t.Errorf("forged: %+v, %v", got, err)
		}
	}
}

// TestWebhookAllTheWay sends through a gateway that fails twice, loses its
// answer once, and then reports the delivery.
func TestWebhookAllTheWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	taken := map[string]int{}
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n++ // one send at a time
		switch n {
		case 1:
			rw.WriteHeader(http.StatusBadGateway)
		case 2: // took it, and the answer is lost
			taken[r.Header.Get(HeaderIdempotencyKey)]++
			panic(http.ErrAbortHandler)
		default:
			taken[r.Header.Get(HeaderIdempotencyKey)]++
			fmt.Fprint(rw, `{"ref":"77"}`)
		}
	}))
	defer srv.Close()
	hook := newHook(t, srv.URL, "")
	o := h.outbox(hook)
	h.queue(o, notice("a"))
	h.run(o)
	eventually(t, "sent", h.allIn(store.MessageSent))
	if m := h.only(); m.Tries != 3 || m.Ref != "77" || taken[m.ID] != 2 || len(taken) != 1 {
		t.Errorf("%+v; taken %v", m, taken)
	}
	body := []byte(`{"receipts":[{"ref":"77","status":"delivered"}]}`)
	receipts, err := hook.ReadReports("1795333920", Signature([]byte(hookSecret), "1795333920", body), body)
	if err != nil || len(receipts) != 1 {
		t.Fatalf("%+v, %v", receipts, err)
	}
	if err := o.Receive(t.Context(), receipts[0]); err != nil || h.only().State != store.MessageDelivered {
		t.Errorf("%v, %+v", err, h.only())
	}
}
