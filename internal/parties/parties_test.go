package parties_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func book(t *testing.T) (*parties.Book, store.Store) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err := parties.New(parties.Config{Store: db, Now: func() time.Time { return start }, Actor: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	return b, db
}

func pair(t *testing.T) parties.Pair {
	t.Helper()
	p, err := parties.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func channel(t *testing.T, id string) parties.Party {
	t.Helper()
	return parties.Party{
		ID: id, Kind: store.ClientChannel, Name: liuma.Text{ZH: "甲", EN: "A"}, Key: pair(t).Public,
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify},
	}
}

// Every change is kept with its entry, and the list shows it.
func TestLife(t *testing.T) {
	b, db := book(t)
	ctx := t.Context()
	p := channel(t, "zj")
	second := pair(t).Public
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"channel added id=zj", func() error { return b.Add(ctx, p) }},
		{"channel stopped id=zj", func() error { return b.Stop(ctx, store.ClientChannel, "zj") }},
		{"channel resumed id=zj", func() error { return b.Resume(ctx, store.ClientChannel, "zj") }},
		{"channel key_added id=zj", func() error { return b.AddKey(ctx, store.ClientChannel, "zj", second) }},
		{"channel key_removed id=zj", func() error { return b.RemoveKey(ctx, store.ClientChannel, "zj", p.Key.KeyID) }},
		{"provider added id=face", func() error {
			return b.Add(ctx, parties.Party{ID: "face", Kind: store.ClientProvider, Name: p.Name, Key: p.Key, StandIn: true})
		}},
		{"registry added id=cards", func() error {
			return b.Add(ctx, parties.Party{ID: "cards", Kind: store.ClientRegistry, Name: p.Name, Key: p.Key})
		}},
		{"hotline added id=h12333", func() error {
			return b.Add(ctx, parties.Party{ID: "h12333", Kind: store.ClientHotline, Name: p.Name, Key: p.Key})
		}},
		{"hotline stopped id=h12333", func() error { return b.Stop(ctx, store.ClientHotline, "h12333") }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		last := lastEntry(t, db)
		want := audit.ChannelRegistered
		if strings.HasPrefix(step.name, "provider") {
			want = audit.ProviderRegistered
		}
		if last.Note != step.name || last.Event != want || last.Actor != "operator" || last.Outcome != "ok" || !last.At.Equal(start) {
			t.Errorf("%s: entry %+v", step.name, last)
		}
	}
	list, err := b.List(ctx, store.ClientChannel)
	if err != nil || len(list) != 1 || list[0].Stopped || !list[0].At.Equal(start) {
		t.Fatalf("list %+v, %v", list, err)
	}
	kids, err := parties.KeyIDs(list[0])
	if diff := cmp.Diff([]string{second.KeyID}, kids); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func lastEntry(t *testing.T, db store.Store) audit.Entry {
	t.Helper()
	var all []audit.Recorded
	err := db.View(t.Context(), func(r store.Reader) (err error) {
		all, err = storetest.Record(r)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatal("no audit entry", err)
	}
	return all[len(all)-1].Entry
}

// What is refused changes nothing and leaves no entry.
func TestRefusals(t *testing.T) {
	b, db := book(t)
	ctx := t.Context()
	if err := b.Add(ctx, channel(t, "zj")); err != nil {
		t.Fatal(err)
	}
	before := lastEntry(t, db)
	list, err := b.List(ctx, store.ClientChannel)
	if err != nil {
		t.Fatal(err)
	}
	kids, err := parties.KeyIDs(list[0])
	if err != nil {
		t.Fatal(err)
	}
	spoiled := func(spoil func(*parties.Party)) error {
		p := channel(t, "other")
		spoil(&p)
		return b.Add(ctx, p)
	}
	sameKid := pair(t).Public
	sameKid.KeyID = kids[0]
	for name, tt := range map[string]struct{ got, want error }{
		"id taken":                 {b.Add(ctx, channel(t, "zj")), parties.ErrTaken},
		"id taken by another kind": {spoiled(func(p *parties.Party) { p.ID = "zj" }), parties.ErrTaken},
		"bad id":                   {spoiled(func(p *parties.Party) { p.ID = "Zj" }), parties.ErrParty},
		"no Chinese name":          {spoiled(func(p *parties.Party) { p.Name.ZH = "" }), parties.ErrParty},
		"no English name":          {spoiled(func(p *parties.Party) { p.Name.EN = "" }), parties.ErrParty},
		"long name":                {spoiled(func(p *parties.Party) { p.Name.ZH = strings.Repeat("长", 41) }), parties.ErrParty},
		"turned name":              {spoiled(func(p *parties.Party) { p.Name.EN = "a\u202eb" }), parties.ErrParty},
		"no action":                {spoiled(func(p *parties.Party) { p.Actions = nil }), parties.ErrParty},
		"no region":                {spoiled(func(p *parties.Party) { p.Regions = nil }), parties.ErrParty},
		"kind":                     {spoiled(func(p *parties.Party) { p.Kind = "king" }), parties.ErrParty},
		"stand-in channel":         {spoiled(func(p *parties.Party) { p.StandIn = true }), parties.ErrParty},
		"provider with actions":    {spoiled(func(p *parties.Party) { p.Kind = store.ClientProvider }), parties.ErrParty},
		"hotline with actions":     {spoiled(func(p *parties.Party) { p.Kind = store.ClientHotline; p.Regions = nil }), parties.ErrParty},
		"hotline with regions":     {spoiled(func(p *parties.Party) { p.Kind = store.ClientHotline; p.Actions = nil }), parties.ErrParty},
		"no key":                   {spoiled(func(p *parties.Party) { p.Key = jose.JSONWebKey{} }), parties.ErrKey},
		"private key":              {spoiled(func(p *parties.Party) { p.Key.Key = pair(t).Private }), parties.ErrKey},
		"stop nobody":              {b.Stop(ctx, store.ClientChannel, "nobody"), parties.ErrUnknown},
		"stop another kind":        {b.Stop(ctx, store.ClientProvider, "zj"), parties.ErrUnknown},
		"kid twice":                {b.AddKey(ctx, store.ClientChannel, "zj", sameKid), parties.ErrTaken},
		"last key":                 {b.RemoveKey(ctx, store.ClientChannel, "zj", kids[0]), parties.ErrLastKey},
		"unknown key":              {b.RemoveKey(ctx, store.ClientChannel, "zj", "k9"), parties.ErrUnknown},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, tt.got, tt.want)
		}
	}
	if diff := cmp.Diff(before, lastEntry(t, db)); diff != "" {
		t.Error("a refusal left an entry:", diff)
	}
}

