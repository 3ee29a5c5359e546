package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/locale"
)

// joining is an authority's side of three keepers that are there already.
type joining struct {
	t     *testing.T
	house *keepers.House
	dir   string
	lang  locale.Lang
}

// liuma runs a command and returns its exit status and all that it printed.
func (j *joining) liuma(args ...string) (int, string) {
	j.t.Helper()
	var out bytes.Buffer
	status := run(j.t.Context(), append([]string{"--data", j.dir}, args...), &terminal{in: strings.NewReader(""), out: &out, err: &out, lang: j.lang})
	return status, out.String()
}

// does wants a command to end well, and its output to have some words in it.
func (j *joining) does(words string, args ...string) string {
	j.t.Helper()
	status, out := j.liuma(args...)
	if status != exitOK || !strings.Contains(out, words) {
		j.t.Errorf("%s: status %d, want %q in\n%s", strings.Join(args, " "), status, words, out)
	}
	return out
}

// refuses wants a command to fail with some words.
func (j *joining) refuses(words string, args ...string) {
	j.t.Helper()
	status, out := j.liuma(args...)
	if status != exitFail || !strings.Contains(out, words) {
		j.t.Errorf("%s: status %d, want %q in\n%s", strings.Join(args, " "), status, words, out)
	}
}

// admitted is the file that a keeper answers the request with, and the digits that its
// administrator reads aloud.
func (j *joining) admitted(member int) (file, digits string) {
	j.t.Helper()
	data, err := os.ReadFile(filepath.Join(j.dir, "keepers", "authority.request"))
	r := &admission.Request{}
	if err == nil {
		r, err = admission.ParseRequest(data)
	}
	if err != nil {
		j.t.Fatal(err)
	}
	if r.Wants != wire.Authority|wire.Closer {
		j.t.Errorf("it asks for %v", r.Wants.Names())
	}
	a, err := j.house.Posts()[member-1].Admit(r)
	if err != nil {
		j.t.Fatal(err)
	}
	file = filepath.Join(j.t.TempDir(), "k.admission")
	if err := os.WriteFile(file, a.Encode(), 0o600); err != nil {
		j.t.Fatal(err)
	}
	return file, a.Fingerprint().String()
}

func newJoining(t *testing.T) *joining {
	t.Helper()
	house, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.Close(); err != nil {
			t.Error(err)
		}
	})
	return &joining{t: t, house: house, dir: filepath.Join(t.TempDir(), "data"), lang: locale.English}
}

