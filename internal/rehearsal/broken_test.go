package rehearsal

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
)

// careless is a small channel that does its own OAuth, and leaves out one check.
type careless struct {
	c      Config
	origin string
	key    admin.KeyPair
	door   *client.Client
	leaves string // what it leaves out; empty: nothing

	mu       sync.Mutex
	sessions map[string]*visit        // guarded by mu
	pushed   map[string]pushedRequest // guarded by mu; by state
	cards    map[string]string        // guarded by mu; by account
	last     map[string]string        // guarded by mu; last business number by account
}

type visit struct {
	account string
	open    bool
}

type pushedRequest struct {
	session, account string
	action, purpose  string
	no, nonce        string
	state, card      string
	login            client.LogIn
	ask              client.HostedRequest
}

func newCareless(t *testing.T, c Config, origin string, key admin.KeyPair, leaves string) *careless {
	t.Helper()
	issuer, api, _ := c.Places()
	door, err := client.New(client.Config{Issuer: issuer, BaseURL: api, ID: c.Channel.ClientID, Key: key.Private})
	if err != nil {
		t.Fatal(err)
	}
	return &careless{c: c, origin: origin, key: key, door: door, leaves: leaves,
		sessions: map[string]*visit{}, pushed: map[string]pushedRequest{}, cards: map[string]string{}, last: map[string]string{}}
}

