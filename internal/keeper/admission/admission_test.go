package admission

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/split"
)

// start is a moment at which the certificates of a test can be used.
func start() time.Time { return time.Now().UTC().Truncate(time.Second) }

func k1() Place {
	return Place{Keeper: "k1", Member: 1, Shape: split.Shape{T: 2, N: 3}, Address: "keeper1.example:7601"}
}

func aKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func anIssuer(t testing.TB, now time.Time) *Issuer {
	t.Helper()
	i, err := NewIssuer("k1", now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func aRequest(t testing.TB, name string, wants wire.Role, key *ecdsa.PrivateKey) *Request {
	t.Helper()
	r, err := NewRequest(name, wants, key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// heard grants roles to a request whose fingerprint was read aloud.
func heard(r *Request, roles wire.Role) Grant {
	return Grant{Roles: roles, Heard: r.Fingerprint().String()}
}

func TestRequestRoundTrip(t *testing.T) {
	r := aRequest(t, "authority-1", wire.Authority|wire.Closer, aKey(t))
	got, err := ParseRequest(r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != r.Name || got.Wants != r.Wants || got.Fingerprint() != r.Fingerprint() {
		t.Errorf("read %+v, wrote %+v", got, r)
	}
	if other := aRequest(t, "authority-1", wire.Authority|wire.Closer, aKey(t)); other.Fingerprint() == r.Fingerprint() {
		t.Error("two keys have one fingerprint")
	}
	said := r.Fingerprint().String()
	if len(said) != 39 || strings.Trim(said, "0123456789 ") != "" {
		t.Errorf("read aloud: %q", said)
	}
	for typed, want := range map[string]bool{said: true, strings.ReplaceAll(said, " ", ""): true, strings.ReplaceAll(said, " ", "-"): true, fullWidth(said): true, said[:34]: false, "": false, said + "0": false} {
		if r.Fingerprint().Heard(typed) != want {
			t.Errorf("heard %q: want %v", typed, want)
		}
	}
}

// fullWidth writes digits as a Chinese keyboard may.
func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' {
			return '\u3000'
		}
		return r - '0' + '０'
	}, s)
}

func TestNewRequestRefuses(t *testing.T) {
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		wants wire.Role
		key   *ecdsa.PrivateKey
		want  error
	}{
		{"", wire.Peer, aKey(t), ErrName}, {"A", wire.Peer, aKey(t), ErrName}, {"a-", wire.Peer, aKey(t), ErrName}, {"1", wire.Peer, aKey(t), ErrName},
		{strings.Repeat("a", 33), wire.Peer, aKey(t), ErrName}, {"a\n", wire.Peer, aKey(t), ErrName},
		{"a", 0, aKey(t), ErrRole}, {"a", 1 << 7, aKey(t), ErrRole}, {"a", wire.Peer, big, ErrKey},
	} {
		if _, err := NewRequest(tt.name, tt.wants, tt.key); !errors.Is(err, tt.want) {
			t.Errorf("%q %d: %v, want %v", tt.name, tt.wants, err, tt.want)
		}
	}
}

