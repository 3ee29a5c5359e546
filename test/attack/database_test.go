package attack

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// Thieves who can write to the database of the running system, and have none of
// the vault's keys, make nothing up (I-13). Each attack went through before rows
// were sealed as a whole.

// cardID is the holder's card.
func (w *world) cardID() (id liuma.CardID) {
	w.t.Helper()
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		c, err := r.CardByHolder(w.System.Vault.Index("id-number", w.who.IDNumber))
		id = c.ID
		return err
	})
	return must(w.t, id, err)
}

// token asks for the tokens of a code, as a channel's server does.
func (w *world) token(c *party, q request, code string) *http.Response {
	w.t.Helper()
	form := c.form(q) // for its assertion
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, hosted+"/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {testkit.Verifier},
		"redirect_uri": form["redirect_uri"], "client_id": form["client_id"],
		"client_assertion_type": form["client_assertion_type"], "client_assertion": form["client_assertion"],
	}.Encode()))
	must(w.t, r, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := w.net.RoundTrip(r)
	return must(w.t, resp, err)
}

// TestAnInsertedChannelIsNobody: a channel and an evidence provider that the
// thief wrote into the database set no stranger's first PIN.
func TestAnInsertedChannelIsNobody(t *testing.T) {
	w := newWorld(t, false)
	stranger := w.People[5]
	forged := *w.shady // its key is the thief's
	forged.ID = "forged-app"
	w.Forge(func(tx store.Tx) error {
		channel, provider := w.shady.Client, w.shady.Client
		channel.ID, channel.RedirectURIs = forged.ID, []string{"https://forged-app.example/back"}
		provider.ID, provider.Kind = "forged-face", store.ClientProvider
		return errors.Join(tx.InsertClient(channel), tx.InsertClient(provider))
	})
	n, err := forged.Connect(native, &http.Client{Transport: w.net})
	forged.native = must(t, n, err)
	if ch, err := forged.native.Challenge(t.Context()); err == nil {
		t.Errorf("a forged channel was given %+v", ch)
	}
	q := request{action: liuma.ActionLink, about: &stranger, bn: w.number()}
	if address, no := forged.push(q); address != "" || no.Status < 400 {
		t.Errorf("a forged channel pushed: %s %+v", address, no)
	}
	err = w.System.Store.View(t.Context(), func(r store.Reader) error {
		_, err := r.Client("forged-face")
		return err
	})
	if !errors.Is(err, store.ErrSeal) {
		t.Errorf("a forged provider: %v", err)
	}
	for n := 0; !w.alarmed("clients"); n++ {
		if time.Sleep(10 * time.Millisecond); n == 12_000 {
			t.Fatal("the alarm is not in the record")
		}
	}
}

// alarmed reports whether a refused row of a table is in the record.
func (w *world) alarmed(table string) bool {
	w.t.Helper()
	found := false
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			found = found || e.Event == audit.RowRefused && e.Note == "table="+table
		}
		return err
	})
	return must(w.t, found, err)
}

// TestAnInsertedLinkShowsNothing: a link to the holder's card that the thief
// wrote shows neither standing nor tries.
func TestAnInsertedLinkShowsNothing(t *testing.T) {
	w := newWorld(t, false)
	id, stolen := w.cardID(), strings.Repeat("stolenly", 4)
	w.Forge(func(tx store.Tx) error {
		return tx.PutLink(store.Link{Channel: liuma.ChannelID(w.shady.ID), Card: id, Handle: store.Handle(stolen), At: w.Clock.Now().Add(-90 * time.Hour)})
	})
	if c, err := w.shady.native.Card(t.Context(), stolen); err == nil {
		t.Errorf("shown: %+v", c)
	}
	if v, err := w.shady.verify(stolen, wrongPIN); err == nil {
		t.Errorf("tried: %+v", v)
	}
}

