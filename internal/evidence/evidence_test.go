package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	testIDNumber = "11010519491231002X"
	testName     = "王秀英"
)

// bench is a provider, its signer, and the values that the authority wants.
type bench struct {
	key    *ecdsa.PrivateKey
	signer *Signer
	client store.Client
	st     Statement
	want   Want
}

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	signer, err := NewSigner("face-cn", key, "2026-1")
	must(t, err)
	set, err := signer.Keys()
	must(t, err)
	now := time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)
	return &bench{
		key: key, signer: signer,
		client: store.Client{ID: "face-cn", Kind: store.ClientProvider, Keys: set},
		st: Statement{
			Audience: "https://pin.example", Challenge: "challenge-1", IDNumber: testIDNumber, Name: testName,
			Method: "face", ID: "0123456789abcdef", IssuedAt: now.Add(-time.Minute), Expires: now.Add(time.Hour),
		},
		want: Want{
			Audience: "https://pin.example", Challenge: "challenge-1", IDNumber: testIDNumber, Name: testName,
			Now: now, MaxAge: 5 * time.Minute,
		},
	}
}

func (b *bench) provider(id string) (store.Client, error) {
	if id != b.client.ID {
		return store.Client{}, store.ErrNotFound
	}
	return b.client, nil
}

func (b *bench) check(t *testing.T) (Proof, error) {
	t.Helper()
	token, err := b.signer.Sign(b.st)
	must(t, err)
	return Check(token, b.provider, b.want)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantRefused(t *testing.T, err, cause error) {
	t.Helper()
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != liuma.CodeEvidenceInvalid {
		t.Fatalf("error %v, want %s", err, liuma.CodeEvidenceInvalid)
	}
	if !errors.Is(err, cause) {
		t.Errorf("refused for %v, want %v", err, cause)
	}
	if s := err.Error(); strings.Contains(s, testIDNumber) || strings.Contains(s, testName) {
		t.Errorf("error holds personal data: %s", s)
	}
}

func TestGoodEvidencePasses(t *testing.T) {
	b := newBench(t)
	p, err := b.check(t)
	must(t, err)
	want := Proof{
		Provider: "face-cn", ID: "0123456789abcdef", Method: "face",
		IssuedAt: b.st.IssuedAt, Expires: b.st.IssuedAt.Add(b.want.MaxAge), // before its own end
	}
	if p != want {
		t.Errorf("proof %+v, want %+v", p, want)
	}
	b.st.Expires = b.want.Now.Add(time.Second)
	if p, err = b.check(t); err != nil || p.Expires != b.st.Expires {
		t.Errorf("proof ends %v, %v; want its own end %v", p.Expires, err, b.st.Expires)
	}
}

// Each case changes one thing in evidence that passes.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		cause  error
	}{
		"provider unknown":       {func(b *bench) { b.client.ID = "other" }, errProvider},
		"provider stopped":       {func(b *bench) { b.client.Stopped = true }, errProvider},
		"a channel":              {func(b *bench) { b.client.Kind = store.ClientChannel }, errProvider},
		"a registry":             {func(b *bench) { b.client.Kind = store.ClientRegistry }, errProvider},
		"stand-in":               {func(b *bench) { b.client.StandIn = true; b.st.Method = MethodStandIn }, errStandIn},
		"face plays a stand-in":  {func(b *bench) { b.st.Method = MethodStandIn }, errMethod},
		"no keys":                {func(b *bench) { b.client.Keys = nil }, errKey},
		"another audience":       {func(b *bench) { b.st.Audience = "https://other.example" }, errAudience},
		"no audience":            {func(b *bench) { b.st.Audience = "" }, errAudience},
		"no audience wanted":     {func(b *bench) { b.st.Audience, b.want.Audience = "", "" }, errAudience},
		"another challenge":      {func(b *bench) { b.st.Challenge = "challenge-2" }, errChallenge},
		"no challenge":           {func(b *bench) { b.st.Challenge = "" }, errChallenge},
		"no challenge wanted":    {func(b *bench) { b.st.Challenge, b.want.Challenge = "", "" }, errChallenge},
		"another ID number":      {func(b *bench) { b.want.IDNumber = "330502199001011234" }, errHolder},
		"another name":           {func(b *bench) { b.want.Name = "王秀" }, errHolder},
		"older than allowed":     {func(b *bench) { b.st.IssuedAt = b.want.Now.Add(-5*time.Minute - time.Second) }, errOld},
		"from the future":        {func(b *bench) { b.st.IssuedAt = b.want.Now.Add(leeway + time.Second) }, errFuture},
		"ended now":              {func(b *bench) { b.st.Expires = b.want.Now }, errEnded},
		"ended":                  {func(b *bench) { b.st.Expires = b.want.Now.Add(-time.Second) }, errEnded},
		"ends before it begins":  {func(b *bench) { b.st.Expires = b.st.IssuedAt.Add(-time.Second) }, errClaims},
		"jti short":              {func(b *bench) { b.st.ID = "0123456789abcde" }, errID},
		"jti long":               {func(b *bench) { b.st.ID = strings.Repeat("a", 65) }, errID},
		"jti with a space":       {func(b *bench) { b.st.ID = "0123456789 abcdef" }, errID},
		"no method":              {func(b *bench) { b.st.Method = "" }, errMethod},
		"method in capitals":     {func(b *bench) { b.st.Method = "Face" }, errMethod},
		"method long":            {func(b *bench) { b.st.Method = strings.Repeat("f", 33) }, errMethod},
		"registered key renamed": {func(b *bench) { b.client.Keys = renamed(b.client.Keys) }, errKey},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if _, err := b.check(t); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			c.change(b)
			_, err := b.check(t)
			wantRefused(t, err, c.cause)
		})
	}
}

