package apitest

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

const purpose = "查询社保缴费年限"

// holder is a holder whose card is linked in channel A.
type holder struct {
	Person
	card string // handle in A
}

// enroll gives a new person a card in channel A.
func (e *Env) enroll(t testing.TB, no *numbers) holder {
	t.Helper()
	p := e.Person(t)
	c := e.SDK(t, e.A)
	ch := e.challenge(t, c)
	d := client.DeviceRequest{Channel: e.A.ID, Action: client.Enroll, BusinessNo: no.next(), Purpose: purpose, Challenge: ch,
		// The same number with its type; links and hotlines send it without.
		Subject: client.Subject{Document: liuma.Document{Type: liuma.DocumentIDNumber, Number: p.IDNumber}, Name: p.Name, Phone: p.Phone}}
	v, err := c.Enroll(t.Context(), client.EnrollRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose,
		Challenge: ch.Value, Evidence: e.Evidence(t, ch.Value, p.IDNumber, p.Name), NewPIN: sealed(t, d, p.PIN)})
	if err != nil || v.State != "decided" || v.Code != "" || len(v.Card) != 32 {
		t.Fatalf("enroll: %+v, %v", v, err)
	}
	return holder{p, v.Card}
}

func (e *Env) challenge(t testing.TB, c *client.Client) client.Challenge {
	t.Helper()
	ch, err := c.Challenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func sealed(t testing.TB, d client.DeviceRequest, pin string) client.Envelope {
	t.Helper()
	e, err := d.SealPIN([]byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// verifyRequest is an honest request for a verification in channel A.
func (e *Env) verifyRequest(t testing.TB, h holder, no, pin string) client.VerifyRequest {
	t.Helper()
	ch := e.challenge(t, e.SDK(t, e.A))
	d := client.DeviceRequest{Channel: e.A.ID, Action: client.Verify, BusinessNo: no, Purpose: purpose, Challenge: ch,
		Subject: client.Subject{Card: h.card}}
	return client.VerifyRequest{BusinessNo: no, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed(t, d, pin)}
}

func (e *Env) verify(t testing.TB, h holder, no, pin string) *client.Verification {
	t.Helper()
	v, err := e.SDK(t, e.A).Verify(t.Context(), e.verifyRequest(t, h, no, pin))
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return v
}

// linkRequest is an honest request for a link in channel B.
func (e *Env) linkRequest(t testing.TB, p Person, no, pin string) client.LinkRequest {
	t.Helper()
	ch := e.challenge(t, e.SDK(t, e.B))
	d := client.DeviceRequest{Channel: e.B.ID, Action: client.Link, BusinessNo: no, Purpose: purpose, Challenge: ch,
		Subject: client.Subject{IDNumber: p.IDNumber, Name: p.Name}}
	return client.LinkRequest{BusinessNo: no, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed(t, d, pin)}
}

// Story is the life of a card as its channels see it, through the SDK.
func Story(t *testing.T, e *Env) {
	no := newNumbers(t)
	h := e.enroll(t, no)
	a := e.SDK(t, e.A)

	right := e.verify(t, h, no.next(), h.PIN)
	if !right.Right() || right.Card != h.card || right.Receipt == "" {
		t.Fatalf("the right PIN: %+v", right)
	}
	want := client.Want{BusinessNo: right.BusinessNo, Card: h.card, Purpose: purpose, Action: client.Verify}
	if _, err := a.CheckReceipt(t.Context(), right.Receipt, want); err != nil {
		t.Errorf("receipt: %v", err)
	}
	if _, err := e.SDK(t, e.B).CheckReceipt(t.Context(), right.Receipt, want); !errors.Is(err, client.ErrReceipt) {
		t.Errorf("another channel's receipt: %v", err)
	}
	e.redeem(t, right)
	e.purposeInLanguages(t, h, no.next())

	wrong := e.verify(t, h, no.next(), h.Wrong)
	if wrong.Right() || wrong.Verdict != "wrong" || wrong.TriesLeft == nil || wrong.Receipt != "" || wrong.NextStepZH == "" {
		t.Errorf("a wrong PIN: %+v", wrong)
	}
	link, err := e.SDK(t, e.B).Link(t.Context(), e.linkRequest(t, h.Person, no.next(), h.PIN))
	if err != nil || link.Code != "" || link.Card == "" || link.Card == h.card {
		t.Fatalf("link: %+v, %v", link, err)
	}
	e.change(t, h, no)
	if v := e.verify(t, h, no.next(), h.PIN); v.Verdict != "wrong" {
		t.Errorf("the old PIN after a change: %+v", v)
	}
	if v := e.verify(t, h, no.next(), h.OtherPIN); !v.Right() {
		t.Errorf("the new PIN after a change: %+v", v)
	}
	e.freeze(t, h, link.Card, no)
	e.unlink(t, h, link.Card)
}

// unlink ends the link of one channel, and no other channel's.
func (e *Env) unlink(t *testing.T, h holder, card string) {
	t.Helper()
	if err := e.SDK(t, e.B).Unlink(t.Context(), h.card); client.CodeOf(err) != "not_found" {
		t.Errorf("another channel's link: %v", err)
	}
	if err := e.SDK(t, e.B).Unlink(t.Context(), card); err != nil {
		t.Errorf("unlink: %v", err)
	}
	if _, err := e.SDK(t, e.B).Card(t.Context(), card); client.CodeOf(err) != "not_found" {
		t.Errorf("an ended link leads somewhere: %v", err)
	}
	if _, err := e.SDK(t, e.A).Card(t.Context(), h.card); err != nil {
		t.Errorf("the other channel's link: %v", err)
	}
}

func (e *Env) redeem(t *testing.T, right *client.Verification) {
	t.Helper()
	if _, err := e.SDK(t, e.B).Redeem(t.Context(), right.Receipt); client.CodeOf(err) != "receipt_invalid" {
		t.Errorf("redeemed by another channel: %v", err)
	}
	a := e.SDK(t, e.A)
	if v, err := a.Redeem(t.Context(), right.Receipt); err != nil || !v.Redeemed || v.BusinessNo != right.BusinessNo {
		t.Errorf("redeem: %+v, %v", v, err)
	}
	if _, err := a.Redeem(t.Context(), right.Receipt); client.CodeOf(err) != "receipt_spent" {
		t.Errorf("redeemed twice: %v", err)
	}
}

func (e *Env) change(t *testing.T, h holder, no *numbers) {
	t.Helper()
	a := e.SDK(t, e.A)
	ch := e.challenge(t, a)
	d := client.DeviceRequest{Channel: e.A.ID, Action: client.Change, BusinessNo: no.next(), Purpose: "修改密码", Challenge: ch,
		Subject: client.Subject{Card: h.card}}
	old, fresh, err := d.SealChange([]byte(h.PIN), []byte(h.OtherPIN))
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Change(t.Context(), client.ChangeRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: d.Purpose,
		Challenge: ch.Value, OldPIN: old, NewPIN: fresh})
	if err != nil || !v.Right() {
		t.Fatalf("change: %+v, %v", v, err)
	}
}

// freeze stops the card by channel A, and sees that it is stopped in B.
func (e *Env) freeze(t *testing.T, h holder, inB string, no *numbers) {
	t.Helper()
	a, b := e.SDK(t, e.A), e.SDK(t, e.B)
	card, err := b.Card(t.Context(), inB)
	if err != nil || card.Standing != "active" || card.NameMasked == h.Name {
		t.Errorf("card in B: %+v, %v", card, err)
	}
	if _, err := b.Card(t.Context(), h.card); client.CodeOf(err) != "not_found" {
		t.Errorf("A's handle in B: %v", err)
	}
	if v, err := a.Freeze(t.Context(), client.FreezeRequest{BusinessNo: no.next(), Subject: client.Subject{Card: h.card}}); err != nil || v.Code != "" {
		t.Fatalf("freeze: %+v, %v", v, err)
	}
	if card, err := b.Card(t.Context(), inB); err != nil || card.Standing != "frozen" {
		t.Errorf("frozen card in B: %+v, %v", card, err)
	}
	if v := e.verify(t, h, no.next(), h.OtherPIN); v.Right() || v.Verdict != "suspended" {
		t.Errorf("the right PIN of a frozen card: %+v", v)
	}
}

// Repetition sends one request twice: the repetition gets the same answer, a
// different request under its business number is refused, and the answer can be
// fetched by that number.
func Repetition(t *testing.T, e *Env) {
	no := newNumbers(t)
	h := e.enroll(t, no)
	a := e.SDK(t, e.A)
	q := e.verifyRequest(t, h, no.next(), h.Wrong)
	first, err := a.Verify(t.Context(), q)
	if err != nil || first.TriesLeft == nil {
		t.Fatalf("first: %+v, %v", first, err)
	}
	for range 3 {
		again, err := a.Verify(t.Context(), q)
		if err != nil || again.Verdict != "wrong" || again.TriesLeft == nil || *again.TriesLeft != *first.TriesLeft || !again.At.Equal(first.At) {
			t.Fatalf("again: %+v, %v", again, err)
		}
	}
	asked, err := a.Verification(t.Context(), q.BusinessNo)
	if err != nil || asked.Verdict != "wrong" || *asked.TriesLeft != *first.TriesLeft {
		t.Errorf("asked for: %+v, %v", asked, err)
	}
	if _, err := e.SDK(t, e.B).Verification(t.Context(), q.BusinessNo); client.CodeOf(err) != "not_found" {
		t.Errorf("asked for by another channel: %v", err)
	}
	other := e.verifyRequest(t, h, q.BusinessNo, h.PIN)
	if _, err := a.Verify(t.Context(), other); client.CodeOf(err) != "business_no_used" {
		t.Errorf("another request under the number: %v", err)
	}
	// One wrong attempt was counted, not four.
	if v := e.verify(t, h, no.next(), h.Wrong); v.TriesLeft == nil || *v.TriesLeft != *first.TriesLeft-1 {
		t.Errorf("after repetitions: %+v", v)
	}
	e.Advance(time.Second)
	if v := e.verify(t, h, no.next(), h.PIN); !v.Right() {
		t.Errorf("the right PIN after all: %+v", v)
	}
}

// purposeInLanguages checks that an envelope and a receipt are about a purpose in
// both its languages, and not about the Chinese text alone.
func (e *Env) purposeInLanguages(t *testing.T, h holder, no string) {
	t.Helper()
	both, a := client.PurposeIn(purpose, "See your years of contribution"), e.SDK(t, e.A)
	ch := e.challenge(t, a)
	d := client.DeviceRequest{Channel: e.A.ID, Action: client.Verify, BusinessNo: no, Purpose: both, Challenge: ch, Subject: client.Subject{Card: h.card}}
	v, err := a.Verify(t.Context(), client.VerifyRequest{BusinessNo: no, Subject: d.Subject, Purpose: both, Challenge: ch.Value, PIN: sealed(t, d, h.PIN)})
	if err != nil || !v.Right() {
		t.Fatalf("a purpose in two languages: %+v, %v", v, err)
	}
	want := client.Want{BusinessNo: no, Card: h.card, Purpose: both, Action: client.Verify}
	if _, err := a.CheckReceipt(t.Context(), v.Receipt, want); err != nil {
		t.Errorf("its receipt: %v", err)
	}
	for _, other := range []client.Purpose{purpose, client.PurposeIn(purpose, ""), client.PurposeIn(purpose, "Move money")} {
		want.Purpose = other
		if _, err := a.CheckReceipt(t.Context(), v.Receipt, want); !errors.Is(err, client.ErrReceipt) {
			t.Errorf("its receipt as one for %q: %v", other, err)
		}
	}
}
