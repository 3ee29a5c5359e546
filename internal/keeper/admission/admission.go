// Package admission is how a keeper admits its callers. Somebody who wants to call a
// keeper sends it a request. The keeper's administrator hears the request's fingerprint
// read aloud and grants roles. The keeper, which issues the certificates of its callers,
// answers with an admission.
//
// It guarantees that a certificate has the roles that the administrator granted, whatever
// the request asked for; that a new caller is admitted only if the fingerprint that was
// heard is the request's; that a caller is refused if the list of callers does not name
// it, or names it as dismissed, ended or with other roles, even if the issuer signed its
// certificate; and that a dismissed key is never admitted again. It trusts the people who
// read and hear the fingerprint, the clock, and the issuer's key. It does not trust a
// request or an admission: each is read strictly, and has only one valid encoding.
//
// A caller has its own key, which never leaves it. No issuer is shared: each keeper signs
// only for its own door, so that no administration can admit somebody at another keeper.
//
// Start here: Request, Callers.Admit, then Admission.TLS.
package admission

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/liuma-pin/liuma/internal/written"
)

// Errors of requests, admissions and lists of callers.
var (
	ErrFormat      = errors.New("admission: damaged, of another version, or not as this program writes it")
	ErrName        = errors.New("admission: a name has 1 to 32 of a-z, 0-9 and dashes, and begins with a letter")
	ErrAddress     = errors.New("admission: an address is HOST:PORT")
	ErrRole        = errors.New("admission: no role, or one that is not known")
	ErrKey         = errors.New("admission: not a key of P-256")
	ErrOtherKey    = errors.New("admission: the key is not the one that was admitted")
	ErrFingerprint = errors.New("admission: the fingerprint is not the one that was heard")
	ErrUnheard     = errors.New("admission: a new key is admitted only by the fingerprint that was heard")
	ErrTerm        = errors.New("admission: it would end in the past, or after the issuer")
	ErrEnded       = errors.New("admission: the certificate has ended")
	ErrEarly       = errors.New("admission: the certificate has not begun; is the clock right?")
	ErrIssuer      = errors.New("admission: the certificate is not of the keeper's issuer")
	ErrTaken       = errors.New("admission: a caller of this name has another key")
	ErrUnknown     = errors.New("admission: no caller of this name, or certificate, was admitted")
	ErrDismissed   = errors.New("admission: dismissed")
	ErrFull        = errors.New("admission: the list of callers is full")
)

const (
	// DefaultTerm is how long an admission lasts by default.
	DefaultTerm = 400 * 24 * time.Hour
	// skew is how long before its making a certificate becomes valid, in case the other
	// side's clock is behind.
	skew = time.Minute
	// maxFile is larger than any request or admission.
	maxFile = 16 << 10
)

var nameForm = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// ValidName refuses a string that cannot be the name of a caller or a keeper.
func ValidName(name string) error {
	if !nameForm.MatchString(name) {
		return ErrName
	}
	return nil
}

// Fingerprint identifies a request or a keeper's issuer. People who know each other's
// voice read it aloud.
type Fingerprint = written.Fingerprint

// fingerprint hashes the parts under a label, each preceded by its length.
func fingerprint(label string, parts ...[]byte) Fingerprint {
	h := sha256.New()
	for _, p := range append([][]byte{[]byte(label)}, parts...) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p)))) //nolint:gosec // files are bounded
		h.Write(p)
	}
	return Fingerprint(h.Sum(nil))
}

// DecodeFile reads a file of a keeper. It accepts only known members, and only one
// encoding except for white space. Its errors name the format.
func DecodeFile(data []byte, format string, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: want %s", ErrFormat, format)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more than one document", ErrFormat)
	}
	var there, again bytes.Buffer
	if err := errors.Join(json.Compact(&there, data), json.Compact(&again, EncodeFile(into))); err != nil || !bytes.Equal(there.Bytes(), again.Bytes()) {
		return fmt.Errorf("%w: members twice, in another order or spelt otherwise", ErrFormat)
	}
	return nil
}

// EncodeFile encodes a value for DecodeFile. Its type must be one that JSON can always
// encode.
func EncodeFile(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("admission: " + err.Error())
	}
	return append(data, '\n')
}