func (a *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := ""
	if c, err := r.Cookie("s"); err == nil {
		id = c.Value
	}
	in := a.sessions[id]
	switch r.URL.Path {
	case "/person":
		if a.leaves == "account" && in != nil {
			in.account = r.FormValue("person") // keeps its session over a log-in
			return
		}
		fresh := rand.Text()
		a.sessions[fresh] = &visit{account: r.FormValue("person")}
		http.SetCookie(w, &http.Cookie{Name: "s", Value: fresh, Path: "/"})
	case "/start":
		a.start(w, r, id, in)
	case "/callback":
		a.callback(w, r, id, in)
	case "/freeze":
		a.freeze(r, in)
	case "/years":
		if in == nil || !in.open {
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	case "/":
		fmt.Fprint(w, "home")
	}
}

func (a *careless) start(w http.ResponseWriter, r *http.Request, id string, in *visit) {
	if in == nil {
		return
	}
	action := r.FormValue("action")
	no := "N-" + rand.Text()
	if a.leaves == "business number" {
		no = "N-" + in.account + action
	}
	ask := client.HostedRequest{Action: client.Action(action), BusinessNo: no, Purpose: "查询", RedirectURI: a.origin + "/callback", Holder: client.Subject{Card: a.cards[in.account]}}
	who := a.person(in.account)
	switch action {
	case "link":
		ask.Holder = client.Subject{IDNumber: who.IDNumber, Name: who.Holder}
	case "enroll":
		ask.Holder = client.Subject{IDNumber: who.IDNumber, Name: who.Holder, Phone: who.Phone}
		a.prove(r.Context(), &ask, who, "")
	}
	a.push(w, r, id, in, ask)
}

func (a *careless) person(account string) Account {
	for _, who := range a.c.Channel.people() {
		if who.Name == account {
			return who
		}
	}
	return Account{}
}

// prove puts evidence into a request, for a challenge that came or for a new one.
func (a *careless) prove(ctx context.Context, ask *client.HostedRequest, who Account, challenge string) {
	if challenge == "" || a.leaves == "its challenge" {
		c, err := a.door.Challenge(ctx)
		if err != nil {
			return
		}
		challenge = c.Value
	}
	_, _, provider := a.c.Places()
	body, err := json.Marshal(map[string]string{"challenge": challenge, "id_number": who.IDNumber, "name": who.Holder})
	if err != nil {
		return
	}
	resp, err := http.Post(strings.TrimSuffix(provider, standin.ChecksPath)+"/stand-in/evidence", "application/json", bytes.NewReader(body))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	var answer struct{ Evidence string }
	if json.NewDecoder(resp.Body).Decode(&answer) == nil {
		ask.Challenge, ask.Evidence = challenge, answer.Evidence
	}
}

func (a *careless) freeze(r *http.Request, in *visit) {
	if in == nil {
		return
	}
	card := a.cards[in.account]
	if a.leaves == "whose card" {
		for account, other := range a.cards {
			if account != in.account {
				card = other
			}
		}
	}
	_, _ = a.door.Freeze(r.Context(), client.FreezeRequest{BusinessNo: "N-" + rand.Text(), Subject: client.Subject{Card: card}})
}

// push pushes a request, or one that came back for evidence again.
func (a *careless) push(w http.ResponseWriter, r *http.Request, id string, in *visit, ask client.HostedRequest) {
	action, no := string(ask.Action), ask.BusinessNo
	l := ask.LogIn(id, in.account)
	if a.leaves == "fresh nonce" {
		l.Nonce = "always-the-same-nonce"
	}
	if a.leaves == "random state" {
		l.State = fmt.Sprintf("state-%d", len(a.pushed)+10)
	}
	a.pushed[l.State] = pushedRequest{session: id, account: in.account, action: action, purpose: string(ask.Purpose), no: no, nonce: l.Nonce, state: l.State, card: ask.Holder.Card, login: l, ask: ask}
	a.last[in.account] = l.State
	page, err := a.door.Push(r.Context(), l, ask)
	for n := 0; err != nil && a.leaves == "patience" && n < 3; n++ {
		page, err = a.door.Push(r.Context(), l, ask)
	}
	if err != nil {
		if a.leaves == "errors" {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprint(w, "refused")
		return
	}
	http.Redirect(w, r, page.URL, http.StatusSeeOther)
}

func (a *careless) callback(w http.ResponseWriter, r *http.Request, id string, in *visit) {
	q := r.URL.Query()
	p, ok := a.pushed[q.Get("state")]
	if !ok && a.leaves == "state" && in != nil {
		p, ok = a.pushed[a.last[in.account]]
	}
	switch {
	case !ok,
		q.Get("iss") != p.issuer(a) && a.leaves != "iss",
		a.leaves != "session" && id != p.session,
		a.leaves != "account" && (in == nil || in.account != p.account):
		fmt.Fprint(w, "refused")
		return
	}
	if a.leaves != "once" {
		delete(a.pushed, q.Get("state"))
	}
	if in == nil {
		in = &visit{account: p.account} // believes the state alone
		fresh := rand.Text()
		a.sessions[fresh] = in
		http.SetCookie(w, &http.Cookie{Name: "s", Value: fresh, Path: "/"})
	}
	if code := q.Get("code"); code != "" {
		card, good := a.redeem(r.Context(), p, code)
		if good {
			in.open = p.action == "verify" || a.leaves == "acts"
			if p.action == "link" || p.action == "enroll" && a.leaves != "handle" {
				a.cards[p.account] = card
			}
			return
		}
	}
	if q.Get("error") == "evidence_required" && a.leaves != "evidence" {
		ask := p.ask
		a.prove(r.Context(), &ask, a.person(p.account), q.Get("challenge"))
		if a.leaves == "same number" {
			ask.BusinessNo = "N-" + rand.Text()
		}
		a.push(w, r, id, in, ask)
		return
	}
	if a.leaves == "asking" {
		return
	}
	if a.leaves == "refusals" && q.Get("error") != "" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	v, err := a.door.Verification(r.Context(), p.no)
	if err != nil {
		fmt.Fprint(w, "later")
		return
	}
	if a.leaves == "trusts right" && v.Right() {
		in.open = true
	}
	if v.Until != nil && a.leaves != "until" {
		fmt.Fprint(w, "until ", v.Until.In(time.FixedZone("CST", 8*60*60)).Format("15:04"))
	}
	if a.leaves == "state back" || v.State != "returning" {
		return
	}
	a.pushed[p.state] = p
}

func (p pushedRequest) issuer(a *careless) string { issuer, _, _ := a.c.Places(); return issuer }

// redeem exchanges a code and checks all claims but the one that it leaves out.
func (a *careless) redeem(ctx context.Context, p pushedRequest, code string) (card string, good bool) {
	issuer, _, _ := a.c.Places()
	assertion, _, err := a.door.Assertion()
	if err != nil {
		return "", false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.login.RedirectURI}, "code_verifier": {p.login.Verifier}, "client_id": {a.c.Channel.ClientID},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}.Encode()))
	if err != nil {
		return "", false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil || resp.StatusCode != http.StatusOK {
		return "", a.leaves == "token errors"
	}
	if answer.IDToken == "" {
		return "", a.leaves == "token"
	}
	var c idClaims
	if a.leaves == "signature" {
		raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(answer.IDToken, ".")[1])
		if json.Unmarshal(raw, &c) != nil {
			return "", false
		}
	} else if !a.signed(ctx, answer.IDToken, &c) {
		return "", false
	}
	sum, _ := base64.RawURLEncoding.DecodeString(c.PurposeHash)
	claims := map[string]bool{
		"aud": c.Audience == a.c.Channel.ClientID, "token iss": c.Issuer == issuer, "exp": time.Now().Before(time.Unix(c.Expires, 0)),
		"nonce": c.Nonce == p.nonce, "request": c.BusinessNo == p.no, "action": c.Action == p.action,
		"purpose": slices.Equal(sum, purposeHash(p.purpose)), "card": p.card == "" || c.Card == p.card,
	}
	if a.leaves == "receipt" { // whatever the authority signed
		return p.card, true
	}
	for name, right := range claims {
		if !right && a.leaves != name {
			return "", false
		}
	}
	return c.Card, true
}

