package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// fake stands in for the authority: it opens envelopes for real, counts in
// memory, and keeps the promises of internal/authority/contract.go that the
// door relies on. Everything is guarded by mu.
type fake struct {
	now    func() time.Time
	signer jose.Signer
	keys   jose.JSONWebKeySet

	mu       sync.Mutex
	private  []byte
	public   []byte
	clients  map[string]store.Client
	people   map[string]fakePerson // by ID number
	cards    map[string]*fakeCard  // by ID number
	requests map[string]*fakeRequest
	spent    map[string]bool // receipts
	ends     map[string]time.Time
	ready    error
	hook     func() error // before every ceremony, if set
}

type fakePerson struct{ name, phone string }

type fakeCard struct {
	pin    string
	wrong  int
	frozen bool
	linked map[liuma.ChannelID]bool
}

type fakeRequest struct {
	digest [32]byte
	v      authority.Verification
}

const fakeLimit = 6

func newFake(t testing.TB, now func() time.Time) *fake {
	t.Helper()
	private, public, err := envelope.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "r1"}},
		(&jose.SignerOptions{}).WithType("liuma-receipt+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return &fake{now: now, signer: signer, private: private, public: public,
		keys:    jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "r1", Algorithm: "ES256", Use: "sig"}}},
		clients: map[string]store.Client{}, people: map[string]fakePerson{}, cards: map[string]*fakeCard{},
		requests: map[string]*fakeRequest{}, spent: map[string]bool{}, ends: map[string]time.Time{}}
}

func (f *fake) Recall(ctx context.Context, id string) (store.Client, error) { return f.Client(ctx, id) }

func (f *fake) Client(_ context.Context, id string) (store.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.clients[id]
	if !ok {
		return store.Client{}, liuma.Fail(liuma.CodeUnauthenticated, store.ErrNotFound)
	}
	return c, nil
}

func (f *fake) Ready(context.Context) error { f.mu.Lock(); defer f.mu.Unlock(); return f.ready }

func (f *fake) ReceiptKeys() jose.JSONWebKeySet { return f.keys }

func (f *fake) Challenge(_ context.Context, c authority.Caller) (authority.Challenge, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hook != nil {
		if err := f.hook(); err != nil {
			return authority.Challenge{}, err
		}
	}
	value := c.Client.ID + "." + rand.Text()
	f.ends[value] = f.now().Add(5 * time.Minute)
	return authority.Challenge{Value: value, Expires: f.ends[value], SealKeyID: "k1", SealKey: f.public}, nil
}

// enter checks business number and challenge, as every request does first. A
// repetition gets the answer of the first.
func (f *fake) enter(c authority.Caller, no liuma.BusinessNo, digest [32]byte, challenge string) (*authority.Verification, error) {
	if f.hook != nil {
		if err := f.hook(); err != nil {
			return nil, err
		}
	}
	if r, ok := f.requests[c.Client.ID+"/"+string(no)]; ok {
		if r.digest != digest {
			return nil, liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
		}
		return &r.v, nil
	}
	if challenge != "" && (!strings.HasPrefix(challenge, c.Client.ID+".") || !f.now().Before(f.ends[challenge])) {
		return nil, liuma.Fail(liuma.CodeChallengeExpired, nil)
	}
	return nil, nil
}

func (f *fake) open(c authority.Caller, a liuma.Action, role liuma.Role, s envelope.Subject, no liuma.BusinessNo, purpose liuma.Purpose, challenge, field string, e envelope.Envelope) (string, error) {
	key, err := envelope.ParsePrivate(f.private)
	if err != nil {
		return "", err
	}
	pin, err := envelope.Open(key, envelope.Binding{Channel: liuma.ChannelID(c.Client.ID), Action: a, Role: role, Subject: s,
		BusinessNo: no, PurposeHash: envelope.PurposeHash(purpose), SealKeyID: "k1", Challenge: challenge}, e)
	if err != nil {
		return "", liuma.FailField(liuma.CodeEnvelopeInvalid, field, err)
	}
	return string(pin), nil
}

