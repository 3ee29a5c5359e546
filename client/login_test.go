package client_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"testing"

	"github.com/liuma-pin/liuma/client"
)

// TestLogIn: an answer counts only in the session and the account that pushed,
// with that push's state, from the issuer.
func TestLogIn(t *testing.T) {
	const issuer = "https://pin.example.cn"
	l := client.NewLogIn("session", "account", "bn-1")
	other := client.NewLogIn("session", "account", "bn-1")
	if l.State == other.State || l.Nonce == other.Nonce || l.Verifier == other.Verifier || len(l.Verifier) < 43 || len(l.Nonce) < 16 {
		t.Fatalf("%+v", l)
	}
	sum := sha256.Sum256([]byte(l.Verifier))
	if l.CodeChallenge() != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Error("not the challenge of the verifier")
	}
	good := url.Values{"state": {l.State}, "iss": {issuer}}
	if err := l.Came("session", "account", issuer, good); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"another session":       l.Came("other", "account", issuer, good),
		"no session":            l.Came("", "account", issuer, good),
		"another account":       l.Came("session", "thief", issuer, good),
		"nobody":                l.Came("session", "", issuer, good),
		"another push's state":  l.Came("session", "account", issuer, url.Values{"state": {other.State}, "iss": {issuer}}),
		"no state":              l.Came("session", "account", issuer, url.Values{"iss": {issuer}}),
		"two states":            l.Came("session", "account", issuer, url.Values{"state": {l.State, l.State}, "iss": {issuer}}),
		"another issuer":        l.Came("session", "account", issuer, url.Values{"state": {l.State}, "iss": {"https://evil.example"}}),
		"no issuer":             l.Came("session", "account", issuer, url.Values{"state": {l.State}}),
		"no issuer to be":       l.Came("session", "account", "", url.Values{"state": {l.State}, "iss": {""}}),
		"a log-in without any":  client.LogIn{}.Came("", "", issuer, url.Values{"state": {""}, "iss": {issuer}}),
		"a session, no account": client.NewLogIn("session", "", "bn").Came("session", "", issuer, good),
	} {
		if !errors.Is(err, client.ErrOtherLogIn) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