func (a *careless) signed(ctx context.Context, token string, into *idClaims) bool {
	set, err := a.door.ReceiptKeys(ctx)
	if err != nil {
		return false
	}
	jws, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return false
	}
	return jws.Claims(set, into) == nil
}

// TestBrokenChannelsAreCaught: each check that a channel leaves out is caught by
// the case that is about it, and a channel that leaves out none passes.
func TestBrokenChannelsAreCaught(t *testing.T) {
	t.Parallel() // beside the sample, which waits as well
	for leaves, want := range map[string][]string{
		"":                nil,
		"state":           {"state-changed", "state-missing"},
		"iss":             {"issuer-changed", "issuer-missing"},
		"session":         {"other-session"},
		"account":         {"account-changed"},
		"once":            {"replayed"},
		"aud":             {"token-audience"},
		"token iss":       {"token-issuer"},
		"nonce":           {"token-nonce"},
		"exp":             {"token-expired"},
		"request":         {"token-request"},
		"action":          {"token-action"},
		"purpose":         {"token-purpose"},
		"card":            {"token-card"},
		"signature":       {"token-key", "token-unsigned"},
		"token":           {"token-none"},
		"token errors":    {"frozen-meanwhile"},
		"trusts right":    {"token-lost"},
		"asking":          {"left", "error-forged", "expired", "not-returned", "recovered"},
		"same number":     {"reset", "forgotten"},
		"its challenge":   {"reset"},
		"evidence":        {"reset", "rebind"},
		"acts":            {"change", "unfreeze"},
		"handle":          {"enroll"},
		"whose card":      {"freeze"},
		"receipt":         {"token-receipt"},
		"until":           {"locked"},
		"errors":          {"unavailable", "clock-off", "ration"},
		"refusals":        {"enrolled", "cancelled", "reset-too-soon"},
		"patience":        {"ration"},
		"fresh nonce":     {"pushes"},
		"random state":    {"pushes"},
		"business number": {"left"},
	} {
		t.Run("leaves out "+leaves, func(t *testing.T) {
			t.Parallel()
			only := slices.Concat(want, []string{"right", "wrong-then-right"}) // these push as well
			if leaves == "" {
				only = nil
			}
			results := rehearse(t, only, func(c Config, origin string, key admin.KeyPair) http.Handler {
				return newCareless(t, c, origin, key, leaves)
			})
			failed := map[string]string{}
			for _, r := range results {
				if r.Fault != "" {
					failed[r.ID] = r.Fault
				}
			}
			for _, id := range want {
				if failed[id] == "" {
					t.Errorf("%s passed; failed: %v", id, failed)
				}
			}
			for _, r := range results {
				if r.Lacks != "" {
					t.Errorf("%s was not played: no %s", r.ID, r.Lacks)
				}
			}
			if leaves == "" && len(failed) > 0 {
				t.Errorf("a channel that leaves out nothing failed: %v", failed)
			}
		})
	}
}

func purposeHash(purpose string) []byte { sum := sha256.Sum256([]byte(purpose)); return sum[:] }