func (f *fake) decide(c authority.Caller, no liuma.BusinessNo, digest [32]byte, v authority.Verification) (authority.Verification, error) {
	v.BusinessNo, v.State, v.At = no, "decided", f.now()
	f.requests[c.Client.ID+"/"+string(no)] = &fakeRequest{digest, v}
	return v, nil
}

func handleOf(channel liuma.ChannelID, id string) store.Handle {
	sum := sha256.Sum256([]byte(string(channel) + "/" + id))
	return store.Handle(hex.EncodeToString(sum[:16]))
}

// byHandle finds a card that is linked in the channel of the request.
func (f *fake) byHandle(c authority.Caller, handle string) (string, *fakeCard) {
	channel := liuma.ChannelID(c.Client.ID)
	for id, card := range f.cards {
		if card.linked[channel] && string(handleOf(channel, id)) == handle {
			return id, card
		}
	}
	return "", nil
}

func (f *fake) Enroll(_ context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := f.enter(c, q.BusinessNo, q.Digest, q.Challenge); v != nil || err != nil {
		return deref(v), err
	}
	number := strings.TrimPrefix(q.Subject.IDNumber, "id_number:")
	if q.Evidence != evidenceFor(q.Challenge, number, q.Subject.Name) {
		return authority.Verification{}, liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", nil)
	}
	pin, err := f.open(c, liuma.ActionEnroll, liuma.RoleNew, q.Subject, q.BusinessNo, q.Purpose, q.Challenge, "new_pin", q.New)
	if err != nil {
		return authority.Verification{}, err
	}
	channel := liuma.ChannelID(c.Client.ID)
	f.cards[number] = &fakeCard{pin: pin, linked: map[liuma.ChannelID]bool{channel: true}}
	return f.decide(c, q.BusinessNo, q.Digest, authority.Verification{Action: liuma.ActionEnroll, Card: handleOf(channel, number)})
}

// guess is the verdict on a PIN.
func (f *fake) guess(card *fakeCard, pin string) authority.Verification {
	switch {
	case card.frozen:
		return authority.Verification{Verdict: liuma.Suspended, Code: liuma.CodeFrozen}
	case card.wrong >= fakeLimit:
		left := 0
		return authority.Verification{Verdict: liuma.Locked, Code: liuma.CodeLocked, TriesLeft: &left, Until: f.now().Add(24 * time.Hour)}
	case pin != card.pin:
		card.wrong++
		left := fakeLimit - card.wrong
		return authority.Verification{Verdict: liuma.Wrong, Code: liuma.CodeWrong, TriesLeft: &left}
	}
	card.wrong = 0
	return authority.Verification{Verdict: liuma.Right}
}

func (f *fake) Link(_ context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := f.enter(c, q.BusinessNo, q.Digest, q.Challenge); v != nil || err != nil {
		return deref(v), err
	}
	pin, err := f.open(c, liuma.ActionLink, liuma.RoleCurrent, q.Subject, q.BusinessNo, q.Purpose, q.Challenge, "pin", q.Current)
	if err != nil {
		return authority.Verification{}, err
	}
	card := f.cards[q.Subject.IDNumber]
	if card == nil || f.people[q.Subject.IDNumber].name != q.Subject.Name || f.guess(card, pin).Verdict != liuma.Right {
		return f.decide(c, q.BusinessNo, q.Digest, authority.Verification{Action: liuma.ActionLink, Code: liuma.CodeRefused})
	}
	channel := liuma.ChannelID(c.Client.ID)
	card.linked[channel] = true
	return f.decide(c, q.BusinessNo, q.Digest, authority.Verification{Action: liuma.ActionLink, Verdict: liuma.Right, Card: handleOf(channel, q.Subject.IDNumber)})
}

