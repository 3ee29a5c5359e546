package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/qr"
)

// certificateLife is how long the certificate of a LAN demo lasts.
const certificateLife = 30 * 24 * time.Hour

// lan is the access to a demo from other devices: by TLS, since browsers seal a PIN
// only in secure contexts, with a certificate of its own.
type lan struct {
	host string // an IP address of this machine
	port int    // the first of lanPorts in a row, or 0 for any
	ca   []byte // PEM; the certificate that devices may trust
	tls  *tls.Config
	pool *x509.CertPool
}

// lanPorts are the window, the two channels and the authority.
const lanPorts = 4

// newLAN finds the address and makes the certificate. The certificate authority
// signs this one certificate only: its key is thrown away at once, and it is
// constrained to this address, so that a device which trusts it risks nothing.
func newLAN(host string, port int, addresses func() ([]net.Addr, error), now time.Time) (*lan, error) {
	if port < 0 || port > 1<<16-lanPorts {
		return nil, fmt.Errorf("--port %d: want one with %d free ones from it on, or 0 for any", port, lanPorts)
	}
	ip, err := lanAddress(host, addresses)
	if err != nil {
		return nil, err
	}
	l := &lan{host: ip.String(), port: port, pool: x509.NewCertPool()}
	authority, signer, err := newAuthority(ip, now)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Liuma demo " + l.host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), IPAddresses: []net.IP{ip.AsSlice()},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}, authority, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("demo: certificate: %w", err)
	}
	l.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw})
	l.pool.AddCert(authority)
	l.tls = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf, authority.Raw}, PrivateKey: key}}}
	return l, nil
}

// newAuthority makes the certificate's issuer.
func newAuthority(ip netip.Addr, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	bits := ip.BitLen()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Liuma demo CA, for " + ip.String() + " only"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true, // marks all constraints as critical
		PermittedIPRanges:           []*net.IPNet{{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, bits)}},
		PermittedDNSDomains:         []string{"demo.invalid"},
	}
	raw, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("demo: certificate: %w", err)
	}
	authority, err := x509.ParseCertificate(raw)
	return authority, key, err
}

// lanAddress is the address at which devices reach the demo: the given one, or
// the first private one of this machine.
func lanAddress(host string, addresses func() ([]net.Addr, error)) (netip.Addr, error) {
	if host != "" {
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" {
			return netip.Addr{}, fmt.Errorf("--host %q: want an IP address of this machine, such as 192.168.1.23", host)
		}
		return ip.Unmap(), nil
	}
	all, err := addresses()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking for a LAN address: %w", err)
	}
	var found []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := prefix.Addr().Unmap(); ip.Is4() && ip.IsPrivate() {
			found = append(found, ip)
		}
	}
	if len(found) == 0 {
		return netip.Addr{}, errors.New("this machine has no private IPv4 address: is it on a network? Give the address that the phone can reach with --host, or leave --lan out")
	}
	// Home and office networks come before networks that are mostly used by
	// containers and virtual machines.
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	return found[0], nil
}

func rank(ip netip.Addr) int {
	switch s := ip.String(); {
	case strings.HasPrefix(s, "192.168."):
		return 0
	case strings.HasPrefix(s, "10."):
		return 1
	}
	return 2
}

// hostAddresses lists this machine's addresses of interfaces that are up,
// without interfaces that only lead to containers.
func hostAddresses() ([]net.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []net.Addr
	for _, i := range interfaces {
		inside := slices.ContainsFunc([]string{"docker", "br-", "veth", "virbr", "cni", "podman"}, func(p string) bool { return strings.HasPrefix(i.Name, p) })
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || inside {
			continue
		}
		of, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return all, nil
}

// address is where the i-th of the demo's doors listens.
func (l *lan) address(i int) string {
	port := 0
	if l.port != 0 {
		port = l.port + i
	}
	return net.JoinHostPort(l.host, fmt.Sprint(port))
}

// explain describes in plain words why a door could not be opened.
func (l *lan) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("a port is taken (%w); choose another with --port, or leave it out for any free one", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine (%w); choose another with --host", l.host, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("a port is not allowed (%w); choose one of 1024 or more with --port", err)
	}
	return err
}

// transport trusts only the demo's certificate for TLS.
func (l *lan) transport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
}

// pem writes the certificate's chain and key as the configuration names them.
func (l *lan) pem() (chain, key []byte, err error) {
	c := l.tls.Certificates[0]
	for _, raw := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// findLAN prepares address and certificate of a LAN demo; on loopback it does
// nothing.
func (s *stage) findLAN(c Config) (err error) {
	if c.LAN == nil {
		return nil
	}
	if s.lan, err = newLAN(c.LAN.Host, c.LAN.Port, hostAddresses, time.Now()); err == nil {
		s.transport = s.lan.transport()
	}
	return err
}

func (s *stage) scheme() string {
	if s.lan != nil {
		return "https"
	}
	return "http"
}

// listenHosted opens the hosted door's listener.
func (s *stage) listenHosted() (net.Listener, error) {
	if s.lan == nil {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	ln, err := net.Listen("tcp", s.lan.address(lanPorts-1))
	if err != nil {
		return nil, s.lan.explain(err)
	}
	return tls.NewListener(ln, s.lan.tls), nil
}

// listenWindow opens the listeners of the demo window and the channels.
func (s *stage) listenWindow() (*window.Show, error) {
	if s.lan == nil {
		return window.Listen(window.Addresses{Window: "127.0.0.1:0", Channels: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	}
	doors, err := window.Listen(window.Addresses{Window: s.lan.address(0), Channels: []string{s.lan.address(1), s.lan.address(2)}, TLS: s.lan.tls})
	return doors, s.lan.explain(err)
}

// certificateCAFile is the file in the demo's directory with the certificate
// that devices may trust.
const certificateCAFile = "tls/ca.pem"

// keepCertificate writes the certificate beside the data, and its path into the
// configuration.
func (s *stage) keepCertificate(conf *config.Config) error {
	if s.lan == nil {
		return nil
	}
	if err := os.MkdirAll(s.path("tls"), 0o700); err != nil {
		return err
	}
	chain, key, err := s.lan.pem()
	if err != nil {
		return err
	}
	defer clear(key)
	conf.Hosted.Certificate, conf.Hosted.Key = s.path("tls/certificate.pem"), s.path("tls/key.pem")
	return errors.Join(writePrivate(conf.Hosted.Certificate, chain), writePrivate(conf.Hosted.Key, key), writePrivate(s.path(certificateCAFile), s.lan.ca))
}

// howToReach explains how a phone opens the demo window: by its camera, and
// past the warning about an unknown certificate.
func (p *play) howToReach() {
	s := p.stage
	if s.lan == nil {
		p.Note(both(words.UseLan))
		return
	}
	if code, err := qr.New(s.doors.Origin()); err == nil { // without a QR code there is still the address
		p.printf("\n")
		for _, line := range code.Lines() {
			p.printf("  %s\n", line)
		}
		p.printf("\n")
	}
	p.Note(both(words.Scan))
	p.Note(both(func(w words) string { return w.InstallCa(s.path(certificateCAFile), s.lan.host) }))
	p.Note(both(words.LanIsOpen))
}
