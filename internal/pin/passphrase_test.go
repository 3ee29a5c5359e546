package pin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/written"
)

func TestPrintsOfCommonPassphrases(t *testing.T) {
	set, err := loadCommonPassphrases()
	if err != nil {
		t.Fatal(err)
	}
	const want = "26aa607236dff2f4726c2e4775f5592b7d98a1990e9ccd7c298437bfbb501e49"
	sum := sha256.Sum256([]byte(commonPrints))
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the prints are %s, want those that the lists gave: %s", got, want)
	}
	n := len(set) / printSize
	if doc, err := os.ReadFile(docPath); err != nil || !strings.Contains(string(doc), thousands(n)+" entries") {
		t.Errorf("docs/PINS.md does not say that there are %d (%v)", n, err)
	}
	for i := printSize; i < len(set); i += printSize {
		if set[i-printSize:i] >= set[i:i+printSize] {
			t.Fatal("not sorted, or an entry twice")
		}
	}
	for _, in := range []string{"password", "password1", "iloveyou", "woaini1314", "5201314520", "1qaz2wsx3edc", "zhang", "wang", "dragon"} {
		if !set.has([]byte(in)) {
			t.Errorf("%s is not in the list", in)
		}
	}
	for _, out := range []string{"", "abc", "four unrelated words", "春眠不觉晓处处闻", "Password"} {
		if set.has([]byte(out)) {
			t.Errorf("%q is in the list", out)
		}
	}
}

func TestNearCommonHasASentence(t *testing.T) {
	s := Sentence(RuleNearCommon, true)
	wantSentence(t, string(RuleNearCommon), s)
	if s == Sentence(RuleCommon, true) || s == Sentence(RuleUnreadable, true) {
		t.Error("it is that of another rule")
	}
}

func TestNoticesStayWithThePrints(t *testing.T) {
	for file, holder := range map[string]string{"LICENSE-Pwdb-Public.txt": "2020 Ata Hak", "LICENSE-Chinese-Common-Password-List.txt": "2024 Kyi Wong"} {
		raw, err := os.ReadFile("data/" + file)
		if err != nil || !strings.Contains(string(raw), "MIT License") || !strings.Contains(string(raw), holder) {
			t.Errorf("%s: the notice is gone: %v", file, err)
		}
	}
}

// TestNearCommon: what is tried next after the common ones, and what is not.
func TestNearCommon(t *testing.T) {
	j := newJudge(t, NationalRules())
	for _, c := range []struct {
		pass string
		want []Rule
	}{
		{"password123456", []Rule{RuleCommon}},    // in the list itself
		{"kettle 123456", []Rule{RuleNearCommon}}, // a word and a common PIN
		{"Password2024!", []Rule{RuleNearCommon}},
		{"pass word 20240101", []Rule{RuleNearCommon}},
		{"p@ssw0rd!!", []Rule{RuleNearCommon}},
		{"P@$$w0rd !!", []Rule{RuleNearCommon}},
		{"p@ssw0rd 8888", []Rule{RuleNearCommon}},
		{"Ｋｅｔｔｌｅ１２３４５６", []Rule{RuleNearCommon}},
		{"zhang 1986-02-14", []Rule{RuleNearCommon}},
		{"0214 wangfang", []Rule{RuleNearCommon}},
		{"1986-02-14", []Rule{RuleNearCommon}}, // somebody else's date
		{"14.02.1986", []Rule{RuleNearCommon}},
		{"asdf 20081008", []Rule{RuleNearCommon}},
		{"woaini!1314", []Rule{RuleNearCommon}},
		{"一二三四五六七八", []Rule{RuleNearCommon}}, {"五二〇一三一四五二〇", []Rule{RuleNearCommon}}, {"一九八六年〇二月一四", nil}, // words stand between
		{"password73916284", nil}, // the digits alone are a secret
		{"zhang blue kettle", nil},
		{"83920471", nil},
		{"k7#mQz92w", nil},
		{"红烧肉配米饭真香", nil},
	} {
		if got := rulesOf(j.Check(mustPIN(t, c.pass), Facts{}, nil)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.pass, got, c.want)
		}
	}
	off := NationalRules()
	off.Common = false
	if got := newJudge(t, off).Check(mustPIN(t, "password123456"), Facts{}, nil); got != nil {
		t.Errorf("without the rule: %v", got)
	}
}

