package attack

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// verbs are all that a ceremony's page can be posted to.
func verbs() map[string]url.Values {
	return map[string]url.Values{
		"begin": nil, "agree": nil, "pin": values("try", "1"), "extend": nil, "return": nil, "send-code": nil, "code": values("code", "000000"),
		"phone": values("phone", thiefNumber), "card-number": values("card_no", "A00000000"), "forgot": nil, "remember": nil,
		"every-use": values("on", "1"),
	}
}

// post sends a form to a ceremony, even if its page does not offer it.
func (w *world) post(v *visitor.Visitor, id, verb string, form url.Values) *visitor.Page {
	w.t.Helper()
	p, err := v.Post(context.Background(), hosted+"/c/"+id+"/"+verb, form)
	return must(w.t, p, err)
}

func (w *world) look1(v *visitor.Visitor, id string) *visitor.Page {
	w.t.Helper()
	p, err := v.Open(context.Background(), hosted+"/c/"+id)
	return must(w.t, p, err)
}

// forged are the posts of a pad that the page does not show: sealed for the
// first tries of a ceremony, exactly as its pad would.
func (w *world) forged(c *party, q request, id string, secret string) []url.Values {
	w.t.Helper()
	role, field := liuma.RoleNew, "new_pin"
	if q.action == liuma.ActionUnfreeze || q.action == liuma.ActionRebind || q.action == liuma.ActionLink || q.action == liuma.ActionVerify {
		role, field = liuma.RoleCurrent, "pin"
	}
	var all []url.Values
	for try := 1; try <= 3; try++ {
		all = append(all, values("try", fmt.Sprint(try), field, c.seal(q, id, try, role, secret)))
	}
	return all
}

// force posts them all.
func (w *world) force(v *visitor.Visitor, c *party, q request, id string) {
	w.t.Helper()
	for _, form := range w.forged(c, q, id, thiefPIN) {
		w.post(v, id, "pin", form)
	}
}

// opened pushes a request and opens it in a browser.
func (w *world) opened(v *visitor.Visitor, c *party, q request) *visitor.Page {
	w.t.Helper()
	p := w.enter(v, c.pushed(q))
	if ceremony(p) == "" {
		w.t.Fatalf("no ceremony at %s:\n%s", p.URL(), p.Text())
	}
	return p
}

// proof goes back to the channel and gives the challenge for evidence.
func (w *world) proof(p *visitor.Page) string {
	w.t.Helper()
	back := w.do(p, "return")
	challenge := back.URL().Query().Get("challenge")
	if back.Code() != "evidence_required" || challenge == "" {
		w.t.Fatalf("back with %v", back.URL().Query())
	}
	return challenge
}

func wantRefused(t *testing.T, no *refusal, codes ...string) {
	t.Helper()
	if no == nil || !slices.Contains(codes, no.Code) {
		t.Errorf("pushed, or refused for another reason: %+v, want %v", no, codes)
	}
}

func wantStatus(t *testing.T, p *visitor.Page, what string, want int) {
	t.Helper()
	if p.Status() != want {
		t.Errorf("%s: status %d, want %d: %s", what, p.Status(), want, p.Title())
	}
}

// known is a known attack. Each starts with an intact card, a day after the
// attack before, and must leave the card intact.
type known struct {
	name string
	try  func(t *testing.T, w *world)
}

func attacks() []known {
	return slices.Concat(onProofs(), onBrowsers(), onSteps(), onDoors())
}

// TestKnownAttacks tries them one after the other on one card.
func TestKnownAttacks(t *testing.T) {
	w := newWorld(t, false)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			w.t = t
			before := w.look(w.People[1])
			a.try(t, w)
			after := w.look(w.People[1])
			if what := got(before, after); what != "" {
				t.Fatalf("the thief %s", what)
			}
			if after.spent-before.spent > uint64(after.posts-before.posts) {
				t.Errorf("%d guesses of %d posts", after.spent-before.spent, after.posts-before.posts)
			}
			w.outside(t, before)
		})
	}
}

