package holder

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/counter"
)

// Challenges makes and checks the challenges that pads sign; *vault.Vault does.
type Challenges interface {
	NewChallenge(label liuma.ChannelID, now time.Time, ttl time.Duration) (string, error)
	CheckChallenge(label liuma.ChannelID, value string, now time.Time) error
}

const (
	padChallenge    = time.Minute // a pad asks every two seconds, each time with a new one
	padLabel        = "liuma/1/desk-pad"
	padSignature    = 64  // bytes: r and s of ES256
	longestPadField = 200 // bytes of a key, a challenge, a signature or a ticket's ID
)

// padQuestion is what a pad's script sent.
type padQuestion struct {
	key    []byte // public, an uncompressed point of P-256
	ticket liuma.TicketID
	offer  bool // the pad shows no number, and wants one
	// fresh says that the key signed this question over a challenge that is still valid.
	// Without it nothing is answered or done.
	fresh bool
}

// id is the pad's ID.
func (q padQuestion) id() string { return counter.PadID(q.key) }

// label is the label of the challenges for a key, so that no other key can use them. A
// channel's identifier has no slash, so no channel's challenge can pass for one.
func (q padQuestion) label() liuma.ChannelID { return liuma.ChannelID("desk-pad/" + q.id()) }

// padQuestion reads a question of one kind and checks its signature. A question without
// a challenge, or over one that is too old, is not fresh; a wrong signature is an error.
func (h *handler) padQuestion(r *http.Request, what string) (q padQuestion, err error) {
	if err := r.ParseForm(); err != nil {
		return q, formError(err)
	}
	field := map[string]string{}
	for _, name := range []string{"key", "challenge", "signature", "ticket"} {
		if field[name] = r.PostForm.Get(name); len(field[name]) > longestPadField || len(r.PostForm[name]) > 1 {
			return q, liuma.FailField(liuma.CodeBadRequest, name, nil)
		}
	}
	q.offer = r.PostForm.Get("offer") != ""
	raw := base64.RawURLEncoding.Strict()
	if q.key, err = raw.DecodeString(field["key"]); err != nil {
		return q, liuma.FailField(liuma.CodeBadRequest, "key", err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), q.key)
	if err != nil {
		return q, liuma.FailField(liuma.CodeBadRequest, "key", err)
	}
	if field["ticket"] != "" {
		if q.ticket, err = liuma.ParseTicketID(field["ticket"]); err != nil {
			return q, liuma.FailField(liuma.CodeBadRequest, "ticket", err)
		}
	}
	current := field["challenge"] != "" && h.challenges.CheckChallenge(q.label(), field["challenge"], h.now()) == nil
	if !current {
		return q, nil
	}
	signature, err := raw.DecodeString(field["signature"])
	signed := strings.Join([]string{padLabel, what, field["challenge"], field["ticket"]}, "\n")
	if err != nil || !signedBy(public, signed, signature) {
		return q, liuma.Fail(liuma.CodeForbidden, nil)
	}
	q.fresh = true
	return q, nil
}

// signedBy checks ES256 as WebCrypto writes it: r and s, 32 bytes each.
func signedBy(key *ecdsa.PublicKey, text string, signature []byte) bool {
	if len(signature) != padSignature {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	r, s := new(big.Int).SetBytes(signature[:padSignature/2]), new(big.Int).SetBytes(signature[padSignature/2:])
	return ecdsa.Verify(key, sum[:], r, s)
}
