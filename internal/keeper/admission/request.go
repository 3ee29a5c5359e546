package admission

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

const requestFormat = "liuma-request/1"

// Request is sent by somebody who wants to call a keeper. Its roles are only a wish: the
// keeper's administrator decides.
type Request struct {
	Name  string
	Wants wire.Role
	key   []byte // the public key
	file  requestFile
}

// requestFile is the file of a request. Its signature shows that the sender has the
// key.
type requestFile struct {
	Format string   `json:"format"`
	Name   string   `json:"name"`
	Wants  []string `json:"wants"`
	CSR    []byte   `json:"csr"` // PKCS #10, with the name
}

// NewRequest asks for roles for a key, which may be in a token.
func NewRequest(name string, wants wire.Role, key crypto.Signer) (*Request, error) {
	if err := ValidName(name); err != nil {
		return nil, err
	}
	if len(wants.Names()) == 0 {
		return nil, ErrRole
	}
	public, err := publicKey(key.Public())
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, fmt.Errorf("admission: sign a request: %w", err)
	}
	return &Request{
		Name: name, Wants: wants, key: public,
		file: requestFile{Format: requestFormat, Name: name, Wants: wants.Names(), CSR: csr},
	}, nil
}

// ParseRequest reads a request and checks its signature.
func ParseRequest(data []byte) (*Request, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%w: too long", ErrFormat)
	}
	var f requestFile
	if err := DecodeFile(data, requestFormat, &f); err != nil {
		return nil, err
	}
	if f.Format != requestFormat {
		return nil, fmt.Errorf("%w: want %s", ErrFormat, requestFormat)
	}
	if err := ValidName(f.Name); err != nil {
		return nil, err
	}
	wants, err := rolesNamed(f.Wants)
	if err != nil {
		return nil, err
	}
	csr, err := x509.ParseCertificateRequest(f.CSR)
	if err != nil || csr.CheckSignature() != nil || csr.Subject.CommonName != f.Name {
		return nil, fmt.Errorf("%w: the signature is not one of this name and key", ErrFormat)
	}
	key, err := publicKey(csr.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Request{Name: f.Name, Wants: wants, key: key, file: f}, nil
}

// publicKey returns the key of the request.
func (r *Request) publicKey() (*ecdsa.PublicKey, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), r.key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

// keyHash names the key in the list of callers.
func (r *Request) keyHash() string { return hashOf(r.key) }

// hashOf is the form of a key in the list of callers.
func hashOf(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// Encode writes the request's file. Nothing in it is secret.
func (r *Request) Encode() []byte { return EncodeFile(r.file) }

// Fingerprint covers the name, the roles asked for and the key.
func (r *Request) Fingerprint() Fingerprint {
	return fingerprint("liuma/1/request", []byte(r.Name), []byte(strings.Join(r.Wants.Names(), " ")), r.key)
}

// rolesNamed reads a list of roles, each once and in the order of Role.Names.
func rolesNamed(names []string) (roles wire.Role, err error) {
	for _, n := range names {
		r, err := wire.RoleNamed(n)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrRole, err)
		}
		roles |= r
	}
	if roles == 0 {
		return 0, ErrRole
	}
	if !slices.Equal(roles.Names(), names) {
		return 0, fmt.Errorf("%w: roles twice or in another order", ErrFormat)
	}
	return roles, nil
}
