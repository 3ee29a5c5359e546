package written

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNamesOfOneSpelling(t *testing.T) {
	for _, same := range [][]string{
		{"王秀英", " 王 秀　英 ", "王\u200b秀英", "\ufeff王秀英", "王\u202e秀\u2069英", "王\u00ad秀\u2060英", "王\ufe00秀\U000e0100英", "王秀\u3164英", "王秀英\u2028\r\n", "王\u2800秀\u00a0英", "王\u034f秀\u180e英"},
		{"张䶮", "张\ue863", "张\U000e0101䶮"},
		{"李𮯰", "李𮯰\U000e0100"},
		{"王青", "王⻘", "王\u2f2d"[:3] + "⻘"}, // 青 as a radical
		{"高山", "⾼⼭", "⾼山"},
		{"龙飞", "⻰飞"},
		{"马立", "⻢⽴"},
		{"福田", "福\ufa1b田"[:3] + "田", "\ufa1b田"}, // 福 as a compatibility form
		{"龜", "\uf907", "\uf908", "\u2fd4"},
		{"李〇", "李○", "李◯"},
		{"龴氏", "\ue81e氏"}, {"𠂇氏", "\ue816氏"}, {"𢦏氏", "\ue83b氏"}, {"龻氏", "\ue864氏"},
		{"王英", "王\ue5e5英"},
		{
			"阿依古丽·买买提", "阿依古丽•买买提", "阿依古丽‧买买提", "阿依古丽∙买买提", "阿依古丽⋅买买提", "阿依古丽・买买提", "阿依古丽･买买提",
			"阿依古丽᛫买买提", "阿依古丽．买买提", "阿依古丽.买买提", "阿依古丽。买买提", "阿依古丽｡买买提", "阿依古丽 · 买买提", "阿依古丽●买买提",
			"阿依古丽⸱买买提", "阿依古丽․买买提", "阿依古丽\u0387买买提", "阿依古丽﹒买买提", "阿依古丽⦁买买提", "阿依古丽\ufe00·买买提",
		},
		{"O'Brien", "O’Brien", "O‘BRIEN", "OʼBrien", "O`Brien", "O´Brien", "O＇brien", "O′Brien", "o' brien"},
		{"Anne-Marie St. John", "ANNE‐MARIE ST JOHN", "Anne–Marie St．John", "Anne‑Marie  St. John", "ＡＮＮＥ－ＭＡＲＩＥ ＳＴ． ＪＯＨＮ"},
		{"José Núñez", "JOSE\u0301 NU\u0301N\u0303EZ"},
		{"Zoë Li", "ZOE\u0308 LI", "zoë\u00a0li"},
		{"Smith, John", "SMITH，JOHN"},
		{"Weiß", "WEIẞ"},
		{"Иван Петров", "ИВАН ПЕТРОВ", "ИВАНПЕТРОВ"},
	} {
		for _, s := range same[1:] {
			if !SameName(same[0], s) {
				t.Errorf("%+q and %+q are two names: %+q, %+q", same[0], s, NameKey(same[0]), NameKey(s))
			}
		}
		for _, s := range same {
			if name := Name(s); !NameShape(name) || Name(name) != name {
				t.Errorf("%+q is kept as %+q", s, name)
			}
		}
	}
}

func TestNamesThatDiffer(t *testing.T) {
	for _, two := range [][2]string{
		{"王秀英", "王秀瑛"}, {"张䶮", "张龑"}, {"阿依·买买提", "阿依买买提"}, {"Jose", "José"}, {"王\ue000", "王\ue001"}, {"吉田", "𠮷田"}, {"", ""}, {"张\ue863", "张\ue864"},
	} {
		if SameName(two[0], two[1]) {
			t.Errorf("%+q and %+q are one name", two[0], two[1])
		}
	}
}

func TestNamesAreKeptAsGiven(t *testing.T) {
	for s, want := range map[string]string{
		"Anne-Marie  O’Brien": "Anne-Marie O'Brien",
		"de la Cruz, José":    "de la Cruz, José",
		"葛\U000e0100城":        "葛\U000e0100城",
		"⻘山":                  "⻘山",
		"J.R.R. Tolkien":      "J.R.R. Tolkien",
		"‘Abd al-Rahman":      "'Abd al-Rahman",
		"张\ue863":             "张䶮",
		"བསྟན་འཛིན":           "བསྟན་འཛིན",
	} {
		if got := Name(s); got != want || !NameShape(got) {
			t.Errorf("%+q is kept as %+q, want %+q", s, got, want)
		}
	}
	for _, s := range []string{"王1英", "·王英", "王英·", "王··英", "-Li", "王😀", "王\x00英", "王\ue000", "<b>", `王"英`, "王，英", "王\ufffd英", "⿰氵王", "王　·"} {
		if name := Name(s); NameShape(name) {
			t.Errorf("%+q is taken as %+q", s, name)
		}
	}
}

