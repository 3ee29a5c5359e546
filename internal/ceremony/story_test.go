package ceremony_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	goodPIN  = "274916"
	otherPIN = "838527"
	wrongPIN = "619384"
)

// wantCode fails the test unless err is a *liuma.Error with the code.
func wantCode(t *testing.T, err error, code liuma.Code) *liuma.Error {
	t.Helper()
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	return e
}

func TestTheMainJob(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3", "3/5"} {
		t.Run(shape, func(t *testing.T) {
			env := testkit.New(t, testkit.Options{Shape: shape})
			one, two := env.Channel("zj-hrss"), env.Channel("national")
			who := env.People[0]
			card := env.Enroll(one, who, goodPIN)

			if v := env.Verify(one, card, goodPIN); v.Verdict != liuma.Right || v.Receipt == "" {
				t.Fatalf("right PIN: %+v", v)
			}
			linked, err := env.Authority().Link(t.Context(), two, env.LinkRequest(two, who, goodPIN))
			if err != nil || linked.Verdict != liuma.Right || linked.Card == "" {
				t.Fatalf("link: %+v, %v", linked, err)
			}
			if linked.Card == card {
				t.Error("two channels have the same handle for one card")
			}
			for left := 5; left >= 0; left-- {
				v := env.Verify(one, card, wrongPIN)
				if v.Verdict != liuma.Wrong || v.TriesLeft == nil || *v.TriesLeft != left {
					t.Fatalf("wrong PIN: %+v, want %d left", v, left)
				}
			}
			v := env.Verify(two, linked.Card, goodPIN)
			if v.Verdict != liuma.Locked || !v.Until.Equal(env.Clock.Now().Add(24*time.Hour)) {
				t.Fatalf("after six: %+v", v)
			}
			env.Clock.Advance(24 * time.Hour)
			if v := env.Verify(two, linked.Card, goodPIN); v.Verdict != liuma.Right {
				t.Fatalf("a day later: %+v", v)
			}
			env.Clock.Advance(48 * time.Hour) // until the link is known
			if v := env.Change(two, linked.Card, goodPIN, otherPIN); v.Verdict != liuma.Right {
				t.Fatalf("change: %+v", v)
			}
			if v := env.Verify(one, card, goodPIN); v.Verdict != liuma.Wrong {
				t.Fatalf("old PIN after change: %+v", v)
			}
			if v := env.Verify(one, card, otherPIN); v.Verdict != liuma.Right {
				t.Fatalf("new PIN after change: %+v", v)
			}
		})
	}
}