// TestAnInsertedRequestIsNoReceipt: a right verdict that the thief wrote gets no
// receipt.
func TestAnInsertedRequestIsNoReceipt(t *testing.T) {
	w := newWorld(t, false)
	now, id, bn := w.Clock.Now(), w.cardID(), w.number()
	w.Forge(func(tx store.Tx) error {
		return tx.InsertRequest(store.Request{Channel: liuma.ChannelID(w.home.ID), BusinessNo: liuma.BusinessNo(bn), Action: liuma.ActionVerify,
			Card: id, Version: 1, Decided: true, Verdict: liuma.Right, ReceiptID: "forged", At: now, DecidedAt: now, Purpose: sha256.Sum256([]byte(purpose))})
	})
	if v, err := w.home.native.Verification(t.Context(), bn); err == nil {
		t.Errorf("a forged verdict: %+v", v)
	}
}

// TestAForgedCeremonyGivesNoToken: a ceremony that the thief set to done, with a
// code of their own, and the request that they decided, give no ID token.
func TestAForgedCeremonyGivesNoToken(t *testing.T) {
	w := newWorld(t, false)
	q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
	p := w.opened(w.browser(), w.home, q)
	id, now := w.cardID(), w.Clock.Now()
	w.Forge(func(tx store.Tx) error {
		c, err1 := tx.Ceremony(ceremony(p))
		r, err2 := tx.Request(c.Channel, c.BusinessNo)
		c.Step, c.Card, c.Code, c.CodeUntil = "done", id, sha256.Sum256([]byte("liuma/1/code\x00mine")), now.Add(time.Minute)
		r.Card, r.Version, r.Decided, r.Verdict, r.DecidedAt, r.ReceiptID = id, 1, true, liuma.Right, now, "forged"
		return errors.Join(err1, err2, tx.UpdateCeremony(c), tx.UpdateRequest(r))
	})
	if resp := w.token(w.home, q, "mine"); resp.StatusCode < 400 {
		t.Errorf("a token for a forged ceremony: %s", resp.Status)
	}
}

// TestAForgedSealKeyIsNotGivenOut: a channel never gets a seal key that the thief
// put in place of the authority's, and so seals no PIN to it.
func TestAForgedSealKeyIsNotGivenOut(t *testing.T) {
	w := newWorld(t, false)
	w.home.challenge()
	mine := append([]byte{4}, make([]byte, 64)...)
	w.Forge(func(tx store.Tx) error {
		keys, err := tx.SealKeys()
		if err != nil {
			return err
		}
		k := keys[0]
		k.ID, k.Public, k.RetireAt, k.GoneAt = "mine", mine, k.RetireAt.Add(1000*time.Hour), k.GoneAt.Add(1000*time.Hour)
		return tx.InsertSealKey(k)
	})
	for range 2 {
		ch, err := w.home.native.Challenge(t.Context())
		if err == nil && ch.SealKey.Public == base64.RawURLEncoding.EncodeToString(mine) {
			t.Error("the thief's key was given out")
		}
		w.Clock.Advance(48 * time.Hour) // nothing is remembered so long
	}
}

// TestDeletedMarksRefundNoCode: the three wrong one-time codes of a link stay
// three, whatever rows the thief deletes, and a right one is not taken any more.
func TestDeletedMarksRefundNoCode(t *testing.T) {
	w := newWorld(t, false)
	v := w.browser()
	p := w.do(w.do(w.opened(v, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree"), "send-code")
	right := w.LastCode(w.who.Phone)
	id := ceremony(p)
	for _, code := range wrongCodes(right, 5) {
		w.post(v, id, "code", values("code", code))
		w.SQL("DELETE FROM ticks")
	}
	w.post(v, id, "code", values("code", right))
	if p := w.look1(v, id); p.Has("return") && !p.Has("code") || p.Pad() != "" {
		t.Errorf("a code was taken after three wrong ones:\n%s", p.Text())
	}
	if n := w.ticks("code_wrong"); n != 3 {
		t.Errorf("%d wrong codes are remembered, want 3", n)
	}
}

// TestAForgedContactSilencesNothing: a card whose notices the thief turned off is
// not used in silence; it is not used at all.
func TestAForgedContactSilencesNothing(t *testing.T) {
	w := newWorld(t, false)
	w.Sent() // nothing writes about the card any more
	id := w.cardID()
	w.Forge(func(tx store.Tx) error {
		c, err := tx.Contact(id)
		c.EveryUse = !c.EveryUse
		return errors.Join(err, tx.PutContact(c))
	})
	if v, err := w.home.verify(w.card, goodPIN); err == nil {
		t.Errorf("used in silence: %+v", v)
	}
}