// Every block of ideographs is known, also what Unicode added after this
// program's tables were made.
func TestIdeographsByBlock(t *testing.T) {
	for _, r := range []rune{0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0x20000, 0x2A6DF, 0x2A700, 0x2B739, 0x2B740, 0x2B820, 0x2CEB0, 0x2EBE0, 0x2EBF0, 0x2EE5D, 0x2F800, 0x30000, 0x3134A, 0x31350, 0x323AF, 0x323B0, 0x33479, '〇', '々'} {
		if !NameShape("王" + string(r)) {
			t.Errorf("U+%04X is no ideograph", r)
		}
	}
	for _, r := range []rune{'A', '·', 0x3000, 0xE863, 0x1F600, 0x40000, 0x2FF0, 0x2FFFE} {
		if Ideograph(r) {
			t.Errorf("U+%04X is an ideograph", r)
		}
	}
}

// Providers sign this spelling: it may not change for a name that 0.1.0 took.
func TestCanonicalNamesStay(t *testing.T) {
	for s, want := range map[string]string{
		"王秀英": "王秀英", "阿依古丽•买买提": "阿依古丽·买买提", "John  Smith": "JOHN SMITH", "John A. Smith": "JOHN A·SMITH", "Zoe\u0308 Li": "ZOË LI",
		"Иван Петров": "ИВАНПЕТРОВ", "ＪＯＨＮ　ｓｍｉｔｈ": "JOHN SMITH", "李〇": "李〇", "𠮷田": "𠮷田",
		"张\ue863": "张䶮", "葛\U000e0100城": "葛城", "⻘山": "青山", "O’Brien": "O'BRIEN",
	} {
		if got := CanonicalName(s); got != want || CanonicalName(got) != got {
			t.Errorf("%q is signed as %q, want %q", s, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for s, want := range map[string]string{
		"１１０１０５　１９４９１２３１　００２ｘ": "11010519491231002X", "110105-19491231-002X": "11010519491231002X",
		"\ufeff110105\u200b1949\u20111231\u2014002\u00adX\u202c": "11010519491231002X", "110105−19491231－002x": "11010519491231002X",
		"138ー0013–8000": "13800138000", "+86\u00a0138\u2009": "+86138", "a1b2 c3d4\ue5e5": "A1B2C3D4", "12\u3164345\u2063 6\r\n": "123456",
		"\u2066123\u2069 456\ufe0f": "123456", "𝟏𝟐𝟑": "123", "①": "1", "Ⅹ": "X", "": "",
	} {
		if got := Number(s); got != want {
			t.Errorf("%+q is read as %+q, want %q", s, got, want)
		}
	}
	for _, s := range []string{"١٢٣", "۱۲۳", "११०", "๑๒๓"} {
		if got := Number("1" + s); got == "1" || !OtherDigits(got) {
			t.Errorf("%q is read as %q", s, got)
		}
	}
	if OtherDigits("123X") {
		t.Error("ASCII digits are taken for another script's")
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"王秀英", "阿依古丽•买买提", "O’Brien", "张\ue863", "葛\U000e0100城", "⻘山", "J.R.R. Tolkien", "王\u200b 英", "Weiß", "ΣΑΣ", "ﬁ", "각", "\u0344a", "Ǆ", "ŉ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		name := Name(s)
		if !NameShape(name) {
			return
		}
		if again := Name(name); again != name {
			t.Errorf("%+q is kept as %+q, and then as %+q", s, name, again)
		}
		if NameKey(s) != NameKey(name) || NameKey(name) != "" && !SameName(s, name) {
			t.Errorf("%+q and %+q are two names", s, name)
		}
		if c := CanonicalName(name); CanonicalName(c) != c {
			t.Errorf("%+q has two canonical spellings", s)
		}
		if strings.ContainsAny(name, "\u200b\ufeff\u00ad") {
			t.Errorf("%+q keeps what nobody sees", name)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"11010519491231002x", "１１０１０５", "138 0013-8000", "\u200b1", "①", "ﷺ", "１\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		n := Number(s)
		if again := Number(n); again != n {
			t.Errorf("%+q is read as %+q, and then as %+q", s, n, again)
		}
	})
}
