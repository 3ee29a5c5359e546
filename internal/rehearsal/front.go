package rehearsal

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// front stands in front of both doors. It records the requests of the channel's
// server, and changes an answer if a case asks for it.
type front struct {
	world *world.World

	mu     sync.Mutex
	pushes []push      // guarded by mu; of the whole rehearsal
	tokens []time.Time // guarded by mu; of this case
	asks   int         // guarded by mu; of this case, by business number
	change change      // guarded by mu; nil: nothing
	frozen []string    // guarded by mu; of this case: handles that the channel froze
	// handles are those of ID tokens, by business number. Guarded by mu; of the whole
	// rehearsal.
	handles map[string]string
}

// push is a pushed request.
type push struct {
	form    url.Values
	details map[string]any
	taken   bool
	uri     string // request_uri of a push that was taken
	code    string // error code of a push that was refused
}

// change replaces the answer to a request of the channel's server.
type change func(r *http.Request, form url.Values, a *answer)

// answer is an answer on its way.
type answer struct {
	status int
	head   http.Header
	body   bytes.Buffer
	lost   bool // the connection breaks instead
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.head }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) set(status int, kind string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		a.lost = true
		return
	}
	a.status, a.head = status, http.Header{"Content-Type": {kind}, "Cache-Control": {"no-store"}}
	a.body.Reset()
	a.body.Write(raw)
}

// calm begins a case.
func (f *front) calm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens, f.asks, f.change, f.frozen = nil, 0, nil, nil
}

func (f *front) changes(c change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change = c
}

// seen is what the channel's server did in this case.
func (f *front) seen() (exchanges, asks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.tokens), f.asks
}

// last is the last pushed request.
func (f *front) last() (push, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pushes) == 0 {
		return push{}, false
	}
	return f.pushes[len(f.pushes)-1], true
}

func (f *front) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pushes)
}

// forget drops what was seen so far.
func (f *front) forget() {
	f.calm()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pushes, f.handles = nil, map[string]string{}
}

// handle is that of the ID token about a business number; empty if there was none.
func (f *front) handle(no any) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, _ := no.(string)
	return f.handles[name]
}

// froze lists the handles that the channel's server froze in this case.
func (f *front) froze() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.frozen)
}

const longestForm = 64 << 10

// watch stands in front of a door. It looks only at requests of servers, and passes
// browsers' requests on.
func (f *front) watch(door http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server := r.Method == http.MethodPost && (r.URL.Path == "/par" || r.URL.Path == "/token" || r.URL.Path == "/v1/freezes") || strings.HasPrefix(r.URL.Path, "/v1/verifications/")
		if !server {
			door.ServeHTTP(w, r)
			return
		}
		raw, err := io.ReadAll(io.LimitReader(r.Body, longestForm+1))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		form, _ := url.ParseQuery(string(raw)) // the door refuses what does not parse
		a := &answer{head: http.Header{}}
		door.ServeHTTP(a, r)
		f.keep(r, raw, form, a)
		f.mu.Lock()
		change := f.change
		f.mu.Unlock()
		if change != nil {
			change(r, form, a)
		}
		if a.lost {
			panic(http.ErrAbortHandler)
		}
		for name, values := range a.head {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(max(a.status, http.StatusOK))
		_, _ = w.Write(a.body.Bytes()) // the channel hung up
	})
}

func (f *front) keep(r *http.Request, raw []byte, form url.Values, a *answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case "/par":
		var all []map[string]any
		p := push{form: form, taken: a.status == http.StatusCreated}
		if json.Unmarshal([]byte(form.Get("authorization_details")), &all) == nil && len(all) == 1 {
			p.details = all[0]
		}
		var given struct {
			RequestURI string `json:"request_uri"`
			Code       string `json:"code"`
			Reason     string `json:"reason"`
		}
		if json.Unmarshal(a.body.Bytes(), &given) == nil {
			p.uri, p.code = given.RequestURI, strings.TrimSuffix(given.Code+"/"+given.Reason, "/")
		}
		f.pushes = append(f.pushes, p)
	case "/token":
		f.tokens = append(f.tokens, time.Now())
		var given struct {
			IDToken string `json:"id_token"`
		}
		if json.Unmarshal(a.body.Bytes(), &given) == nil {
			if token, err := readIDToken(given.IDToken); err == nil {
				f.handles[string(token.BusinessNo)] = token.Card
			}
		}
	case "/v1/freezes":
		var asked struct {
			Subject struct {
				Card string `json:"card"`
			} `json:"subject"`
		}
		if json.Unmarshal(raw, &asked) == nil {
			f.frozen = append(f.frozen, asked.Subject.Card)
		}
	default:
		f.asks++
	}
}
