package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
)

// TestKeys: what 'liuma channel keygen' and OpenSSL write is read, and the kid is
// the one that is registered.
func TestKeys(t *testing.T) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := pair.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(pair.Private)
	if err != nil {
		t.Fatal(err)
	}
	ec := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42}})
	for what, raw := range map[string][]byte{"PKCS #8": pkcs8, "SEC 1": ec, "OpenSSL's": append(parameters, ec...)} {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := client.LoadKey(file)
		if err != nil || !key.Equal(pair.Private) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if kid, err := client.KeyID(pair.Private); err != nil || kid != pair.Public.KeyID {
		t.Errorf("kid %q, %v; registered as %q", kid, err, pair.Public.KeyID)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(pair.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string][]byte{
		"nothing": nil, "another curve": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: other}), "two keys": append(ec, ec...),
		"a public key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "text": []byte("key"),
	} {
		if _, err := client.ReadKey(raw); !errors.Is(err, client.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestEveryCodeHasAName: a channel never has to spell an error code.
func TestEveryCodeHasAName(t *testing.T) {
	raw, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	words, err := os.ReadFile("../error.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(Code\w+) +Code = "`).FindAllStringSubmatch(string(words), -1) {
		if !regexp.MustCompile(`\b` + m[1] + ` += string\(liuma\.` + m[1] + `\)`).Match(raw) {
			t.Errorf("%s has no name in codes.go", m[1])
		}
	}
	if client.CodeLocked != string(liuma.CodeLocked) || !strings.Contains(string(words), "CodeLocked") {
		t.Error("the list of codes was not found")
	}
}