// TestOneSpellingOfFiles: a file is read only as this package writes it.
func TestOneSpellingOfFiles(t *testing.T) {
	now := start()
	r := aRequest(t, "authority", wire.Authority|wire.Closer, aKey(t))
	var list Callers
	a, err := list.Admit(anIssuer(t, now), k1(), r, heard(r, wire.Authority), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name  string
		data  []byte
		parse func([]byte) error
	}{
		{"request", r.Encode(), func(b []byte) error { _, err := ParseRequest(b); return err }},
		{"admission", a.Encode(), func(b []byte) error { _, err := ParseAdmission(b); return err }},
		{"callers", list.Encode(), func(b []byte) error { _, err := ParseCallers(b); return err }},
	} {
		if err := f.parse(f.data); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if err := f.parse(bytes.ReplaceAll(f.data, []byte("\n"), []byte("\r\n"))); err != nil {
			t.Errorf("%s with other ends of lines: %v", f.name, err)
		}
		for _, change := range [][2]string{
			{`"format": "liuma-`, `"format": "liuma2-`}, {`"format"`, `"Format"`}, {`{`, `{"more": 1,`}, {`"liuma-`, `"\u006ciuma-`},
			{"{\n  \"format\"", "{\n  \"format\": \"\",\n  \"format\""}, {"\n}\n", "\n}\n{}"}, {"\n}\n", "\n"},
		} {
			bad := strings.Replace(string(f.data), change[0], change[1], 1)
			if bad == string(f.data) {
				t.Fatalf("%s has no %q", f.name, change[0])
			}
			if err := f.parse([]byte(bad)); !errors.Is(err, ErrFormat) {
				t.Errorf("%s with %q: %v", f.name, change[1], err)
			}
		}
		if err := f.parse(append(bytes.Repeat([]byte(" "), 1<<20), f.data...)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s of a megabyte: %v", f.name, err)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	data := string(aRequest(t, "authority", wire.Authority|wire.Closer, aKey(t)).Encode())
	other := string(aRequest(t, "authorith", wire.Authority|wire.Closer, aKey(t)).Encode())
	csr := func(s string) string {
		_, rest, _ := strings.Cut(s, `"csr": "`)
		return strings.TrimSuffix(rest, "\"\n}\n")
	}
	for name, tt := range map[string]struct {
		data string
		want error
	}{
		"another name than signed": {strings.ReplaceAll(data, `"authority",`+"\n  \"wants\"", `"authorith",`+"\n  \"wants\""), ErrFormat},
		"another's signature":      {strings.Replace(data, csr(data), csr(other), 1), ErrFormat},
		"a broken signature":       {strings.Replace(data, csr(data), strings.Repeat("A", len(csr(data))), 1), ErrFormat},
		"an unknown role":          {strings.Replace(data, `"closer"`, `"king"`, 1), ErrRole},
		"a role twice":             {strings.Replace(data, `"closer"`, `"authority"`, 1), ErrFormat},
		"no role":                  {strings.Replace(strings.Replace(data, "\n    \"authority\",", "", 1), "\n    \"closer\"\n  ", "", 1), ErrRole},
		"no name":                  {strings.Replace(data, `"name": "authority"`, `"name": ""`, 1), ErrName},
	} {
		if tt.data == data {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := ParseRequest([]byte(tt.data)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// TestRolesAreGranted: the certificate has the roles of the grant, whatever was wanted.
func TestRolesAreGranted(t *testing.T) {
	now, key := start(), aKey(t)
	i, r := anIssuer(t, now), aRequest(t, "authority", wire.Authority|wire.Closer|wire.Administrator, key)
	var list Callers
	a, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseAdmission(a.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.Roles != wire.Authority || got.Name != "authority" || got.Place != k1() || !got.Until.Equal(now.Add(DefaultTerm)) || got.Fingerprint() != IssuerFingerprint(i.Certificate()) {
		t.Errorf("admitted as %+v", got)
	}
	if err := list.Allowed(got.cert, now); err != nil {
		t.Errorf("who was admitted: %v", err)
	}
	if e := list.List(); len(e) != 1 || e[0].Roles != wire.Authority || e[0].State(now) != nil {
		t.Errorf("the list has %+v", e)
	}
}

func TestAdmitRefuses(t *testing.T) {
	now, key := start(), aKey(t)
	i, r := anIssuer(t, now), aRequest(t, "authority", wire.Authority, key)
	other := aRequest(t, "authority", wire.Authority, aKey(t))
	for name, tt := range map[string]struct {
		at   Place
		r    *Request
		g    Grant
		want error
	}{
		"not heard":              {k1(), r, Grant{Roles: wire.Authority}, ErrUnheard},
		"heard of another":       {k1(), r, heard(other, wire.Authority), ErrFingerprint},
		"no role":                {k1(), r, heard(r, 0), ErrRole},
		"an end in the past":     {k1(), r, Grant{wire.Authority, r.Fingerprint().String(), now}, ErrTerm},
		"longer than the issuer": {k1(), r, Grant{wire.Authority, r.Fingerprint().String(), now.Add(issuerTerm + time.Hour)}, ErrTerm},
		"of another keeper":      {Place{"k2", 2, k1().Shape, k1().Address}, r, heard(r, wire.Authority), ErrIssuer},
		"no port":                {Place{"k1", 1, k1().Shape, "keeper1"}, r, heard(r, wire.Authority), ErrAddress},
		"a port that is none":    {Place{"k1", 1, k1().Shape, "keeper1:0"}, r, heard(r, wire.Authority), ErrAddress},
		"an address with more":   {Place{"k1", 1, k1().Shape, "keeper 1:7601"}, r, heard(r, wire.Authority), ErrAddress},
		"no such member":         {Place{"k1", 4, k1().Shape, k1().Address}, r, heard(r, wire.Authority), ErrFormat},
		"no such shape":          {Place{"k1", 1, split.Shape{T: 3, N: 3}, k1().Address}, r, heard(r, wire.Authority), ErrFormat},
	} {
		var list Callers
		if _, err := list.Admit(i, tt.at, tt.r, tt.g, now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if len(list.List()) != 0 {
			t.Errorf("%s: stands in the list", name)
		}
	}
}

func TestNamesAndKeysAreOneCallers(t *testing.T) {
	now, key := start(), aKey(t)
	i, r := anIssuer(t, now), aRequest(t, "authority", wire.Authority, key)
	var list Callers
	if _, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*Request{
		"the name with another key": aRequest(t, "authority", wire.Authority, aKey(t)),
		"the key by another name":   aRequest(t, "authority-2", wire.Authority, key),
	} {
		if _, err := list.Admit(i, k1(), other, heard(other, wire.Authority), now); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for len(list.list) < maxCallers {
		list.list = append(list.list, Caller{Name: "x", Number: "x", Roles: wire.Peer, Until: now.Add(time.Hour)})
	}
	if _, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now); !errors.Is(err, ErrFull) {
		t.Errorf("one more than the list holds: %v", err)
	}
}

func TestRenewal(t *testing.T) {
	now, key := start(), aKey(t)
	i, r := anIssuer(t, now), aRequest(t, "authority", wire.Authority|wire.Closer, key)
	var list Callers
	admit := func(at time.Time, roles wire.Role) *Admission {
		t.Helper()
		g := Grant{Roles: roles}
		if len(list.List()) == 0 {
			g = heard(r, roles)
		}
		a, err := list.Admit(i, k1(), r, g, at)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := admit(now, wire.Authority|wire.Closer)
	second := admit(now.Add(300*24*time.Hour), wire.Authority|wire.Closer)
	at := now.Add(301 * 24 * time.Hour)
	if err := errors.Join(list.Allowed(first.cert, at), list.Allowed(second.cert, at)); err != nil {
		t.Errorf("a day after the renewal: %v", err)
	}
	at = now.Add(331 * 24 * time.Hour)
	if err := list.Allowed(first.cert, at); !errors.Is(err, ErrEnded) {
		t.Errorf("the older one a month later: %v", err)
	}
	third := admit(at, wire.Authority)
	if err := list.Allowed(second.cert, at); !errors.Is(err, ErrEnded) {
		t.Errorf("one with a role that was not granted again: %v", err)
	}
	if err := list.Allowed(first.cert, at); !errors.Is(err, ErrUnknown) {
		t.Errorf("one that had ended before the renewal: %v", err)
	}
	if err := list.Allowed(third.cert, at); err != nil {
		t.Error(err)
	}
	late := at.Add(DefaultTerm + time.Hour)
	if err := list.Allowed(third.cert, late); !errors.Is(err, ErrEnded) {
		t.Errorf("after its end: %v", err)
	}
	fourth := admit(late, wire.Authority)
	if err := list.Allowed(fourth.cert, late); err != nil || len(list.List()) != 1 {
		t.Errorf("renewed after its end: %v, %+v", err, list.List())
	}
	if again, err := ParseCallers(list.Encode()); err != nil || !bytes.Equal(again.Encode(), list.Encode()) {
		t.Errorf("the list does not come back: %v", err)
	}
}

// TestDismissed: at once, with every certificate, and for good.
func TestDismissed(t *testing.T) {
	now, key := start(), aKey(t)
	i, r := anIssuer(t, now), aRequest(t, "authority", wire.Authority, key)
	var list Callers
	first, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := list.Admit(i, k1(), r, Grant{Roles: wire.Authority}, now)
	if err != nil {
		t.Fatal(err)
	}
	before := list
	if err := list.Dismiss("authority", now); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*Admission{first, second} {
		if err := list.Allowed(a.cert, now); !errors.Is(err, ErrDismissed) {
			t.Errorf("dismissed: %v", err)
		}
		if err := before.Allowed(a.cert, now); err != nil {
			t.Errorf("a copy of the list changed with it: %v", err)
		}
	}
	if _, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now.Add(2*DefaultTerm)); !errors.Is(err, ErrDismissed) {
		t.Errorf("the key again: %v", err)
	}
	fresh := aRequest(t, "authority", wire.Authority, aKey(t))
	if _, err := list.Admit(i, k1(), fresh, heard(fresh, wire.Authority), now); err != nil {
		t.Errorf("the name with a new key: %v", err)
	}
	for _, name := range []string{"nobody", ""} {
		if err := list.Dismiss(name, now); !errors.Is(err, ErrUnknown) {
			t.Errorf("dismiss %q: %v", name, err)
		}
	}
}

// TestListDecides: the issuer's signature alone admits nobody.
func TestListDecides(t *testing.T) {
	now, key := start(), aKey(t)
	i := anIssuer(t, now)
	cert, err := i.caller("authority", wire.Authority, key.Public(), now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := (Callers{}).Allowed(cert, now); !errors.Is(err, ErrUnknown) {
		t.Errorf("signed and not in the list: %v", err)
	}
	entry := Caller{Name: "authority", Roles: wire.Authority, Number: number(cert), Key: aRequest(t, "authority", wire.Authority, key).keyHash(), Until: now.Add(time.Hour)}
	for name, change := range map[string]func(*Caller){
		"with fewer roles": func(c *Caller) { c.Roles = wire.Peer },
		"by another name":  func(c *Caller) { c.Name = "other" },
	} {
		e := entry
		change(&e)
		if err := (Callers{list: []Caller{e}}).Allowed(cert, now); !errors.Is(err, ErrRole) {
			t.Errorf("in the list %s: %v", name, err)
		}
	}
}

// The number of an admitted certificate stands in an admission, which anybody may read.
func TestAStolenIssuerMakesNobodysTwin(t *testing.T) {
	now := start()
	i, list := anIssuer(t, now), Callers{}
	r := aRequest(t, "authority", wire.Authority, aKey(t))
	a, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now)
	if err != nil {
		t.Fatal(err)
	}
	twin := *a.cert
	cert, err := i.sign(&twin, aKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Allowed(a.cert, now); err != nil {
		t.Errorf("the caller: %v", err)
	}
	if err := list.Allowed(cert, now); !errors.Is(err, ErrOtherKey) {
		t.Errorf("a certificate with the caller's number, name and roles, and another key: %v", err)
	}
}

func TestIssuerFiles(t *testing.T) {
	now := start()
	i, other := anIssuer(t, now), anIssuer(t, now)
	cert, key, err := i.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseIssuer("k1", cert, key)
	if err != nil || IssuerFingerprint(again.Certificate()) != IssuerFingerprint(i.Certificate()) {
		t.Fatalf("read back: %v", err)
	}
	_, otherKey, err := other.Encode()
	if err != nil {
		t.Fatal(err)
	}
	door, err := i.Door(aKey(t).Public(), now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cert, key []byte
		want      error
	}{
		"with another key":    {cert, otherKey, ErrOtherKey},
		"no issuer":           {EncodeCertificate(door), key, ErrIssuer},
		"no certificate":      {key, key, ErrFormat},
		"no key":              {cert, cert, ErrFormat},
		"two certificates":    {append(bytes.Clone(cert), cert...), key, ErrFormat},
		"a certificate's rot": {bytes.Replace(cert, []byte("MII"), []byte("AAA"), 1), key, ErrFormat},
		"empty":               {nil, nil, ErrFormat},
	} {
		if _, err := ParseIssuer("k1", tt.cert, tt.key); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := ParseIssuer("k2", cert, key); !errors.Is(err, ErrIssuer) {
		t.Errorf("as another keeper's: %v", err)
	}
	if _, err := NewIssuer("K 1", now); !errors.Is(err, ErrName) {
		t.Errorf("for a name that is none: %v", err)
	}
}

// TestAdmissionRefuses: an admission holds together, or it is none.
func TestAdmissionRefuses(t *testing.T) {
	now, key := start(), aKey(t)
	i, other := anIssuer(t, now), anIssuer(t, now)
	r := aRequest(t, "authority", wire.Authority, key)
	var list Callers
	a, err := list.Admit(i, k1(), r, heard(r, wire.Authority), now)
	if err != nil {
		t.Fatal(err)
	}
	door, err := i.Door(aKey(t).Public(), now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Admission)
		want   error
	}{
		"another issuer":       {func(a *Admission) { a.root = other.cert }, ErrIssuer},
		"a root that is none":  {func(a *Admission) { a.root = a.cert }, ErrIssuer},
		"another keeper":       {func(a *Admission) { a.Keeper = "k2" }, ErrIssuer},
		"the door's own":       {func(a *Admission) { a.cert = door }, ErrIssuer},
		"the root as caller's": {func(a *Admission) { a.cert = a.root }, ErrIssuer},
		"no member":            {func(a *Admission) { a.Member = 0 }, ErrFormat},
		"no address":           {func(a *Admission) { a.Address = "" }, ErrAddress},
	} {
		bad := *a
		tt.change(&bad)
		if _, err := ParseAdmission(bad.Encode()); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for name, tt := range map[string]struct {
		key  *ecdsa.PrivateKey
		at   time.Time
		want error
	}{
		"with another key": {aKey(t), now, ErrOtherKey}, "after its end": {key, now.Add(DefaultTerm + time.Second), ErrEnded},
		"before it begins": {key, now.Add(-time.Hour), ErrEarly}, "as it should be": {key, now, nil},
	} {
		if err := a.Check(tt.key.Public(), tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := a.TLS(aKey(t)); !errors.Is(err, ErrOtherKey) {
		t.Errorf("TLS with another key: %v", err)
	}
}

// TestHandshake: an admission opens its keeper's door, and a caller cannot pass for the
// keeper.
func TestHandshake(t *testing.T) {
	now, key, doorKey := start(), aKey(t), aKey(t)
	i := anIssuer(t, now)
	door, err := i.Door(doorKey.Public(), now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	r := aRequest(t, "authority", wire.Authority|wire.Closer, key)
	var list Callers
	a, err := list.Admit(i, k1(), r, heard(r, wire.Authority|wire.Closer), now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.TLS(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(i.Certificate())
	shake := func(cert *x509.Certificate, key *ecdsa.PrivateKey) (roles wire.Role, err error) {
		t.Helper()
		ours, theirs := net.Pipe()
		s := tls.Server(theirs, &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}})
		served := make(chan error, 1)
		go func() { served <- s.Handshake(); _ = theirs.Close() }()
		err = tls.Client(ours, c).Handshake()
		_ = ours.Close()
		if err := <-served; err == nil {
			roles, _ = wire.RolesOf(s.ConnectionState())
		}
		return roles, err
	}
	if roles, err := shake(door, doorKey); err != nil || roles != wire.Authority|wire.Closer {
		t.Errorf("at the keeper's door: roles %v, %v", roles.Names(), err)
	}
	if _, err := shake(a.cert, key); err == nil {
		t.Error("a caller passed for the keeper")
	}
	if _, err := i.Door(doorKey.Public(), now, now); !errors.Is(err, ErrTerm) {
		t.Errorf("a door's certificate that ends as it begins: %v", err)
	}
}
