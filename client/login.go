package client

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
)

// ErrOtherLogIn means that an answer of the hosted page came into a session or
// an account that did not push its request, or from another issuer. Nothing in
// it may be used: the PIN may have been typed by somebody else.
var ErrOtherLogIn = errors.New("client: the answer belongs to no request of this log-in")

// LogIn ties a request that is pushed to the hosted door to the log-in that
// pushes it: the app's session and the account that is open in it. Make one for
// each push, keep it on the server with the session, and redeem a code only
// after Came returned nil. Otherwise whoever starts a request in an account of
// their own, and gets somebody else to type the PIN, has the verdict in that
// account. It can be stored as JSON, so that the answer may come to another of the
// app's servers; it holds secrets, and nothing personal.
type LogIn struct {
	Session    string // identifier of the app's session
	Account    string // who is logged in, in the app's own terms
	BusinessNo string
	State      string // comes back with the answer
	Nonce      string // comes back in the ID token
	Verifier   string // of PKCE; goes to the token endpoint with the code

	// What was pushed: an ID token must be about exactly this. [HostedRequest.LogIn]
	// sets them.
	Action      Action
	Purpose     Purpose
	Card        string // handle; empty for enroll and link
	RedirectURI string
	// Proof is what was asked for: empty for the PIN, or ProofEvidence.
	Proof string
}

// Format prints a placeholder under every verb: the secrets would open what the
// PIN is for.
func (LogIn) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[log-in]") }

// LogValue logs the placeholder.
func (LogIn) LogValue() slog.Value { return slog.StringValue("[log-in]") }

// NewLogIn draws state, nonce and verifier for one push. A push that goes on with
// a ceremony has the same business number and a new LogIn.
func NewLogIn(session, account, businessNo string) LogIn {
	return LogIn{Session: session, Account: account, BusinessNo: businessNo,
		State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text()}
}

// CodeChallenge is the PKCE challenge of the push, by the method S256.
func (l LogIn) CodeChallenge() string {
	sum := sha256.Sum256([]byte(l.Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Came checks the parameters with which a browser came back, in the session and
// account that are open in that browser now. The error is ErrOtherLogIn.
func (l LogIn) Came(session, account, issuer string, answer url.Values) error {
	if len(answer["state"]) != 1 || len(answer["iss"]) != 1 || issuer == "" {
		return ErrOtherLogIn
	}
	for _, pair := range [][2]string{
		{l.Session, session}, {l.Account, account}, {l.State, answer.Get("state")}, {issuer, answer.Get("iss")},
	} {
		if pair[0] == "" || subtle.ConstantTimeCompare([]byte(pair[0]), []byte(pair[1])) != 1 {
			return ErrOtherLogIn
		}
	}
	return nil
}
