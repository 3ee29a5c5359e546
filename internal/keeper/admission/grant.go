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

// Place says which keeper it is and where it is called.
type Place struct {
	Keeper  keeper.ID
	Member  int
	Shape   split.Shape
	Address string // host:port
}

// Validate refuses a place that is none.
func (p Place) Validate() error {
	if err := ValidName(string(p.Keeper)); err != nil {
		return err
	}
	if p.Shape.Validate() != nil || p.Member < 1 || p.Member > p.Shape.N {
		return fmt.Errorf("%w: member %d of %s", ErrFormat, p.Member, p.Shape)
	}
	return validAddress(p.Address)
}

// validAddress wants a host and a port that somebody can call.
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

// Admission is a keeper's answer to a request: where it is, by what it is known, and the
// certificate by which it knows the caller.
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

// ParseAdmission reads an admission. It does not say that it has not ended: TLS does.
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

// read checks the certificates against each other, and takes from the caller's what it
// says.
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

// issued refuses a certificate that the issuer did not sign for a caller.
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

// Fingerprint is that of the keeper's issuer: the same in every admission of it, and
// read aloud by its administrator. Address, member and shape are not under it: who
// alters them makes calls fail, and no more.
func (a *Admission) Fingerprint() Fingerprint { return IssuerFingerprint(a.root) }

// Check refuses an admission that has ended or not begun, or is of another key.
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

// TLS is what wire.ClientConfig takes: the caller's certificate with its key, which may
// lie in a token, and the keeper's issuer and name.
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