// withSIM is a reset in the holder's channel as far as a SIM leads.
func (w *world) withSIM(v *visitor.Visitor) (request, *visitor.Page) {
	w.t.Helper()
	q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
	p := w.coded(w.do(w.opened(v, w.home, q), "agree"), w.who.Phone)
	if p.Pad() != "" {
		w.t.Fatal("a code alone leads to the pad")
	}
	return q, p
}

// onProofs: one proof, or the wrong other one.
func onProofs() []known {
	return []known{
		{"SIM swap, then a reset", func(t *testing.T, w *world) {
			v := w.browser()
			q, p := w.withSIM(v)
			w.force(v, w.home, q, ceremony(p))
			w.post(v, ceremony(p), "card-number", values("card_no", w.who.CardNo))
			w.enter(v, w.home.pushed(q)) // again, without evidence
			w.force(v, w.home, q, ceremony(p))
		}},
		{"SIM, and evidence about somebody else", func(t *testing.T, w *world) {
			v := w.browser()
			q, p := w.withSIM(v)
			id, challenge := ceremony(p), w.proof(p)
			q.challenge, q.evidence = challenge, w.Evidence(w.thief, challenge)
			_, no := w.home.push(q)
			wantRefused(t, no, "evidence_invalid")
			mixed := w.who
			mixed.Name = w.thief.Name
			q.evidence = w.Evidence(mixed, challenge)
			_, no = w.home.push(q)
			wantRefused(t, no, "evidence_invalid")
			w.force(v, w.home, q, id)
		}},
		{"SIM, and evidence for another challenge", func(t *testing.T, w *world) {
			q, p := w.withSIM(w.browser())
			q.challenge, q.evidence = w.proof(p), w.Evidence(w.who, w.home.challenge().Value)
			_, no := w.home.push(q)
			wantRefused(t, no, "evidence_invalid")
			q.challenge = "made-up"
			q.evidence = w.Evidence(w.who, q.challenge)
			_, no = w.home.push(q)
			wantRefused(t, no, "challenge_expired", "bad_request")
		}},
		{"SIM, and evidence from another channel", func(t *testing.T, w *world) {
			// The face was shown to the thief's app, which asked for a challenge.
			q, _ := w.withSIM(w.browser())
			q.challenge = w.shady.challenge().Value
			q.evidence = w.Evidence(w.who, q.challenge)
			_, no := w.home.push(q)
			wantRefused(t, no, "challenge_expired")
		}},
		{"SIM, and evidence that was used", func(t *testing.T, w *world) {
			seen := w.home.proved(request{action: liuma.ActionVerify, card: w.card, bn: w.number()}, w.who)
			w.home.pushed(seen)
			q, _ := w.withSIM(w.browser())
			q.challenge, q.evidence = seen.challenge, seen.evidence
			_, no := w.home.push(q)
			wantRefused(t, no, "evidence_used")
		}},
		{"SIM, and evidence that nobody registered signed", func(t *testing.T, w *world) {
			q, _ := w.withSIM(w.browser())
			for id, key := range map[string]*ecdsa.PrivateKey{w.home.ID: w.home.Key, testkit.ProviderID: w.NewKey(), "nobody": w.NewKey()} {
				signer, err := evidence.NewSigner(id, key, "k")
				must(t, signer, err)
				q.challenge = w.home.challenge().Value
				q.evidence, err = signer.Sign(evidence.Statement{Audience: hosted, Challenge: q.challenge, IDNumber: w.who.IDNumber,
					Name: w.who.Name, Method: "face", IssuedAt: w.Clock.Now(), Expires: w.Clock.Now().Add(5 * time.Minute)})
				must(t, signer, err)
				_, no := w.home.push(q)
				wantRefused(t, no, "evidence_invalid")
			}
		}},
		{"SIM, and evidence that is old", func(t *testing.T, w *world) {
			q, _ := w.withSIM(w.browser())
			q = w.home.proved(q, w.who)
			w.Clock.Advance(6 * time.Minute)
			_, no := w.home.push(q)
			wantRefused(t, no, "evidence_invalid", "challenge_expired")
		}},
		{"face, then guessing the code", func(t *testing.T, w *world) {
			v := w.browser()
			q := w.home.proved(request{action: liuma.ActionReset, card: w.card, bn: w.number()}, w.who)
			p := w.do(w.do(w.opened(v, w.home, q), "agree"), "send-code")
			id := ceremony(p)
			for _, code := range wrongCodes(w.LastCode(w.who.Phone), 7) {
				if w.post(v, id, "code", values("code", code)).Pad() != "" {
					t.Error("a wrong code leads to the pad")
				}
			}
			w.force(v, w.home, q, id)
			// The five are all there are: now not even the right one counts.
			if w.post(v, id, "code", values("code", w.LastCode(w.who.Phone))).Pad() != "" {
				t.Error("a sixth code was judged")
			}
		}},
		{"face, and a code that went to the number in the app", func(t *testing.T, w *world) {
			unborn := w.People[1]
			v := w.browser()
			q := w.shady.proved(request{action: liuma.ActionEnroll, about: &unborn, bn: w.number()}, unborn)
			p := w.do(w.do(w.opened(v, w.shady, q), "agree"), "send-code")
			if w.Sent(); len(w.Inbox.Texts(thiefNumber)) != 0 {
				t.Error("the thief's number gets codes")
			}
			w.post(v, ceremony(p), "code", values("code", "000000"))
			w.force(v, w.shady, q, ceremony(p))
		}},
		{"face, to apply a second time", func(t *testing.T, w *world) {
			v := w.browser()
			q := w.shady.proved(request{action: liuma.ActionEnroll, about: &w.who, bn: w.number()}, w.who)
			p := w.do(w.opened(v, w.shady, q), "agree")
			if p.Has("code") || p.Pad() != "" {
				t.Error("a second card")
			}
			w.force(v, w.shady, q, ceremony(p))
		}},
		{"SIM, and the card's number where it does not count", func(t *testing.T, w *world) {
			v := w.browser()
			q, p := w.withSIM(v)
			if p.Has("card-number") {
				t.Error("the number is asked for")
			}
			id := ceremony(p)
			w.post(v, id, "card-number", values("card_no", w.who.CardNo))
			w.Clock.Advance(25 * time.Hour)
			w.force(v, w.home, q, id)
		}},
		{"a thousand codes at once", thousandCodes},
	}
}