// A door gets the keys that were registered, or none.
func TestPublicKeys(t *testing.T) {
	b, _ := book(t)
	p, second := channel(t, "zj"), pair(t)
	if err := errors.Join(b.Add(t.Context(), p), b.AddKey(t.Context(), store.ClientChannel, "zj", second.Public)); err != nil {
		t.Fatal(err)
	}
	list, err := b.List(t.Context(), store.ClientChannel)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parties.PublicKeys(list[0])
	if err != nil || len(keys) != 2 || !second.Private.PublicKey.Equal(keys[second.Public.KeyID]) || keys[p.Key.KeyID] == nil {
		t.Errorf("%v, %v", keys, err)
	}
	for _, raw := range []string{"", "{", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}`} {
		if keys, err := parties.PublicKeys(store.Client{ID: "zj", Keys: []byte(raw)}); err == nil || keys != nil {
			t.Errorf("%s: %v", raw, keys)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := parties.New(parties.Config{}); err == nil {
		t.Error("made a book of nothing")
	}
}

// A key is read in every usual form, and its kid is the thumbprint unless the
// party named it.
func TestParseKey(t *testing.T) {
	p := pair(t)
	jwk, err := p.PublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&p.Private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for name, raw := range map[string][]byte{"JWK": jwk, "PEM": block, "PEM with blanks": append([]byte("\n  \n"), block...)} {
		got, err := parties.ParseKey(raw)
		if err != nil || got.KeyID != p.Public.KeyID || !p.Private.PublicKey.Equal(got.Key) || got.Algorithm != "ES256" {
			t.Errorf("%s: kid %q, %v", name, got.KeyID, err)
		}
	}
	named, err := json.Marshal(jose.JSONWebKey{Key: &p.Private.PublicKey, KeyID: "2026-a"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parties.ParseKey(named); err != nil || got.KeyID != "2026-a" {
		t.Errorf("named key: %q, %v", got.KeyID, err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	p := pair(t)
	private, err := p.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	own, err := x509.MarshalPKIXPublicKey(&p.Private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	one := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: own})
	for name, raw := range map[string][]byte{
		"nothing":          nil,
		"garbage":          []byte("hello"),
		"private PEM":      private,
		"private JWK":      asJSON(t, jose.JSONWebKey{Key: p.Private}),
		"P-384 PEM":        pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"P-384 JWK":        asJSON(t, jose.JSONWebKey{Key: &other.PublicKey}),
		"symmetric JWK":    asJSON(t, jose.JSONWebKey{Key: []byte("secret")}),
		"two keys":         append(append([]byte(nil), one...), one...),
		"damaged PEM":      pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: own[:40]}),
		"kid with a blank": asJSON(t, jose.JSONWebKey{Key: &p.Private.PublicKey, KeyID: "a b"}),
		"endless kid":      asJSON(t, jose.JSONWebKey{Key: &p.Private.PublicKey, KeyID: strings.Repeat("k", 65)}),
		"not on the curve": []byte(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`),
	} {
		if _, err := parties.ParseKey(raw); !errors.Is(err, parties.ErrKey) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func asJSON(t *testing.T, k jose.JSONWebKey) []byte {
	t.Helper()
	raw, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The private half that is handed out belongs to the public one.
func TestPair(t *testing.T) {
	p := pair(t)
	raw, err := p.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil || !p.Private.Equal(key) {
		t.Errorf("private half: %v", err)
	}
	jwk, err := p.PublicJWK()
	if err != nil || strings.Contains(string(jwk), `"d"`) {
		t.Errorf("public half %s, %v", jwk, err)
	}
}
