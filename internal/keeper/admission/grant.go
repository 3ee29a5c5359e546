package admission

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/split"
)

const admissionFormat = "liuma-admission/1"

// Place says which keeper this is and at which address it is called.
type Place struct {
	Keeper  keeper.ID
	Member  int
	Shape   split.Shape
	Address string // host:port
}

// Validate refuses an invalid place.
func (p Place) Validate() error {
	if err := ValidName(string(p.Keeper)); err != nil {
		return err
	}
	if p.Shape.Validate() != nil || p.Member < 1 || p.Member > p.Shape.N {
		return fmt.Errorf("%w: member %d of %s", ErrFormat, p.Member, p.Shape)
	}
	return validAddress(p.Address)
}

// validAddress requires a host and a port that can be called.
func validAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" || len(host) > 253 {
		return ErrAddress
	}
	for _, c := range host {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == ':') {
			return ErrAddress
		}
	}
	return nil
}

// Admission is a keeper's answer to a request: the keeper's address, the certificate of
// its issuer, and the caller's certificate.
type Admission struct {
	Place
	Name  string // of the caller
	Roles wire.Role
	Until time.Time
	root  *x509.Certificate
	cert  *x509.Certificate
}

// admissionFile is the file of an admission. Nothing in it is secret.
type admissionFile struct {
	Format      string    `json:"format"`
	Keeper      keeper.ID `json:"keeper"`
	Member      int       `json:"member"`
	T           int       `json:"t"`
	N           int       `json:"n"`
	Address     string    `json:"address"`
	Root        []byte    `json:"root"`        // the certificate of the keeper's issuer
	Certificate []byte    `json:"certificate"` // the caller's
}

// ParseAdmission reads an admission. It does not check whether the admission has ended:
// TLS does.
func ParseAdmission(data []byte) (*Admission, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%w: too long", ErrFormat)
	}
	var f admissionFile
	if err := DecodeFile(data, admissionFormat, &f); err != nil {
		return nil, err
	}
	if f.Format != admissionFormat {
		return nil, fmt.Errorf("%w: want %s", ErrFormat, admissionFormat)
	}
	a := &Admission{Place: Place{Keeper: f.Keeper, Member: f.Member, Shape: split.Shape{T: f.T, N: f.N}, Address: f.Address}}
	if err := a.Validate(); err != nil {
		return nil, err
	}
	var err error
	if a.root, err = parseDER(f.Root); err != nil {
		return nil, err
	}
	if a.cert, err = parseDER(f.Certificate); err != nil {
		return nil, err
	}
	return a, a.read()
}

// read checks the certificates against each other, and takes the members of Admission
// from the caller's certificate.
func (a *Admission) read() (err error) {
	if err := rootOf(a.Keeper, a.root); err != nil {
		return err
	}
	if err := issued(a.root, a.cert, a.cert.NotBefore); err != nil {
		return err
	}
	if a.Roles, err = wire.RolesIn(a.cert); err != nil {
		return fmt.Errorf("%w: %w", ErrRole, err)
	}
	a.Name, a.Until = a.cert.Subject.CommonName, a.cert.NotAfter
	if _, err := publicKey(a.cert.PublicKey); err != nil {
		return err
	}
	return ValidName(a.Name)
}

// issued refuses a certificate unless the issuer signed it for a caller.
func issued(root, cert *x509.Certificate, at time.Time) error {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	_, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil || cert.IsCA {
		return ErrIssuer
	}
	return nil
}

// Encode writes the admission's file.
func (a *Admission) Encode() []byte {
	return EncodeFile(admissionFile{
		Format: admissionFormat, Keeper: a.Keeper, Member: a.Member, T: a.Shape.T, N: a.Shape.N, Address: a.Address,
		Root: a.root.Raw, Certificate: a.cert.Raw,
	})
}

// Fingerprint returns the fingerprint of the keeper's issuer. It is the same in all
// admissions of that keeper, and its administrator reads it aloud. It does not cover
// address, member and shape: changing them only makes calls fail.
func (a *Admission) Fingerprint() Fingerprint { return IssuerFingerprint(a.root) }

// Check refuses an admission that has ended or not begun, or that is for another key.
func (a *Admission) Check(key crypto.PublicKey, now time.Time) error {
	ours, err := publicKey(key)
	if err != nil {
		return err
	}
	theirs, err := publicKey(a.cert.PublicKey)
	switch {
	case err != nil:
		return err
	case string(ours) != string(theirs):
		return ErrOtherKey
	case now.After(a.cert.NotAfter):
		return ErrEnded
	case now.Before(a.cert.NotBefore):
		return ErrEarly
	}
	return nil
}

// TLS returns the settings for wire.ClientConfig: the caller's certificate with its
// key, which may be in a token, and the keeper's issuer and name.
func (a *Admission) TLS(key crypto.Signer) (*tls.Config, error) {
	if err := a.Check(key.Public(), time.Now()); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: doorName(a.Keeper),
		Certificates: []tls.Certificate{{Certificate: [][]byte{a.cert.Raw}, PrivateKey: key, Leaf: a.cert}},
	}, nil
}
