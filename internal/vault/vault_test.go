package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	must(t, Create(path))
	return path
}

func open(t testing.TB, path string) *Vault {
	t.Helper()
	v, err := Open(path)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

func newTestVault(t testing.TB) *Vault { return open(t, newFile(t)) }

func wantCode(t *testing.T, err error, code liuma.Code) {
	t.Helper()
	if e, ok := errors.AsType[*liuma.Error](err); !ok || e.Code != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func TestSameFileSameKeys(t *testing.T) {
	path := newFile(t)
	a, b, other := open(t, path), open(t, path), newTestVault(t)
	sealed, err := a.Seal(CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	if plain, err := b.Unseal(CardFacts, []byte("id"), sealed); err != nil || string(plain) != "facts" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := other.Unseal(CardFacts, []byte("id"), sealed); !errors.Is(err, ErrUnseal) {
		t.Errorf("another vault: %v, want %v", err, ErrUnseal)
	}
	card := liuma.NewCardID()
	for name, f := range map[string]func(*Vault) string{
		"index":  func(v *Vault) string { return fmt.Sprint(v.Index(IndexIDNumber, "x")) },
		"mac":    func(v *Vault) string { return fmt.Sprint(v.RowMAC("card", []byte("x"))) },
		"handle": func(v *Vault) string { return v.Handle("zj-hrss", card) },
		"kid":    func(v *Vault) string { return v.ReceiptKeys().Keys[0].KeyID },
	} {
		if f(a) != f(b) {
			t.Errorf("%s differs between two openings", name)
		}
		if f(a) == f(other) {
			t.Errorf("%s is the same in two vaults", name)
		}
	}
}

func TestSealIsBoundToPurposeAndRow(t *testing.T) {
	v := newTestVault(t)
	plain := []byte("facts")
	sealed, err := v.Seal(CardFacts, []byte("row 1"), plain)
	must(t, err)
	if len(sealed) != len(plain)+45 {
		t.Errorf("%d bytes more than plain, documented as 45", len(sealed)-len(plain))
	}
	again, err := v.Seal(CardFacts, []byte("row 1"), plain)
	must(t, err)
	if bytes.Equal(sealed, again) {
		t.Error("two sealings of one value are equal")
	}
	refused := func(name string, purpose Purpose, id, sealed []byte) {
		t.Helper()
		if _, err := v.Unseal(purpose, id, sealed); !errors.Is(err, ErrUnseal) && !errors.Is(err, ErrSealKey) {
			t.Errorf("%s: %v, want %v", name, err, ErrUnseal)
		}
	}
	refused("other purpose", PersonFacts, []byte("row 1"), sealed)
	refused("other row", CardFacts, []byte("row 2"), sealed)
	refused("no row", CardFacts, nil, sealed)
	refused("nothing", CardFacts, []byte("row 1"), nil)
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		refused(fmt.Sprintf("byte %d", i), CardFacts, []byte("row 1"), damaged)
		refused(fmt.Sprintf("cut to %d", i), CardFacts, []byte("row 1"), sealed[:i])
	}
	if _, err := v.Seal("other", nil, plain); err == nil {
		t.Error("sealed for an unknown purpose")
	}
	if _, err := v.Unseal("other", nil, sealed); err == nil {
		t.Error("unsealed for an unknown purpose")
	}
}

// The keys of two purposes must differ, even if the label inside the associated
// data is the same.
func TestEveryPurposeHasItsOwnKey(t *testing.T) {
	// One root for all, so that only the labels keep the keys apart.
	k, err := deriveKeys(&rawKeys{roots: []rawRootKey{{id: 1}}})
	must(t, err)
	all := [][]byte{k.lookup, k.handle, k.challenge, k.heads, k.steady, k.identity, k.roots[1].row}
	for _, key := range k.roots[1].seal {
		all = append(all, key)
	}
	for _, key := range k.index {
		all = append(all, key)
	}
	if len(all) != 22 {
		t.Errorf("%d keys, this test knows of 22", len(all))
	}
	seen := make(map[string]bool)
	for _, key := range all {
		if len(key) != 32 || seen[string(key)] {
			t.Error("a key is short, or comes twice")
		}
		seen[string(key)] = true
	}
}

func TestIndexKindsAreApart(t *testing.T) {
	v := newTestVault(t)
	seen := make(map[Index]bool)
	for _, kind := range []IndexKind{IndexIDNumber, IndexCardNo, IndexEvidence, IndexPhone} {
		for _, value := range []string{"", "A12345678", "A12345679"} {
			index := v.Index(kind, value)
			if seen[index] {
				t.Errorf("index of %s %q comes twice", kind, value)
			}
			seen[index] = true
		}
	}
	wantPanic(t, "unknown kind", func() { v.Index("other", "x") })
}

func wantPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	f()
}

func TestRowMACSeesTableFieldsAndTheirEdges(t *testing.T) {
	v := newTestVault(t)
	b := func(s string) []byte { return []byte(s) }
	macs := map[string]MAC{
		"base":         v.RowMAC("card", b("ab"), b("c")),
		"other table":  v.RowMAC("intent", b("ab"), b("c")),
		"moved edge":   v.RowMAC("card", b("a"), b("bc")),
		"swapped":      v.RowMAC("card", b("c"), b("ab")),
		"field more":   v.RowMAC("card", b("ab"), b("c"), nil),
		"field less":   v.RowMAC("card", b("ab")),
		"one field":    v.RowMAC("card", b("abc")),
		"table eats":   v.RowMAC("cardab", b("c")),
		"no field":     v.RowMAC("card"),
		"changed byte": v.RowMAC("card", b("ab"), b("d")),
	}
	for name, m := range macs {
		for other, n := range macs {
			if m.Equal(n) != (name == other) {
				t.Errorf("%s and %s: equal is %v", name, other, m.Equal(n))
			}
		}
	}
	if !v.RowMAC("card", b("ab"), b("c")).Equal(macs["base"]) {
		t.Error("the same row has two MACs")
	}
}

func TestHandleIsPairwise(t *testing.T) {
	v := newTestVault(t)
	card, other := liuma.NewCardID(), liuma.NewCardID()
	shape := regexp.MustCompile(`^[a-z2-7]{32}$`)
	seen := make(map[string]bool)
	for _, channel := range []liuma.ChannelID{"zj-hrss", "js-hrss"} {
		for _, id := range []liuma.CardID{card, other} {
			h := v.Handle(channel, id)
			if !shape.MatchString(h) || seen[h] {
				t.Errorf("handle %q: wrong shape, or comes twice", h)
			}
			seen[h] = true
		}
	}
	if !seen[v.Handle("zj-hrss", card)] {
		t.Error("a handle is not stable")
	}
}

func TestPrintsRedacted(t *testing.T) {
	path := newFile(t)
	content, err := os.ReadFile(path)
	must(t, err)
	v := open(t, path)
	// A vault in use, with a seal key in its cache.
	_, _ = sealOne(t, v, "739146")
	var out strings.Builder
	type holder struct {
		V *Vault
		v *Vault
	}
	for _, value := range []any{v, []*Vault{v}, holder{v, v}, map[string]*Vault{"v": v}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%o"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", value)
		data, err := json.Marshal(value)
		must(t, err)
		out.Write(data)
	}
	out.WriteString(v.String())
	for _, key := range [][]byte{content[indexStart:][:rootSize], content[rootsStart+idSize+timeSize:][:rootSize], content[rootsStart+rootKeySize+2:][:scalarSize], v.keys.lookup, v.keys.roots[1].row} {
		for _, s := range []string{string(key), fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), strings.Trim(fmt.Sprintf("%d", key[:8]), "[]")} {
			if strings.Contains(out.String(), s) {
				t.Errorf("output holds a key")
			}
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
}

func TestCloseWipesAndRefuses(t *testing.T) {
	path := newFile(t)
	v, err := Open(path)
	must(t, err)
	b, sealed := sealOne(t, v, "739146")
	row, seal, lookup := v.keys.roots[1].row, v.keys.roots[1].seal[CardFacts], v.keys.lookup
	must(t, v.Close())
	must(t, v.Close()) // a second Close is harmless
	if zero := make([]byte, 32); !bytes.Equal(row, zero) || !bytes.Equal(seal, zero) || !bytes.Equal(lookup, zero) {
		t.Error("keys are not wiped")
	}
	if len(v.pins.keys) != 0 {
		t.Error("seal keys are still cached")
	}
	for name, f := range map[string]func() error{
		"Seal":           func() error { _, err := v.Seal(CardFacts, nil, nil); return err },
		"Unseal":         func() error { _, err := v.Unseal(CardFacts, nil, make([]byte, 70)); return err },
		"SealRow":        func() error { _, err := v.SealRow("card"); return err },
		"CheckRow":       func() error { return v.CheckRow(RowSeal{Key: 1}, "card") },
		"NewChallenge":   func() error { _, err := v.NewChallenge("zj-hrss", now(), minute); return err },
		"CheckChallenge": func() error { return v.CheckChallenge("zj-hrss", strings.Repeat("A", 54), now()) },
		"NewSealKey":     func() error { _, err := v.NewSealKey(); return err },
		"OpenPIN":        func() error { _, err := v.OpenPIN(sealed.key, b, sealed.envelope, false); return err },
		"SignReceipt":    func() error { _, err := v.SignReceipt(receipt()); return err },
	} {
		if err := f(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want %v", name, err, ErrClosed)
		}
	}
	wantPanic(t, "Index", func() { v.Index(IndexIDNumber, "x") })
	wantPanic(t, "RowMAC", func() { v.RowMAC("card") })
	wantPanic(t, "Handle", func() { v.Handle("zj-hrss", liuma.CardID{}) })
}

// Close while other goroutines work: they finish with whole keys, or see
// ErrClosed.
func TestCloseUnderLoad(t *testing.T) {
	path := newFile(t)
	reference := open(t, path)
	v, err := Open(path)
	must(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				sealed, err := v.Seal(CardFacts, []byte("id"), []byte("facts"))
				if errors.Is(err, ErrClosed) {
					return
				}
				if _, err := reference.Unseal(CardFacts, []byte("id"), sealed); err != nil {
					t.Errorf("sealed with half a key: %v", err)
					return
				}
			}
		})
	}
	must(t, v.Close())
	wg.Wait()
}
