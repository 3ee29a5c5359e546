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

// ErrOtherLogIn means that an answer of the hosted page came into a session or an
// account that did not push its request, or from another issuer. Do not use anything
// in it: another person may have typed the PIN.
var ErrOtherLogIn = errors.New("client: the answer belongs to no request of this log-in")

// LogIn ties a request at the hosted door to the log-in that pushes it: the app's
// session and its account. Make one for each push, keep it on the server with the
// session, and redeem a code only after Came returned nil. Otherwise an attacker
// could start a request in their own account, get somebody else to type the PIN, and
// have the verdict in their account. It can be stored as JSON, so that the answer may
// come to another of the app's servers; it holds secrets, and no personal data.
type LogIn struct {
	Session    string // identifier of the app's session
	Account    string // the account that is logged in, in the app's own terms
	BusinessNo string
	State      string // comes back with the answer
	Nonce      string // comes back in the ID token
	Verifier   string // of PKCE; goes to the token endpoint with the code

	// The values that were pushed: an ID token must have exactly these.
	// [HostedRequest.LogIn] sets them.
	Action      Action
	Purpose     Purpose
	Card        string // handle; empty for enroll and link
	RedirectURI string
	// Proof is the requested proof: empty for the PIN, or ProofEvidence.
	Proof string
}

// Format prints a placeholder under every verb: the secrets would open what the
// PIN is for.
func (LogIn) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[log-in]") }

// LogValue logs the placeholder.
func (LogIn) LogValue() slog.Value { return slog.StringValue("[log-in]") }

// NewLogIn draws state, nonce and verifier for one push. A push that continues a
// ceremony has the same business number and a new LogIn.
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
