package admission

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

const (
	callersFormat = "liuma-callers/1"
	// maxCallers is how many admissions a list holds.
	maxCallers     = 1000
	maxCallersFile = 1 << 20
	// overlap is how long a caller's older certificate stays valid beside a newer one.
	overlap = 30 * 24 * time.Hour
)

// Caller is one admission, as the keeper that gave it stores it.
type Caller struct {
	Name      string
	Roles     wire.Role
	Number    string // of the certificate
	Key       string // a hash of the public key
	From      time.Time
	Until     time.Time // when its certificate ends, or ended early because a newer one replaced it
	Dismissed time.Time // zero: not dismissed
}

// State returns nil while the caller may call, and otherwise why not.
func (c Caller) State(now time.Time) error {
	switch {
	case !c.Dismissed.IsZero():
		return ErrDismissed
	case now.After(c.Until):
		return ErrEnded
	}
	return nil
}

// Callers is a keeper's list of the callers that it admitted, oldest first. A
// certificate that is not in it is refused, whoever signed it. The zero Callers admits
// nobody.
type Callers struct{ list []Caller }

// callersFile is the file of a list.
type callersFile struct {
	Format  string       `json:"format"`
	Callers []callerFile `json:"callers"`
}

type callerFile struct {
	Name      string    `json:"name"`
	Roles     []string  `json:"roles"`
	Number    string    `json:"certificate"`
	Key       string    `json:"key"`
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	Dismissed time.Time `json:"dismissed,omitzero"`
}

// ParseCallers reads a list.
func ParseCallers(data []byte) (Callers, error) {
	if len(data) > maxCallersFile {
		return Callers{}, fmt.Errorf("%w: too long", ErrFormat)
	}
	var f callersFile
	if err := DecodeFile(data, callersFormat, &f); err != nil {
		return Callers{}, err
	}
	if f.Format != callersFormat || len(f.Callers) > maxCallers {
		return Callers{}, fmt.Errorf("%w: want %s", ErrFormat, callersFormat)
	}
	var c Callers
	for _, e := range f.Callers {
		roles, err := rolesNamed(e.Roles)
		if err != nil {
			return Callers{}, err
		}
		if err := ValidName(e.Name); err != nil {
			return Callers{}, err
		}
		if !c.add(Caller{Name: e.Name, Roles: roles, Number: e.Number, Key: e.Key, From: e.From, Until: e.Until, Dismissed: e.Dismissed}) {
			return Callers{}, fmt.Errorf("%w: a certificate stands in it twice", ErrFormat)
		}
	}
	return c, nil
}

// add returns false if the certificate is already in the list.
func (c *Callers) add(e Caller) bool {
	if slices.ContainsFunc(c.list, func(o Caller) bool { return o.Number == e.Number }) {
		return false
	}
	c.list = append(c.list, e)
	return true
}

// Encode writes the list's file.
func (c Callers) Encode() []byte {
	f := callersFile{Format: callersFormat, Callers: []callerFile{}}
	for _, e := range c.list {
		f.Callers = append(f.Callers, callerFile{Name: e.Name, Roles: e.Roles.Names(), Number: e.Number, Key: e.Key, From: e.From, Until: e.Until, Dismissed: e.Dismissed})
	}
	return EncodeFile(f)
}

// List returns every admission, oldest first.
func (c Callers) List() []Caller { return slices.Clone(c.list) }

// Grant is what the keeper's administrator decides about a request.
type Grant struct {
	Roles wire.Role
	// Heard is the fingerprint as it was read aloud. It may be empty for a caller that
	// was admitted before with the same name and key.
	Heard string
	// Until is when the admission ends; DefaultTerm from now if zero.
	Until time.Time
}

