package admission

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

// issuerTerm is how long a keeper's issuer is valid. After it is replaced, every caller
// must be admitted again.
const issuerTerm = 20 * 365 * 24 * time.Hour

// Issuer signs the certificates of one keeper's door and of its callers.
type Issuer struct {
	keeper keeper.ID
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// NewIssuer makes the issuer of a keeper.
func NewIssuer(id keeper.ID, now time.Time) (*Issuer, error) {
	if err := ValidName(string(id)); err != nil {
		return nil, err
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	tmpl, err := template(issuerName(id), now, now.Add(issuerTerm))
	if err != nil {
		return nil, err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.MaxPathLenZero, tmpl.KeyUsage = true, true, true, x509.KeyUsageCertSign
	i := &Issuer{keeper: id, cert: tmpl, key: key}
	i.cert, err = i.sign(tmpl, key.Public())
	return i, err
}

// ParseIssuer reads the issuer of a keeper from its certificate and key.
func ParseIssuer(id keeper.ID, certificate, key []byte) (*Issuer, error) {
	cert, err := ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	k, err := ParseKey(key)
	if err != nil {
		return nil, err
	}
	if err := rootOf(id, cert); err != nil {
		return nil, err
	}
	if !k.PublicKey.Equal(cert.PublicKey) {
		return nil, ErrOtherKey
	}
	return &Issuer{keeper: id, cert: cert, key: k}, nil
}

// Certificate returns the certificate by which callers recognise the keeper.
func (i *Issuer) Certificate() *x509.Certificate { return i.cert }

// Encode writes the issuer's certificate and its key, which is a secret.
func (i *Issuer) Encode() (certificate, key []byte, err error) {
	key, err = EncodeKey(i.key)
	return EncodeCertificate(i.cert), key, err
}

// Door signs a certificate for the keeper's own door. It is valid until the given time.
func (i *Issuer) Door(key crypto.PublicKey, now, until time.Time) (*x509.Certificate, error) {
	tmpl, err := i.leaf(string(i.keeper), now, until)
	if err != nil {
		return nil, err
	}
	tmpl.DNSNames, tmpl.ExtKeyUsage = []string{doorName(i.keeper)}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return i.sign(tmpl, key)
}

// caller signs a certificate for a caller.
func (i *Issuer) caller(name string, roles wire.Role, key crypto.PublicKey, now, until time.Time) (*x509.Certificate, error) {
	tmpl, err := i.leaf(name, now, until)
	if err != nil {
		return nil, err
	}
	tmpl.URIs, tmpl.ExtKeyUsage = roles.URIs(), []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return i.sign(tmpl, key)
}

func (i *Issuer) leaf(name string, now, until time.Time) (*x509.Certificate, error) {
	if !until.After(now) || until.After(i.cert.NotAfter) {
		return nil, ErrTerm
	}
	tmpl, err := template(name, now, until)
	if err != nil {
		return nil, err
	}
	tmpl.KeyUsage, tmpl.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	return tmpl, nil
}

// sign signs a certificate with the issuer's key.
func (i *Issuer) sign(tmpl *x509.Certificate, key crypto.PublicKey) (*x509.Certificate, error) {
	if _, err := publicKey(key); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, i.cert, key, i.key)
	if err != nil {
		return nil, fmt.Errorf("admission: sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// template returns a certificate with a fresh serial number.
func template(name string, now, until time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("admission: make a number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-skew).UTC().Truncate(time.Second), NotAfter: until.UTC().Truncate(time.Second),
	}, nil
}

// doorName is the name in the certificate of a keeper's door. It is not an address,
// because the keeper may move.
func doorName(id keeper.ID) string { return string(id) + ".keeper.liuma.internal" }

func issuerName(id keeper.ID) string { return "liuma keeper " + string(id) }

// rootOf refuses a certificate that is not the issuer of the keeper.
func rootOf(id keeper.ID, cert *x509.Certificate) error {
	_, err := publicKey(cert.PublicKey)
	if err != nil || !cert.IsCA || !cert.MaxPathLenZero || cert.Subject.CommonName != issuerName(id) || cert.CheckSignatureFrom(cert) != nil {
		return fmt.Errorf("%w: it is no issuer of keeper %s", ErrIssuer, id)
	}
	return nil
}

// IssuerFingerprint is the fingerprint by which a caller's administrator recognises a
// keeper.
func IssuerFingerprint(root *x509.Certificate) Fingerprint {
	return fingerprint("liuma/1/keeper-issuer", root.Raw)
}

// EncodeCertificate writes a certificate as PEM.
func EncodeCertificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: cert.Raw})
}

// ParseCertificate reads a certificate that EncodeCertificate wrote.
func ParseCertificate(data []byte) (*x509.Certificate, error) {
	der, err := onlyBlock(data, certificateBlock)
	if err != nil {
		return nil, err
	}
	return parseDER(der)
}

func parseDER(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: no certificate", ErrFormat)
	}
	return cert, nil
}
