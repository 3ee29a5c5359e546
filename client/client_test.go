package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/vault"
)

const card = "0123456789abcdef0123456789abcdef"

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newClient(t testing.TB, url string, now func() time.Time) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{BaseURL: url, ID: "zj-hrss", KeyID: "k", Key: newKey(t), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckReceipt(t *testing.T) {
	s := standIn()
	defer s.Close()
	now := time.Now().Truncate(time.Second)
	at := now
	c := newClient(t, s.URL, func() time.Time { return at })
	want := client.Want{BusinessNo: "b-1", Card: card, Purpose: "查询", Action: client.Verify}
	good := s.receipt(now, card, "b-1", "查询")
	sign := func(change func(*vault.Receipt)) string {
		r := good
		change(&r)
		out, err := s.vault.SignReceipt(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	plain := sign(func(*vault.Receipt) {})
	got, err := c.CheckReceipt(t.Context(), plain, want)
	if err != nil || got.Card != card || got.BusinessNo != "b-1" || !got.Expires.Equal(now.Add(time.Minute)) {
		t.Fatalf("%+v, %v", got, err)
	}
	parts := strings.Split(plain, ".")
	for what, receipt := range map[string]string{
		"another issuer":     sign(func(r *vault.Receipt) { r.Issuer = "https://elsewhere.example" }),
		"another channel":    sign(func(r *vault.Receipt) { r.Channel = "hz-app" }),
		"another card":       sign(func(r *vault.Receipt) { r.Card = strings.Repeat("f", 32) }),
		"another request":    sign(func(r *vault.Receipt) { r.BusinessNo = "b-2" }),
		"another action":     sign(func(r *vault.Receipt) { r.Action = liuma.ActionChange }),
		"another purpose":    sign(func(r *vault.Receipt) { r.PurposeHash[0]++ }),
		"no PIN":             sign(func(r *vault.Receipt) { r.AMR = []string{"face"} }),
		"ended":              sign(func(r *vault.Receipt) { r.IssuedAt, r.Expires = now.Add(-time.Minute), now }),
		"from the future":    sign(func(r *vault.Receipt) { r.IssuedAt, r.Expires = now.Add(36*time.Second), now.Add(time.Minute) }), // iat is dated back by five
		"empty":              "",
		"long":               strings.Repeat("a", 5000),
		"unsigned":           base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"liuma-receipt+jwt"}`)) + "." + parts[1] + ".",
		"tampered":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"x"}`)) + "." + parts[2],
		"a token of our own": foreign(t, newKey(t), "k", "JWT"),
		"an unknown key":     foreign(t, newKey(t), "k", "liuma-receipt+jwt"),
		"a forged key":       foreign(t, newKey(t), s.vault.ReceiptKeys().Keys[0].KeyID, "liuma-receipt+jwt"),
	} {
		if r, err := c.CheckReceipt(t.Context(), receipt, want); !errors.Is(err, client.ErrReceipt) || r != nil {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	with := want
	with.Method = "face"
	if _, err := c.CheckReceipt(t.Context(), plain, with); !errors.Is(err, client.ErrReceipt) {
		t.Errorf("without the evidence that is wanted: %v", err)
	}
	both := sign(func(r *vault.Receipt) { r.AMR = []string{"pin", "face"} })
	if _, err := c.CheckReceipt(t.Context(), both, with); err != nil {
		t.Errorf("with the evidence that is wanted: %v", err)
	}
	at = now.Add(time.Minute)
	if _, err := c.CheckReceipt(t.Context(), plain, want); !errors.Is(err, client.ErrReceipt) {
		t.Errorf("a minute later: %v", err)
	}
}

// TestCheckReceiptNeedsAllOfWant: a member of Want that is left empty must not
// match every receipt.
func TestCheckReceiptNeedsAllOfWant(t *testing.T) {
	c := newClient(t, "https://pin.example.cn", time.Now)
	for _, lacking := range []client.Want{{Card: card, Purpose: "p", Action: client.Verify}, {BusinessNo: "b", Purpose: "p", Action: client.Verify},
		{BusinessNo: "b", Card: card, Action: client.Verify}, {BusinessNo: "b", Card: card, Purpose: "p"}} {
		if _, err := c.CheckReceipt(t.Context(), "a.b.c", lacking); err == nil || errors.Is(err, client.ErrReceipt) {
			t.Errorf("%+v: nothing was said against", lacking)
		}
	}
}

// foreign is a JWS that is well signed, by a key that the authority does not
// have.
func foreign(t testing.TB, key *ecdsa.PrivateKey, kid, typ string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReceiptKeysAreKept: one fetch serves many receipts; unknown kids do not
// make the client hammer the authority; old keys are fetched again.
func TestReceiptKeysAreKept(t *testing.T) {
	s := standIn()
	defer s.Close()
	at := time.Now()
	c := newClient(t, s.URL, func() time.Time { return at })
	want := client.Want{BusinessNo: "b-1", Card: card, Purpose: "查询", Action: client.Verify}
	check := func() {
		receipt, err := s.vault.SignReceipt(s.receipt(at, card, "b-1", "查询"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CheckReceipt(t.Context(), receipt, want); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, n int32) {
		t.Helper()
		if got := s.keyFetches.Load(); got != n {
			t.Errorf("%s: fetched %d times, want %d", what, got, n)
		}
	}
	for range 5 {
		check()
	}
	expect("five receipts", 1)
	for range 5 {
		c.CheckReceipt(t.Context(), foreign(t, newKey(t), "unknown", "liuma-receipt+jwt"), want)
	}
	expect("five unknown kids at once", 1)
	at = at.Add(31 * time.Second)
	c.CheckReceipt(t.Context(), foreign(t, newKey(t), "unknown", "liuma-receipt+jwt"), want)
	expect("an unknown kid later", 2)
	at = at.Add(11 * time.Minute)
	check()
	expect("old keys", 3)
	s.Close()
	at = at.Add(11 * time.Minute)
	check() // the authority cannot be reached, and the key is known
	fresh := newClient(t, s.URL, func() time.Time { return at })
	if _, err := fresh.CheckReceipt(t.Context(), foreign(t, newKey(t), "k", "liuma-receipt+jwt"), want); err == nil || errors.Is(err, client.ErrReceipt) {
		t.Errorf("without any keys: %v", err)
	}
}

func TestTokens(t *testing.T) {
	var mu sync.Mutex
	var tokens []string // guarded by mu
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tokens = append(tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		fmt.Fprint(w, `{"challenge":"c"}`)
	}))
	defer server.Close()
	at := time.Unix(1_800_000_000, 700_000_000)
	c := newClient(t, server.URL, func() time.Time { return at })
	for _, step := range []struct {
		by    time.Duration
		fresh bool
	}{{0, true}, {time.Minute, false}, {time.Minute, false}, {59 * time.Second, false}, {time.Second, true}, {time.Minute, false}, {-time.Hour, true}, {0, false}} {
		at = at.Add(step.by)
		if _, err := c.Challenge(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		n, last := len(tokens), tokens[len(tokens)-1]
		fresh := n == 1 || last != tokens[n-2]
		mu.Unlock()
		if fresh != step.fresh {
			t.Errorf("at %v: fresh %t", at, fresh)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(last, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Iss, Sub, Aud string
			Iat, Exp      int64
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		if claims.Iss != "zj-hrss" || claims.Sub != "zj-hrss" || claims.Aud != server.URL+"/v1" || claims.Exp-claims.Iat > 300 || claims.Exp < at.Unix()+60 || claims.Iat > at.Unix() {
			t.Errorf("at %v: %+v", at, claims)
		}
	}
}

// TestAnswers: an answer that the door would never give counts as no answer,
// and nothing is sent twice.
func TestAnswers(t *testing.T) {
	var calls atomic.Int32
	var serve atomic.Value // of http.HandlerFunc
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		serve.Load().(http.HandlerFunc)(w, r)
	}))
	defer server.Close()
	c := newClient(t, server.URL, time.Now)
	ask := func() (*client.Verification, error) {
		return c.Verify(t.Context(), client.VerifyRequest{BusinessNo: "b-1", Subject: client.Subject{Card: card}})
	}
	for what, handler := range map[string]http.HandlerFunc{
		"a gateway's page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<h1>Bad gateway</h1>")
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"state":`)
		},
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") },
		"hung up":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a codeless answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(500)
			fmt.Fprint(w, `{}`)
		},
	} {
		serve.Store(handler)
		calls.Store(0)
		v, err := ask()
		lost, ok := errors.AsType[*client.NoAnswerError](err)
		if !ok || lost.BusinessNo != "b-1" || v.Right() || calls.Load() != 1 {
			t.Errorf("%s: %+v, %v, %d requests", what, v, err, calls.Load())
		}
	}
	serve.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"code":"busy","detail_en":"Another request.","next_step_en":"Wait.","instance":"urn:x","until":"2026-04-01T00:00:00Z","tries_left":2}`)
	}))
	_, err := ask()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Code != "busy" || p.Status != 429 || p.RetryAfter != 7*time.Second || *p.TriesLeft != 2 || p.Until.IsZero() || client.CodeOf(fmt.Errorf("x: %w", err)) != "busy" {
		t.Errorf("%+v, %v", p, err)
	}
	if got := err.Error(); got != "liuma: busy: Another request. Wait. [urn:x]" {
		t.Error(got)
	}
}

