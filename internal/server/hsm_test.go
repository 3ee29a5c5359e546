package server_test

import (
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestTokenOfTheVaultAway: while the token that signs is away nobody's guess is
// counted, the verdict is unavailable, the server says that it is not ready, and the
// holder gets in as soon as it is back.
func TestTokenOfTheVaultAway(t *testing.T) {
	hsm := tokentest.NewSoft(t, "one")
	e := testkit.New(t, testkit.Options{Token: hsm})
	c := e.Channel("zj-hrss")
	card := e.Enroll(c, e.People[0], "835162")
	if v := e.Verify(c, card, "835162"); v.Verdict != liuma.Right || v.Receipt == "" {
		t.Fatalf("%+v", v)
	}
	hsm.TakeOut(token.ErrAway)
	eventually(t, "not ready", func() bool { return e.System.Authority.Ready(t.Context()) != nil })
	for range 7 {
		_, err := e.Authority().Verify(t.Context(), c, e.VerifyRequest(c, card, "802751"))
		if liuma.CodeOf(err) != liuma.CodeUnavailable || !errors.Is(err, token.ErrAway) {
			t.Fatalf("%v, want unavailable", err)
		}
	}
	hsm.TakeOut(nil)
	eventually(t, "ready again", func() bool { return e.System.Authority.Ready(t.Context()) == nil })
	if v := e.Verify(c, card, "835162"); v.Verdict != liuma.Right || v.Receipt == "" {
		t.Errorf("once it is back: %+v", v)
	}
}

// TestOpenWithoutTheToken: a directory whose key file is sealed does not open without
// its token, and says why.
func TestOpenWithoutTheToken(t *testing.T) {
	e := testkit.New(t, testkit.Options{Token: tokentest.NewSoft(t, "one")})
	c := e.System.Config
	e.Close()
	if _, err := server.Open(t.Context(), c, server.Options{}); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("no token: %v", err)
	}
	if _, err := server.Open(t.Context(), c, server.Options{Token: tokentest.NewSoft(t, "one")}); !errors.Is(err, vault.ErrOtherToken) {
		t.Errorf("another token: %v", err)
	}
	c.HSM = config.HSM{Module: "/nowhere/lib.so", Token: "one", PINFile: c.Vault}
	if _, err := server.Open(t.Context(), c, server.Options{}); err == nil {
		t.Error("opened with a module that is not there")
	}
}
