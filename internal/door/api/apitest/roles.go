package apitest

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/liuma-pin/liuma/client"
)

// places are all endpoints that ask who calls, with the kinds of clients that may call
// them; by default a channel.
func (e *Env) places() []place {
	channel := []Client{e.A, e.B}
	return []place{
		{"POST", "/v1/challenges", channel},
		{"POST", "/v1/cards", channel},
		{"POST", "/v1/links", channel},
		{"POST", "/v1/verifications", channel},
		{"POST", "/v1/pin-changes", channel},
		{"POST", "/v1/freezes", channel},
		{"POST", "/v1/redemptions", channel},
		{"GET", "/v1/verifications/never-used", channel},
		{"GET", "/v1/cards/00000000000000000000000000000000", channel},
		{"POST", "/v1/hotline-freezes", []Client{e.Hotline}},
		{"POST", "/v1/hotline-loss-reports", []Client{e.Hotline}},
		{"POST", "/v1/physical-card-status", []Client{e.Registry}},
		{"POST", "/v1/registry/corrections", []Client{e.Registry}},
	}
}

type place struct {
	method, path string
	callers      []Client
}

func (p place) admits(who Client) bool {
	for _, c := range p.callers {
		if c.ID == who.ID {
			return true
		}
	}
	return false
}

// Roles calls every endpoint as every kind of client, with a valid token. A
// client of the wrong kind is refused whatever its body holds, and no request
// gets in without a token or with another signed value in its place.
func Roles(t *testing.T, e *Env) {
	no := newNumbers(t)
	h := e.enroll(t, no)
	right := e.verify(t, h, no.next(), h.PIN)
	for _, p := range e.places() {
		t.Run(p.method+" "+p.path, func(t *testing.T) {
			for _, who := range []Client{e.A, e.B, e.Registry, e.Provider, e.Hotline} {
				for _, body := range [][]byte{nil, []byte("{}"), []byte(`{"business_no":`), bytes.Repeat([]byte(" "), 20<<10)} {
					a := e.send(t, request{method: p.method, path: p.path, header: e.bearer(t, who), body: body})
					if !p.admits(who) {
						a.refused(t, http.StatusForbidden, "forbidden", "", "")
					} else if a.status == http.StatusForbidden || a.status == http.StatusUnauthorized {
						t.Errorf("%s is shut out: %d %s", who.ID, a.status, a.body)
					}
				}
			}
			for what, token := range map[string]string{"a receipt": right.Receipt, "evidence": e.Evidence(t, "c", h.IDNumber, h.Name)} {
				a := e.send(t, request{method: p.method, path: p.path, header: http.Header{"Authorization": {"Bearer " + token}}, body: []byte("{}")})
				if a.status != http.StatusUnauthorized {
					t.Errorf("%s got in: %d %s", what, a.status, a.body)
				}
			}
			e.send(t, request{method: p.method, path: p.path, header: http.Header{}, body: []byte("{}")}).
				refused(t, http.StatusUnauthorized, "unauthenticated", "token_missing", "")
		})
	}
	if v := e.verify(t, h, no.next(), h.PIN); !v.Right() {
		t.Errorf("afterwards: %+v", v)
	}
}

