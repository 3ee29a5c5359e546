package testkit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/test/printed"
)

const newNumber = "13912345670"

// gossip is a gateway that accepts one-time codes, and refuses every notice
// with an error that repeats the whole message.
type gossip struct {
	mu    sync.Mutex
	texts []notify.Text // guarded by mu
}

func (g *gossip) Send(_ context.Context, t notify.Text) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.texts = append(g.texts, t)
	if t.Kind == authority.KindNotice {
		return "", fmt.Errorf("no route for %s to %s: %v", t.Body, t.Phone, t.Params)
	}
	return "ref-" + t.ID, nil
}

// wait returns the newest text of a kind to a number, once there are n; the
// outbox sends in the background.
func (g *gossip) wait(t testing.TB, kind, phone, param string, n int) string {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var got []string
		g.mu.Lock()
		for _, text := range g.texts {
			if text.Kind == kind && text.Phone == phone {
				got = append(got, text.Params[param])
			}
		}
		g.mu.Unlock()
		if len(got) >= n {
			return got[len(got)-1]
		}
	}
	t.Fatalf("fewer than %d texts of kind %s came", n, kind)
	return ""
}

// secrets lists all one-time codes and freeze codes that were sent.
func (g *gossip) secrets() map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := map[string]string{}
	for _, t := range g.texts {
		for _, name := range []string{"code", "freeze"} {
			if v := t.Params[name]; v != "" {
				out[name+" of "+string(t.Template)+" "+v] = v
			}
		}
	}
	return out
}

// recovering is the story of one holder at the hosted door, with everything
// that was logged, sent or returned.
type recovering struct {
	*testkit.Env
	phone *gossip
	ch    authority.Caller
	who   registry.Facts
	card  store.Handle
	codes map[string]int // that went to a number
	said  bytes.Buffer
	kept  []string // secrets that pages give out for cookies: for no file and no log
}

func (x *recovering) hear(p ceremony.Page, err error) ceremony.Page {
	x.T.Helper()
	if p.Bound != "" {
		x.kept = append(x.kept, p.Bound)
	}
	p.Bound = ""
	j, jerr := json.Marshal(p)
	fmt.Fprintf(&x.said, "%+v %s %v\n%v %+v %#v\n", p, j, jerr, err, err, err)
	if err != nil {
		x.T.Fatal(err)
	}
	return p
}

func (x *recovering) open(a liuma.Action) (ceremony.Push, ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	q := x.PushFor(x.ch, a, envelope.Subject{Card: string(x.card)}, nil)
	p, h := x.OpenPage(x.ch, q)
	x.kept = append(x.kept, h.Secret)
	if p.Step == ceremony.StepConfirm {
		p = x.hear(x.Authority().Agree(context.Background(), p.ID, h))
	}
	return q, p, h
}

func (x *recovering) code(p ceremony.Page, h ceremony.Hand, number string) ceremony.Page {
	x.T.Helper()
	ctx := context.Background()
	x.Clock.Advance(time.Minute)
	x.hear(x.Authority().SendCode(ctx, p.ID, h, liuma.ByText))
	x.codes[number]++
	code := x.phone.wait(x.T, authority.KindCode, number, "code", x.codes[number])
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	x.hear(x.Authority().GiveCode(ctx, p.ID, h, wrong))
	return x.hear(x.Authority().GiveCode(ctx, p.ID, h, code))
}

// prove goes on with evidence, in the same browser.
func (x *recovering) prove(q ceremony.Push, p ceremony.Page, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, again := x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.kept = append(x.kept, again.Secret)
	return x.hear(p, nil), again
}

func (x *recovering) give(p ceremony.Page, h ceremony.Hand, role liuma.Role, secret string, want ceremony.Step) ceremony.Page {
	x.T.Helper()
	p = x.hear(x.GivePIN(p, h, role, secret), nil)
	if p.Step != want {
		x.T.Fatalf("step %s, want %s: %+v", p.Step, want, p)
	}
	return p
}

