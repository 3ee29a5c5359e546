package window

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
	"github.com/liuma-pin/liuma/internal/registry"
)

const mostBody = 64 << 10 // of a body that is inspected

// Door shows in the hub the requests of browsers to the hosted door: opened
// pages, forms and envelopes. It changes nothing.
func (h *Hub) Door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ceremony := strings.HasPrefix(r.URL.Path, "/c/")
		switch verb := path.Base(r.URL.Path); {
		case r.Method == http.MethodGet && r.URL.Path == "/authorize":
			h.Saw(Authority, "", both(words.OpensPage), known(r.URL.Query(), "client_id", "request_uri")...)
		case r.Method == http.MethodPost && ceremony && verb == "pin":
			h.sawEnvelopes(formOf(r))
		case r.Method == http.MethodPost && ceremony:
			h.sawForm(verb, formOf(r))
		case r.Method == http.MethodPost && r.URL.Path == "/freeze":
			h.sawFreezePage(formOf(r))
		}
		next.ServeHTTP(w, r)
	})
}

// formOf reads a form without using it up.
func formOf(r *http.Request) url.Values {
	form, err := url.ParseQuery(string(peek(&r.Body)))
	if err != nil {
		return nil
	}
	return form
}

func (h *Hub) sawEnvelopes(form url.Values) {
	for _, name := range []string{"pin", "old_pin", "new_pin"} {
		var e struct {
			KID string `json:"kid"`
			Enc string `json:"enc"`
			CT  string `json:"ct"`
		}
		if json.Unmarshal([]byte(form.Get(name)), &e) != nil || e.CT == "" {
			continue
		}
		h.Saw(Authority, "", both(words.Envelope),
			Fact{"field", name}, Fact{"kid", cut(e.KID)}, Fact{"enc", cut(e.Enc)}, Fact{"ct", cut(e.CT)})
	}
}

// peek reads a body's beginning and puts it back.
func peek(body *io.ReadCloser) []byte {
	if *body == nil {
		return nil
	}
	read, err := io.ReadAll(io.LimitReader(*body, mostBody))
	rest := io.Reader(*body)
	if err != nil {
		rest = failing{err} // the handler meets the same error
	}
	*body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), rest), *body}
	return read
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Channel shows in the hub the parameters with which a holder comes back to a
// channel.
func (h *Hub) Channel(who string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/callback" {
			h.Saw(Channel, who, both(words.HolderBack),
				known(r.URL.Query(), "code", "error", "error_description", "state", "iss")...)
		}
		next.ServeHTTP(w, r)
	})
}

// known lists those of the named parameters that are present.
func known(v url.Values, names ...string) []Fact {
	facts := []Fact{}
	for _, n := range names {
		if v.Get(n) != "" {
			facts = append(facts, Fact{n, cut(v.Get(n))})
		}
	}
	return facts
}

// Transport shows in the hub the requests of a channel's server and their
// answers.
func (h *Hub) Transport(who string, base http.RoundTripper) http.RoundTripper {
	return &watchedTransport{hub: h, who: who, base: base}
}

type watchedTransport struct {
	hub  *Hub
	who  string
	base http.RoundTripper
}

func (t *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	title, ok := titleOfCall(r)
	if !ok {
		return t.base.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	sent := factsOfBody(r.Header.Get("Content-Type"), peek(&r.Body))
	t.hub.Saw(Channel, t.who, title, append([]Fact{{r.Method, r.URL.Path}}, sent...)...)
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		t.hub.Saw(Channel, t.who, both(words.NoAnswer), Fact{r.Method, r.URL.Path})
		return nil, err
	}
	got := factsOfBody(resp.Header.Get("Content-Type"), peek(&resp.Body))
	t.hub.Saw(Channel, t.who, both(words.Answer), append([]Fact{{"status", fmt.Sprintf("%d · %s", resp.StatusCode, r.URL.Path)}}, got...)...)
	return resp, nil
}

// titleOfCall names a call for a visitor; false for calls without anything of
// interest (metadata, keys).
func titleOfCall(r *http.Request) (liuma.Text, bool) {
	switch p := r.URL.Path; {
	case p == "/par":
		return both(words.CallPush), true
	case p == "/token":
		return both(words.CallToken), true
	case p == "/v1/challenges":
		return both(words.CallChallenge), true
	case p == "/v1/redemptions":
		return both(words.CallRedeem), true
	case p == "/v1/freezes":
		return both(words.CallFreeze), true
	case strings.HasPrefix(p, "/v1/verifications/"):
		return both(words.CallResult), true
	case p == standin.EvidencePath:
		return both(words.CallEvidence), true
	}
	return liuma.Text{}, false
}

// dull are parameters that are always the same.
func dull(name string) bool {
	return slices.Contains([]string{"client_id", "client_assertion_type", "response_type", "scope", "redirect_uri", "grant_type",
		"code_challenge_method", "type", "$schema", "token_type", "expires_in", "access_token"}, name)
}

func factsOfBody(kind string, body []byte) []Fact {
	switch {
	case len(body) == 0:
		return nil
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil
		}
		facts := []Fact{}
		for _, name := range sortedKeys(form) {
			if details := form.Get(name); name == "authorization_details" {
				facts = append(facts, factsOfJSON([]byte(details))...)
			} else if !dull(name) {
				facts = append(facts, Fact{name, cut(details)})
			}
		}
		return facts
	case strings.Contains(kind, "json"):
		return factsOfJSON(body)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func factsOfJSON(raw []byte) []Fact {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return flatten(nil, "", v)
}

// flatten lists a value's members under dotted names.
func flatten(facts []Fact, name string, v any) []Fact {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if dull(k) || strings.HasSuffix(k, "_en") {
				continue
			}
			facts = flatten(facts, strings.TrimPrefix(name+"."+k, "."), v[k])
		}
		return facts
	case []any:
		for _, one := range v {
			facts = flatten(facts, name, one)
		}
		return facts
	case nil:
		return facts
	}
	return append(facts, Fact{name, shown(name, fmt.Sprint(v))})
}

// shown masks personal data as pages do, although the people are made up.
func shown(name, value string) string {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "id_number", "camera":
		return registry.MaskIDNumber(value)
	case "number": // of a document
		return "***" + value[max(0, len(value)-2):]
	case "phone":
		return registry.MaskPhone(value)
	case "name":
		return registry.MaskName(value)
	}
	return cut(value)
}
