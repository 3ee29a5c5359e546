package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// addressesOf makes addresses as interfaces have them.
func addressesOf(prefixes ...string) func() ([]net.Addr, error) {
	return func() ([]net.Addr, error) {
		var all []net.Addr
		for _, p := range prefixes {
			ip, n, err := net.ParseCIDR(p)
			if err != nil {
				return nil, err
			}
			all = append(all, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		return all, nil
	}
}

func TestLANAddress(t *testing.T) {
	for _, x := range []struct {
		host  string
		have  []string
		want  string
		fails string
	}{
		{"", []string{"fe80::1/64", "172.17.0.1/16", "10.0.0.7/8", "192.168.1.23/24"}, "192.168.1.23", ""},
		{"", []string{"172.20.0.3/16", "10.0.0.7/8"}, "10.0.0.7", ""},
		{"", []string{"169.254.3.3/16", "203.0.113.5/24", "2001:db8::5/64"}, "", "no private IPv4 address"},
		{"", nil, "", "--host"},
		{"203.0.113.5", nil, "203.0.113.5", ""},
		{"::ffff:192.168.1.5", nil, "192.168.1.5", ""},
		{"0.0.0.0", nil, "", "--host"},
		{"laptop.local", nil, "", "--host"},
		{"fe80::1%eth0", nil, "", "--host"},
	} {
		ip, err := lanAddress(x.host, addressesOf(x.have...))
		switch {
		case x.fails != "":
			if err == nil || !strings.Contains(err.Error(), x.fails) {
				t.Errorf("%q of %v: %v, %v; want an error with %q", x.host, x.have, ip, err, x.fails)
			}
		case err != nil || ip.String() != x.want:
			t.Errorf("%q of %v: %v, %v; want %s", x.host, x.have, ip, err, x.want)
		}
	}
	broken := errors.New("broken")
	if _, err := lanAddress("", func() ([]net.Addr, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := hostAddresses(); err != nil {
		t.Error(err)
	}
}

// The certificate is valid for this address and for a month, and its issuer for
// no other address.
func TestLANCertificate(t *testing.T) {
	now := time.Now()
	l, err := newLAN("192.168.1.23", 0, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(l.tls.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	verify := func(name string, at time.Time) error {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: l.pool, DNSName: name, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		return err
	}
	if err := verify("192.168.1.23", now); err != nil {
		t.Error(err)
	}
	if verify("192.168.1.24", now) == nil || verify("192.168.1.23", now.Add(certificateLife+time.Hour)) == nil {
		t.Error("good for another address, or for ever")
	}
	block, _ := pem.Decode(l.ca)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !ca.IsCA || ca.MaxPathLen != 0 || !ca.PermittedDNSDomainsCritical || len(ca.PermittedIPRanges) != 1 ||
		ca.PermittedIPRanges[0].String() != "192.168.1.23/32" || len(ca.PermittedDNSDomains) != 1 {
		t.Errorf("CA %+v, %v", ca, err)
	}
	other, err := newLAN("192.168.1.23", 0, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: other.pool}); err == nil {
		t.Error("another demo's authority vouches for it")
	}
	for _, port := range []int{-1, 65533, 70000} {
		if _, err := newLAN("192.168.1.23", port, nil, now); err == nil || !strings.Contains(err.Error(), "--port") {
			t.Errorf("port %d: %v", port, err)
		}
	}
}

// A listener that cannot be opened is reported before the play begins.
func TestLANRefuses(t *testing.T) {
	var port int
	for port < lanPorts || port > 60000 { // the row of ports must fit around it
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port = taken.Addr().(*net.TCPAddr).Port
	}
	for what, x := range map[string]struct {
		lan  LAN
		want string
	}{
		"taken":              {LAN{Host: "127.0.0.1", Port: port}, "choose another with --port"},
		"authority's taken":  {LAN{Host: "127.0.0.1", Port: port - lanPorts + 1}, "choose another with --port"},
		"another machine's":  {LAN{Host: "203.0.113.7"}, "not an address of this machine"},
		"no address but any": {LAN{Host: "0.0.0.0"}, "--host"},
	} {
		t.Run(what, func(t *testing.T) {
			var out bytes.Buffer
			c := small(t, &out)
			c.Once, c.LAN = false, &x.lan
			err := Run(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want %q", err, x.want)
			}
			if strings.Contains(out.String(), "【1】") {
				t.Error("began to play")
			}
		})
	}
}

// transcript can be read while the play goes on. seen is closed once a word
// was written.
type transcript struct {
	word string
	seen chan struct{}

	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

func (w *transcript) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Contains(b, []byte(w.word)) {
		defer close(w.seen)
	}
	return w.all.Write(b)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

// household is the other devices on the network.
type household struct {
	t      *testing.T
	ctx    context.Context
	client *http.Client
	window string
}

func (h *household) get(address string) string {
	h.t.Helper()
	resp, err := h.client.Get(address)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %d, %v", address, resp.StatusCode, err)
	}
	return string(raw)
}

// code is the one-time code of the latest text in the window.
func (h *household) code() string {
	h.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		var all struct{ Messages []window.SMS }
		if err := json.Unmarshal([]byte(h.get(h.window+"/sms.json")), &all); err != nil {
			h.t.Fatal(err)
		}
		if n := len(all.Messages); n > 0 {
			return all.Messages[n-1].Code
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.t.Fatal("no text in the window")
	return ""
}

// press goes on, or ends the test.
func (h *household) press(p *visitor.Page, verb string, pairs ...string) *visitor.Page {
	h.t.Helper()
	g := &guest{page: p}
	if err := g.press(h.ctx, verb, pairs...); err != nil {
		h.t.Fatalf("%v\n%s", err, p.Text())
	}
	if err := g.begin(h.ctx); err != nil {
		h.t.Fatal(err)
	}
	return g.page
}

// A phone that trusts the certificate opens the window, enrols in an app and
// gets its messages, all by TLS.
func TestServesTheLAN(t *testing.T) {
	out := &transcript{word: "open this", seen: make(chan struct{})}
	c := small(t, nil)
	c.Out, c.Once, c.LAN = out, false, &LAN{Host: "127.0.0.1"}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- Run(ctx, c) }()
	select {
	case <-out.seen:
	case err := <-served:
		t.Fatalf("%v\n%s", err, out.String())
	case <-time.After(3 * patience.Limit): // a whole play
		t.Fatal("still playing")
	}
	text := out.String()
	address := regexp.MustCompile(`open this\W.*(https://127\.0\.0\.1:[0-9]+)`).FindStringSubmatch(text)
	if len(address) == 0 || !strings.Contains(text, "▀") || !strings.Contains(text, "ca.pem") {
		t.Fatalf("no address, QR code or certificate:\n%s", text)
	}
	ca, err := os.ReadFile(filepath.Join(c.Dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	h := &household{t: t, ctx: ctx, client: &http.Client{Transport: transport, Timeout: patience.Limit}, window: address[1]}
	page := h.get(h.window + "/")
	apps := regexp.MustCompile(`class="app" href="(https://127\.0\.0\.1:[0-9]+)"`).FindAllStringSubmatch(page, -1)
	if len(apps) != 2 || !strings.Contains(page, "/qr.svg") || h.get(h.window+"/ca.crt") != string(ca) {
		t.Fatalf("apps %v on the page:\n%s", apps, page)
	}
	h.enrol(apps[0][1], transport)
	if _, err := (&http.Client{Timeout: patience.Limit}).Get(h.window); err == nil {
		t.Error("a device that does not know the certificate is not warned")
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("got %v", err)
	}
	private(t, c.Dir)
}

func (h *household) enrol(app string, transport http.RoundTripper) {
	h.t.Helper()
	v, err := visitor.New(visitor.Config{Transport: transport})
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := v.Open(h.ctx, app+"/")
	if err != nil {
		h.t.Fatal(err)
	}
	p = h.press(h.press(h.press(p, "person", "person", "chen"), "start", "action", "enroll"), "evidence")
	if u := p.URL(); u.Scheme != "https" || netip.MustParseAddr(u.Hostname()).String() != "127.0.0.1" {
		h.t.Fatalf("the hosted page is at %s", u)
	}
	p = h.press(h.press(p, "agree"), "send-code")
	p = h.press(p, "code", "code", h.code())
	if p, err = p.TypePIN(h.ctx, "274916"); err != nil {
		h.t.Fatal(err)
	}
	if strings.HasPrefix(p.URL().String(), app) {
		return
	}
	p = h.press(p, "return")
	if !strings.Contains(p.Body(), cameDone) {
		h.t.Errorf("at the end:\n%s", p.Text())
	}
}