// onBrowsers: attacks with the secrets of another browser, ceremony or channel.
func onBrowsers() []known {
	return []known{
		{"a stolen request_uri, after code and evidence", func(t *testing.T, w *world) {
			holder, thief := w.browser(), w.browser()
			q, p := w.withSIM(holder)
			challenge := w.proof(p)
			q.challenge, q.evidence = challenge, w.Evidence(w.who, challenge)
			address := w.home.pushed(q)
			stolen := w.enter(thief, address)
			if stolen.Pad() != "" {
				t.Error("the thief is at the pad")
			}
			w.force(thief, w.home, q, ceremony(p))
			w.force(holder, w.home, q, ceremony(p))
			wantStatus(t, w.enter(holder, address), "the holder's own browser, too late", http.StatusConflict)
		}},
		{"an address that is taken", func(t *testing.T, w *world) {
			address := w.home.pushed(request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
			mine := w.enter(w.browser(), address)
			wantStatus(t, w.enter(w.browser(), address), "a second browser", http.StatusConflict)
			for _, secret := range []string{"x", strings.Repeat("A", 43)} {
				v := w.browser()
				v.Plant(hosted+"/", map[string]string{"__Host-hand-" + ceremony(mine): secret + ".0", "__Host-seen": "1"})
				for verb, form := range verbs() {
					if p := w.post(v, ceremony(mine), verb, form); p.Status() < 400 {
						t.Errorf("%s with a made-up cookie: %d", verb, p.Status())
					}
				}
			}
		}},
		{"a form on another site", func(t *testing.T, w *world) {
			holder := w.browser()
			p := w.opened(holder, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()})
			form := `<form method="post" action="` + hosted + `/c/` + ceremony(p) + `/%s"><input name="hand"><input name="code"></form>`
			w.net.add("https://evil.example", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "text/html")
				fmt.Fprintf(rw, form, strings.TrimPrefix(r.URL.Path, "/"))
			}))
			for verb := range verbs() {
				evil, err := holder.Open(context.Background(), "https://evil.example/"+verb)
				must(t, evil, err)
				answer, err := evil.Press(context.Background(), verb, values("hand", "x"))
				wantStatus(t, must(t, answer, err), verb+" from another site", http.StatusForbidden)
			}
			if !w.look1(holder, ceremony(p)).Has("agree") {
				t.Error("the ceremony went on")
			}
		}},
		{"a cookie fixed by the attacker", func(t *testing.T, w *world) {
			thief, holder := w.browser(), w.browser()
			q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
			p := w.opened(thief, w.home, q)
			name, secret := "__Host-hand-"+ceremony(p), thief.Cookies(hosted + "/")["__Host-hand-"+ceremony(p)]
			if secret == "" {
				t.Fatal("no cookie to fix")
			}
			// From a neighbour, from the same name without TLS, and for the whole domain.
			for origin, c := range map[string]http.Cookie{
				"https://evil.pin.example.cn": {Domain: "pin.example.cn", Secure: true}, "http://pin.example.cn": {}, "https://evil.example.cn": {Domain: "example.cn", Secure: true},
			} {
				c.Name, c.Value, c.Path = name, secret, "/"
				w.net.add(origin, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { http.SetCookie(rw, &c) }))
				evil, err := holder.Open(context.Background(), origin+"/")
				must(t, evil, err)
			}
			wantStatus(t, w.look1(holder, ceremony(p)), "the thief's ceremony in the holder's browser", http.StatusConflict)
			wantStatus(t, w.post(holder, ceremony(p), "agree", nil), "a step there", http.StatusConflict)
		}},
		{"the ceremony's id changed in the address", func(t *testing.T, w *world) {
			// The thief's own card, with its own phone and face, proved to the pad.
			v := w.browser()
			mine := w.ownCard()
			own, p := w.ownReset(v, mine)
			sealed, err := p.Seal(thiefPIN)
			must(t, sealed, err)
			b := w.browser()
			q, target := w.withSIM(b) // even with the SIM
			swapped := w.browser()
			for name, value := range v.Cookies(hosted + "/") {
				swapped.Plant(hosted+"/", map[string]string{strings.Replace(name, ceremony(p), ceremony(target), 1): value})
			}
			wantStatus(t, w.post(swapped, ceremony(target), "pin", sealed), "one's own cookie under another name", http.StatusConflict)
			w.post(b, ceremony(target), "pin", sealed)
			w.force(b, w.home, q, ceremony(target))
			w.force(b, w.shady, own, ceremony(target))
			// It is a good one where it belongs.
			w.post(v, ceremony(p), "pin", sealed)
			if v, err := w.shady.verify(mine, thiefPIN); err != nil || !v.Right() {
				t.Fatalf("the thief's own reset did not work: %+v, %v", v, err)
			}
		}},
		{"a code of another ceremony", func(t *testing.T, w *world) {
			a, b := w.browser(), w.browser()
			p := w.do(w.opened(a, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree")
			other := w.do(w.opened(b, w.watch, request{action: liuma.ActionReset, card: w.seen, bn: w.number()}), "agree")
			w.do(p, "send-code")
			next := w.post(b, ceremony(other), "code", values("code", w.LastCode(w.who.Phone)))
			if !next.Has("send-code") || w.ticks("code_wrong") != 0 {
				t.Errorf("taken, or counted: %d", w.ticks("code_wrong"))
			}
		}},
		{"a sealed PIN of another ceremony", func(t *testing.T, w *world) {
			// The holder's own PIN, taken from the pad of a bad web view.
			p := w.opened(w.browser(), w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
			sealed, err := p.Seal(goodPIN)
			must(t, sealed, err)
			before := w.look(w.People[1]).spent
			for _, q := range []request{{action: liuma.ActionVerify, card: w.card}, {action: liuma.ActionRebind, card: w.card}, {action: liuma.ActionLink, about: &w.who}} {
				q.bn = w.number()
				v := w.browser()
				c := w.home
				if q.action == liuma.ActionLink {
					c = w.shady
				}
				mine := w.opened(v, c, q)
				if mine.Has("agree") {
					mine = w.do(mine, "agree")
				}
				if mine.Pad() == "" {
					t.Fatalf("%s: no pad", q.action)
				}
				if w.post(v, ceremony(mine), "pin", sealed); w.look1(v, ceremony(mine)).Pad() == "" {
					t.Errorf("%s: it was taken", q.action)
				}
			}
			if w.look(w.People[1]).spent != before {
				t.Error("it was a guess")
			}
		}},
		{"a code, and then another number", func(t *testing.T, w *world) {
			// A holder who may rebind still cannot bind a number without its
			// one-time code.
			v := w.browser()
			q := request{action: liuma.ActionRebind, card: w.card, bn: w.number()}
			p := w.typed(w.do(w.opened(v, w.home, q), "agree"), goodPIN)
			challenge := w.proof(p)
			q.challenge, q.evidence = challenge, w.Evidence(w.who, challenge)
			p = w.do(w.enter(v, w.home.pushed(q)), "phone", "phone", thiefNumber)
			p = w.do(p, "send-code")
			code := w.LastCode(thiefNumber)
			w.post(v, ceremony(p), "phone", values("phone", "13600136000"))
			if next := w.post(v, ceremony(p), "code", values("code", code)); !next.Has("send-code") {
				t.Error("bound by a code to another number")
			}
			w.post(v, ceremony(p), "code", values("code", w.LastCode(w.who.Phone)))
		}},
	}
}

// ownCard is the card of the thief itself, in its own channel.
func (w *world) ownCard() string {
	w.t.Helper()
	card := w.enroll(w.shady, w.thief, "715283")
	w.Clock.Advance(73 * time.Hour) // before which no new phone resets anything
	return card
}

// ownReset leads the thief to the pad of its own card's reset, on its own
// proofs.
func (w *world) ownReset(v *visitor.Visitor, card string) (request, *visitor.Page) {
	w.t.Helper()
	q := request{action: liuma.ActionReset, card: card, bn: w.number()}
	p := w.coded(w.do(w.opened(v, w.shady, q), "agree"), w.thief.Phone)
	challenge := w.proof(p)
	q.challenge, q.evidence = challenge, w.Evidence(w.thief, challenge)
	if p = w.enter(v, w.shady.pushed(q)); p.Pad() != "new" {
		w.t.Fatalf("the thief's own reset is at %q", p.Title())
	}
	return q, p
}

// native change of a card, as a request that another test varies.
func (c *party) change(card, old, fresh, evidence string, ch client.Challenge) (*client.Verification, error) {
	d := client.DeviceRequest{Channel: c.ID, Action: client.Change, Subject: client.Subject{Card: card}, BusinessNo: c.w.number(), Purpose: purpose, Challenge: ch}
	a, b, err := d.SealChange([]byte(old), []byte(fresh))
	must(c.w.t, a, err)
	return c.native.Change(context.Background(), client.ChangeRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose,
		Challenge: ch.Value, Evidence: evidence, OldPIN: a, NewPIN: b})
}
