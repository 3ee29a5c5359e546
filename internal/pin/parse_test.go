package pin

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		passphrase  bool
		want        string // the PIN's bytes, or
		reason      string
	}{
		{"six digits", "495172", false, "495172", ""},
		{"six digits where passphrases are allowed", "495172", true, "495172", ""},
		{"empty", "", false, "", ReasonNotSixDigits},
		{"five", "49517", false, "", ReasonNotSixDigits},
		{"seven", "4951723", false, "", ReasonNotSixDigits},
		{"a letter", "49517x", false, "", ReasonNotSixDigits},
		{"a sign", "+49517", false, "", ReasonNotSixDigits},
		{"a space", "495172 ", false, "", ReasonNotSixDigits},
		{"a line end", "495172\n", false, "", ReasonNotSixDigits},
		{"full width", "４９５１７２", false, "", ReasonNotSixDigits},
		{"six bytes, two characters", "４９", false, "", ReasonNotSixDigits},
		{"a passphrase where none is allowed", "correct horse", false, "", ReasonNotSixDigits},

		{"passphrase", "correct horse", true, "correct horse", ""},
		{"eight", "abcdefgh", true, "abcdefgh", ""},
		{"seven characters", "abcdefg", true, "", ReasonTooShort},
		{"seven digits", "4951723", true, "", ReasonTooShort},
		{"six letters", "abcdef", true, "", ReasonTooShort},
		{"empty passphrase", "", true, "", ReasonTooShort},
		{"eight Chinese characters", "春眠不觉晓处处闻", true, "春眠不觉晓处处闻", ""},
		{"seven Chinese characters", "春眠不觉晓处处", true, "", ReasonTooShort},
		{"64", strings.Repeat("ab", 32), true, strings.Repeat("ab", 32), ""},
		{"65", strings.Repeat("a", 65), true, "", ReasonTooLong},
		{"64 of three bytes", strings.Repeat("春", 64), true, strings.Repeat("春", 64), ""},
		{"63 of four bytes", strings.Repeat("𠀀", 63), true, strings.Repeat("𠀀", 63), ""},
		{"63 of four bytes and one of two", strings.Repeat("𠀀", 63) + "ä", true, strings.Repeat("𠀀", 63) + "ä", ""},
		{"64 of four bytes do not fit an envelope", strings.Repeat("𠀀", 64), true, "", ReasonTooWide},
		{"nor 63 of them and one of three", strings.Repeat("𠀀", 63) + "春", true, "", ReasonTooWide},
		{"65 of four bytes", strings.Repeat("𠀀", 65), true, "", ReasonTooLong},
		{"65 once plain", strings.Repeat("㎏", 33), true, "", ReasonTooLong},
		{"more than is looked at", strings.Repeat("a", maxTyped+1), true, "", ReasonTooLong},
		{"decomposed", "cafe\u0301 cafe\u0301", true, "caf\u00e9 caf\u00e9", ""},
		{"short once composed", "e\u0301e\u0301e\u0301e\u0301", true, "", ReasonTooShort},
		{"ideographic space", "春眠不觉\u3000处处闻", true, "春眠不觉 处处闻", ""},
		{"no-break space", "correct\u00a0horse", true, "correct horse", ""},
		{"full width", "ａｂｃｄｅｆｇｈ", true, "abcdefgh", ""},
		{"a PIN in full width", "４９５１７２", true, "495172", ""},
		{"a PIN and the space behind it", " 495172 ", true, "495172", ""},
		{"seven digits in full width", "４９５１７２０", true, "", ReasonTooShort},
		{"full-width comma", "春眠不觉晓，处处闻", true, "春眠不觉晓,处处闻", ""},
		{"ligature", "ﬁne words", true, "fine words", ""},
		{"spaces around it", "　correct horse ", true, "correct horse", ""},
		{"nothing but spaces", "          ", true, "", ReasonTooShort},
		{"an accent on its own in front", "´correct horse", true, "\u0301correct horse", ""},
		{"case stays", "Correct Horse", true, "Correct Horse", ""},
		{"emoji with a selector and without", "lucky\u2764\ufe0fhorse", true, "lucky\u2764horse", ""},
		{"tab", "correct\thorse", true, "", ReasonCharacter},
		{"line end", "correct horse\n", true, "", ReasonCharacter},
		{"zero byte", "correct\x00horse", true, "", ReasonCharacter},
		{"delete", "correct\x7fhorse", true, "", ReasonCharacter},
		{"line separator", "correct\u2028horse", true, "", ReasonCharacter},
		{"zero width", "correct\u200bhorse", true, "", ReasonCharacter},
		{"right to left", "correct\u202ehorse", true, "", ReasonCharacter},
		{"private use", "correct\ue000horse", true, "", ReasonCharacter},
		{"unassigned", "correct\u0378horse", true, "", ReasonCharacter},
		{"filler of Hangul", "correct\u3164horse", true, "", ReasonCharacter},
		{"nothing but fillers", strings.Repeat("\u3164", 8), true, "", ReasonCharacter},
		{"beginning of a syllable that is none", "correct\u115fhorse", true, "", ReasonCharacter},
		{"filler of half width", "correct\uffa0horse", true, "", ReasonCharacter},
		{"empty cell of Braille", "correct\u2800horse", true, "", ReasonCharacter},
		{"joiner of graphemes", "correct\u034fhorse", true, "", ReasonCharacter},
		{"form of an ideograph", "葛\U000e0101飾区に住んでいる", true, "葛飾区に住んでいる", ""},
		{"forms do not count", "葛" + strings.Repeat("\U000e0101", 8), true, "", ReasonTooShort},
		{"form of a Mongolian letter", "ᠮᠣᠩᠭᠣᠯ\u180b ᠬᠡᠯᠡ", true, "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", ""},
		{"byte order mark", "\ufeffcorrect horse", true, "", ReasonCharacter},
		{"not UTF-8", "correct\xffhorse", true, "", ReasonEncoding},
		{"surrogate", "correct\xed\xa0\x80horse", true, "", ReasonEncoding},
	} {
		t.Run(c.name, func(t *testing.T) {
			secret := []byte(c.typed)
			p, err := Parse(secret, c.passphrase)
			if !bytes.Equal(secret, make([]byte, len(secret))) {
				t.Error("what was typed was not wiped")
			}
			if c.reason != "" {
				e, ok := errors.AsType[*liuma.Error](err)
				if !ok || e.Code != liuma.CodePINFormat || e.Reason != c.reason || !p.IsZero() {
					t.Fatalf("error %v (%+v), want reason %s", err, e, c.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			err = p.Use(func(b []byte) error {
				if string(b) != c.want {
					t.Errorf("holds %d bytes, want %d, or others", len(b), len(c.want))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestParseErrorsSayNothing(t *testing.T) {
	for _, typed := range []string{"49517200", "4951-72", "pass\x00495172", "495172\xff"} {
		for _, passphrase := range []bool{false, true} {
			if _, err := Parse([]byte(typed), passphrase); err != nil && leaks(err.Error()) {
				t.Errorf("the error leaks: %v", err)
			}
		}
	}
}

func TestTwoKeyboardsOnePassphrase(t *testing.T) {
	for _, pair := range [][2]string{
		{"cafe\u0301 au lait", "café au lait"},
		{"\u1112\u1161\u11ab\u1100\u1173\u11af abcdef", "한글 abcdef"},
		{"春眠不觉晓\u3000处处", "春眠不觉晓 处处"},
		{"Ｔｅａ，三杯！ㄅㄆㄇ", "Tea,三杯!ㄅㄆㄇ"},
		{"ｶﾞｷﾞｸﾞｹﾞｺﾞ abcd", "ガギグゲゴ abcd"},
		{"①②③ grüße", "123 gru\u0308ße"},
		{"e\ufe0f\u0301 au lait", "é au lait"},
		{"７０５１９２", "705192"},
	} {
		a, b := mustPIN(t, pair[0]), mustPIN(t, pair[1])
		if !a.Equal(b) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
}