// back redeems the way back of a ceremony, first with another's verifier.
func (x *recovering) back(p ceremony.Page, h ceremony.Hand) {
	x.T.Helper()
	code := x.WayBack(p, h).Get("code")
	x.kept = append(x.kept, code)
	for _, verifier := range []string{"somebody-else", testkit.Verifier, testkit.Verifier} {
		g, err := x.Authority().RedeemCode(context.Background(), x.ch, code, testkit.RedirectURI, verifier)
		fmt.Fprintf(&x.said, "%+v %v %+v\n", g, err, err)
	}
}

// play goes through every ceremony of the bound phone.
func (x *recovering) play() {
	x.T.Helper()
	ctx, a := context.Background(), x.Authority()
	q := x.PushFor(x.ch, liuma.ActionEnroll, testkit.Subject(x.who), &x.who)
	p, h := x.OpenPage(x.ch, q)
	x.kept = append(x.kept, h.Secret)
	p = x.hear(a.Agree(ctx, p.ID, h))
	p = x.code(p, h, x.who.Phone)
	p = x.give(p, h, liuma.RoleNew, "112233", ceremony.StepPIN)
	p = x.give(p, h, liuma.RoleNew, firstPIN, ceremony.StepDone)
	x.back(p, h)
	v, err := a.Verification(ctx, x.ch, q.BusinessNo)
	if x.card = v.Card; err != nil || x.card == "" {
		x.T.Fatalf("enroll: %+v, %v", v, err)
	}
	x.phone.wait(x.T, authority.KindNotice, x.who.Phone, "freeze", 1) // before it is too late to send it
	x.Clock.Advance(73 * time.Hour)

	_, p, h = x.open(liuma.ActionVerify)
	p = x.give(p, h, liuma.RoleCurrent, wrongPIN, ceremony.StepPIN)
	p = x.give(p, h, liuma.RoleCurrent, firstPIN, ceremony.StepDone)
	p = x.code(p, h, x.who.Phone)
	x.back(p, h)

	q, p, h = x.open(liuma.ActionVerify)
	p = x.hear(a.Forgot(ctx, p.ID, h))
	p = x.code(p, h, x.who.Phone)
	p, h = x.prove(q, p, h)
	p = x.give(p, h, liuma.RoleNew, secondPIN, ceremony.StepPIN)
	x.give(p, h, liuma.RoleCurrent, secondPIN, ceremony.StepDone)
	x.cards()
	x.Clock.Advance(25 * time.Hour) // a link has three texts a day

	q, p, h = x.open(liuma.ActionRebind)
	p = x.give(p, h, liuma.RoleCurrent, secondPIN, ceremony.StepEvidence)
	p, h = x.prove(q, p, h)
	x.hear(a.GivePhone(ctx, p.ID, h, "139 1234"))
	p = x.hear(a.GivePhone(ctx, p.ID, h, newNumber))
	if p = x.code(p, h, newNumber); p.Step != ceremony.StepDone {
		x.T.Fatalf("rebind: %+v", p)
	}
	freeze := x.phone.wait(x.T, authority.KindNotice, newNumber, "freeze", 1)
	x.Clock.Advance(73 * time.Hour)
	x.freezes(freeze)
}

// cards tries a reset by the physical card's number.
func (x *recovering) cards() {
	x.T.Helper()
	_, p, h := x.open(liuma.ActionReset)
	p = x.code(p, h, x.who.Phone)
	x.hear(x.Authority().GiveCardNo(context.Background(), p.ID, h, "A00000000"))
	p = x.hear(x.Authority().GiveCardNo(context.Background(), p.ID, h, x.who.CardNo))
	if p.Code != liuma.CodeResetPlanned {
		x.T.Fatalf("card number: %+v", p)
	}
}

