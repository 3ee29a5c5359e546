package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// slot is a place in a request where an envelope goes.
type slot struct {
	action client.Action
	member string
}

func slots() []slot {
	return []slot{{client.Enroll, "new_pin"}, {client.Link, "pin"}, {client.Verify, "pin"}, {client.Change, "old_pin"}, {client.Change, "new_pin"}}
}

// ask holds all values of a request with envelopes.
type ask struct {
	who        Client
	businessNo string
	purpose    client.Purpose
	challenge  client.Challenge
	holder     holder
	newcomer   Person // for enroll and link, so that holder stays unchanged
	evidence   string
}

func (q ask) subject(a client.Action) client.Subject {
	switch a {
	case client.Enroll:
		return client.Subject{IDNumber: q.newcomer.IDNumber, Name: q.newcomer.Name, Phone: q.newcomer.Phone}
	case client.Link:
		return client.Subject{IDNumber: q.holder.IDNumber, Name: q.holder.Name}
	}
	return client.Subject{Card: q.holder.card}
}

// seal makes the envelope for a slot, as the device would for this request.
func (q ask) seal(t testing.TB, s slot) client.Envelope {
	t.Helper()
	d := client.DeviceRequest{Channel: q.who.ID, Action: s.action, BusinessNo: q.businessNo, Purpose: q.purpose,
		Challenge: q.challenge, Subject: q.subject(s.action)}
	if s.action != client.Change {
		return sealed(t, d, q.holder.PIN)
	}
	old, fresh, err := d.SealChange([]byte(q.holder.PIN), []byte(q.holder.OtherPIN))
	if err != nil {
		t.Fatal(err)
	}
	if s.member == "old_pin" {
		return old
	}
	return fresh
}

