package web

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
)

// TestPassphrasesAreJudgedAlike: the script spells a text as the server does, and says
// of a passphrase what the server says, as far as it can know it: of chosen ones, and of
// many that are drawn.
func TestPassphrasesAreJudgedAlike(t *testing.T) {
	texts := []string{"four unrelated words", "春眠不觉晓，处处闻啼鸟", "Ｗｉｌｌｏｗ　１２３", "vvvvvvvvvvv", "zebrazebra", "1qaz2wsx3edc", "bcdefghijk",
		"cafe\u0301 au lait", "\u2764\ufe0f\u2764\ufe0f\u2764\ufe0f lotus", "４９５１７２", "short", "tab\there too", "zero\u200bwidth x", strings.Repeat("😀", 64),
		strings.Repeat("😀", 63), strings.Repeat("x", 65), "ÄÖÜäöüßẞ", "ｶﾞｷﾞｸﾞｹﾞｺﾞｶﾞｷﾞｸﾞ", "①②③④⑤⑥⑦⑧", "   padded word  ", "ﷺﷺﷺ",
		"\u3164\u3164\u3164\u3164\u3164\u3164\u3164\u3164", "lotus\uffa0pond", "lotus\u2800pond", "葛\U000e0101飾 lotus pond", "lotus\u180b pond", "lotus\U000e0041pond"}
	pieces := []string{"a", "b", "ab", "aaa", "abc", "qwe", "zx", "1", "12", "2468", "春", "眠", "Ｑ", "é", "e\u0301", " ", "　", "!", "😀", "qaz", "1qaz", "x\ufe0f"}
	r := rand.New(rand.NewPCG(5, 6))
	for range 4000 {
		var b strings.Builder
		for range 1 + r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		texts = append(texts, b.String())
	}
	asked, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct{ One, Fault, Weak string }
	if err := json.Unmarshal(tool(t, asked, "passphrases"), &answers); err != nil || len(answers) != len(texts) {
		t.Fatalf("%d answers: %v", len(answers), err)
	}
	judge, err := pin.NewJudge(pin.NationalRules())
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		said, want := answers[i], ""
		p, err := pin.Parse([]byte(text), true)
		if e, ok := errors.AsType[*liuma.Error](err); ok {
			want = strings.TrimPrefix(e.Reason, "passphrase_")
		}
		if said.Fault != want {
			t.Errorf("%q: the script says %q, the server %q", text, said.Fault, want)
		}
		if err != nil {
			continue
		}
		if err := p.Use(func(b []byte) error {
			if string(b) != said.One {
				t.Errorf("%q: spelt %q by the script", text, said.One)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		judged := ""
		for _, f := range judge.Check(p, pin.Facts{}, nil) {
			if judged == "" && (f.Rule == pin.RuleRepeat || f.Rule == pin.RuleSteps) {
				judged = string(f.Rule)
			}
		}
		if p.Passphrase() && judged != said.Weak {
			t.Errorf("%q: the script says %q, the server %q", text, said.Weak, judged)
		}
		p.Wipe()
	}
}

// TestHintsAgreeOnCharacters: of every character there is, the page drops, takes and
// refuses in a passphrase what the server does.
func TestHintsAgreeOnCharacters(t *testing.T) {
	if unicode.Version != "15.0.0" {
		t.Errorf("the server knows Unicode %s: KNOWS in src/passphraserules.ts asks for another", unicode.Version)
	}
	var said map[rune]string
	if err := json.Unmarshal(tool(t, nil, "characters"), &said); err != nil {
		t.Fatal(err)
	}
	newer, wrong := 0, 0
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		want := ""
		p, err := pin.Parse([]byte("lotus "+string(r)+" pond"), true)
		if e, ok := errors.AsType[*liuma.Error](err); ok {
			want = strings.TrimPrefix(e.Reason, "passphrase_")
		} else if err := p.Use(func(b []byte) error {
			if string(b) == "lotus  pond" {
				want = "dropped"
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		p.Wipe()
		switch {
		case said[r] == want:
		case said[r] == "" && want == "character" && unicode.Is(unicode.Cn, r): // assigned since
			newer++
		default:
			if wrong++; wrong < 10 {
				t.Errorf("%U: the script says %q, the server %q", r, said[r], want)
			}
		}
	}
	t.Logf("%d characters are younger than the server's Unicode", newer)
}