// freezes freezes the card by a freeze code and by the hotline, and unfreezes
// it.
func (x *recovering) freezes(code string) {
	x.T.Helper()
	ctx, a := context.Background(), x.Authority()
	for _, typed := range []string{"22222222", x.who.IDNumber, code} {
		v, err := a.FreezeByCode(ctx, "192.0.2.7", typed)
		fmt.Fprintf(&x.said, "%+v %v %+v\n", v, err, err)
	}
	hotline := authority.Caller{Client: x.AddClient(store.Client{ID: "hotline", Kind: store.ClientHotline}, x.NewKey())}
	for _, id := range []string{x.who.IDNumber, x.who.IDNumber[:17] + "?", x.People[5].IDNumber} {
		bn := x.BusinessNo()
		v, err := a.FreezeByHotline(ctx, hotline, authority.HotlineFreeze{BusinessNo: bn, IDNumber: id, Digest: testkit.Digest(string(bn))})
		fmt.Fprintf(&x.said, "%+v %v %+v\n", v, err, err)
	}
	_, p, h := x.open(liuma.ActionUnfreeze)
	p = x.code(p, h, newNumber)
	x.give(p, h, liuma.RoleCurrent, secondPIN, ceremony.StepDone)
}

// known reports whether a code is a number that is there anyway: a region's, a business
// number. One in a thousand runs has such a code among its dozen.
func known(before map[string][]byte, code string) bool {
	for _, dump := range before {
		if alone(dump, code) {
			return true
		}
	}
	return code < "001000" // bn-000001 and on
}

// alone reports whether a code of digits is in a dump by itself: as part of a
// longer run of digits it is a time or a count, and within an id it is there by chance.
func alone(dump []byte, code string) bool {
	for at := 0; ; {
		i := bytes.Index(dump[at:], []byte(code))
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(code)
		digit := func(n int) bool { return n >= 0 && n < len(dump) && dump[n] >= '0' && dump[n] <= '9' }
		if !digit(from-1) && !digit(to) && printed.Has(string(dump[max(0, from-20):min(len(dump), to+20)]), code) {
			return true
		}
		at = from + 1
	}
}

// TestNoSecretOfARecoveryLeavesTheProcess (I-6) checks the hosted door and the
// bound phone: PINs, one-time codes, freeze codes, numbers, and the secrets of
// browsers and devices are in no log (even if the gateway's errors repeat
// them), in no error, and in no file, with the outbox full of notices.
func TestNoSecretOfARecoveryLeavesTheProcess(t *testing.T) {
	log, phone := &record{}, &gossip{}
	rules := policy.National()
	rules.Recovery.CardNumber = true
	env := testkit.New(t, testkit.Options{Texts: phone, Policy: &rules,
		Logger: log.logger(),
	})
	x := &recovering{Env: env, phone: phone, ch: env.Channel("zj-hrss"), who: env.People[0], codes: map[string]int{}}
	before := files(t, env.Dir)
	x.play()
	open := files(t, env.Dir)
	env.Close()
	closed := files(t, env.Dir)
	env.Open() // so that the test's end finds it as New left it

	places := map[string][]byte{"answers and errors": x.said.Bytes(), "log": log.lines(env.Dir)}
	wal := false
	for name, b := range open {
		places["open "+name] = b
		wal = wal || strings.HasSuffix(name, "-wal") && len(b) > 0
	}
	for name, b := range closed {
		places["closed "+name] = b
	}
	secrets := phone.secrets()
	if len(secrets) < 12 || len(x.kept) < 8 || !wal || len(places["log"]) == 0 || !bytes.Contains(places["log"], []byte("notice")) {
		t.Fatalf("there is too little to look for: %d texts, %d secrets, WAL %v, %d bytes of log", len(secrets), len(x.kept), wal, len(places["log"]))
	}
	for what, secret := range map[string]string{
		"first PIN": firstPIN, "second PIN": secondPIN, "wrong PIN": wrongPIN, "weak PIN": "112233", "ID number": x.who.IDNumber,
		"phone": x.who.Phone, "new phone": newNumber, "card number": x.who.CardNo, "name": x.who.Name,
	} {
		secrets[what] = secret
	}
	for place, dump := range places {
		for what, secret := range secrets {
			if strings.HasPrefix(what, "code ") && alone(dump, secret) && !known(before, secret) || !strings.HasPrefix(what, "code ") && holds(dump, []byte(secret)) {
				t.Errorf("%s holds the %s", place, what)
			}
		}
		for n, secret := range x.kept {
			if holds(dump, []byte(secret)) {
				t.Errorf("%s holds secret %d of a browser", place, n)
			}
		}
	}
}