// Hotline has a hotline freeze the cards of holders who call, and checks that
// the answers say nothing more.
func Hotline(t *testing.T, e *Env) {
	no := newNumbers(t)
	h := e.enroll(t, no)
	link, err := e.SDK(t, e.B).Link(t.Context(), e.linkRequest(t, h.Person, no.next(), h.PIN))
	if err != nil || link.Card == "" {
		t.Fatalf("link: %+v, %v", link, err)
	}
	desk := e.SDK(t, e.Hotline)
	call := client.HotlineFreezeRequest{BusinessNo: no.next(), IDNumber: h.IDNumber}
	first, err := desk.HotlineFreeze(t.Context(), call)
	if err != nil || first.BusinessNo != call.BusinessNo || first.At.IsZero() {
		t.Fatalf("freeze: %+v, %v", first, err)
	}
	for who, handle := range map[*client.Client]string{e.SDK(t, e.A): h.card, e.SDK(t, e.B): link.Card} {
		if card, err := who.Card(t.Context(), handle); err != nil || card.Standing != "frozen" {
			t.Errorf("card: %+v, %v", card, err)
		}
	}
	if v := e.verify(t, h, no.next(), h.PIN); v.Right() || v.Verdict != "suspended" {
		t.Errorf("the right PIN of a frozen card: %+v", v)
	}
	t.Run("the same request again", func(t *testing.T) {
		again, err := desk.HotlineFreeze(t.Context(), call)
		if err != nil || !again.At.Equal(first.At) {
			t.Errorf("%+v, %v", again, err)
		}
	})
	t.Run("another under its number", func(t *testing.T) {
		other := client.HotlineFreezeRequest{BusinessNo: call.BusinessNo, IDNumber: e.Person(t).IDNumber}
		if _, err := desk.HotlineFreeze(t.Context(), other); client.CodeOf(err) != "business_no_used" {
			t.Errorf("%v", err)
		}
	})
	t.Run("frozen already", func(t *testing.T) { e.hotlineSaysNoMore(t, h.IDNumber, no) })
	e.hotlineRefusals(t, no)
	t.Run("by another door", func(t *testing.T) {
		// The number of the call does not exist in a channel, nor the other way round.
		if _, err := e.SDK(t, e.A).Verification(t.Context(), call.BusinessNo); client.CodeOf(err) != "not_found" {
			t.Errorf("a channel asks for the call: %v", err)
		}
		if _, err := desk.Verification(t.Context(), call.BusinessNo); client.CodeOf(err) != "forbidden" {
			t.Errorf("the hotline asks: %v", err)
		}
		if _, err := desk.Freeze(t.Context(), client.FreezeRequest{BusinessNo: no.next(), Subject: client.Subject{Card: h.card}}); client.CodeOf(err) != "forbidden" {
			t.Errorf("the hotline at the channels' endpoint: %v", err)
		}
		if _, err := e.SDK(t, e.A).HotlineFreeze(t.Context(), client.HotlineFreezeRequest{BusinessNo: no.next(), IDNumber: h.IDNumber}); client.CodeOf(err) != "forbidden" {
			t.Errorf("a channel at the hotline's endpoint: %v", err)
		}
	})
}

