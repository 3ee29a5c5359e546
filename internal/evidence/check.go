// Package evidence checks the tokens in which providers confirm that a holder is present
// (实人认证凭证). It guarantees that evidence which passes was signed by a registered provider
// that is not stopped, for this authority, this challenge and this holder, and recently.
// It trusts the provider to have looked at the person; it does not trust the carrier of
// the token. The store makes sure that evidence is used once: a Proof has the ID to
// remember, and until when.
//
// docs/SEALING.md ("9. The holder's hash in evidence") describes the holder's hash byte by
// byte.
//
// Start here: Statement and Proof, then check.go.
package evidence

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

const (
	// tokenType distinguishes evidence from other tokens that a provider's key signs.
	tokenType = "liuma-evidence+jwt"
	// maxToken bounds the length of a token that is parsed, in bytes.
	maxToken = 4096
	// leeway is how far a provider's clock may be ahead.
	leeway = 30 * time.Second
	// label separates the holder's hash from every other hash.
	label = "liuma/1/evidence-holder"
)

// MethodStandIn is the method of every proof from a stand-in provider, even if
// its token names another, and of no other provider. So no receipt claims a
// face check that was only simulated.
const MethodStandIn = "stand-in"

// Want holds the values that evidence must have. IDNumber and Name are in
// canonical spelling (package registry). It holds personal data and prints
// redacted.
type Want struct {
	Audience     string // the authority's issuer name
	Challenge    string
	IDNumber     string
	Name         string
	Now          time.Time     // the wall clock
	High         time.Time     // the high-water time; what has ended by either time has ended
	MaxAge       time.Duration // since the provider issued it
	AllowStandIn bool          // demos only
}

// Proof is evidence that passed.
type Proof struct {
	Provider string
	ID       string // jti, 16 to 64 characters; unique for the provider
	Method   string // "face", "counter", "stand-in" …
	IssuedAt time.Time
	// Expires is when the evidence stops passing: its own end, or the end of
	// MaxAge if that is earlier. Until then its ID must be remembered.
	Expires time.Time
}

// claims is the payload. Other members are ignored.
type claims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Challenge string `json:"challenge"`
	Holder    string `json:"holder"`
	Method    string `json:"method"`
	IssuedAt  int64  `json:"iat"`
	Expires   int64  `json:"exp"`
	ID        string `json:"jti"`
}

// Refusals, for the log. They quote nothing of the token.
var (
	errToken     = errors.New("evidence: not a compact JWS with ES256, a kid and the type " + tokenType)
	errProvider  = errors.New("evidence: issuer is not a provider in use")
	errStandIn   = errors.New("evidence: stand-in provider where none is allowed")
	errKey       = errors.New("evidence: signed with a key that the provider has not registered")
	errSignature = errors.New("evidence: signature does not verify")
	errClaims    = errors.New("evidence: claims are malformed")
	errAudience  = errors.New("evidence: for another audience")
	errOld       = errors.New("evidence: too old")
	errFuture    = errors.New("evidence: issued in the future")
	errEnded     = errors.New("evidence: past its end")
	errID        = errors.New("evidence: jti has not 16 to 64 printable characters")
	errMethod    = errors.New("evidence: unknown method, or not the provider's to claim")
	errChallenge = errors.New("evidence: for another challenge")
	errHolder    = errors.New("evidence: for another holder")
)

// Check verifies a provider's token. provider looks a client up by ID and returns
// store.ErrNotFound or CodeNotFound if there is none. A token that does not pass gives
// CodeEvidenceInvalid, with the cause for the log only; every other error comes from
// provider.
func Check(token string, provider func(id string) (store.Client, error), w Want) (Proof, error) {
	jws, issuer, err := parse(token)
	if err != nil {
		return Proof{}, refuse(err)
	}
	client, err := provider(issuer)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, &liuma.Error{Code: liuma.CodeNotFound}) {
		return Proof{}, refuse(errProvider)
	}
	if err != nil {
		return Proof{}, fmt.Errorf("evidence: provider: %w", err)
	}
	if client.ID != issuer || client.Kind != store.ClientProvider || client.Stopped {
		return Proof{}, refuse(errProvider)
	}
	if client.StandIn && !w.AllowStandIn {
		return Proof{}, refuse(errStandIn)
	}
	c, err := verify(jws, client.Keys)
	if err != nil {
		return Proof{}, refuse(err)
	}
	if err := c.check(client, w); err != nil {
		return Proof{}, refuse(err)
	}
	p := Proof{
		Provider: client.ID, ID: c.ID, Method: c.Method,
		IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(),
	}
	if client.StandIn {
		p.Method = MethodStandIn
	}
	if end := p.IssuedAt.Add(w.MaxAge); end.Before(p.Expires) {
		p.Expires = end
	}
	return p, nil
}