func (f *fake) Verify(_ context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := f.enter(c, q.BusinessNo, q.Digest, q.Challenge); v != nil || err != nil {
		return deref(v), err
	}
	_, card := f.byHandle(c, q.Subject.Card)
	if card == nil {
		return f.decide(c, q.BusinessNo, q.Digest, authority.Verification{Action: liuma.ActionVerify, Code: liuma.CodeRefused})
	}
	pin, err := f.open(c, liuma.ActionVerify, liuma.RoleCurrent, q.Subject, q.BusinessNo, q.Purpose, q.Challenge, "pin", q.Current)
	if err != nil {
		return authority.Verification{}, err
	}
	v := f.guess(card, pin)
	v.Action, v.Card = liuma.ActionVerify, store.Handle(q.Subject.Card)
	if v.Verdict == liuma.Right {
		v.ReceiptEnd = f.now().Add(time.Minute)
		v.Receipt = f.receipt(c, q, v)
	}
	return f.decide(c, q.BusinessNo, q.Digest, v)
}

func (f *fake) receipt(c authority.Caller, q authority.Request, v authority.Verification) string {
	hash := envelope.PurposeHash(q.Purpose)
	payload, err := json.Marshal(map[string]any{"iss": issuer, "aud": c.Client.ID, "sub": "pairwise", "card": v.Card, "jti": rand.Text(),
		"iat": f.now().Unix(), "exp": v.ReceiptEnd.Unix(), "business_no": q.BusinessNo, "action": v.Action,
		"purpose_hash": base64.RawURLEncoding.EncodeToString(hash[:]), "acr": "urn:liuma:acr:pin", "amr": []string{"pin"}, "pin_age": 3})
	if err != nil {
		panic(err)
	}
	jws, err := f.signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return out
}

func (f *fake) Change(_ context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := f.enter(c, q.BusinessNo, q.Digest, q.Challenge); v != nil || err != nil {
		return deref(v), err
	}
	_, card := f.byHandle(c, q.Subject.Card)
	if card == nil {
		return authority.Verification{}, liuma.Fail(liuma.CodeRefused, nil)
	}
	old, err := f.open(c, liuma.ActionChange, liuma.RoleOld, q.Subject, q.BusinessNo, q.Purpose, q.Challenge, "old_pin", q.Old)
	if err != nil {
		return authority.Verification{}, err
	}
	fresh, err := f.open(c, liuma.ActionChange, liuma.RoleNew, q.Subject, q.BusinessNo, q.Purpose, q.Challenge, "new_pin", q.New)
	if err != nil {
		return authority.Verification{}, err
	}
	v := f.guess(card, old)
	if v.Verdict == liuma.Right {
		card.pin = fresh
	}
	v.Action, v.Card = liuma.ActionChange, store.Handle(q.Subject.Card)
	return f.decide(c, q.BusinessNo, q.Digest, v)
}

func (f *fake) Freeze(_ context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := f.enter(c, q.BusinessNo, q.Digest, ""); v != nil || err != nil {
		return deref(v), err
	}
	_, card := f.byHandle(c, q.Subject.Card)
	if card == nil {
		return authority.Verification{}, liuma.Fail(liuma.CodeRefused, nil)
	}
	card.frozen = true
	return f.decide(c, q.BusinessNo, q.Digest, authority.Verification{Action: liuma.ActionFreeze, Card: store.Handle(q.Subject.Card)})
}

func (f *fake) ReportLoss(ctx context.Context, c authority.Caller, q authority.HotlineFreeze) (authority.Verification, error) {
	v, err := f.FreezeByHotline(ctx, c, q)
	v.Action, v.Until = liuma.ActionReportLoss, v.At.Add(72*time.Hour)
	return v, err
}

func (f *fake) FreezeByHotline(_ context.Context, c authority.Caller, q authority.HotlineFreeze) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, err := f.enter(c, q.BusinessNo, q.Digest, ""); v != nil || err != nil {
		return deref(v), err
	}
	if _, err := registry.ParseIDNumber(q.IDNumber); strings.Contains(q.IDNumber, ":") && err != nil {
		return authority.Verification{}, liuma.AtField(err, liuma.HolderField(q.IDNumber))
	}
	if len(q.IDNumber) == 15 {
		return authority.Verification{}, liuma.FailField(liuma.CodeIDNumber15, "id_number", nil)
	}
	if len(q.IDNumber) != 18 && !strings.Contains(q.IDNumber, ":") {
		return authority.Verification{}, liuma.FailField(liuma.CodeIDNumberInvalid, "id_number", nil)
	}
	card := f.cards[q.IDNumber]
	if card == nil {
		return authority.Verification{}, liuma.FailField(liuma.CodeNotFound, "id_number", nil)
	}
	card.frozen = true
	// The real authority returns a handle as well; the door must not pass it on
	// to a hotline.
	return f.decide(c, q.BusinessNo, q.Digest, authority.Verification{Action: liuma.ActionFreeze, Card: handleOf(liuma.ChannelID(c.Client.ID), q.IDNumber)})
}

