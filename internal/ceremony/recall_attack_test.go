package ceremony_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestAStaleCallerDoesNothing: every native act, also a repetition, of a caller
// whose registration changed is sent back before anything is done or answered.
func TestAStaleCallerDoesNothing(t *testing.T) {
	for name, how := range map[string]func(*store.Client){
		"stopped":  func(c *store.Client) { c.Stopped = true },
		"narrowed": func(c *store.Client) { c.Actions = []liuma.Action{liuma.ActionFreeze} },
		"regions":  func(c *store.Client) { c.Regions = []liuma.Region{"33"} },
		"keys":     func(c *store.Client) { c.Keys = append([]byte(" "), c.Keys...) },
	} {
		t.Run(name, func(t *testing.T) {
			waits := 0
			env := testkit.New(t, testkit.Options{Wait: func(context.Context, time.Duration) { waits++ }})
			ch := env.Channel("home")
			a := env.Authority()
			card := env.Enroll(ch, env.People[0], goodPIN)
			done := env.VerifyRequest(ch, card, goodPIN)
			if v, err := a.Verify(t.Context(), ch, done); err != nil || v.Verdict != liuma.Right {
				t.Fatal(v, err)
			}
			linked := env.LinkRequest(ch, env.People[0], goodPIN)
			if _, err := a.Link(t.Context(), ch, linked); err != nil {
				t.Fatal(err)
			}
			enroll := env.EnrollRequest(ch, env.People[1], goodPIN)
			link, nobody := env.LinkRequest(ch, env.People[0], goodPIN), env.LinkRequest(ch, env.People[2], goodPIN)
			verify, change := env.VerifyRequest(ch, card, goodPIN), env.ChangeRequest(ch, card, goodPIN, "627159")
			unlinked := env.VerifyRequest(ch, "abcdefghijklmnopqrstuvwxyz234567", goodPIN)
			freeze := authority.Request{BusinessNo: env.BusinessNo(), Subject: envelope.Subject{Card: string(card)}}
			err := env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				c, err := tx.Client("home")
				if err != nil {
					return audit.Entry{}, err
				}
				how(&c)
				return audit.Entry{At: env.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.UpdateClient(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			late := env.LinkRequest
			_ = late
			waits = 0
			for what, ask := range map[string]func() (authority.Verification, error){
				"enroll":       func() (authority.Verification, error) { return a.Enroll(t.Context(), ch, enroll) },
				"link":         func() (authority.Verification, error) { return a.Link(t.Context(), ch, link) },
				"link nobody":  func() (authority.Verification, error) { return a.Link(t.Context(), ch, nobody) },
				"link again":   func() (authority.Verification, error) { return a.Link(t.Context(), ch, linked) },
				"verify":       func() (authority.Verification, error) { return a.Verify(t.Context(), ch, verify) },
				"verify again": func() (authority.Verification, error) { return a.Verify(t.Context(), ch, done) },
				"no link":      func() (authority.Verification, error) { return a.Verify(t.Context(), ch, unlinked) },
				"change":       func() (authority.Verification, error) { return a.Change(t.Context(), ch, change) },
				"freeze":       func() (authority.Verification, error) { return a.Freeze(t.Context(), ch, freeze) },
				"link bad seal": func() (authority.Verification, error) {
					l := linked
					l.Current = envelope.Envelope{}
					return a.Link(t.Context(), ch, l)
				},
				"link late": func() (authority.Verification, error) {
					l := linked
					l.Challenge = "x"
					return a.Link(t.Context(), ch, l)
				},
			} {
				v, err := ask()
				if !errors.Is(err, authority.ErrClientChanged) || v.State != "" {
					t.Errorf("%s: %+v, %v", what, v, err)
				}
			}
			t.Logf("paced %d times", waits)
		})
	}
}