func TestEnrollRefuses(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	a := env.Authority()
	ctx := t.Context()

	t.Run("without evidence", func(t *testing.T) {
		q := env.EnrollRequest(ch, env.People[1], goodPIN)
		q.Evidence = ""
		_, err := a.Enroll(ctx, ch, q)
		if e := wantCode(t, err, liuma.CodeEvidenceRequired); e.Challenge == "" {
			t.Error("no challenge to get evidence for")
		}
	})
	t.Run("evidence about somebody else", func(t *testing.T) {
		q := env.EnrollRequest(ch, env.People[1], goodPIN)
		q.Evidence = env.Evidence(env.People[2], q.Challenge)
		_, err := a.Enroll(ctx, ch, q)
		wantCode(t, err, liuma.CodeEvidenceInvalid)
	})
	t.Run("evidence for another challenge", func(t *testing.T) {
		q := env.EnrollRequest(ch, env.People[3], goodPIN)
		if _, err := a.Enroll(ctx, ch, q); err != nil {
			t.Fatal(err)
		}
		again := env.EnrollRequest(ch, env.People[3], goodPIN)
		again.Evidence = q.Evidence
		_, err := a.Enroll(ctx, ch, again)
		wantCode(t, err, liuma.CodeEvidenceInvalid)
	})
	t.Run("not in the registry", func(t *testing.T) {
		f := env.People[4]
		f.Name = "查无此人"
		_, err := a.Enroll(ctx, ch, env.EnrollRequest(ch, f, goodPIN))
		wantCode(t, err, liuma.CodeNotInRegistry)
	})
	t.Run("already enrolled", func(t *testing.T) {
		env.Enroll(ch, env.People[5], goodPIN)
		_, err := a.Enroll(ctx, ch, env.EnrollRequest(ch, env.People[5], otherPIN))
		wantCode(t, err, liuma.CodeAlreadyEnrolled)
	})
	for _, weak := range []string{"123456", "112233", env.People[6].IDNumber[8:14], env.People[6].Phone[5:]} {
		_, err := a.Enroll(ctx, ch, env.EnrollRequest(ch, env.People[6], weak))
		if e := wantCode(t, err, liuma.CodeWeakPIN); e.Reason == "" || e.Sentence.ZH == "" {
			t.Error("weak PIN refused without a reason")
		}
	}
	t.Run("challenge of another channel", func(t *testing.T) {
		other := env.Channel("other")
		_, err := a.Enroll(ctx, other, env.EnrollRequest(ch, env.People[7], goodPIN))
		wantCode(t, err, liuma.CodeChallengeExpired)
	})
	t.Run("too late", func(t *testing.T) {
		q := env.EnrollRequest(ch, env.People[8], goodPIN)
		env.Clock.Advance(5*time.Minute + time.Second)
		_, err := a.Enroll(ctx, ch, q)
		wantCode(t, err, liuma.CodeChallengeExpired)
	})
	t.Run("action not registered", func(t *testing.T) {
		limited := ch
		limited.Client.Actions = []liuma.Action{liuma.ActionVerify}
		_, err := a.Enroll(ctx, limited, env.EnrollRequest(ch, env.People[9], goodPIN))
		wantCode(t, err, liuma.CodeForbidden)
	})
	t.Run("region not registered", func(t *testing.T) {
		limited := ch
		limited.Client.Regions = []liuma.Region{"33"}
		q := env.EnrollRequest(ch, env.People[9], goodPIN)
		q.Region = "44"
		_, err := a.Enroll(ctx, limited, q)
		wantCode(t, err, liuma.CodeForbidden)
	})
}

// TestOneRefusalWithoutALink compares the refusals that a channel without a
// link gets for every reason: the same answer, at the same pace.
func TestOneRefusalWithoutALink(t *testing.T) {
	var waited []time.Duration
	env := testkit.New(t, testkit.Options{Wait: func(_ context.Context, d time.Duration) { waited = append(waited, d) }})
	home, away := env.Channel("home"), env.Channel("away")
	a := env.Authority()
	env.Enroll(home, env.People[0], goodPIN)
	locked := env.Enroll(home, env.People[1], goodPIN)
	for range 6 {
		env.Verify(home, locked, wrongPIN)
	}
	frozen := env.Enroll(home, env.People[2], goodPIN)
	if _, err := a.Freeze(t.Context(), home, authority.Request{
		BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(home, frozen, goodPIN).Subject,
	}); err != nil {
		t.Fatal(err)
	}
	wrongName := env.People[0]
	wrongName.Name = "王大力"

	waited = nil
	var answers []authority.Verification
	link := func(q authority.Request) {
		v, err := a.Link(t.Context(), away, q)
		if err != nil {
			t.Fatal(err)
		}
		v.BusinessNo, v.At = "", time.Time{}
		answers = append(answers, v)
	}
	link(env.LinkRequest(away, env.People[0], wrongPIN))
	link(env.LinkRequest(away, wrongName, goodPIN))
	link(env.LinkRequest(away, env.People[1], goodPIN)) // locked
	link(env.LinkRequest(away, env.People[2], goodPIN)) // frozen
	link(env.LinkRequest(away, env.People[3], goodPIN)) // no card
	verify := env.VerifyRequest(away, store.Handle("abcdefghijklmnopqrstuvwxyz234567"), goodPIN)
	v, err := a.Verify(t.Context(), away, verify)
	if err != nil {
		t.Fatal(err)
	}
	v.BusinessNo, v.At, v.Action = "", time.Time{}, liuma.ActionLink
	answers = append(answers, v)
	for i, got := range answers {
		if got != answers[0] || got.Code != liuma.CodeRefused || got.Verdict != "" || got.TriesLeft != nil || !got.Until.IsZero() {
			t.Errorf("answer %d differs: %+v", i, got)
		}
	}
	if len(waited) != len(answers) {
		t.Errorf("%d refusals were paced, want %d", len(waited), len(answers))
	}
	// Asking later by the same business numbers shows nothing more.
	got, err := a.Verification(t.Context(), away, verify.BusinessNo)
	if err != nil || got.Code != liuma.CodeRefused || got.Verdict != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestBusinessNumberMakesOneAttempt repeats requests and counts guesses (I-11).
func TestBusinessNumberMakesOneAttempt(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	q := env.VerifyRequest(ch, card, wrongPIN)
	first, err := env.Authority().Verify(t.Context(), ch, q)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		again, err := env.Authority().Verify(t.Context(), ch, q)
		if err != nil || again.Verdict != first.Verdict || *again.TriesLeft != *first.TriesLeft {
			t.Fatalf("repetition: %+v, %v", again, err)
		}
	}
	other := q
	other.Digest = testkit.Digest("something else")
	_, err = env.Authority().Verify(t.Context(), ch, other)
	wantCode(t, err, liuma.CodeBusinessNoUsed)
	if v := env.Verify(ch, card, wrongPIN); *v.TriesLeft != 4 {
		t.Errorf("eleven repetitions cost %d tries, want 1", 5-*v.TriesLeft)
	}
}

