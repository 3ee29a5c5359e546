package attack

import (
	"context"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// TestAReceiptOfAClockAheadIsNotKept: a receipt that was signed while the clock
// was ahead is dead a minute after its verdict, also when the true time gets to
// where the clock was.
func TestAReceiptOfAClockAheadIsNotKept(t *testing.T) {
	w := newWorld(t, false)
	w.Clock.Step(time.Hour)
	v, err := w.home.verify(w.card, goodPIN)
	if must(t, v, err); v.Receipt == "" {
		t.Fatalf("%+v", v)
	}
	w.Clock.Step(-time.Hour)
	for range 70 {
		w.Clock.Advance(time.Minute)
		if r, err := w.home.native.Redeem(context.Background(), v.Receipt); err == nil {
			t.Fatalf("redeemed at %v, %v after its verdict: %+v", w.Clock.Now(), w.Clock.Now().Sub(v.At)+time.Hour, r)
		}
	}
}

// TestAChallengeOfAClockAheadIsNotKept: it lives five minutes.
func TestAChallengeOfAClockAheadIsNotKept(t *testing.T) {
	w := newWorld(t, false)
	w.Clock.Step(31 * day)
	ch := w.home.challenge()
	w.Clock.Step(-31 * day)
	w.Clock.Advance(2 * time.Hour)
	fresh := w.home.challenge()
	ask := client.DeviceRequest{Channel: w.home.ID, Action: client.Verify, BusinessNo: w.number(), Purpose: purpose,
		Subject: client.Subject{Card: w.card}, Challenge: client.Challenge{Value: ch.Value, SealKey: fresh.SealKey}}
	sealed, err := ask.SealPIN([]byte(goodPIN))
	must(t, sealed, err)
	v, err := w.home.native.Verify(context.Background(), client.VerifyRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: purpose,
		Challenge: ch.Value, PIN: sealed})
	if err == nil {
		t.Errorf("two hours later it passes: %+v", v)
	}
}
