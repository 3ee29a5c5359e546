package web

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/test/npm"
)

var update = flag.Bool("update", false, "build dist and the gallery anew")

// TestMain makes the tools ready that the tests of the TypeScript need. It
// never leaves a test out: without Node and npm it fails and says so.
func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "web: these tests need Node 18 or newer and npm:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare() error {
	if err := npm.Install("."); err != nil {
		return err
	}
	if out, err := run("node", "build.mjs", "--tests"); err != nil {
		return fmt.Errorf("node build.mjs --tests: %w\n%s", err, out)
	}
	return nil
}

func run(name string, args ...string) ([]byte, error) {
	return exec.Command(name, args...).CombinedOutput()
}

// tool asks the script's own code; see test/tool.ts.
func tool(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"test/built/tool.mjs"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tool %v: %v\n%s", args, err, stderr.String())
	}
	return out
}

func TestBuiltFilesAreUpToDate(t *testing.T) {
	if *update {
		if out, err := run("node", "build.mjs"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	fresh := t.TempDir()
	if out, err := run("node", "build.mjs", "--out", fresh); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	committed, built := files(t, ".", "dist/*"), files(t, fresh, "dist/*")
	if len(built) == 0 {
		t.Fatal("nothing was built")
	}
	for name := range built {
		if !bytes.Equal(committed[name], built[name]) {
			t.Errorf("%s is out of date: run make update and commit", name)
		}
	}
	for name := range committed {
		if _, ok := built[name]; !ok {
			t.Errorf("%s is not built any more: remove it", name)
		}
	}
}

func files(t *testing.T, dir, pattern string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte, len(names))
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.ToSlash(relative)] = content
	}
	return out
}

func TestTypesAgree(t *testing.T) {
	if out, err := run("npm", "run", "--silent", "check"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestScriptUnits(t *testing.T) {
	out, err := run("npm", "run", "--silent", "test")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	count := regexp.MustCompile(`(?m)^\D*pass (\d+)$`).FindSubmatch(out)
	if count == nil || len(count[1]) < 2 {
		t.Fatalf("fewer than ten unit tests ran:\n%s", out)
	}
}

func TestLockPinsVersionsAndNamesNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(lock, []byte(`"resolved"`)) {
		t.Error("package-lock.json names a registry: install with omit-lockfile-registry-resolved")
	}
	manifest, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Dependencies, DevDependencies map[string]string }
	if err := json.Unmarshal(manifest, &p); err != nil {
		t.Fatal(err)
	}
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for _, set := range []map[string]string{p.Dependencies, p.DevDependencies} {
		for name, version := range set {
			if !exact.MatchString(version) {
				t.Errorf("%s is asked for as %q, want an exact version", name, version)
			}
		}
	}
}