// Admit admits the caller who made a request, with the roles of the grant, and adds it to
// the list. Save the list before you hand the admission out. A caller who is already
// admitted gets a newer certificate: its older ones end thirty days later, or at once if
// they have a role that was not granted again.
func (c *Callers) Admit(i *Issuer, at Place, r *Request, g Grant, now time.Time) (*Admission, error) {
	if err := at.Validate(); err != nil {
		return nil, err
	}
	if at.Keeper != i.keeper {
		return nil, ErrIssuer
	}
	if len(g.Roles.Names()) == 0 {
		return nil, ErrRole
	}
	if err := c.mayAdmit(r, g.Heard, now); err != nil {
		return nil, err
	}
	if g.Until.IsZero() {
		g.Until = now.Add(DefaultTerm)
	}
	key, err := r.publicKey()
	if err != nil {
		return nil, err
	}
	cert, err := i.caller(r.Name, g.Roles, key, now, g.Until)
	if err != nil {
		return nil, err
	}
	a := &Admission{Place: at, root: i.cert, cert: cert}
	if err := a.read(); err != nil {
		return nil, err
	}
	c.renew(r.Name, g.Roles, now)
	c.list = append(c.list, Caller{
		Name: r.Name, Roles: g.Roles, Number: number(cert), Key: r.keyHash(),
		From: now.UTC().Truncate(time.Second), Until: cert.NotAfter,
	})
	return a, nil
}

// mayAdmit refuses a key that was dismissed, a second key for a name, and a new key
// whose fingerprint was not heard.
func (c *Callers) mayAdmit(r *Request, heard string, now time.Time) error {
	if len(c.list) >= maxCallers {
		return ErrFull
	}
	known := false
	for _, e := range c.list {
		switch same, state := e.Key == r.keyHash(), e.State(now); {
		case same && errors.Is(state, ErrDismissed):
			return ErrDismissed
		case state == nil && same != (e.Name == r.Name):
			return ErrTaken
		case same && e.Name == r.Name: // also if it has ended: its fingerprint was heard then
			known = true
		}
	}
	switch {
	case heard == "" && !known:
		return ErrUnheard
	case heard != "" && !r.Fingerprint().Heard(heard):
		return ErrFingerprint
	}
	return nil
}

// renew ends the older certificates of a name, and removes those that had already
// ended.
func (c *Callers) renew(name string, roles wire.Role, now time.Time) {
	c.list = slices.DeleteFunc(slices.Clone(c.list), func(e Caller) bool { // copies of the list must not change
		return e.Name == name && errors.Is(e.State(now), ErrEnded)
	})
	now = now.UTC().Truncate(time.Second)
	for k, e := range c.list {
		if e.Name != name || e.State(now) != nil {
			continue
		}
		end := now.Add(overlap)
		if e.Roles&^roles != 0 {
			end = now.Add(-time.Second)
		}
		if end.Before(e.Until) {
			c.list[k].Until = end
		}
	}
}

// Dismiss refuses a caller from now on, with all its certificates and for ever: a
// dismissed key is not admitted again.
func (c *Callers) Dismiss(name string, now time.Time) error {
	c.list = slices.Clone(c.list) // copies of the list must not change
	found := false
	for k, e := range c.list {
		if e.Name == name && e.Dismissed.IsZero() {
			c.list[k].Dismissed, found = now.UTC().Truncate(time.Second), true
		}
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	return nil
}

// Allowed refuses a connection unless its certificate belongs to a caller in the list
// who may call. Key and roles must be as in the list: somebody with the issuer's key
// could make a certificate with the number of an admitted one, because numbers are not
// secret.
func (c Callers) Allowed(cert *x509.Certificate, now time.Time) error {
	n := number(cert)
	at := slices.IndexFunc(c.list, func(e Caller) bool { return e.Number == n })
	if at < 0 {
		return ErrUnknown
	}
	e := c.list[at]
	roles, err := wire.RolesIn(cert)
	key, bad := publicKey(cert.PublicKey)
	switch {
	case bad != nil:
		return bad
	case hashOf(key) != e.Key:
		return ErrOtherKey
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRole, err)
	case roles != e.Roles || cert.Subject.CommonName != e.Name:
		return fmt.Errorf("%w: the list has other ones for this certificate", ErrRole)
	case now.After(cert.NotAfter):
		return ErrEnded
	}
	return e.State(now)
}

// number is the serial number of a certificate.
func number(cert *x509.Certificate) string { return hex.EncodeToString(cert.SerialNumber.Bytes()) }
