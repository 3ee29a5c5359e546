package openidclient

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/rehearsal"
	"github.com/liuma-pin/liuma/test/npm"
)

const nodeChannel = "../../examples/node"

// TestTheNodeChannelPasses: the example for Node comes through every case of
// 'liuma channel check' about the acts that it has.
func TestTheNodeChannelPasses(t *testing.T) {
	must(t, npm.Install(nodeChannel))
	key, err := admin.NewKeyPair()
	must(t, err)
	private, err := key.PrivatePEM()
	must(t, err)
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(keyFile, private, 0o600))
	c := rehearsal.Config{Dir: t.TempDir() + "/data", Native: listen(t), Hosted: listen(t), Key: key.Public}
	free := listen(t) // an address for the channel
	origin := "http://" + free.Addr().String()
	raw, err := os.ReadFile(filepath.Join(nodeChannel, "check.json"))
	must(t, err)
	c.Channel, err = rehearsal.ParseDescription([]byte(strings.ReplaceAll(string(raw), "http://127.0.0.1:8090", origin)))
	must(t, err)
	issuer, api, _ := c.Places()
	must(t, free.Close())
	cmd := exec.Command("node", "channel.mjs")
	cmd.Dir = nodeChannel
	cmd.Env = append(os.Environ(), "ISSUER="+issuer, "API="+api, "CLIENT_ID="+c.Channel.ClientID, "KEY_ID="+key.Public.KeyID, "KEY_FILE="+keyFile, "ORIGIN="+origin)
	var log strings.Builder
	cmd.Stderr = &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait() // it was told to end
	})
	waitFor(t, free.Addr().String())
	results, err := rehearsal.Run(t.Context(), c)
	must(t, err)
	if len(results) != len(rehearsal.Cases()) {
		t.Errorf("%d of %d cases", len(results), len(rehearsal.Cases()))
	}
	for _, r := range results {
		if r.Fault != "" {
			t.Errorf("%s: %s", r.ID, r.Fault)
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return ln
}

func waitFor(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if conn, err := net.Dial("tcp", address); err == nil {
			must(t, conn.Close())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the channel does not listen")
}
