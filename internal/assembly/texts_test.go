package assembly_test

import (
	"context"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testenv"
)

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// channel registers a channel that may do everything everywhere.
func channel(e *testenv.Env) authority.Caller {
	return authority.Caller{Client: e.AddClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel,
		Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{testenv.RedirectURI}}, e.NewKey())}
}

// enroll plays an enrolment with the code that read gives.
func enroll(t *testing.T, e *testenv.Env, c authority.Caller, f registry.Facts, read func() string) store.Handle {
	t.Helper()
	ctx := context.Background()
	q := e.PushFor(c, liuma.ActionEnroll, testenv.Subject(f), &f)
	p, h := e.OpenPage(c, q)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := e.Authority().Agree(ctx, p.ID, h)
	must(err)
	if p.Step != authority.StepCode {
		t.Fatalf("no code was asked for: %+v", p)
	}
	p, err = e.Authority().SendCode(ctx, p.ID, h)
	must(err)
	p, err = e.Authority().GiveCode(ctx, p.ID, h, read())
	must(err)
	if p = e.GivePIN(p, h, liuma.RoleNew, "483920"); p.Step != authority.StepDone {
		t.Fatalf("enroll: %+v", p)
	}
	v, err := e.Authority().Verification(ctx, c, q.BusinessNo)
	must(err)
	return v.Card
}

// TestTextsReachThePhone: what the authority queues comes out of the driver,
// code and notice, as it was asked for.
func TestTextsReachThePhone(t *testing.T) {
	inbox := notify.NewInbox(time.Now)
	e := testenv.New(t, testenv.Options{Texts: inbox})
	f := e.People[0]
	of := func(name notify.Template) (found []notify.Received) {
		for _, r := range inbox.Texts(f.Phone) {
			if r.Template == name {
				found = append(found, r)
			}
		}
		return found
	}
	enroll(t, e, channel(e), f, func() string {
		eventually(t, "the code", func() bool { return len(of(notify.CodeBind)) == 1 })
		return of(notify.CodeBind)[0].Params["code"]
	})
	eventually(t, "the notice", func() bool { return len(of(notify.PINSet)) == 1 })
	s, err := e.System.Outbox.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Codes.Sent != 1 || s.Notices.Sent == 0 || s.Codes.Dead+s.Notices.Dead > 0 {
		t.Errorf("%+v", s)
	}
}
