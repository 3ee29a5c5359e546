package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/vault"
)

// leftover SOCKET makes a socket whose process is gone.
func leftover(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: leftover SOCKET")
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unix"})
	ts.Check(err)
	ln.SetUnlinkOnClose(false)
	ts.Check(ln.Close())
}

// awaitfile SOCKET waits until a server listens there.
func awaitfile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awaitfile SOCKET")
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		conn, err := net.Dial("unix", ts.MkAbs(args[0]))
		if err == nil {
			ts.Check(conn.Close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nobody listens at %s", args[0])
}

// kid VARIABLE KEY sets a variable to the kid of a public key.
func kid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: kid VARIABLE KEY")
	}
	ts.Setenv(args[0], kidOf(ts, args[1]))
}

func kidOf(ts *testscript.TestScript, file string) string {
	var key struct {
		KID string `json:"kid"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &key))
	return key.KID
}

// knock BASE CHANNEL KEY CODE asks for a challenge as a channel would; CODE is
// the expected error code, or ok.
func knock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: knock BASE CHANNEL KEY CODE")
	}
	block, _ := pem.Decode([]byte(ts.ReadFile(args[2])))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ts.Check(err)
	c, err := client.New(client.Config{BaseURL: args[0], ID: args[1], KeyID: kidOf(ts, args[2]+".pub.jwk"), Key: key.(*ecdsa.PrivateKey)})
	ts.Check(err)
	_, err = c.Challenge(context.Background())
	got := "ok"
	if err != nil {
		got = cmp.Or(client.CodeOf(err), err.Error())
	}
	if got != args[3] {
		ts.Fatalf("%s was answered %s, want %s", args[1], got, args[3])
	}
}

// signingkey VARIABLE STATE sets a variable to the kid of the one signing key
// in that state, in the data directory LIUMA_DATA.
func signingKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signingkey VARIABLE STATE")
	}
	c, err := config.Load(ts.MkAbs(ts.Getenv("LIUMA_DATA")))
	ts.Check(err)
	keys, err := vault.At(c.Vault).SigningKeys()
	ts.Check(err)
	for _, k := range keys {
		if string(k.State) == args[1] {
			ts.Setenv(args[0], k.ID)
			return
		}
	}
	ts.Fatalf("no key is %s", args[1])
}
