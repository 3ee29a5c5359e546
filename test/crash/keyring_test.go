package crash

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// command runs liuma beside an authority.
func (h *house) command(t *testing.T, args ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), h.binary, append(args, "--data", cmp.Or(h.dir, h.Dir))...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("liuma %v: %v\n%s", args, err, said.String())
	}
	return out
}

func (h *house) keyring(t *testing.T) (s keyring.State) {
	t.Helper()
	must(t, json.Unmarshal(h.command(t, "keys", "members", "--json"), &s))
	return s
}

// file is the key file of an authority.
func (h *house) file() vault.KeyFile { return vault.At(h.config.Vault) }

// TestKeysRotatedUnderLoad: one of two authorities rotates the root key and the signing key
// while holders act at both, and the other one is killed in between and started again. No
// right PIN is anything but right, and both end with the same keys.
func TestKeysRotatedUnderLoad(t *testing.T) {
	pair := newSeveral(t, 2, 6)
	both := pair.at
	first, second := both[0], both[1]
	for _, f := range first.People {
		first.holders = append(first.holders, first.newHolder(f))
	}
	for _, h := range both {
		h.start(t)
	}
	first.enrollAll(t)
	digits := map[*house][2]string{}
	for _, h := range both {
		for _, m := range h.keyring(t).Members {
			if m.Here {
				digits[h] = [2]string{m.Name, m.Digits}
			}
		}
	}
	for i, h := range both {
		other := digits[both[1-i]]
		h.command(t, "keys", "confirm", other[0], "--digits", other[1], "--reason", "compared")
	}

	ctx, cancel := context.WithCancel(t.Context())
	var acting sync.WaitGroup
	half := len(first.holders) / 2
	for i, h := range first.holders {
		at, until := first, ctx
		if i >= half {
			at, until = second, t.Context() // until it is killed
		}
		acting.Go(func() { h.live(until, at) })
	}
	first.command(t, "keys", "vault", "rotate", "--reason", "rota")
	sealed := func(h *house, id uint32) bool {
		keys, err := h.file().RootKeys()
		return err == nil && keys[len(keys)-1].ID == id && keys[len(keys)-1].Seals
	}
	until(t, "both seal with the new key", func() bool { return sealed(first, 2) && sealed(second, 2) })
	second.kill(t)
	until(t, "the dead one has ended", func() bool {
		return pair.count(t, "SELECT count(*) FROM authorities WHERE process IS NOT NULL") == 1
	})
	until(t, "the key before is in use", func() bool { return first.keyring(t).Next == store.KeyringSettled })
	before := first.verdicts.Load()
	first.command(t, "keys", "vault", "rotate", "--reason", "while the other one is down")
	until(t, "the one that is there seals with it", func() bool { return sealed(first, 3) })
	until(t, "holders go on", func() bool { return first.verdicts.Load() > before })
	second.start(t)
	if !sealed(second, 3) {
		t.Error("it serves without the newest key")
	}
	settled := func() bool { s := first.keyring(t); return s.Next == store.KeyringSettled && len(s.Waiting) == 0 }
	until(t, "the root key is in use everywhere", settled)
	first.command(t, "keys", "rotate")
	until(t, "both hold the next signing key", func() bool {
		for _, h := range both {
			if keys, err := h.file().SigningKeys(); err != nil || len(keys) != 2 || keys[1].State != vault.KeyNext {
				return false
			}
		}
		return len(first.keyring(t).Waiting) == 0
	})
	time.Sleep(time.Second)
	cancel()
	acting.Wait()
	until(t, "nothing is under way", func() bool {
		return pair.count(t, "SELECT (SELECT count(*) FROM holds WHERE until > clock_timestamp()) + (SELECT count(*) FROM intents)") == 0
	})
	for i, h := range first.holders {
		if i < half && h.ended != nil && !errors.Is(h.ended, context.Canceled) {
			t.Errorf("%s was left without an answer: %v", h.facts.CardNo, h.ended)
		}
		must(t, h.broken)
		h.resolve(t, second)
		for _, at := range both {
			if v := h.ask(t, at, h.pin); v != "right" {
				t.Errorf("%s: the PIN that was right is %s", h.facts.CardNo, v)
			}
		}
	}
	if n := pair.count(t, "SELECT count(*) FROM audit WHERE event IN ('row.refused', 'keys.refused')"); n != 0 {
		t.Errorf("%d rows or keys were refused", n)
	}
}
