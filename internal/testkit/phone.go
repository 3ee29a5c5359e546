package testkit

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/vault"
)

// phones is an outbox without a sender: messages stay in the store, which has only
// committed ones, and Texts reads them. The real outbox checks each message first and
// refuses messages that it could not send.
type phones struct {
	vault *vault.Vault
	now   func() time.Time
	real  *notify.Outbox
}

// nationalTemplates are checked once and shared: nobody can change them.
var nationalTemplates = sync.OnceValues(func() (*notify.Templates, error) { return notify.NewTemplates(liuma.Text{}, "", nil) })

func newPhones(t testing.TB, off *server.Data, now func() time.Time) authority.Outbox {
	t.Helper()
	templates, err := nationalTemplates()
	if err != nil {
		t.Fatal(err)
	}
	outbox, err := notify.New(notify.Config{Store: off.Store, Vault: off.Vault, Driver: noDriver{}, Templates: templates, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return phones{off.Vault, now, outbox}
}

// noDriver never sends. Calls can be queued for it as texts can.
type noDriver struct{}

func (noDriver) Speaks() bool { return true }

func (noDriver) Send(context.Context, notify.Text) (string, error) {
	return "", errors.New("testkit: nothing is sent")
}

// checked lets the real outbox do everything but write.
type checked struct{ store.Tx }

func (checked) InsertMessage(store.Message) error { return nil }

// Text is a text that a phone would have received.
type Text struct {
	ID, Kind, Phone, Template, Language string
	Way                                 liuma.CodeWay // ByVoice for a call
	Card                                liuma.CardID
	Params                              map[string]string
	At, Expires                         time.Time
}

func (p phones) Queue(tx store.Tx, n authority.Notice) (string, error) {
	err := p.real.Queue(checked{tx}, notify.Message{Kind: n.Kind, Card: n.Card, Phone: n.Phone, Template: notify.Template(n.Template), Way: n.Way,
		Language: n.Language, Region: n.Region, Params: n.Params, Expires: n.Expires, Dedup: n.Dedup})
	if err != nil {
		return "", err
	}
	var raw [16]byte
	rand.Read(raw[:])
	id := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))
	plain, err := json.Marshal(Text{ID: id, Kind: n.Kind, Way: n.Way, Phone: n.Phone, Template: n.Template, Language: n.Language,
		Card: n.Card, Params: n.Params, At: p.now(), Expires: n.Expires})
	if err != nil {
		return "", err
	}
	sealed, err := p.vault.Seal(vault.MessageText, []byte(id), plain)
	if err != nil {
		return "", err
	}
	return id, tx.InsertMessage(store.Message{ID: id, Kind: n.Kind, Card: n.Card, Template: n.Template, Language: n.Language,
		Region: n.Region, Sealed: sealed, State: store.MessageWaiting, NextAt: p.now(), Expires: n.Expires, At: p.now()})
}

// Sent waits until the real outbox has sent all queued messages. Without a sender it
// marks them as sent.
func (e *Env) Sent() {
	e.T.Helper()
	if e.Inbox == nil {
		e.must(e.MarkSent())
		return
	}
	patience.Until(e.T, "all texts go out", func() bool {
		s, err := e.System.Outbox.Stats(context.Background())
		e.must(err)
		return s.Codes.Waiting == 0 && s.Notices.Waiting == 0
	})
}

// MarkSent marks all messages as a gateway that took them now would.
func (e *Env) MarkSent() error {
	return e.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		all, err := tx.Messages(store.MessageWaiting, "", 500)
		for _, m := range all {
			m.State, m.DoneAt = store.MessageSent, e.Clock.Now()
			err = errors.Join(err, tx.UpdateMessage(m))
		}
		return audit.Entry{At: e.Clock.Now(), Actor: "test", Event: audit.MessageSent, Outcome: "ok"}, err
	})
}

// received lists what the real outbox sent to a number, with the data of its
// queued message; a text itself does not name its card.
func (e *Env) received(phone string) []Text {
	e.T.Helper()
	e.Sent()
	var all []Text
	for _, r := range e.Inbox.Texts(phone) {
		all = append(all, Text{ID: r.ID, Kind: r.Kind, Way: r.Way, Phone: r.Phone, Template: string(r.Template), Language: r.Language,
			Params: r.Params, At: r.At, Expires: r.Expires})
	}
	return all
}