// TestTheHoldersName: a passphrase that is the holder's name is none, in characters and as
// it is typed; words besides make it one.
func TestTheHoldersName(t *testing.T) {
	j := newJudge(t, NationalRules())
	for _, c := range []struct {
		name, pass string
		want       []Rule
	}{
		{"王晓明", "wangxiaoming1985", []Rule{RuleName}}, {"王晓明", "WangXiaoMing!!", []Rule{RuleName}}, {"王晓明", "xiaoming.wang", []Rule{RuleName}}, {"王晓明", "2024王晓明!!", []Rule{RuleName}},
		{"王晓明", "王　晓　明 2024", []Rule{RuleName}}, {"王晓明", "wxm 20200101", []Rule{RuleName}}, {"王晓明", "xmw@2024!!", []Rule{RuleName}}, {"王晓明", "Ｗａｎｇ１９８５ｘｉａｏｍｉｎｇ", []Rule{RuleName}},
		{"吕晓明", "lvxiaoming1985", []Rule{RuleName}}, {"吕晓明", "lyuxiaoming1985", []Rule{RuleName}}, {"单晓明", "shanxiaoming1985", []Rule{RuleName}}, {"仇晓明", "qiuxiaoming1985", []Rule{RuleName}},
		{"阿依古丽·买买提", "ayiguli 2024", []Rule{RuleName}}, {"GREENWOOD, ELSPETH", "Elspeth.Greenwood7", []Rule{RuleName}}, {"王晓明", "wangxiaoming wangxiaoming1", []Rule{RuleName}},
		{"王晓明", "wangxiaoming73916284", nil}, {"王晓明", "王晓明٧٣٩١٦٢٨٤", nil}, {"王一", "wangyi 王一2024", []Rule{RuleName}}, {"王晓明", "wang xiaoming blue kettle", nil}, {"李建国", "tuozhengbin1985", nil}, {"", "tuozhengbin1985", nil}, {"拓正斌", "tuozhengbin1985", []Rule{RuleName}}, {"王晓明", "83920471", nil}, {"王晓明", "12345678 ?!", []Rule{RuleSteps}},
	} {
		if got := rulesOf(j.Check(mustPIN(t, c.pass), Facts{Name: c.name}, nil)); !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %v, want %v", c.pass, c.name, got, c.want)
		}
	}
	if s := Sentence(RuleName, true); s == Sentence(RuleUnreadable, true) || s == Sentence(RuleNearCommon, true) {
		t.Error("the rule has no sentence of its own")
	}
	if got := j.Check(mustPIN(t, canary), Facts{Name: "王晓明"}, nil); got != nil {
		t.Errorf("six digits: %v", got)
	}
}

// TestNumbersInOtherDigits: the holder's numbers are found whatever digits they are
// written in.
func TestNumbersInOtherDigits(t *testing.T) {
	j := newJudge(t, NationalRules())
	facts := Facts{IDNumber: "330501198503070016", Phone: "13800138000"}
	for pass, want := range map[string]Rule{
		"一三八零零一三八零零零": RulePhone, "电话幺三八〇〇幺三八〇〇〇呀": RulePhone, "١٣٨٠٠١٣٨٠٠٠ abc": RulePhone, "१९८५०३०७ blue": RuleBirthday, "一九八五年〇三月〇七日生": RuleBirthday, "壹玖捌伍零叁零柒蓝色": RuleBirthday,
	} {
		if got := rulesOf(j.Check(mustPIN(t, pass), facts, nil)); !slices.Contains(got, want) {
			t.Errorf("%s: %v, want %s", pass, got, want)
		}
	}
	if got := j.Check(mustPIN(t, "一片冰心在玉壶二三"), facts, nil); got != nil {
		t.Errorf("a line of a poem: %v", got)
	}
}