// TestReceiptIsRedeemedOnceAndOnlyUnchanged covers I-10.
func TestReceiptIsRedeemedOnceAndOnlyUnchanged(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch, other := env.Channel("zj-hrss"), env.Channel("other")
	a := env.Authority()
	redeem := func(c authority.Caller, receipt string) error {
		_, err := a.Redeem(context.Background(), c, receipt)
		return err
	}
	for i, tt := range []struct {
		name  string
		after func(card store.Handle, v authority.Verification) authority.Caller
		want  liuma.Code
	}{
		{"at once", func(store.Handle, authority.Verification) authority.Caller { return ch }, ""},
		{"by another channel", func(store.Handle, authority.Verification) authority.Caller { return other }, liuma.CodeReceiptInvalid},
		{"twice", func(_ store.Handle, v authority.Verification) authority.Caller {
			if err := redeem(ch, v.Receipt); err != nil {
				t.Fatal(err)
			}
			return ch
		}, liuma.CodeReceiptSpent},
		{"after a change", func(card store.Handle, _ authority.Verification) authority.Caller {
			env.Change(ch, card, goodPIN, otherPIN)
			return ch
		}, liuma.CodeReceiptStale},
		{"after a freeze", func(card store.Handle, _ authority.Verification) authority.Caller {
			q := authority.Request{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(ch, card, goodPIN).Subject}
			if _, err := a.Freeze(context.Background(), ch, q); err != nil {
				t.Fatal(err)
			}
			return ch
		}, liuma.CodeReceiptStale},
		{"after a minute", func(store.Handle, authority.Verification) authority.Caller {
			env.Clock.Advance(61 * time.Second)
			return ch
		}, liuma.CodeReceiptInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			card := env.Enroll(ch, env.People[i], goodPIN)
			v := env.Verify(ch, card, goodPIN)
			if _, err := vault.ParseReceipt(v.Receipt, a.ReceiptKeys(), env.System.Config.Issuer, "zj-hrss", env.Clock.Now()); err != nil {
				t.Fatal(err)
			}
			err := redeem(tt.after(card, v), v.Receipt)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, tt.want)
		})
	}
}

func testCaller(c store.Client) authority.Caller { return authority.Caller{Client: c} }
