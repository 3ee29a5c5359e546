//go:build !race

// The race detector maps terabytes of its own, which nobody reads to the end.

package testkit_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// veil hides a secret from the search for it: in this file, and in the memory
// of the process that searches, secrets stand with each byte veiled. Only
// another process, which seals them as a device would, lifts the veil.
const veil = 0x85

// hiddenSecret is a PIN or passphrase under the veil.
type hiddenSecret []byte

// hiddenSecrets are those of the story: two PINs that are right in turn and one
// that is wrong, and so with passphrases of 24 characters. Each is written as
// its bytes plus the veil, so that neither source nor program holds it.
func hiddenSecrets() map[string]hiddenSecret {
	digits := func(d ...byte) hiddenSecret {
		for i := range d {
			d[i] = (d[i] + '0') ^ veil
		}
		return d
	}
	// Letters are counted from a, so that no compiler folds them into text.
	letters := func(start, step byte) hiddenSecret {
		s := make(hiddenSecret, 24)
		for i := range s {
			start = (start + step + byte(i)) % 26
			s[i] = (start + 'a') ^ veil
		}
		return s
	}
	return map[string]hiddenSecret{
		"first PIN": digits(7, 3, 0, 8, 4, 1), "second PIN": digits(5, 9, 2, 6, 0, 3), "wrong PIN": digits(8, 4, 0, 7, 2, 5),
		"first passphrase": letters(3, 7), "second passphrase": letters(11, 5), "wrong passphrase": letters(20, 9),
	}
}

// sealing asks the other process for an envelope.
type sealing struct {
	Key, AAD []byte
	KeyID    string
	Secret   hiddenSecret
}

const sealerEnv = "LIUMA_TEST_SEALER"

// TestSealer is that other process; by itself it does nothing.
func TestSealer(t *testing.T) {
	if os.Getenv(sealerEnv) == "" {
		t.Skip("TestMemoryKeepsNoSecret starts this as a process of its own")
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var s sealing
		if err := in.Decode(&s); errors.Is(err, io.EOF) {
			os.Exit(0) // before package testing prints to the pipe
		} else if err != nil {
			t.Fatal(err)
		}
		for i := range s.Secret {
			s.Secret[i] ^= veil
		}
		sealed, err := envelope.SealAAD(s.Key, s.KeyID, s.AAD, s.Secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Encode(sealed); err != nil {
			t.Fatal(err)
		}
	}
}

// sealer seals in another process. Not safe for concurrent use.
type sealer struct {
	t   *testing.T
	in  *json.Encoder
	out *json.Decoder
}

func newSealer(t *testing.T) *sealer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestSealer$")
	c.Env = append(os.Environ(), sealerEnv+"=1")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), c.Wait()); err != nil {
			t.Errorf("the sealing process: %v", err)
		}
	})
	return &sealer{t: t, in: json.NewEncoder(in), out: json.NewDecoder(bufio.NewReader(out))}
}

