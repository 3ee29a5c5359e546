package rehearsal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// tokenCases are ID tokens that prove nothing, with good or bad signatures.
func tokenCases() []Case {
	spoil := func(f func(*vault.IDToken)) spoiler {
		return func(s *stage, d vault.IDToken) (string, error) { f(&d); return s.world.System.Vault.SignIDToken(d) }
	}
	var out []Case
	for _, x := range []struct {
		id, name string
		spoil    spoiler
	}{
		{"token-audience", "an ID token for another channel (aud)", spoil(func(d *vault.IDToken) { d.Channel = "another-app" })},
		{"token-issuer", "an ID token of another issuer (iss)", spoil(func(d *vault.IDToken) { d.Issuer = "https://evil.example" })},
		{"token-nonce", "an ID token with another nonce", spoil(func(d *vault.IDToken) { d.Nonce = "another-nonce" })},
		{"token-expired", "an ID token past its end (exp)", spoil(func(d *vault.IDToken) {
			d.AuthTime, d.IssuedAt, d.Expires = d.AuthTime.Add(-time.Hour), d.IssuedAt.Add(-time.Hour), d.Expires.Add(-time.Hour)
		})},
		{"token-request", "an ID token about another business number", spoil(func(d *vault.IDToken) { d.BusinessNo = "ANOTHER-1" })},
		{"token-action", "an ID token about another action", spoil(func(d *vault.IDToken) { d.Action = liuma.ActionLink })},
		{"token-purpose", "an ID token about another purpose", spoil(func(d *vault.IDToken) { d.PurposeHash[0]++ })},
		{"token-card", "an ID token about another card", spoil(func(d *vault.IDToken) { d.Card = strings.Repeat("f", 32) })},
		{"token-key", "an ID token that another key signed", forgedKey},
		{"token-receipt", "a receipt of the native door in the place of the ID token", receiptInstead},
		{"token-unsigned", "an ID token without a signature (alg none)", unsigned},
		{"token-none", "an answer without an ID token", func(*stage, vault.IDToken) (string, error) { return "", nil }},
	} {
		out = append(out, Case{ID: x.id, Name: x.name, Right: "nothing opens", See: comeBack, play: func(ctx context.Context, s *stage) error {
			b, back, err := s.verified(ctx)
			if err != nil {
				return err
			}
			s.front.changes(func(r *http.Request, _ url.Values, a *answer) {
				if r.URL.Path == "/token" {
					s.respoil(a, x.spoil)
				}
			})
			if _, err := b.comes(ctx, back); err != nil {
				return err
			}
			return b.closed(ctx, 1)
		}})
	}
	return out
}