// sealed asks the script to seal for a role, with decoys for the others, so
// that a script that takes the wrong role's data is found.
func sealed(t *testing.T, public []byte, kid string, role liuma.Role, aad []byte, secret string) envelope.Envelope {
	t.Helper()
	b64 := base64.RawURLEncoding
	decoy := b64.EncodeToString([]byte("decoy"))
	all := map[liuma.Role]string{liuma.RoleCurrent: decoy, liuma.RoleOld: decoy, liuma.RoleNew: decoy}
	all[role] = b64.EncodeToString(aad)
	request, err := json.Marshal(map[string]any{
		"kid": kid, "key": b64.EncodeToString(public), "aad": all, "role": role, "secret": secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	var e envelope.Envelope
	if err := json.Unmarshal(tool(t, request, "seal"), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEnvelopeOpensWithTheHousesFormat(t *testing.T) {
	scalar, public, err := envelope.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := envelope.ParsePrivate(scalar)
	if err != nil {
		t.Fatal(err)
	}
	for role, secret := range map[liuma.Role]string{
		liuma.RoleCurrent: "907352",
		liuma.RoleOld:     "402817",
		liuma.RoleNew:     "马兰花开二十一 " + strings.Repeat("x", 50),
	} {
		b := envelope.Binding{
			Channel: "zj-hrss", Action: liuma.ActionVerify, Role: role, BusinessNo: "ZL-1",
			Subject:     envelope.Subject{Card: "0123456789abcdef0123456789abcdef"},
			PurposeHash: envelope.PurposeHash("查询社保缴费年限"), SealKeyID: "k-1", Challenge: "c",
		}
		e := sealed(t, public, "k-1", role, b.AAD(), secret)
		plain, err := envelope.Open(private, b, e)
		if err != nil {
			t.Errorf("%s: %v", role, err)
			continue
		}
		if string(plain) != secret {
			t.Errorf("%s: opened to another secret", role)
		}
		b.Challenge = "d"
		if _, err := envelope.Open(private, b, e); liuma.CodeOf(err) != liuma.CodeEnvelopeInvalid {
			t.Errorf("%s: opened for another request: %v", role, err)
		}
	}
}

// The same with the standard library alone, so that the script and the house
// cannot agree on a mistake.
func TestEnvelopeOpensWithPlainHPKE(t *testing.T) {
	private, err := hpke.DHKEM(ecdh.P256()).GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	aad := []byte("whatever the server says")
	e := sealed(t, private.PublicKey().Bytes(), "k-2", liuma.RoleNew, aad, "907352")
	r, err := hpke.NewRecipient(e.Enc, private, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte("liuma/1/pin-envelope"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := r.Open(aad, e.Ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 256)
	binary.BigEndian.PutUint16(want, 6)
	copy(want[2:], "907352")
	if !bytes.Equal(plain, want) {
		t.Errorf("plaintext %x", plain)
	}
}

// The script judges as the server does, over every PIN there is, under both lists.
func TestHintsAgreeWithTheJudge(t *testing.T) {
	var lines []string
	want := map[pin.Rule]string{}
	for _, rule := range pin.RulesForAll() { // as the pages bring them
		want[rule] = pin.Sentence(rule, false).ZH
		lines = append(lines, string(rule)+" "+want[rule])
	}
	var words struct {
		Rules []pin.Rule
		Said  map[pin.Rule]string
	}
	if err := json.Unmarshal(tool(t, []byte(strings.Join(lines, "\n")), "sentences"), &words); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pin.RulesForAll(), words.Rules) + cmp.Diff(want, words.Said); diff != "" {
		t.Errorf("the script's rules and sentences are not the server's (-server +script):\n%s", diff)
	}
	assets, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	lists, err := assets.Asset(Lists)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range pin.Lists() {
		t.Run(string(list), func(t *testing.T) {
			t.Parallel()
			agree(t, words.Rules, list, tool(t, lists.Bytes, "rules", string(list)))
		})
	}
}

// agree wants of the script's two bytes for each PIN what the judge says.
func agree(t *testing.T, rules []pin.Rule, list pin.List, hints []byte) {
	national := pin.NationalRules()
	national.List = list
	judge, err := pin.NewJudge(national)
	if err != nil {
		t.Fatal(err)
	}
	if len(hints) != 2*1_000_000 {
		t.Fatalf("hints for %d PINs", len(hints)/2)
	}
	wrong, common := 0, 0
	for n := range len(hints) / 2 {
		digits := fmt.Appendf(nil, "%06d", n)
		p, err := pin.Parse(bytes.Clone(digits), false)
		if err != nil {
			t.Fatal(err)
		}
		hint, judged := binary.LittleEndian.Uint16(hints[2*n:]), uint16(0)
		for _, f := range judge.Check(p, pin.Facts{}, nil) {
			at := slices.Index(rules, f.Rule)
			if at < 0 {
				t.Fatalf("%s: the script does not know %s", digits, f.Rule)
			}
			judged |= 1 << at
			if f.Rule == pin.RuleCommon {
				common++
			}
		}
		p.Wipe()
		if hint != judged && wrong < 10 {
			wrong++
			t.Errorf("%s: script %011b, server %011b", digits, hint, judged)
		}
	}
	if common == 0 {
		t.Error("no PIN is common")
	}
}

// The list goes to phones on slow networks, beside the pad.
func TestTheListIsSmall(t *testing.T) {
	const most = 25 << 10
	assets, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	lists, err := assets.Asset(Lists)
	if err != nil || len(lists.Gzip) > most || len(lists.Gzip) == 0 {
		t.Errorf("%d bytes compressed, at most %d (%v)", len(lists.Gzip), most, err)
	}
	t.Logf("the lists take %d bytes, %d compressed", len(lists.Bytes), len(lists.Gzip))
}