func (s *sealer) seal(ch authority.Challenge, b envelope.Binding, secret hiddenSecret) (e envelope.Envelope) {
	s.t.Helper()
	b.SealKeyID, b.Challenge = ch.SealKeyID, ch.Value
	if err := s.in.Encode(sealing{Key: ch.SealKey, KeyID: ch.SealKeyID, AAD: b.AAD(), Secret: secret}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.out.Decode(&e); err != nil {
		s.t.Fatal(err)
	}
	return e
}

// remembered is a system and what plays the story on it.
type remembered struct {
	env  *testkit.Env
	seal *sealer
	ch   authority.Caller
}

// request makes a request whose envelopes hold the secrets, by role.
func (m remembered) request(a liuma.Action, s envelope.Subject, secrets map[liuma.Role]hiddenSecret) authority.Request {
	const purpose = "查询社保缴费年限"
	ch, bn := m.env.Challenge(m.ch), m.env.BusinessNo()
	r := authority.Request{BusinessNo: bn, Subject: s, Purpose: purpose, Challenge: ch.Value, Digest: testkit.Digest(string(bn))}
	for role, secret := range secrets {
		sealed := m.seal.seal(ch, envelope.Binding{
			Channel: liuma.ChannelID(m.ch.Client.ID), Action: a, Role: role, Subject: s,
			BusinessNo: bn, PurposeHash: envelope.PurposeHash(purpose),
		}, secret)
		switch role {
		case liuma.RoleNew:
			r.New = sealed
		case liuma.RoleOld:
			r.Old = sealed
		default:
			r.Current = sealed
		}
	}
	return r
}

// story enrols a card, verifies right and wrong, changes and verifies again.
func (m remembered) story(who registry.Facts, first, second, wrong hiddenSecret) {
	t, a := m.env.T, m.env.Authority()
	t.Helper()
	expect := func(what string, v authority.Verification, err error, want liuma.Verdict) {
		t.Helper()
		if err != nil || v.Verdict != want {
			t.Fatalf("%s: %v, %v, want %s", what, v.Verdict, err, want)
		}
	}
	ctx := t.Context()
	enroll := m.request(liuma.ActionEnroll, envelope.Subject{IDNumber: who.IDNumber, Name: who.Name, Phone: who.Phone},
		map[liuma.Role]hiddenSecret{liuma.RoleNew: first})
	enroll.Evidence = m.env.Evidence(who, enroll.Challenge)
	v, err := a.Enroll(ctx, m.ch, enroll)
	expect("enroll", v, err, liuma.Right)
	card := envelope.Subject{Card: string(v.Card)}
	verify := func(secret hiddenSecret, want liuma.Verdict) {
		t.Helper()
		v, err := a.Verify(ctx, m.ch, m.request(liuma.ActionVerify, card, map[liuma.Role]hiddenSecret{liuma.RoleCurrent: secret}))
		expect("verify", v, err, want)
	}
	verify(first, liuma.Right)
	verify(wrong, liuma.Wrong)
	verify(first, liuma.Right)
	v, err = a.Change(ctx, m.ch, m.request(liuma.ActionChange, card, map[liuma.Role]hiddenSecret{liuma.RoleOld: first, liuma.RoleNew: second}))
	expect("change", v, err, liuma.Right)
	verify(second, liuma.Right)
	verify(first, liuma.Wrong)
}

// needles are the veiled byte strings that must not be in memory: a passphrase
// as it is; a PIN after its length, as in an envelope and in the input of the
// OPRF's output, and between zeros and the length of what it is expanded to, as
// in the input of the hash to the curve.
func needles(secrets map[string]hiddenSecret) map[string][]byte {
	veiled := func(b ...byte) []byte {
		for i := range b {
			b[i] ^= veil
		}
		return b
	}
	out := map[string][]byte{}
	for name, s := range secrets {
		if len(s) != 6 {
			out[name] = s
			continue
		}
		out[name+" after its length"] = append(veiled(0, 6), s...)
		out[name+" in the input of the map"] = append(append(veiled(0, 0), s...), veiled(0, 96, 0)...)
	}
	return out
}

// region is readable memory, from one line of /proc/self/maps.
type region struct {
	from, to uint64
	line     string
}

// regions lists what can be read, but for the buffer that is read into: its
// content would be found in itself.
func regions(t *testing.T, buf []byte) (out []region) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var r region
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &r.from, &r.to, &mode); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if r.line = strings.TrimSpace(line); mode[0] != 'r' || strings.Contains(line, "[v") {
			continue // the kernel's own pages are not ours
		}
		if start := uint64(uintptr(unsafe.Pointer(&buf[0]))); r.from <= start && start < r.to {
			out = append(out, region{r.from, start, r.line})
			r.from = start + uint64(len(buf))
		}
		out = append(out, r)
	}
	return out
}

// search lists where in this process's memory each needle is. The needles stay
// under the veil: what was read is veiled instead, and wiped before the next.
func search(t *testing.T, needles map[string][]byte) (found map[string][]string, size uint64) {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	const piece, overlap = 1 << 20, 64 // no needle is longer than the overlap
	buf := make([]byte, piece+overlap)
	found = map[string][]string{}
	for _, r := range regions(t, buf) {
		for at := r.from; at < r.to; at += piece {
			n := min(r.to-at, piece+overlap)
			got, err := mem.ReadAt(buf[:n], int64(at))
			if err != nil && got == 0 {
				break // unmapped meanwhile
			}
			for i := range got {
				buf[i] ^= veil
			}
			for name, needle := range needles {
				for from := 0; ; from++ {
					i := bytes.Index(buf[from:got], needle)
					if from += i; i < 0 || from >= piece {
						break // what begins in the overlap is found with the next piece
					}
					found[name] = append(found[name], fmt.Sprintf("%x in %s", at+uint64(from), r.line))
				}
			}
			size += uint64(min(got, piece))
			clear(buf)
		}
	}
	return found, size
}

// TestMemoryKeepsNoSecret (I-6) plays a story with PINs and one with
// passphrases, and then reads its own memory, to the last page: heap, stacks
// that are in use and that were, and what the garbage collector has not
// overwritten. No PIN and no passphrase is there.
func TestMemoryKeepsNoSecret(t *testing.T) {
	rules := policy.National()
	rules.Passphrase = true
	env := testkit.New(t, testkit.Options{Shape: "2/3", Policy: &rules})
	m := remembered{env: env, seal: newSealer(t), ch: env.Channel("zj-hrss")}
	secrets := hiddenSecrets()
	for i := range 3 {
		m.story(env.People[2*i], secrets["first PIN"], secrets["second PIN"], secrets["wrong PIN"])
		m.story(env.People[2*i+1], secrets["first passphrase"], secrets["second passphrase"], secrets["wrong passphrase"])
	}
	all := needles(secrets)

	// What is planted must be found, or the search would find nothing. A stack
	// that grows leaves a second copy behind.
	planted := bytes.Clone(hiddenSecret("\xf4\xf1\xf6\xe8\xe7\xe3\xe9\xfc\xf0\xea\xee\xed"))
	all["planted"] = bytes.Clone(planted)
	for i := range planted {
		planted[i] ^= veil
	}
	found, size := search(t, all)
	runtime.KeepAlive(planted)
	if len(found["planted"]) == 0 || size < 1<<20 {
		t.Fatalf("the planted bytes were found %d times in %d bytes of memory", len(found["planted"]), size)
	}
	delete(found, "planted")
	for name, places := range found {
		t.Errorf("%s is in memory %d times: %s", name, len(places), strings.Join(places, "; "))
	}
	t.Logf("searched %d MiB for %d byte strings", size>>20, len(all))
}