func (f *fake) CorrectNumber(_ context.Context, _ authority.Caller, q authority.CorrectionRequest) (authority.CorrectionView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.people[q.FormerIDNumber]; !ok {
		return authority.CorrectionView{}, liuma.FailField(liuma.CodeNotInRegistry, "former_id_number", nil)
	}
	if _, has := f.cards[q.FormerIDNumber]; !has {
		return authority.CorrectionView{Done: true}, nil
	}
	return authority.CorrectionView{HasCard: true, Until: f.now().Add(72 * time.Hour)}, nil
}

func (f *fake) SetPhysical(_ context.Context, _ authority.Caller, q authority.PhysicalRequest) (authority.PhysicalView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.people[q.IDNumber]; !ok {
		return authority.PhysicalView{}, liuma.FailField(liuma.CodeNotInRegistry, "id_number", nil)
	}
	status := map[authority.PhysicalEvent]liuma.PhysicalStatus{authority.PhysicalLost: liuma.PhysicalLost,
		authority.PhysicalFound: liuma.PhysicalNormal, authority.PhysicalCancelled: liuma.PhysicalCancelled, authority.PhysicalReplaced: liuma.PhysicalNormal}[q.Event]
	_, has := f.cards[q.IDNumber]
	return authority.PhysicalView{Physical: status, HasCard: has, Standing: liuma.StandingOf(status, false)}, nil
}

func (f *fake) Verification(_ context.Context, c authority.Caller, no liuma.BusinessNo) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.requests[c.Client.ID+"/"+string(no)]
	if !ok {
		return authority.Verification{}, liuma.Fail(liuma.CodeNotFound, nil)
	}
	return r.v, nil
}

func (f *fake) Card(_ context.Context, c authority.Caller, h store.Handle) (authority.CardView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, card := f.byHandle(c, string(h))
	if card == nil {
		return authority.CardView{}, liuma.Fail(liuma.CodeNotFound, nil)
	}
	return authority.CardView{Card: h, Standing: liuma.StandingOf(liuma.PhysicalNormal, card.frozen), PINSetAt: f.now().Add(-50 * time.Hour),
		PINAge: 50 * time.Hour, LinkedAt: f.now(), Region: "3305", NameMasked: "王*奶"}, nil
}

func (f *fake) Redeem(_ context.Context, c authority.Caller, receipt string) (authority.Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, r := range f.requests {
		if r.v.Receipt != receipt || !strings.HasPrefix(key, c.Client.ID+"/") {
			continue
		}
		if f.spent[receipt] {
			return authority.Verification{}, liuma.Fail(liuma.CodeReceiptSpent, nil)
		}
		f.spent[receipt] = true
		v := r.v
		v.Receipt, v.Redeemed = "", true
		return v, nil
	}
	return authority.Verification{}, liuma.Fail(liuma.CodeReceiptInvalid, errors.New("not one of ours"))
}

func deref(v *authority.Verification) authority.Verification {
	if v == nil {
		return authority.Verification{}
	}
	return *v
}

func evidenceFor(challenge, id, name string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s", challenge, id, name))
	return hex.EncodeToString(sum[:])
}

func (f *fake) Unlink(_ context.Context, c authority.Caller, h store.Handle) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, card := f.byHandle(c, string(h))
	if card == nil {
		return liuma.FailField(liuma.CodeNotFound, "handle", nil)
	}
	delete(card.linked, liuma.ChannelID(c.Client.ID))
	return nil
}

func (f *fake) NativeConsent() (consent.Text, bool) {
	text, err := consent.Builtin()
	if err != nil {
		panic(err)
	}
	return text, true
}