// Texts lists the messages to a number, oldest first; an empty number means
// all.
func (e *Env) Texts(phone string) []Text {
	e.T.Helper()
	if e.Inbox != nil {
		return e.received(phone)
	}
	var all []Text
	e.must(e.System.Store.View(context.Background(), func(r store.Reader) error {
		all = nil
		after := ""
		for {
			page, err := r.Messages("", after, 500)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, m := range page {
				plain, err := e.System.Vault.Unseal(vault.MessageText, []byte(m.ID), m.Sealed)
				if err != nil {
					return err
				}
				var t Text
				if err := json.Unmarshal(plain, &t); err != nil {
					return err
				}
				if phone == "" || t.Phone == phone {
					all = append(all, t)
				}
				after = m.ID
			}
		}
	}))
	slices.SortStableFunc(all, func(a, b Text) int { return a.At.Compare(b.At) })
	return all
}

// Notices lists the templates of the notices to a number.
func (e *Env) Notices(phone string) []string {
	e.T.Helper()
	var names []string
	for _, t := range e.Texts(phone) {
		if t.Kind == authority.KindNotice {
			names = append(names, t.Template)
		}
	}
	return names
}

// LastCode is the newest one-time code to a number, or empty.
func (e *Env) LastCode(phone string) string {
	e.T.Helper()
	texts := e.Texts(phone)
	for i := len(texts) - 1; i >= 0; i-- {
		if texts[i].Kind == authority.KindCode {
			return texts[i].Params["code"]
		}
	}
	return ""
}

// LastFreezeCode is the newest freeze code to a number, or empty.
func (e *Env) LastFreezeCode(phone string) string {
	e.T.Helper()
	texts := e.Texts(phone)
	for i := len(texts) - 1; i >= 0; i-- {
		if code := texts[i].Params["freeze"]; code != "" {
			return code
		}
	}
	return ""
}

// Code asks for a one-time code and submits it, a minute after the last one.
func (e *Env) Code(p ceremony.Page, h ceremony.Hand, phone string) ceremony.Page {
	e.T.Helper()
	e.Clock.Advance(time.Minute)
	p, err := e.Authority().SendCode(context.Background(), p.ID, h, liuma.ByText)
	e.must(err)
	if p.Code != "" || p.CodeSentAt.IsZero() {
		e.T.Fatalf("code not sent: %+v", p)
	}
	p, err = e.Authority().GiveCode(context.Background(), p.ID, h, e.LastCode(phone))
	e.must(err)
	return p
}

// EnrollPhone plays an enrolment at the hosted door, with a one-time code to
// the phone in the registry, and returns the card's handle.
func (e *Env) EnrollPhone(c authority.Caller, f registry.Facts, secret string) store.Handle {
	e.T.Helper()
	q := e.PushFor(c, liuma.ActionEnroll, Subject(f), &f)
	p, h := e.OpenPage(c, q)
	p, err := e.Authority().Agree(context.Background(), p.ID, h)
	e.must(err)
	if p.Step == ceremony.StepCode {
		p = e.Code(p, h, f.Phone)
	}
	if p = e.GivePIN(p, h, liuma.RoleNew, secret); p.Step != ceremony.StepDone {
		e.T.Fatalf("enroll: %+v", p)
	}
	return e.Return(c, p, h).Card
}

// WithEvidence pushes a ceremony again with evidence for the challenge of its way
// back, and opens it with the given hand: in the same browser, or, with a zero hand,
// in another.
func (e *Env) WithEvidence(c authority.Caller, q ceremony.Push, f registry.Facts, p ceremony.Page, h ceremony.Hand, in ceremony.Hand) (ceremony.Page, ceremony.Hand) {
	e.T.Helper()
	q.Challenge = e.WayBack(p, h).Get("challenge")
	q.Evidence = e.Evidence(f, q.Challenge)
	return e.OpenPageIn(c, q, in)
}
