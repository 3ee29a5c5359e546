package directory_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/locale"
)

func TestPublished(t *testing.T) {
	all, err := directory.Published()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[liuma.Region]directory.Entry{
		"33": {Name: "浙江省"}, "3305": {Name: "湖州市", Latin: "Huzhou"}, "330502": {Name: "吴兴区", Latin: "Wuxing District"}, "71": {Name: "台湾省"},
		"810101": {Name: "中西区", Latin: "Central and Western District"},
		"110103": {Name: "崇文区", Abolished: "201010", Latin: "Chongwen District"}, "110228": {Name: "密云县", Abolished: "201607", Successor: "110118", Latin: "Miyun County"}, "": {Name: "全国"},
	} {
		if e, ok := all.Find(code); !ok || e != want {
			t.Errorf("%s is %+v, want %+v", code, e, want)
		}
	}
	if all.Len() != 3918 {
		t.Errorf("%d regions", all.Len())
	}
	for code, want := range map[liuma.Region]liuma.Region{"330599": "3305", "339900": "33", "3399": "33", "990101": ""} {
		if _, ok := all.Find(code); ok || all.Above(code) != want {
			t.Errorf("%s lies in %q, want %q", code, all.Above(code), want)
		}
	}
}

// TestEachLineIsRead: the published list is read a line at a time, by a search.
func TestEachLineIsRead(t *testing.T) {
	lines, err := os.ReadFile("regions.txt")
	if err != nil {
		t.Fatal(err)
	}
	all, err := directory.Published()
	if err != nil {
		t.Fatal(err)
	}
	read, err := directory.Check(bytes.NewReader(lines)) // as an operator's list, which is refused for one bad line
	if err != nil || read != all.Len() || read != bytes.Count(lines, []byte("\n")) {
		t.Fatalf("%d of %d regions: %v", all.Len(), read, err)
	}
	for line := range bytes.Lines(lines) {
		cells := strings.Split(string(bytes.TrimSpace(line)), ",")
		code, err := liuma.ParseRegion(cells[0])
		if e, ok := all.Find(code); err != nil || !ok || e.Name != cells[1] {
			t.Errorf("%s: %+v, %v", line, e, err)
		}
	}
	for _, no := range []liuma.Region{"1", "11011", "1101019", "99", "1100", "110000", "11010x"} {
		if e, ok := all.Find(no); ok {
			t.Errorf("%s is %+v", no, e)
		}
	}
}

func TestAnOperatorsListGoesOverIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), directory.File)
	if _, err := directory.Open(path); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, []byte("\ufeffcode,name\r\n330113,临平区,,,Linping District\n330103,下城区,202104,330105\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := directory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	added, _ := all.Find("330113")
	ended, _ := all.Find("330103")
	if added != (directory.Entry{Name: "临平区", Latin: "Linping District"}) || ended != (directory.Entry{Name: "下城区", Abolished: "202104", Successor: "330105"}) {
		t.Errorf("%+v, %+v", added, ended)
	}
	for name, list := range map[string]string{
		"one cell": "330113\n", "code": "3301x3,临平区\n", "no code": ",临平区\n", "no name": "330113,\n", "control": "330113,临\x07平\n",
		"long": "330113," + strings.Repeat("临", 41) + "\n", "successor": "330103,下城区,202104,x\n", "not abolished": "330103,下城区,,330105\n", "more": "330113,临平区,,,Linping,6\n", "Latin control": "330113,临平区,,,Lin\x07\n", "Latin long": "330113,临平区,,," + strings.Repeat("L", 121) + "\n",
		"empty": "code,name\n", "not UTF-8": "330113,\xff\n",
	} {
		if n, err := directory.Check(strings.NewReader(list)); !errors.Is(err, directory.ErrList) {
			t.Errorf("%s: %d regions, %v", name, n, err)
		}
		if name == "empty" {
			continue
		}
		if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := directory.Open(path); !errors.Is(err, directory.ErrList) {
			t.Errorf("%s: opened, %v", name, err)
		}
	}
}

func TestPlacesAreNamedInTheirOrder(t *testing.T) {
	all, err := directory.Published()
	if err != nil {
		t.Fatal(err)
	}
	zh, en := locale.In(locale.Chinese), locale.In(locale.English)
	for code, want := range map[liuma.Region][2]string{
		"": {"", ""}, "33": {"浙江省", "Zhejiang"}, "3305": {"浙江省湖州市", "Huzhou, Zhejiang"}, "330502": {"浙江省湖州市吴兴区", "Wuxing District, Huzhou, Zhejiang"},
		"4401": {"广东省广州市", "Guangzhou, Guangdong"}, "110101": {"北京市东城区", "Dongcheng District, Beijing"}, "1101": {"北京市", "Beijing"},
		"330599": {"浙江省湖州市", "Huzhou, Zhejiang"}, "990101": {"", ""}, "429021": {"湖北省神农架林区", "Shennongjia Forestry District, Hubei"},
		"341502": {"安徽省六安市金安区", "Jin'an District, Lu'an, Anhui"}, "370322": {"山东省淄博市高青县", "Gaoqing County, Zibo, Shandong"},
		"150102": {"内蒙古自治区呼和浩特市新城区", "Xincheng District, Hohhot, Inner Mongolia"}, "141102": {"山西省吕梁市离石区", "Lishi District, Lüliang, Shanxi"},
		"530825": {"云南省普洱市镇沅彝族哈尼族拉祜族自治县", "Zhenyuan Yi-Hani-Lahu Autonomous County, Pu'er, Yunnan"}, "152221": {"内蒙古自治区兴安盟科尔沁右翼前旗", "Horqin Right Wing Front Banner, Hinggan League, Inner Mongolia"},
	} {
		if got := [2]string{all.Place(zh, code), all.Place(en, code)}; got != want {
			t.Errorf("%s is %q, want %q", code, got, want)
		}
	}
}

// Each place that anybody lives in has a name that readers of other languages can read.
func TestEachPlaceHasALatinName(t *testing.T) {
	all, err := directory.Published()
	if err != nil {
		t.Fatal(err)
	}
	en := locale.In(locale.English)
	for _, code := range all.Codes() {
		name := all.Place(en, code)
		if e, _ := all.Find(code); len(code) > 2 && (e.Latin == "") != e.Gathers {
			t.Errorf("%s is %+v", code, e)
		}
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
			t.Errorf("%s is called %q", code, name)
		}
	}
}
