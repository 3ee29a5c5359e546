package notify

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// test/kannel tests a real Kannel; here are the cases that a real one does not
// produce.

func newKannel(t testing.TB, base string) *Kannel {
	t.Helper()
	k, err := NewKannel(KannelConfig{SendURL: base + "/cgi-bin/sendsms", Username: "username", Password: "pass-word", From: "12333",
		ReceiptURL: "https://pin.example.cn/notify/kannel", Vault: openVault(t, t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKannelAnswers(t *testing.T) {
	text := sampleText(t)
	for name, c := range map[string]struct {
		status int
		body   string
		ref    string
		kind   FailureKind
		word   string
	}{
		"accepted":           {202, "0: Accepted for delivery", "", 0, ""},
		"with reference":     {202, "0: Accepted for delivery: 5c2e7d1a-0000-4000-8000-000000000001", "5c2e7d1a-0000-4000-8000-000000000001", 0, ""},
		"queued":             {202, "3: Queued for later delivery", "", 0, ""},
		"not what it says":   {202, "<html>login</html>", "", Temporary, "unexpected_answer"},
		"taken by nobody":    {200, "", "", Temporary, "unexpected_answer"},
		"bad request":        {400, "Invalid", "", Permanent, "refused"},
		"wrong password":     {403, "Authorization failed for sendsms", "", Temporary, "unauthorized"},
		"wrong path":         {404, "Unknown request.", "", Temporary, "unexpected_answer"},
		"temporal failure":   {503, "Temporal failure, try again later.", "", Temporary, "gateway_busy"},
		"no route, for good": {500, "Not routable. Do not try again.", "", Temporary, "gateway_error"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if q.Get("to") != testPhone || q.Get("text") != text.Body || q.Get("charset") != "UTF-8" || q.Get("coding") != "2" ||
				q.Get("dlr-mask") != "19" || q.Get("username") != "username" || q.Get("password") != "pass-word" || q.Get("from") != "12333" {
				t.Errorf("asked with %v", q)
			}
			rw.WriteHeader(c.status)
			_, _ = rw.Write([]byte(c.body))
		}))
		ref, err := newKannel(t, srv.URL).Send(t.Context(), text)
		srv.Close()
		f, _ := errors.AsType[*Failure](err)
		if c.word == "" && (err != nil || ref != c.ref) || c.word != "" && (f == nil || f.Kind != c.kind || f.Word != c.word) {
			t.Errorf("%s: %q, %v", name, ref, err)
		}
	}
}

// TestTransportRepeatsNothing: a gateway keeps connections open and loses its
// answers. Only the worker may send again.
func TestTransportRepeatsNothing(t *testing.T) {
	text := sampleText(t)
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(http.StatusAccepted)
		_, _ = rw.Write([]byte("0: Accepted for delivery"))
	}))
	defer srv.Close()
	for _, d := range []Driver{newKannel(t, srv.URL), newHook(t, srv.URL, "")} {
		for i := range 6 {
			_, err := d.Send(t.Context(), text)
			if (err == nil) != (i%2 == 0) {
				t.Errorf("%T, send %d: %v", d, i, err)
			}
		}
	}
	if n := asked.Load(); n != 12 {
		t.Errorf("asked %d times for 12 sends", n)
	}
}

func TestKannelConfigIsChecked(t *testing.T) {
	good := newKannel(t, "http://127.0.0.1:1").cfg
	for name, change := range map[string]func(*KannelConfig){
		"no password": func(c *KannelConfig) { c.Password = "" }, "no user": func(c *KannelConfig) { c.Username = "" },
		"no vault":       func(c *KannelConfig) { c.Vault = nil },
		"plain receipts": func(c *KannelConfig) { c.ReceiptURL = "http://pin.example.cn/k" },
		"query":          func(c *KannelConfig) { c.ReceiptURL += "?a=b" },
		"escape":         func(c *KannelConfig) { c.ReceiptURL += "/%p" },
		"send query":     func(c *KannelConfig) { c.SendURL += "?x=1" },
	} {
		c := good
		change(&c)
		if _, err := NewKannel(c); err == nil || strings.Contains(err.Error(), "pass-word") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
