package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// A change is taken only as this release writes it.
func TestDecodeRefuses(t *testing.T) {
	const good = `{"what":"stop","kind":"channel","id":"zj"}`
	if c, err := decode[change](strings.NewReader(good)); err != nil || c.What != stop || c.Kind != store.ClientChannel || c.ID != "zj" {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, raw := range map[string]string{
		"nothing":        ``,
		"null":           `null`,
		"unknown member": `{"what":"stop","kind":"channel","id":"zj","x":1}`,
		"doubled member": `{"what":"stop","kind":"channel","id":"zj","id":"gov"}`,
		"other letters":  `{"What":"stop","kind":"channel","id":"zj"}`,
		"other order":    `{"kind":"channel","what":"stop","id":"zj"}`,
		"missing member": `{"what":"stop","kind":"channel"}`,
		"trailing":       good + `{}`,
		"space":          good + "\n",
		"cut off":        good[:20],
		"not UTF-8":      "{\"what\":\"stop\",\"kind\":\"channel\",\"id\":\"\xff\"}",
		"escapes":        `{"what":"stop","kind":"channel","id":"\u007aj"}`,
	} {
		if c, err := decode[change](strings.NewReader(raw)); err != errRequest {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// Accepted bytes are exactly those that this release would have written.
func FuzzDecode(f *testing.F) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range []any{
		change{What: stop, Kind: store.ClientChannel, ID: "zj"},
		change{What: addKey, Kind: store.ClientProvider, ID: "p", Key: &pair.Public},
		admin.Client{ID: "zj", Kind: store.ClientChannel, Key: pair.Public},
		event{End: &ended{Read: 1, Problem: &problem{Code: CodeChanged}}},
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v, err := decode[change](bytes.NewReader(raw)); err == nil {
			same(t, raw, v)
			if v.Key != nil && sendable(*v.Key) == nil {
				if key, err := checkedKey(*v.Key); err == nil && !key.IsPublic() {
					t.Error("a private key passed")
				}
			}
		}
		if v, err := decode[admin.Client](bytes.NewReader(raw)); err == nil {
			same(t, raw, v)
		}
		_, _ = follow(bytes.NewReader(raw), admin.ImportConfig{Progress: func(int64) {}, Reject: func(int, string) {}})
	})
}

func same(t *testing.T, raw []byte, v any) {
	t.Helper()
	again, err := json.Marshal(v)
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("%s was taken as %s, %v", raw, again, err)
	}
}

// Every sentinel error of this program keeps its identity and its message over
// the socket.
func TestErrorsKeepTheirIdentity(t *testing.T) {
	codes := map[Code]bool{}
	for _, k := range known() {
		if codes[k.code] {
			t.Errorf("%s stands for two errors", k.code)
		}
		codes[k.code] = true
		err := fmt.Errorf("%w: more about it", k.err)
		p := explain(err)
		raw, jerr := json.Marshal(p)
		if jerr != nil {
			t.Fatal(jerr)
		}
		got := refusal(raw)
		if !errors.Is(got, k.err) || got.Error() != err.Error() || p.Status != k.status || p.Status < 400 {
			t.Errorf("%s: %v", k.code, got)
		}
	}
	if p := explain(context.Canceled); p.Code != CodeStopping {
		t.Errorf("%+v", p)
	}
	if p := explain(fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7})); p.Code != CodeTooLarge || !strings.Contains(p.Detail, "at most 7 bytes") {
		t.Errorf("%+v", p)
	}
	if p := explain(io.ErrNoProgress); p.Code != CodeFailed || p.Status != http.StatusInternalServerError {
		t.Errorf("%+v", p)
	}
	if (&Refusal{Code: "of a later release"}).Unwrap() != nil {
		t.Error("an unknown code is an error of this release")
	}
}
