package vault

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

const minute = time.Minute

func now() time.Time { return time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC) }

func TestChallengeLivesItsTime(t *testing.T) {
	path := newFile(t)
	v, peer, other := open(t, path), open(t, path), newTestVault(t)
	c, err := v.NewChallenge("zj-hrss", now(), 5*minute)
	must(t, err)
	if len(c) != 54 {
		t.Errorf("%d characters, documented as 54", len(c))
	}
	must(t, v.CheckChallenge("zj-hrss", c, now()))
	must(t, v.CheckChallenge("zj-hrss", c, now().Add(5*minute-time.Millisecond)))
	must(t, peer.CheckChallenge("zj-hrss", c, now())) // nothing is stored
	for name, err := range map[string]error{
		"at its end":      v.CheckChallenge("zj-hrss", c, now().Add(5*minute)),
		"long after":      v.CheckChallenge("zj-hrss", c, now().Add(24*time.Hour)),
		"another channel": v.CheckChallenge("js-hrss", c, now()),
		"another vault":   other.CheckChallenge("zj-hrss", c, now()),
		"empty":           v.CheckChallenge("zj-hrss", "", now()),
		"padded":          v.CheckChallenge("zj-hrss", c+"==", now()),
		"cut":             v.CheckChallenge("zj-hrss", c[:53], now()),
		"newline":         v.CheckChallenge("zj-hrss", c[:53]+"\n", now()),
		"long":            v.CheckChallenge("zj-hrss", strings.Repeat(c, 1000), now()),
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, err, liuma.CodeChallengeExpired) })
	}
	raw, err := base64.RawURLEncoding.DecodeString(c)
	must(t, err)
	for i := range raw {
		raw[i] ^= 1
		if v.CheckChallenge("zj-hrss", base64.RawURLEncoding.EncodeToString(raw), now()) == nil {
			t.Errorf("byte %d can be changed", i)
		}
		raw[i] ^= 1
	}
	again, err := v.NewChallenge("zj-hrss", now(), 5*minute)
	must(t, err)
	if again == c {
		t.Error("two challenges are equal")
	}
}

func TestChallengeLifetimeIsBounded(t *testing.T) {
	v := newTestVault(t)
	for _, ttl := range []time.Duration{0, -minute, time.Microsecond, time.Hour + 1} {
		if _, err := v.NewChallenge("zj-hrss", now(), ttl); err == nil {
			t.Errorf("lifetime %v accepted", ttl)
		}
	}
}