// TestAnAuthorityJoinsItsKeepers from an empty directory to a status of three whole ones,
// with each step refused that would not be one.
func TestAnAuthorityJoinsItsKeepers(t *testing.T) {
	j := newJoining(t)
	j.does("with the keepers on machines of their own", "init", "--shape", "2/3", "--keepers", "remote")
	j.refuses("names 0 keepers, shape 2/3 needs 3", "serve")
	out := j.does("read them these digits on the phone", "keeper", "request")
	first, digits := j.admitted(1)
	raw, err := os.ReadFile(filepath.Join(j.dir, "keepers", "authority.request"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := admission.ParseRequest(raw)
	if err != nil || !strings.Contains(out, r.Fingerprint().String()) {
		t.Errorf("%v: %s is not in\n%s", err, r.Fingerprint(), out)
	}
	j.refuses("have the 32 digits of the keeper read aloud", "keeper", "add", first)
	j.refuses("not those of this admission", "keeper", "add", first, "--heard", strings.Repeat("1", 32))
	j.does("1 of 3 keepers are named", "keeper", "add", first, "--heard", digits)
	if again := j.does("read them", "keeper", "request"); strings.Contains(again, "Made the key") {
		t.Errorf("another key:\n%s", again)
	}
	renewed, _ := j.admitted(1)
	j.does("1 of 3 keepers are named", "keeper", "add", renewed) // of an issuer that was heard
	for m := 2; m <= 3; m++ {                                    // the digits as they are printed, without quotes around them
		file, digits := j.admitted(m)
		args := append([]string{"keeper", "add", "--heard"}, strings.Fields(digits)...)
		j.does("keepers are named", append(args, file)...)
	}
	j.does("in order", "config", "check")
	status := j.does("sequence 0, whole", "keeper", "status")
	for _, p := range j.house.Posts() {
		if !strings.Contains(status, p.Address+" · answers in ") || !strings.Contains(status, "key sets 1 (new PINs: 1) · admitted until 20") {
			t.Errorf("%s is not in\n%s", p.Address, status)
		}
	}
	if err := j.house.Posts()[1].Dismiss("authority"); err != nil {
		t.Fatal(err)
	}
	if err := j.house.Posts()[2].Stop(); err != nil {
		t.Fatal(err)
	}
	j.does("NOT WHOLE: certificate", "keeper", "status")
	j.does("call its administrator", "keeper", "status")
	j.does("'liuma-keeper status' there", "status")
	j.refuses("its administrator runs 'liuma-keeper repair'", "keeper", "repair", "k3", "--reason", "its disk died")
	j.lang = locale.Chinese
	status = j.does("密钥组 1（新密码用", "keeper", "status")
	for _, said := range []string{"没有回答", "它或本服务端的证书已到期、被撤销，或缺少权限"} {
		if !strings.Contains(status, said) {
			t.Errorf("%s is not in\n%s", said, status)
		}
	}
	j.refuses("由它的管理员执行", "keeper", "repair", "k3", "--reason", "its disk died")
}

func own(file, _ string) string { return file }

// TestWhatIsNoAdmission is refused, and nothing is changed by it.
func TestWhatIsNoAdmission(t *testing.T) {
	j, other := newJoining(t), newJoining(t)
	j.does("", "init", "--shape", "2/3", "--keepers", "remote")
	j.does("", "keeper", "request")
	other.does("", "init", "--shape", "2/3", "--keepers", "remote")
	other.does("", "keeper", "request")
	foreign, digits := other.admitted(1)
	j.refuses("for another key than", "keeper", "add", foreign, "--heard", digits)
	j.refuses("is no admission, or damaged", "keeper", "add", filepath.Join(j.dir, config.FileName), "--heard", digits)
	j.refuses("is no admission, or damaged", "keeper", "add", filepath.Join(j.dir, "keepers", "authority.request"), "--heard", digits)
	j.refuses("these are 30 digits, and 32 are read aloud", "keeper", "add", own(j.admitted(1)), "--heard", strings.Repeat("1", 30))
	j.refuses("no such file", "keeper", "add", filepath.Join(j.dir, "nothing"), "--heard", digits)
	file, digits := j.admitted(2)
	j.does("1 of 3", "keeper", "add", file, "--heard", digits)
	// The same member of another quorum, which admitted the same authority.
	j.house = other.house
	same, digits := j.admitted(2)
	j.refuses("have the 32 digits", "keeper", "add", same) // another issuer under a name that is known
	j.does("1 of 3", "keeper", "add", same, "--heard", digits)
	if err := os.Remove(filepath.Join(j.dir, config.KeyFile())); err != nil {
		t.Fatal(err)
	}
	j.refuses("no such file", "keeper", "add", same)
	here := newJoining(t)
	here.does("", "init")
	here.refuses("are in this process", "keeper", "request")
	here.refuses("are in this process", "keeper", "add", file)
	if _, err := os.Stat(filepath.Join(here.dir, config.KeyFile())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
}

// TestAFileThatIsWrittenOtherwise gets the line to put into it.
func TestAFileThatIsWrittenOtherwise(t *testing.T) {
	j := newJoining(t)
	j.does("", "init", "--shape", "2/3", "--keepers", "remote")
	j.does("", "keeper", "request")
	path := filepath.Join(j.dir, config.FileName)
	if err := os.WriteFile(path, []byte("keepers: {shape: 2/3, key: keepers/authority.key}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, digits := j.admitted(3)
	j.refuses("{id: k3, address: \""+j.house.Posts()[2].Address+"\", admission: keepers/k3.admission}", "keeper", "add", file, "--heard", digits)
}
