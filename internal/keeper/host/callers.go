package host

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/admission"
)

// ErrNoIssuerKey: the issuer's key is not in the directory, for example because it is
// kept elsewhere, so nobody can be admitted here.
var ErrNoIssuerKey = errors.New("host: the issuer's key is not in this directory")

// issuer reads the keeper's issuer with its key.
func (d *Dir) issuer() (*admission.Issuer, error) {
	cert, err := d.read(issuerFile)
	if err != nil {
		return nil, err
	}
	key, err := d.read(issuerKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoIssuerKey
	}
	defer clear(key)
	if err != nil {
		return nil, err
	}
	return admission.ParseIssuer(d.Keeper, cert, key)
}

// Root is the certificate of the keeper's issuer.
func (d *Dir) Root() (*x509.Certificate, error) {
	data, err := d.read(issuerFile)
	if err != nil {
		return nil, err
	}
	return admission.ParseCertificate(data)
}

// Callers reads the list of callers.
func (d *Dir) Callers() (admission.Callers, error) {
	data, err := d.read(callersFile)
	if err != nil {
		return admission.Callers{}, err
	}
	return admission.ParseCallers(data)
}

// Admit admits the caller who made a request; see admission.Callers.Admit.
//
// A crash in here leaves a caller in the list who never got the admission: admit it
// again.
func (d *Dir) Admit(r *admission.Request, g admission.Grant, now time.Time) (a *admission.Admission, err error) {
	err = d.change(func() error {
		issuer, err := d.issuer()
		if err != nil {
			return err
		}
		list, err := d.Callers()
		if err != nil {
			return err
		}
		if a, err = list.Admit(issuer, d.Place, r, g, now); err != nil {
			return err
		}
		return d.disk.Write(d.path, callersFile, list.Encode())
	})
	return a, err
}

// Dismiss refuses a caller from now on. A running keeper applies it with Reload.
func (d *Dir) Dismiss(name string, now time.Time) error {
	return d.change(func() error {
		list, err := d.Callers()
		if err != nil {
			return err
		}
		if err := list.Dismiss(name, now); err != nil {
			return err
		}
		return d.disk.Write(d.path, callersFile, list.Encode())
	})
}

// RenewDoor makes a new certificate and key for the keeper's door, and returns when the
// certificate ends. A running keeper uses them after Reload.
func (d *Dir) RenewDoor(now time.Time) (until time.Time, err error) {
	until = now.Add(doorTerm)
	return until, d.change(func() error {
		issuer, err := d.issuer()
		if err != nil {
			return err
		}
		return d.renewDoor(issuer, now, until)
	})
}

// renewDoor writes certificate and key as one file: after a crash, two files could belong
// to different pairs.
func (d *Dir) renewDoor(issuer *admission.Issuer, now, until time.Time) error {
	key, err := admission.NewKey()
	if err != nil {
		return err
	}
	cert, err := issuer.Door(key.Public(), now, until)
	if err != nil {
		return err
	}
	secret, err := admission.EncodeKey(key)
	if err != nil {
		return err
	}
	defer clear(secret)
	return d.disk.Write(d.path, doorFile, append(admission.EncodeCertificate(cert), secret...))
}

// door reads the certificate of the keeper's door, with its key.
func (d *Dir) door() (tls.Certificate, error) {
	data, err := d.read(doorFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	defer clear(data)
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %s", admission.ErrFormat, doorFile) // the cause could quote the key
	}
	return pair, nil
}