// TestRight: only a decided, unqualified right is right.
func TestRight(t *testing.T) {
	for v, want := range map[client.Verification]bool{
		{State: "decided", Verdict: "right"}:                     true,
		{State: "pending", Verdict: "right"}:                     false,
		{State: "decided", Verdict: "wrong"}:                     false,
		{State: "decided", Verdict: "right", Code: "cancelled"}:  false,
		{State: "decided", Verdict: "unavailable"}:               false,
		{State: "undecided"}:                                     false,
		{}:                                                       false,
		{State: "decided", Verdict: "Right"}:                     false,
		{State: "decided", Verdict: "right", Redeemed: true}:     true,
		{State: "decided", Action: "link", Card: "x", Code: "x"}: false,
	} {
		if v.Right() != want {
			t.Errorf("%+v: %t", v, v.Right())
		}
	}
	if (*client.Verification)(nil).Right() {
		t.Error("nothing is right")
	}
}

func TestSubjectIsRedacted(t *testing.T) {
	d := client.DeviceRequest{Subject: client.Subject{IDNumber: "330500195001010011", Name: "王奶奶", Phone: "13800001234"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		if got := fmt.Sprintf(verb, d); strings.Contains(got, "3305") || strings.Contains(got, "王") || strings.Contains(got, "1380") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	good := client.DeviceRequest{Channel: "zj-hrss", Action: client.Verify, BusinessNo: "b", Purpose: "p", Subject: client.Subject{Card: card},
		Challenge: client.Challenge{Value: "c", SealKey: client.SealKey{ID: "k", Public: publicKey(t)}}}
	if _, err := good.SealPIN([]byte(rightPIN)); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*client.DeviceRequest){
		"channel": func(d *client.DeviceRequest) { d.Channel = "" }, "business number": func(d *client.DeviceRequest) { d.BusinessNo = "" },
		"purpose": func(d *client.DeviceRequest) { d.Purpose = "" }, "challenge": func(d *client.DeviceRequest) { d.Challenge.Value = "" },
		"subject": func(d *client.DeviceRequest) { d.Subject = client.Subject{} }, "seal key": func(d *client.DeviceRequest) { d.Challenge.SealKey.Public = "AAAA" },
		"seal key's spelling": func(d *client.DeviceRequest) { d.Challenge.SealKey.Public = "*" }, "seal key's id": func(d *client.DeviceRequest) { d.Challenge.SealKey.ID = "" },
		"action": func(d *client.DeviceRequest) { d.Action = client.Change }, "no action": func(d *client.DeviceRequest) { d.Action = "" },
	} {
		d := good
		spoil(&d)
		if e, err := d.SealPIN([]byte(rightPIN)); err == nil || e != (client.Envelope{}) {
			t.Errorf("%s: sealed", what)
		}
	}
	if _, _, err := good.SealChange([]byte(rightPIN), []byte(rightPIN)); err == nil {
		t.Error("a change sealed for a verification")
	}
	if _, err := good.SealPIN(nil); err == nil {
		t.Error("an empty PIN")
	}
}

// TestSealLongPassphrase: what the pad of our own pages can seal, a channel's app can, and
// what no envelope holds is refused with the authority's own code, reason and sentence.
func TestSealLongPassphrase(t *testing.T) {
	scalar, public, err := envelope.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := envelope.ParsePrivate(scalar)
	if err != nil {
		t.Fatal(err)
	}
	d := client.DeviceRequest{Channel: "zj-hrss", Action: client.Verify, BusinessNo: "b", Purpose: "p", Subject: client.Subject{Card: card},
		Challenge: client.Challenge{Value: "c", SealKey: client.SealKey{ID: "k", Public: base64.RawURLEncoding.EncodeToString(public)}}}
	b := envelope.Binding{Channel: "zj-hrss", Action: liuma.ActionVerify, Role: liuma.RoleCurrent, Subject: envelope.Subject{Card: card}, BusinessNo: "b",
		PurposeHash: envelope.PurposeHash("p"), SealKeyID: "k", Challenge: "c"}
	for what, c := range map[string]struct{ typed, sealed, reason string }{
		"as typed":                       {"Ｗｉｌｌｏｗ cafe\u0301 ", "Ｗｉｌｌｏｗ cafe\u0301 ", ""},
		"no passphrase":                  {"x", "x", ""},
		"64 of four bytes, of one plain": {strings.Repeat("𝐚𝐛", 32), strings.Repeat("ab", 32), ""},
		"composed":                       {strings.Repeat("e\u0301a\u0308", 43), strings.Repeat("éä", 43), ""},
		"63 emoji with selectors":        {strings.Repeat("😀\ufe0f", 63), strings.Repeat("😀", 63), ""},
		"64 emoji":                       {strings.Repeat("😀", 64), "", pin.ReasonTooWide},
		"65 emoji":                       {strings.Repeat("😀", 65), "", pin.ReasonTooLong},
		"without end":                    {strings.Repeat("x", 1<<20), "", pin.ReasonTooLong},
	} {
		typed := []byte(c.typed)
		e, err := d.SealPIN(typed)
		if string(typed) != c.typed {
			t.Errorf("%s: what was typed is changed", what)
		}
		if c.reason != "" {
			p, ok := errors.AsType[*client.Problem](err)
			if !ok || p.Code != client.CodePINFormat || p.Reason != c.reason || p.DetailZH != pin.FormatSentence(c.reason).ZH || strings.Contains(p.NextStepEN, "six digits") || p.NextStepZH == "" || e != (client.Envelope{}) {
				t.Errorf("%s: %v (%+v), want the reason %s", what, err, p, c.reason)
			}
			if _, parsed := pin.Parse(typed, true); parsed == nil {
				t.Errorf("%s: the authority takes it", what)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		opened, err := envelope.Decode(e.KID, e.Enc, e.CT)
		if err != nil {
			t.Fatal(err)
		}
		if secret, err := envelope.Open(private, b, opened); err != nil || string(secret) != c.sealed {
			t.Errorf("%s: %q sealed (%v), want %q", what, secret, err, c.sealed)
		}
	}
}

func publicKey(t testing.TB) string {
	t.Helper()
	raw, err := newKey(t).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func TestNew(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := client.Config{BaseURL: "https://pin.example.cn", ID: "a", KeyID: "k", Key: newKey(t)}
	if _, err := client.New(good); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*client.Config){
		"address": func(c *client.Config) { c.BaseURL = "pin.example.cn" }, "scheme": func(c *client.Config) { c.BaseURL = "ftp://x" },
		"query": func(c *client.Config) { c.BaseURL += "?a=b" }, "id": func(c *client.Config) { c.ID = "" }, "no address": func(c *client.Config) { c.BaseURL = "" },
		"issuer": func(c *client.Config) { c.Issuer = "pin.example.cn" },
		"key":    func(c *client.Config) { c.Key = nil }, "curve": func(c *client.Config) { c.Key = p384 },
	} {
		c := good
		spoil(&c)
		if _, err := client.New(c); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// TestAVerdictByEvidenceIsNoPIN: who asks whether the PIN was right is not answered by
// evidence alone; a server of 0.1.0, which does not say, knew no other verdict.
func TestAVerdictByEvidenceIsNoPIN(t *testing.T) {
	for acr, want := range map[string][2]bool{
		"": {true, false}, client.ACRPIN: {true, false}, client.ACRPINEvidence: {true, false}, client.ACREvidence: {false, true}, "urn:other": {false, false},
	} {
		v := &client.Verification{State: "decided", Verdict: "right", ACR: acr}
		if v.Right() != want[0] || v.ByEvidence() != want[1] {
			t.Errorf("%q: right %v, by evidence %v", acr, v.Right(), v.ByEvidence())
		}
		v.Code = "pin_reset"
		if v.Right() || v.ByEvidence() {
			t.Errorf("%q: right, although %s", acr, v.Code)
		}
	}
}
