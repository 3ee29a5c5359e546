package testkit_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/test/printed"
)

const (
	firstPIN  = "274916"
	secondPIN = "838527"
	wrongPIN  = "619384"
)

// record keeps the log.
type record struct{ printed.Log }

// logger writes everything that a process logs into r, but for the times: among
// the nanoseconds of a day's lines any six digits turn up by chance.
func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{
		Level: slog.LevelDebug, AddSource: true,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// lines returns the log up to now, without the path of the test's directory,
// which ends in a random number.
func (r *record) lines(dir string) []byte {
	return bytes.ReplaceAll([]byte(r.String()), []byte(dir), []byte("DIR"))
}

// files reads all that lies in a directory, by path below it.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[strings.TrimPrefix(p, dir)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// holds reports whether the bytes are there, in any common spelling.
func holds(dump, secret []byte) bool {
	for _, s := range []string{
		string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.StdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
	} {
		if bytes.Contains(dump, []byte(s)) {
			return true
		}
	}
	return false
}

// around returns the plain secret's surroundings in the dump, so that a failure
// names the line that leaks.
func around(dump, secret []byte) []byte {
	at := max(bytes.Index(dump, secret), 0)
	return dump[max(at-200, 0):min(at+len(secret)+200, len(dump))]
}

// TestNoSecretLeavesTheProcess (I-6) plays a story with every ceremony and
// every kind of refusal, and then looks for PINs and personal data in all that
// it left: log at its most talkative, errors, answers, and every file, before
// and after the system closed.
func TestNoSecretLeavesTheProcess(t *testing.T) {
	log := &record{}
	allowed := policy.National()
	allowed.AllowStandInEvidence, allowed.Passphrase = true, true
	env := testkit.New(t, testkit.Options{
		Shape: "2/3", Logger: log.logger(), Policy: &allowed,
	})
	who := env.People[0]
	said := tell(env, who)
	open := files(t, env.Dir)
	env.Close()
	closed := files(t, env.Dir)
	env.Open() // so that the test's end finds it as New left it

	places := map[string][]byte{"answers and errors": []byte(said), "log": log.lines(env.Dir)}
	for name, b := range open {
		places["open "+name] = b
	}
	for name, b := range closed {
		places["closed "+name] = b
	}
	wal := false
	for place, dump := range places {
		wal = wal || strings.HasSuffix(place, "-wal") && len(dump) > 0
		for what, secret := range map[string]string{
			"first PIN": firstPIN, "second PIN": secondPIN, "wrong PIN": wrongPIN, "weak PIN": "112233", "no PIN": "27491x",
			"passphrase": wordsTyped, "passphrase as spelt": wordsSpelt, "half a passphrase": "断桥",
			"ID number": who.IDNumber, "phone": who.Phone, "card number": who.CardNo, "name": who.Name,
		} {
			if holds(dump, []byte(secret)) {
				t.Errorf("%s holds the %s: %s", place, what, around(dump, []byte(secret)))
			}
		}
	}
	if len(places["log"]) == 0 || !wal || !strings.Contains(said, string(liuma.Wrong)) {
		t.Errorf("there is too little to look through: %d bytes of log, WAL %v", len(places["log"]), wal)
	}
}

// A passphrase as it is typed in full width, and as it is spelt.
const (
	wordsTyped = "莲花，断桥　Ｋｅｔｔｌｅ"
	wordsSpelt = "莲花,断桥 Kettle"
)

// tell plays the story and returns all answers, errors and log lines.
func tell(env *testkit.Env, who registry.Facts) string {
	env.T.Helper()
	var said strings.Builder
	hear := func(v any, err error) {
		j, jerr := json.Marshal(v)
		fmt.Fprintf(&said, "%+v %#v %s %v\n%v %+v %#v\n", v, v, j, jerr, err, err, err)
		for e := err; e != nil; {
			fmt.Fprintf(&said, "%+v\n", e)
			u, ok := e.(interface{ Unwrap() error })
			if !ok {
				break
			}
			e = u.Unwrap()
		}
	}
	ctx, a := env.T.Context(), env.Authority()
	ch, far, reg := env.Channel("zj-hrss"), env.Channel("far"), env.RegistryClient("mohrss")
	for _, weak := range []string{"112233", who.IDNumber[8:14], who.Phone[5:], "27491x"} {
		v, err := a.Enroll(ctx, ch, env.EnrollRequest(ch, who, weak))
		hear(v, err)
	}
	card := env.Enroll(ch, who, firstPIN)
	for _, p := range []string{firstPIN, wrongPIN, "27491x"} {
		v, err := a.Verify(ctx, ch, env.VerifyRequest(ch, card, p))
		hear(v, err)
		v, err = a.Link(ctx, far, env.LinkRequest(far, who, p))
		hear(v, err)
		v, err = a.Change(ctx, ch, env.ChangeRequest(ch, card, p, p))
		hear(v, err)
	}
	v, err := a.Change(ctx, ch, env.ChangeRequest(ch, card, firstPIN, secondPIN))
	hear(v, err)
	for _, p := range []string{"断桥断桥断桥断桥", "断桥", wordsTyped} { // where none may be set, all are refused
		v, err = a.Change(ctx, ch, env.ChangeRequest(ch, card, secondPIN, p))
		hear(v, err)
	}
	v, err = a.Verify(ctx, ch, env.VerifyRequest(ch, card, wordsSpelt))
	hear(v, err)
	v, err = a.Change(ctx, ch, env.ChangeRequest(ch, card, wordsTyped, secondPIN))
	hear(v, err)
	for range 7 {
		v, err = a.Verify(ctx, ch, env.VerifyRequest(ch, card, wrongPIN))
		hear(v, err)
	}
	damaged := env.VerifyRequest(ch, card, secondPIN)
	damaged.Current.Ciphertext[7] ^= 1
	v, err = a.Verify(ctx, ch, damaged)
	hear(v, err)
	broken := who
	broken.IDNumber = who.IDNumber[:17] + "?"
	v, err = a.Link(ctx, far, env.LinkRequest(far, broken, secondPIN))
	hear(v, err)
	view, err := a.Card(ctx, ch, card)
	hear(view.Standing, err) // the view itself shows the masked name
	bn := env.BusinessNo()
	status, err := a.SetPhysical(ctx, reg, authority.PhysicalRequest{
		BusinessNo: bn, IDNumber: who.IDNumber, CardNo: who.CardNo, Event: authority.PhysicalLost, Digest: testkit.Digest(string(bn)),
	})
	hear(status, err)
	v, err = a.Freeze(ctx, ch, authority.Request{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(ch, card, firstPIN).Subject})
	hear(v, err)
	return said.String()
}

// TestAuthorityHoldsNoShareKey (I-5): no file outside the keepers' own
// directories holds a share key, in any encoding, nor does the log; and
// together with one keeper's directory a share key is still missing.
func TestAuthorityHoldsNoShareKey(t *testing.T) {
	log := &record{}
	env := testkit.New(t, testkit.Options{
		Shape: "2/3", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	tell(env, env.People[0])
	dirs := env.System.Config.Keepers.Directories
	keys := map[int][]byte{}             // by subset
	keepers := make([][]byte, len(dirs)) // everything that a keeper holds
	for i, dir := range dirs {
		var stored struct {
			KeySets []struct {
				Keys []struct {
					Subset int    `json:"subset"`
					Key    []byte `json:"key"`
				} `json:"share_keys"`
			} `json:"key_sets"`
		}
		b, err := os.ReadFile(filepath.Join(dir, "keeper.json"))
		if err == nil {
			err = json.Unmarshal(b, &stored)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range stored.KeySets[0].Keys {
			keys[k.Subset] = k.Key
		}
		for _, b := range files(t, dir) {
			keepers[i] = append(keepers[i], b...)
		}
	}
	if len(keys) != 3 {
		t.Fatalf("%d share keys, want 3", len(keys))
	}
	var own []byte
	for name, b := range files(t, env.Dir) {
		inside := false
		for _, dir := range dirs {
			inside = inside || strings.HasPrefix(env.Dir+name, dir+string(filepath.Separator))
		}
		if !inside {
			own = append(own, b...)
		}
	}
	own = append(own, log.String()...)
	for i, dump := range keepers {
		missing := 0
		for subset, key := range keys {
			if holds(own, key) {
				t.Errorf("the authority holds the share key of subset %b", subset)
			}
			if !holds(dump, key) {
				missing++
			}
		}
		if missing == 0 {
			t.Errorf("keeper %d holds every share key", i+1)
		}
	}
}