// put sends the request for a slot with the given envelope in it.
func (q ask) put(t testing.TB, e *Env, s slot, sealed client.Envelope) answer {
	t.Helper()
	body := map[string]any{"business_no": q.businessNo, "purpose": q.purpose, "challenge": q.challenge.Value,
		"subject": q.subject(s.action), s.member: sealed}
	path := map[client.Action]string{client.Enroll: "/v1/cards", client.Link: "/v1/links",
		client.Verify: "/v1/verifications", client.Change: "/v1/pin-changes"}[s.action]
	switch {
	case s.action == client.Enroll:
		body["evidence"] = q.evidence
	case s.member == "old_pin":
		body["new_pin"] = q.seal(t, slot{client.Change, "new_pin"})
	case s.member == "new_pin":
		body["old_pin"] = q.seal(t, slot{client.Change, "old_pin"})
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return e.send(t, request{path: path, header: e.bearer(t, q.who), body: raw})
}

// Replay puts each envelope where it does not belong: at every other endpoint and
// role, and under every other channel, holder, business number, purpose, challenge
// and time. None opens, and none costs the holder a try.
func Replay(t *testing.T, e *Env) {
	no := newNumbers(t)
	h, other := e.enroll(t, no), e.enroll(t, no)
	before := e.verify(t, h, no.next(), h.Wrong)
	if v := e.verify(t, h, no.next(), h.PIN); !v.Right() {
		t.Fatalf("right PIN: %+v", v)
	}
	fresh := func(t testing.TB, who Client) ask {
		q := ask{who: who, businessNo: no.next(), purpose: purpose, challenge: e.challenge(t, e.SDK(t, who)), holder: h, newcomer: e.Person(t)}
		q.evidence = e.Evidence(t, q.challenge.Value, q.newcomer.IDNumber, q.newcomer.Name)
		return q
	}
	for _, from := range slots() {
		for _, to := range slots() {
			if from == to {
				continue
			}
			t.Run(fmt.Sprintf("%s %s at %s %s", from.action, from.member, to.action, to.member), func(t *testing.T) {
				q := fresh(t, e.A)
				q.put(t, e, to, q.seal(t, from)).refused(t, http.StatusUnprocessableEntity, "envelope_invalid", "", to.member)
			})
		}
	}
	for _, s := range slots() {
		for what, alter := range alterations(e, other, no) {
			t.Run(fmt.Sprintf("%s %s of another %s", s.action, s.member, what), func(t *testing.T) {
				q := fresh(t, e.A)
				was := q
				alter(t, &was)
				sealed := was.seal(t, s)
				sealed.KID = q.challenge.SealKey.ID // so that only the bound values differ
				q.put(t, e, s, sealed).refused(t, http.StatusUnprocessableEntity, "envelope_invalid", "", s.member)
			})
		}
		t.Run(fmt.Sprintf("%s %s too late", s.action, s.member), func(t *testing.T) {
			q := fresh(t, e.A)
			sealed := q.seal(t, s)
			e.Advance(5*time.Minute + time.Second)
			a := q.put(t, e, s, sealed)
			if a.status != http.StatusUnprocessableEntity || a.member("code") != "challenge_expired" {
				t.Errorf("answered %d %s", a.status, a.body)
			}
		})
	}
	t.Run("another channel's challenge", func(t *testing.T) {
		q := fresh(t, e.A)
		q.who = e.B
		s := slot{client.Link, "pin"}
		if a := q.put(t, e, s, q.seal(t, s)); a.member("code") != "challenge_expired" {
			t.Errorf("answered %d %s", a.status, a.body)
		}
	})
	if v := e.verify(t, h, no.next(), h.PIN); !v.Right() {
		t.Errorf("right PIN afterwards: %+v", v)
	}
	if v := e.verify(t, h, no.next(), h.Wrong); v.TriesLeft == nil || *v.TriesLeft != *before.TriesLeft {
		t.Errorf("tries left: %v before, %v after", *before.TriesLeft, v.TriesLeft)
	}
}

// alterations each change one thing that an envelope is bound to.
func alterations(e *Env, other holder, no *numbers) map[string]func(testing.TB, *ask) {
	return map[string]func(testing.TB, *ask){
		"channel":         func(_ testing.TB, q *ask) { q.who = e.B },
		"business number": func(_ testing.TB, q *ask) { q.businessNo = no.next() },
		"purpose":         func(_ testing.TB, q *ask) { q.purpose = "办理转账" },
		"English purpose": func(_ testing.TB, q *ask) { q.purpose = client.PurposeIn(q.purpose.In("zh-CN"), "Move money") },
		"purpose's form":  func(_ testing.TB, q *ask) { q.purpose = client.PurposeIn(q.purpose.In("zh-CN"), "") },
		"challenge":       func(t testing.TB, q *ask) { q.challenge = e.challenge(t, e.SDK(t, e.A)) },
		"holder": func(t testing.TB, q *ask) {
			pin, otherPIN := q.holder.PIN, q.holder.OtherPIN
			q.holder, q.newcomer = other, e.Person(t)
			q.holder.PIN, q.holder.OtherPIN = pin, otherPIN
		},
		"seal key": func(_ testing.TB, q *ask) { q.challenge.SealKey.ID += "x" },
	}
}

// OneRefusal asks, without a link, about holders in every state. The answers have the
// same bytes except for the request's own names, and the same headers.
func OneRefusal(t *testing.T, e *Env) {
	no := newNumbers(t)
	h, locked := e.enroll(t, no), e.enroll(t, no)
	for i := 0; ; i++ {
		if v := e.verify(t, locked, no.next(), locked.Wrong); v.Verdict == "locked" {
			break
		}
		if i == 10 {
			t.Fatal("ten wrong PINs do not lock")
		}
	}
	misnamed := h.Person
	misnamed.Name = locked.Name + "某"
	b := e.SDK(t, e.B)
	send := func(q any, path string) answer {
		raw, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return e.send(t, request{path: path, header: e.bearer(t, e.B), body: raw})
	}
	link := func(p Person, pin string) answer { return send(e.linkRequest(t, p, no.next(), pin), "/v1/links") }
	answers := map[string]answer{
		"wrong PIN":              link(h.Person, h.Wrong),
		"unknown holder":         link(e.Stranger(t), h.PIN),
		"no electronic card":     link(e.Person(t), h.PIN),
		"locked, right PIN":      link(locked.Person, locked.PIN),
		"locked, wrong PIN":      link(locked.Person, locked.Wrong),
		"right PIN, other name":  link(misnamed, h.PIN),
		"verify, A's handle":     send(e.strangeVerify(t, no.next(), client.Subject{Card: h.card}, h.PIN), "/v1/verifications"),
		"verify, made-up handle": send(e.strangeVerify(t, no.next(), client.Subject{Card: "00000000000000000000000000000000"}, h.PIN), "/v1/verifications"),
		"verify by ID number":    send(e.strangeVerify(t, no.next(), client.Subject{IDNumber: h.IDNumber, Name: h.Name}, h.PIN), "/v1/verifications"),
	}
	want := answers["wrong PIN"]
	want.refused(t, http.StatusForbidden, "refused", "", "")
	for what, got := range answers {
		if got.status != want.status || !bytes.Equal(anonymous(t, got), anonymous(t, want)) {
			t.Errorf("%s answers %d\n%s\na wrong PIN %d\n%s", what, got.status, got.body, want.status, want.body)
		}
		for name := range got.header {
			if want.header.Get(name) == "" {
				t.Errorf("%s: header %s is there, and not for a wrong PIN", what, name)
			}
		}
		v, err := b.Verification(t.Context(), got.member("business_no"))
		if err != nil || v.Verdict != "" || v.Code != "refused" || v.Card != "" || v.TriesLeft != nil || v.Until != nil {
			t.Errorf("%s, asked for again: %+v, %v", what, v, err)
		}
	}
}

// strangeVerify asks for a verification in channel B, where there is no link.
func (e *Env) strangeVerify(t testing.TB, no string, s client.Subject, pin string) client.VerifyRequest {
	t.Helper()
	ch := e.challenge(t, e.SDK(t, e.B))
	d := client.DeviceRequest{Channel: e.B.ID, Action: client.Verify, BusinessNo: no, Purpose: purpose, Challenge: ch, Subject: s}
	return client.VerifyRequest{BusinessNo: no, Subject: s, Purpose: purpose, Challenge: ch.Value, PIN: sealed(t, d, pin)}
}

// anonymous is the body without the members that identify this request.
func anonymous(t testing.TB, a answer) []byte {
	t.Helper()
	out := a.body
	for _, name := range []string{"business_no", "instance"} {
		value := a.member(name)
		if value == "" {
			t.Fatalf("no %s in %s", name, a.body)
		}
		out = bytes.Replace(out, []byte(value), []byte("?"), 1)
	}
	return out
}