func renamed(set []byte) []byte { return []byte(strings.Replace(string(set), "2026-1", "2026-2", 1)) }

func TestEdgesOfTimeAndStandIn(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"just old enough":        func(b *bench) { b.st.IssuedAt = b.want.Now.Add(-5 * time.Minute) },
		"clock ahead by leeway":  func(b *bench) { b.st.IssuedAt = b.want.Now.Add(leeway) },
		"one second left":        func(b *bench) { b.st.Expires = b.want.Now.Add(time.Second) },
		"shortest jti":           func(b *bench) { b.st.ID = strings.Repeat("a", 16) },
		"longest jti":            func(b *bench) { b.st.ID = strings.Repeat("a", 64) },
		"jti drawn":              func(b *bench) { b.st.ID = "" },
		"stand-in where allowed": func(b *bench) { b.client.StandIn, b.want.AllowStandIn, b.st.Method = true, true, MethodStandIn },
	} {
		b := newBench(t)
		change(b)
		if _, err := b.check(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where stand-ins are allowed, their evidence is marked as theirs.
func TestStandInIsMarked(t *testing.T) {
	b := newBench(t)
	b.client.StandIn, b.want.AllowStandIn, b.st.Method = true, true, "face"
	p, err := b.check(t)
	if err != nil || p.Method != MethodStandIn {
		t.Errorf("method %q, %v; want %q", p.Method, err, MethodStandIn)
	}
}

// claims pass if they are signed correctly.
func (b *bench) claims() map[string]any {
	return map[string]any{
		"iss": "face-cn", "aud": b.st.Audience, "challenge": b.st.Challenge,
		"holder": HolderHash(b.st.Challenge, testIDNumber, testName), "method": "face",
		"iat": b.st.IssuedAt.Unix(), "exp": b.st.Expires.Unix(), "jti": b.st.ID,
	}
}

func signWith(t *testing.T, alg jose.SignatureAlgorithm, key any, opts *jose.SignerOptions, payload any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	must(t, err)
	data, err := json.Marshal(payload)
	must(t, err)
	jws, err := signer.Sign(data)
	must(t, err)
	token, err := jws.CompactSerialize()
	must(t, err)
	return token
}

func typed() *jose.SignerOptions { return (&jose.SignerOptions{}).WithType(tokenType) }

func withKid(key any) jose.JSONWebKey { return jose.JSONWebKey{Key: key, KeyID: "2026-1"} }

func TestTokensThatOnlyLookRight(t *testing.T) {
	b := newBench(t)
	if _, err := Check(signWith(t, jose.ES256, withKid(b.key), typed(), b.claims()), b.provider, b.want); err != nil {
		t.Fatalf("the token that the others differ from: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	public, err := b.key.PublicKey.Bytes()
	must(t, err)
	good := signWith(t, jose.ES256, withKid(b.key), typed(), b.claims())
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding
	none := b64.EncodeToString([]byte(`{"alg":"none","kid":"2026-1","typ":"`+tokenType+`"}`)) + "." + parts[1] + "."
	embedded := typed()
	embedded.EmbedJWK = true
	aud := b.claims()
	aud["aud"] = []string{b.st.Audience, "https://other.example"}
	noIssuer := b.claims()
	delete(noIssuer, "iss")
	textual := b.claims()
	textual["iat"] = "yesterday"
	for name, c := range map[string]struct {
		token string
		cause error
	}{
		"empty":              {"", errToken},
		"not a token":        {"a.b.c", errToken},
		"too long":           {good + strings.Repeat("A", maxToken), errToken},
		"alg none":           {none, errToken},
		"alg none, no dot":   {strings.TrimSuffix(none, "."), errToken},
		"HS256, public key":  {signWith(t, jose.HS256, withKid(public), typed(), b.claims()), errToken},
		"ES384":              {signWith(t, jose.ES384, withKid(p384), typed(), b.claims()), errToken},
		"no kid":             {signWith(t, jose.ES256, b.key, typed(), b.claims()), errToken},
		"no type":            {signWith(t, jose.ES256, withKid(b.key), nil, b.claims()), errToken},
		"type of a receipt":  {signWith(t, jose.ES256, withKid(b.key), (&jose.SignerOptions{}).WithType("liuma-receipt+jwt"), b.claims()), errToken},
		"key in the header":  {signWith(t, jose.ES256, withKid(b.key), embedded, b.claims()), errToken},
		"another's key":      {signWith(t, jose.ES256, withKid(other), typed(), b.claims()), errSignature},
		"unknown kid":        {signWith(t, jose.ES256, jose.JSONWebKey{Key: b.key, KeyID: "x"}, typed(), b.claims()), errKey},
		"no issuer":          {signWith(t, jose.ES256, withKid(b.key), typed(), noIssuer), errClaims},
		"no claims":          {signWith(t, jose.ES256, withKid(b.key), typed(), []int{1}), errClaims},
		"several audiences":  {signWith(t, jose.ES256, withKid(b.key), typed(), aud), errClaims},
		"times as text":      {signWith(t, jose.ES256, withKid(b.key), typed(), textual), errClaims},
		"payload exchanged":  {parts[0] + "." + b64.EncodeToString([]byte(`{"iss":"face-cn"}`)) + "." + parts[2], errSignature},
		"signature cut":      {parts[0] + "." + parts[1] + "." + parts[2][:40], errSignature},
		"signature exchange": {parts[0] + "." + parts[1] + "." + strings.Split(signWith(t, jose.ES256, withKid(b.key), typed(), noIssuer), ".")[2], errSignature},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(c.token, b.provider, b.want)
			wantRefused(t, err, c.cause)
		})
	}
	for claim := range b.claims() {
		without := b.claims()
		delete(without, claim)
		_, err := Check(signWith(t, jose.ES256, withKid(b.key), typed(), without), b.provider, b.want)
		if liuma.CodeOf(err) != liuma.CodeEvidenceInvalid {
			t.Errorf("without %s: %v", claim, err)
		}
	}
}

// A store that fails is not the holder's fault.
func TestProviderFaultIsNotARefusal(t *testing.T) {
	b := newBench(t)
	token, err := b.signer.Sign(b.st)
	must(t, err)
	broken := errors.New("disk")
	_, err = Check(token, func(string) (store.Client, error) { return store.Client{}, broken }, b.want)
	if !errors.Is(err, broken) || liuma.CodeOf(err) != liuma.CodeInternal {
		t.Errorf("error %v, want the store's own", err)
	}
	_, err = Check(token, func(string) (store.Client, error) {
		return store.Client{}, liuma.Fail(liuma.CodeUnauthenticated, store.ErrNotFound)
	}, b.want)
	wantRefused(t, err, errProvider)
}

func TestParseKeysRefuses(t *testing.T) {
	b := newBench(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	public := b.key.Public()
	set := func(keys ...jose.JSONWebKey) []byte {
		data, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		must(t, err)
		return data
	}
	one := jose.JSONWebKey{Key: public, KeyID: "a"}
	if _, err := ParseKeys(set(one, jose.JSONWebKey{Key: public, KeyID: "b", Algorithm: "ES256", Use: "sig"})); err != nil {
		t.Errorf("good set: %v", err)
	}
	for name, data := range map[string][]byte{
		"nothing":     nil,
		"no keys":     set(),
		"nine keys":   set(one, one, one, one, one, one, one, one, one),
		"private key": set(jose.JSONWebKey{Key: b.key, KeyID: "a"}),
		"symmetric":   set(jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "a"}),
		"P-384":       set(jose.JSONWebKey{Key: p384.Public(), KeyID: "a"}),
		"no kid":      set(jose.JSONWebKey{Key: public}),
		"same kid":    set(one, one),
		"encryption":  set(jose.JSONWebKey{Key: public, KeyID: "a", Use: "enc"}),
		"other alg":   set(jose.JSONWebKey{Key: public, KeyID: "a", Algorithm: "ES384"}),
		"not a set":   []byte(`[]`),
		"off the curve": []byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",` +
			`"y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}]}`),
	} {
		if _, err := ParseKeys(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNewSignerRefuses(t *testing.T) {
	b := newBench(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	for name, f := range map[string]func() (*Signer, error){
		"no provider": func() (*Signer, error) { return NewSigner("", b.key, "k") },
		"no kid":      func() (*Signer, error) { return NewSigner("p", b.key, "") },
		"no key":      func() (*Signer, error) { return NewSigner("p", nil, "k") },
		"P-384":       func() (*Signer, error) { return NewSigner("p", p384, "k") },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The value is also in docs/SEALING.md, for other platforms.
func TestHolderHashVector(t *testing.T) {
	const want = "hTkcxxqR3Yddm87ytwU6c7kcDFl4sefykHJAvYq6wxA"
	if got := HolderHash("challenge-1", testIDNumber, testName); got != want {
		t.Errorf("holder hash %s, want %s", got, want)
	}
	if HolderHash("c", "ab", "c") == HolderHash("c", "a", "bc") || HolderHash("ca", "b", "c") == HolderHash("c", "ab", "c") {
		t.Error("fields run into one another")
	}
}

func TestTokenHoldsNoPersonalData(t *testing.T) {
	b := newBench(t)
	token, err := b.signer.Sign(b.st)
	must(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	must(t, err)
	if s := string(payload); strings.Contains(s, testIDNumber) || strings.Contains(s, testName) {
		t.Errorf("payload %s", s)
	}
}

func TestPrintsRedacted(t *testing.T) {
	b := newBench(t)
	var out strings.Builder
	for _, v := range []any{b.want, &b.want, b.st, &b.st, []Want{b.want}, struct{ S Statement }{b.st}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		data, err := json.Marshal(v)
		must(t, err)
		out.Write(data)
	}
	for _, s := range []string{testIDNumber, testName, fmt.Sprintf("%x", testIDNumber), fmt.Sprintf("%X", testName)} {
		if strings.Contains(out.String(), s) {
			t.Errorf("output holds %q", s)
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
}