func refuse(cause error) error { return liuma.Fail(liuma.CodeEvidenceInvalid, cause) }

// parse reads the token and the issuer that it claims. The claim only selects the keys
// with which the token is checked.
func parse(token string) (*jose.JSONWebSignature, string, error) {
	if len(token) > maxToken {
		return nil, "", errToken
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, "", errToken
	}
	h := jws.Signatures[0].Protected
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if typ != tokenType || h.KeyID == "" || h.JSONWebKey != nil {
		return nil, "", errToken
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c); err != nil || c.Issuer == "" {
		return nil, "", errClaims
	}
	return jws, c.Issuer, nil
}

// verify checks the signature with the provider's key that has the token's kid.
func verify(jws *jose.JSONWebSignature, registered []byte) (claims, error) {
	keys, err := ParseKeys(registered)
	if err != nil {
		return claims{}, errKey
	}
	found := keys.Key(jws.Signatures[0].Protected.KeyID)
	if len(found) != 1 {
		return claims{}, errKey
	}
	payload, err := jws.Verify(found[0].Key)
	if err != nil {
		return claims{}, errSignature
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return claims{}, errClaims
	}
	return c, nil
}

// isID and isMethod use no regular expressions: compiling them would slow down every start
// of the program, even if it never sees evidence.

// isID reports whether a jti has 16 to 64 printable characters of ASCII, without spaces.
func isID(s string) bool {
	return len(s) >= 16 && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool { return c < 0x21 || c > 0x7e })
}

// isMethod reports whether a method is a small letter, followed by up to 31 small letters,
// digits and hyphens.
func isMethod(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	return len(s) <= 32 && len(strings.TrimLeft(s, letters+"0123456789-")) == 0 && strings.IndexAny(s, letters) == 0
}

func (c claims) check(client store.Client, w Want) error {
	issued, late := time.Unix(c.IssuedAt, 0), w.Now
	if w.High.After(late) {
		late = w.High
	}
	switch {
	case c.Issuer != client.ID:
		return errProvider
	case w.Audience == "" || c.Audience != w.Audience:
		return errAudience
	case c.IssuedAt <= 0 || c.Expires <= c.IssuedAt:
		return errClaims
	case late.Sub(issued) > w.MaxAge:
		return errOld
	case issued.Sub(w.Now) > leeway:
		return errFuture
	case !late.Before(time.Unix(c.Expires, 0)):
		return errEnded
	case !isID(c.ID):
		return errID
	case !isMethod(c.Method), c.Method == MethodStandIn && !client.StandIn:
		return errMethod
	case w.Challenge == "" || !same(c.Challenge, w.Challenge):
		return errChallenge
	case !same(c.Holder, HolderHash(w.Challenge, w.IDNumber, w.Name)):
		return errHolder
	}
	return nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// HolderHash stands for the holder in a token. It is SHA-256 over a label, the challenge,
// the canonical ID number and the canonical name (written.CanonicalName of whatever
// spelling is given), each after its length (uint32, big endian), in base64url without
// padding, 43 characters. So the token carries no personal data, and two tokens about one
// holder have different hashes because of their challenges. It does not hide the holder
// from somebody who has the token and tries all ID numbers: there are too few of them.
func HolderHash(challenge, idNumber, name string) string {
	var message []byte
	for _, field := range []string{label, challenge, idNumber, written.CanonicalName(name)} {
		message = binary.BigEndian.AppendUint32(message, uint32(len(field)))
		message = append(message, field...)
	}
	sum := sha256.Sum256(message)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const redacted = "[personal data]"

// Format prints a placeholder under every verb.
func (Want) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the placeholder.
func (Want) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder, for JSON and other encoders.
func (Want) MarshalText() ([]byte, error) { return []byte(redacted), nil }
