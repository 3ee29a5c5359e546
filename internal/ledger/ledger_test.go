package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/ledgertest"
)

func TestOpenValidatesConfig(t *testing.T) {
	backend, err := ledgertest.NewMemory().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := ledger.Config{Keeper: "k1", Backend: backend, Limits: ledger.NationalLimits()}
	for name, change := range map[string]func(*ledger.Config){
		"no keeper":      func(c *ledger.Config) { c.Keeper = "" },
		"a long name":    func(c *ledger.Config) { c.Keeper = strings.Repeat("k", ledger.MaxKeeperName+1) },
		"no backend":     func(c *ledger.Config) { c.Backend = nil },
		"no limits":      func(c *ledger.Config) { c.Limits = ledger.Limits{} },
		"seven attempts": func(c *ledger.Config) { c.Limits.Attempts = 7 },
		"negative wait":  func(c *ledger.Config) { c.SettleWait = -1 },
		"negative batch": func(c *ledger.Config) { c.MaxBatch = -1 },
		"negative cache": func(c *ledger.Config) { c.CacheRows = -1 },
	} {
		c := good
		change(&c)
		if _, err := ledger.Open(t.Context(), c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	l, err := ledger.Open(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSettlementMessage fixes the bytes that are signed: other keepers and the
// authority must agree on them.
func TestSettlementMessage(t *testing.T) {
	s := ledger.Settlement{
		Card: liuma.CardID{0xbb}, Version: 0x01020304, KeySet: 7, Reopen: true, Signature: [64]byte{0xff},
		Spends: []ledger.SettledSpend{{Keeper: "k1", Incarnation: [16]byte{0xaa}, S: 5}, {Keeper: "k20", Incarnation: [16]byte{0xcc}, S: 0x0600}},
	}
	want := "0000000e" + hex.EncodeToString([]byte("liuma/2/settle")) +
		"00000004" + hex.EncodeToString([]byte("nist")) +
		"00000004" + "00000007" +
		"00000010" + "bb" + strings.Repeat("00", 15) +
		"00000004" + "01020304" +
		"00000001" + "01" +
		"00000002" + "6b31" +
		"00000010" + "aa" + strings.Repeat("00", 15) +
		"00000008" + "0000000000000005" +
		"00000003" + "6b3230" +
		"00000010" + "cc" + strings.Repeat("00", 15) +
		"00000008" + "0000000000000600"
	if got := hex.EncodeToString(ledger.SettlementMessage(s)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestSettlementMessageIsReadOneWay: the message holds all that is signed, so no
// two settlements have the same one.
func TestSettlementMessageIsReadOneWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := ledger.Settlement{
			Version: liuma.Version(rapid.Uint32().Draw(t, "version")), KeySet: rapid.Uint32().Draw(t, "key set"), Reopen: rapid.Bool().Draw(t, "reopen"),
		}
		copy(s.Card[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "card"))
		for range rapid.IntRange(0, ledger.MaxSettled).Draw(t, "keepers") {
			spend := ledger.SettledSpend{Keeper: rapid.StringN(0, 8, ledger.MaxKeeperName).Draw(t, "keeper"), S: rapid.Uint64().Draw(t, "s")}
			copy(spend.Incarnation[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "incarnation"))
			s.Spends = append(s.Spends, spend)
		}
		m := ledger.SettlementMessage(s)
		part := func(n int) []byte { // n bytes, or any number if n is 0
			size := int(binary.BigEndian.Uint32(m))
			out := m[4 : 4+size]
			if m = m[4+size:]; n > 0 && size != n {
				t.Fatalf("%d bytes, want %d", size, n)
			}
			return out
		}
		var got ledger.Settlement
		part(0)
		part(0)
		got.KeySet = binary.BigEndian.Uint32(part(4))
		got.Card = liuma.CardID(part(16))
		got.Version = liuma.Version(binary.BigEndian.Uint32(part(4)))
		got.Reopen = part(1)[0] == 1
		for len(m) > 0 {
			got.Spends = append(got.Spends, ledger.SettledSpend{Keeper: string(part(0)), Incarnation: [16]byte(part(16)), S: binary.BigEndian.Uint64(part(8))})
		}
		if !reflect.DeepEqual(got, s) {
			t.Fatalf("%+v was signed, %+v is read", s, got)
		}
	})
}

// TestCacheForgets: rows beyond the cache are read from the backend, and are
// the same.
func TestCacheForgets(t *testing.T) {
	backend, err := ledgertest.NewMemory().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Keeper: "k1", Backend: backend, Limits: ledger.NationalLimits(), CacheRows: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cards := make([]liuma.CardID, 20)
	for round := range 5 {
		for i := range cards {
			if round == 0 {
				cards[i] = liuma.NewCardID()
			}
			_, err := l.Propose(t.Context(), ledger.ProposeRequest{Card: cards[i], Version: liuma.Version(round + 1), Tag: ledger.Tag{1}, Sender: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, card := range cards {
		if row, err := l.Row(t.Context(), card); err != nil || row.Mark != 5 {
			t.Errorf("row %+v: %v", row, err)
		}
	}
}

// TestStopIsLoggedOnce, with the keeper and the cause and nothing about a card.
func TestStopIsLoggedOnce(t *testing.T) {
	place := ledgertest.NewMemory()
	backend, err := place.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fault := &ledgertest.Fault{Backend: backend}
	fault.FailAt(1, false)
	var logged bytes.Buffer
	l, err := ledger.Open(t.Context(), ledger.Config{
		Keeper: "k1", Backend: fault, Limits: ledger.NationalLimits(), Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	card := liuma.NewCardID()
	for range 3 {
		_, err := l.Propose(t.Context(), ledger.ProposeRequest{Card: card, Version: 1, Tag: ledger.Tag{1}, Sender: time.Now()})
		if !errors.Is(err, ledger.ErrPoisoned) {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	lines := strings.Count(logged.String(), "\n")
	if lines != 1 || !strings.Contains(logged.String(), "keeper=k1") || strings.Contains(logged.String(), card.String()) {
		t.Errorf("logged %q", logged.String())
	}
}

// TestOnlySettlementsWait: a guess does not wait to share a write, and takes
// waiting settlements along.
func TestOnlySettlementsWait(t *testing.T) {
	backend, err := ledgertest.NewMemory().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	writes := &ledgertest.Fault{Backend: backend}
	l, err := ledger.Open(t.Context(), ledger.Config{
		Keeper: "k1", Backend: writes, Limits: ledger.NationalLimits(), SettleWait: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Commitment{Card: liuma.NewCardID(), Version: 1, Verifier: liuma.Verifier(public), Tag: ledger.Tag{1}}
	if _, err := l.Commit(t.Context(), ledger.CommitRequest{Commitment: c, Sender: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		spent, err := l.Spend(t.Context(), ledger.SpendRequest{Card: c.Card, Version: 1, Sender: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		s := ledger.Settlement{Card: c.Card, Version: 1, Spends: []ledger.SettledSpend{{Keeper: "k1", Incarnation: spent.Incarnation(), S: spent.S()}}}
		s.Signature = [64]byte(ed25519.Sign(key, ledger.SettlementMessage(s)))
		if err := l.Settle(t.Context(), ledger.SettleRequest{Settlements: []ledger.Settlement{s}, Sender: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // long enough to write it alone, if it did not wait
	}
	if row, err := l.Row(t.Context(), c.Card); err != nil || row.Tally.Spent != 20 || row.Tally.Cleared[0] != 19 {
		t.Errorf("row %+v: %v", row.Tally, err)
	}
	if _, applied := writes.Calls(); applied != 21 {
		t.Errorf("%d writes for a commit and 20 guesses", applied)
	}
}
