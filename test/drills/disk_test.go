package drills

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// mount puts the directory on a small file system in memory; where that is not allowed the
// drill is left out.
func (h *house) mount(ts *testscript.TestScript) {
	h.disk = ts.MkAbs("disk")
	ts.Check(os.Mkdir(h.disk, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", h.disk).CombinedOutput(); err != nil {
		h.disk = ""
		h.t.Skipf("no file system of its own can be made here: %v %s", err, out)
	}
	h.dir = filepath.Join(h.disk, "data")
}

func (h *house) unmount() {
	if h.disk != "" {
		_ = exec.Command("umount", "-l", h.disk).Run()
		h.disk = ""
	}
}

// certificate makes a certificate that ends in a week.
func certificate(t *testing.T, dir string) (chain, key string) {
	t.Helper()
	chain, key = filepath.Join(dir, "door.crt"), filepath.Join(dir, "door.key")
	writeCertificate(t, chain, key, 7*24*time.Hour)
	writeCertificate(t, chain+".new", key+".new", 90*24*time.Hour)
	return chain, key
}

func writeCertificate(t *testing.T, chain, key string, lasts time.Duration) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "drill"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{chain: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// insecure asks a listener whose certificate this test made.
func insecure() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // of this test's own server
}
