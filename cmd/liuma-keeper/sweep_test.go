package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// secret is what lies in files of one name, and in no other place.
type secret struct {
	what, file string
	forms      [][]byte
}

func newSecret(what, file string, raw []byte) secret {
	return secret{what, file, [][]byte{raw, []byte(base64.RawStdEncoding.EncodeToString(raw)), []byte(base64.RawURLEncoding.EncodeToString(raw)), []byte(hex.EncodeToString(raw))}}
}

// in reports whether the secret stands in some text, in whatever form.
func (s secret) in(text []byte) bool {
	for _, f := range s.forms {
		if bytes.Contains(text, f) {
			return true
		}
	}
	return false
}

// secretsOf are the secrets of a keeper's directory.
func secretsOf(t *testing.T, p *place) (out []secret) {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var stored struct {
		Identity []byte `json:"identity"`
		KeySets  []struct {
			Keys []struct {
				Key []byte `json:"key"`
			} `json:"share_keys"`
		} `json:"key_sets"`
	}
	if err := json.Unmarshal(read("keeper.json"), &stored); err != nil || len(stored.Identity) < 32 || len(stored.KeySets) != 1 || len(stored.KeySets[0].Keys) != 2 {
		t.Fatalf("keeper.json: %v", err)
	}
	out = append(out, newSecret("identity", "keeper.json", stored.Identity))
	for _, k := range stored.KeySets[0].Keys {
		out = append(out, newSecret("share key", "keeper.json", k.Key))
	}
	for _, name := range []string{"issuer.key", "server.pem"} {
		for rest := read(name); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type == "PRIVATE KEY" {
				out = append(out, newSecret("key", name, block.Bytes[36:68])) // the number in it, of PKCS #8 with P-256
			}
		}
	}
	if len(out) != 5 {
		t.Fatalf("%d secrets of %s", len(out), p.id)
	}
	return out
}

// sweep looks through every file of the keepers, their logs, what they answer to their
// administrators and what they show to whoever comes, while they serve: no PIN is anywhere,
// and each key only in the file that it belongs in.
func sweep(t *testing.T, places []*place) {
	t.Helper()
	secrets := []secret{{"right PIN", "", [][]byte{[]byte("135790")}}, {"wrong PIN", "", [][]byte{[]byte("246801")}}}
	texts := map[string][]byte{}
	for _, p := range places {
		secrets = append(secrets, secretsOf(t, p)...)
		texts["log of "+string(p.id)] = p.log.Bytes()
		texts["status of "+string(p.id)] = []byte(p.run("status") + p.run("status", "--json") + p.run("callers"))
		resp, err := http.Get("http://" + p.metricsAt() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		texts["metrics of "+string(p.id)], err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				texts[path], err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for name, text := range texts {
		for _, s := range secrets {
			switch {
			case !s.in(text):
			case filepath.Base(name) == s.file:
				found++
			default:
				t.Errorf("%s is in %s", s.what, name)
			}
		}
	}
	if found < 15 { // what is looked for is found where it is: five a keeper
		t.Errorf("%d keys were found where they belong", found)
	}
}