// TestEarlierSpelling: a passphrase that was set in NFC is proved by the bytes of that
// time, one that is set now by NFKC, and the form tells which; what was typed is the
// same.
func TestEarlierSpelling(t *testing.T) {
	const typed, nfc, nfkc = "春眠不觉晓，Ｔｅａ\u3000", "春眠不觉晓，Ｔｅａ ", "春眠不觉晓,Tea"
	p := mustPIN(t, typed)
	for form, want := range map[Form]string{FormEarlier: nfc, FormPassphraseNFC: nfc, FormPassphrase: nfkc, FormUnknown: nfkc} {
		err := p.UseAs(form, func(b []byte) error {
			if string(b) != want {
				t.Errorf("form %d: other bytes", form)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !p.Equal(mustPIN(t, nfkc)) || p.Form() != FormPassphrase {
		t.Error("another PIN than its plain spelling")
	}
	for _, c := range []struct {
		typed    string
		was, now Form
	}{
		{typed, FormEarlier, FormPassphraseNFC}, {typed, FormUnknown, FormPassphrase}, {typed, FormPassphraseNFC, FormPassphraseNFC},
		{"correct horse", FormEarlier, FormPassphrase}, {canary, FormEarlier, FormDigits}, {canary, FormUnknown, FormDigits},
		{canary, FormDigits, FormDigits}, {"correct horse", FormPassphrase, FormPassphrase},
	} {
		if got := mustPIN(t, c.typed).Proved(c.was); got != c.now {
			t.Errorf("%d became %d, want %d", c.was, got, c.now)
		}
	}
	for f, want := range map[Form]bool{FormEarlier: false, FormDigits: false, FormPassphrase: true, FormPassphraseNFC: true, FormUnknown: false} {
		if f.Passphrase() != want {
			t.Errorf("form %d: %v", f, !want)
		}
	}
	p.Wipe()
	for _, f := range []Form{FormEarlier, FormPassphrase} {
		if err := p.UseAs(f, func([]byte) error { return nil }); err != ErrWiped {
			t.Errorf("wiped: %v", err)
		}
	}
	if c := p.cell(); !bytes.Equal(c.b[:], make([]byte, MaxBytes)) || !bytes.Equal(c.earlier[:], make([]byte, MaxBytes)) {
		t.Error("a spelling is still in memory")
	}
}

// FuzzCanonical: what is spelt one way is spelt so again, by any detour that leaves
// the same text, and the earlier spelling leads to the same PIN.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"correct horse", "cafe\u0301 au lait", "春眠不觉\u3000晓，处处！", "ﬁne Ｗｏｒｄｓ", "e\ufe0f\u0301xxxxxxx",
		"ﷺﷺﷺﷺﷺﷺﷺﷺ", "a\u0315\u0300\u05ae\u0062bcdefg", "\u1112\u1161\u11ababcdef", "´ ´correct´", "ｶﾞｷﾞｸﾞｹﾞｺﾞｶﾞ", "４９５１７２", "①②③④⑤⑥⑦⑧",
		"\u0344\u0344\u0344abcdefgh", "\U0001D160\U0001D15Fabcdefgh", "ẛ̣ẛ̣ẛ̣ẛ̣ẛ̣ẛ̣ẛ̣", "≯≯≯≯≯≯≯≯≯≯"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, typed []byte) {
		p, err := Parse(bytes.Clone(typed), true)
		if err != nil {
			return
		}
		var held, earlier []byte
		keep := func(into *[]byte) func([]byte) error {
			return func(b []byte) error { *into = bytes.Clone(b); return nil }
		}
		if p.UseAs(FormPassphrase, keep(&held)) != nil || p.UseAs(FormEarlier, keep(&earlier)) != nil {
			t.Fatal("gone")
		}
		for _, again := range [][]byte{held, earlier, append([]byte(" "), held...), written.PassphraseNFC(held)} {
			if q, err := Parse(bytes.Clone(again), true); err != nil || !q.Equal(p) {
				t.Fatalf("%q is another PIN (%v)", again, err)
			}
		}
		if p.Passphrase() && !bytes.Equal(held, written.Passphrase(held)) {
			t.Fatalf("%q is not its own spelling", held)
		}
	})
}