// hotlineSaysNoMore freezes a card that is frozen and one that is not, and
// compares the answers: same members, and same values except for number and
// time.
func (e *Env) hotlineSaysNoMore(t *testing.T, frozen string, no *numbers) {
	t.Helper()
	active := e.enroll(t, no)
	for what, id := range map[string]string{"frozen": frozen, "active": active.IDNumber} {
		a := e.send(t, request{path: "/v1/hotline-freezes", header: e.bearer(t, e.Hotline),
			body: text(t, map[string]any{"business_no": no.next(), "id_number": id})})
		got := a.raw(t)
		delete(got, "at")
		delete(got, "business_no")
		if a.status != http.StatusOK || len(got) != 2 || got["action"] != "freeze" || got["state"] != "decided" {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}

// hotlineRefusals are the calls that freeze nothing.
func (e *Env) hotlineRefusals(t *testing.T, no *numbers) {
	send := func(t *testing.T, body map[string]any) answer {
		return e.send(t, request{path: "/v1/hotline-freezes", header: e.bearer(t, e.Hotline), body: text(t, body)})
	}
	t.Run("nothing to freeze", func(t *testing.T) {
		// The answer is the same whether or not the person is in the registry, except
		// for the request's own names.
		with := func(id string) answer { return send(t, map[string]any{"business_no": no.next(), "id_number": id}) }
		known, unknown := with(e.Person(t).IDNumber), with(e.Stranger(t).IDNumber)
		known.refused(t, http.StatusNotFound, "not_found", "", "id_number")
		if !bytes.Equal(anonymous(t, known), anonymous(t, unknown)) {
			t.Errorf("without a card:\n%s\nunknown:\n%s", known.body, unknown.body)
		}
	})
	for what, c := range map[string]struct {
		body                map[string]any
		status              int
		code, reason, field string
	}{
		"no ID number":         {map[string]any{"business_no": "c1", "id_number": "12333"}, 422, "id_number_invalid", "", "id_number"},
		"both numbers":         {map[string]any{"business_no": "c1", "id_number": "12333", "document": map[string]any{"type": "passport", "number": "DEU-C01X00T47"}}, 400, "bad_request", "document_twice", "document"},
		"text as ID number":    {map[string]any{"business_no": "c1", "id_number": "passport:DEU-C01X00T47"}, 422, "id_number_invalid", "", "id_number"},
		"document, no number":  {map[string]any{"business_no": "c1", "document": map[string]any{"type": "passport"}}, 400, "bad_request", "member_missing", "document.number"},
		"document, type":       {map[string]any{"business_no": "c1", "document": map[string]any{"type": "library_card", "number": "1"}}, 400, "bad_request", "member_choice", "document.type"},
		"document, state":      {map[string]any{"business_no": "c1", "document": map[string]any{"type": "passport", "number": "C01X00T47"}}, 422, "document_state_missing", "", "document.number"},
		"document, form":       {map[string]any{"business_no": "c1", "document": map[string]any{"type": "taiwan_permit", "number": "123"}}, 422, "document_invalid", "", "document.number"},
		"document, nobody":     {map[string]any{"business_no": "c1", "document": map[string]any{"type": "passport", "number": "DEU-C01X00T47"}}, 404, "not_found", "", "document.number"},
		"of 15 digits":         {map[string]any{"business_no": "c1", "id_number": "330102900101003"}, 422, "id_number_15_digits", "", "id_number"},
		"without an ID number": {map[string]any{"business_no": "c1"}, 400, "bad_request", "member_missing", "id_number"},
		"empty ID number":      {map[string]any{"business_no": "c1", "id_number": ""}, 400, "bad_request", "member_short", "id_number"},
		"long ID number":       {map[string]any{"business_no": "c1", "id_number": string(bytes.Repeat([]byte("1"), 65))}, 400, "bad_request", "member_long", "id_number"},
		"without a number":     {map[string]any{"id_number": "x"}, 400, "bad_request", "member_missing", "business_no"},
		"bad number":           {map[string]any{"business_no": "a/b", "id_number": "x"}, 400, "bad_request", "member_form", "business_no"},
		"a name as well":       {map[string]any{"business_no": "c1", "id_number": "x", "name": "王奶奶"}, 400, "bad_request", "member_unknown", "name"},
		"a subject":            {map[string]any{"business_no": "c1", "id_number": "x", "subject": map[string]any{}}, 400, "bad_request", "member_unknown", "subject"},
		"thawing":              {map[string]any{"business_no": "c1", "id_number": "x", "frozen": false}, 400, "bad_request", "member_unknown", "frozen"},
		"ID number as a count": {map[string]any{"business_no": "c1", "id_number": 33}, 400, "bad_request", "member_type", "id_number"},
	} {
		t.Run(what, func(t *testing.T) { send(t, c.body).refused(t, c.status, c.code, c.reason, c.field) })
	}
	t.Run("too large", func(t *testing.T) {
		a := e.send(t, request{path: "/v1/hotline-freezes", header: e.bearer(t, e.Hotline), body: bytes.Repeat([]byte(" "), 16<<10+1)})
		a.refused(t, http.StatusRequestEntityTooLarge, "too_large", "", "")
	})
	t.Run("with a query", func(t *testing.T) {
		a := e.send(t, request{path: "/v1/hotline-freezes?id_number=x", header: e.bearer(t, e.Hotline), body: []byte("{}")})
		a.refused(t, http.StatusBadRequest, "bad_request", "query", "")
	})
}
