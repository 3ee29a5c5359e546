package directory_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
)

func TestPublished(t *testing.T) {
	all, err := directory.Published()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[liuma.Region]directory.Entry{
		"33": {Name: "浙江省"}, "3305": {Name: "湖州市"}, "330502": {Name: "吴兴区"}, "71": {Name: "台湾省"}, "810101": {Name: "中西区"},
		"110103": {Name: "崇文区", Abolished: "201010"}, "110228": {Name: "密云县", Abolished: "201607", Successor: "110118"}, "": {Name: "全国"},
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

func TestAnOperatorsListGoesOverIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), directory.File)
	if _, err := directory.Open(path); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, []byte("\ufeffcode,name\r\n330113,临平区\n330103,下城区,202104,330105\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := directory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	added, _ := all.Find("330113")
	ended, _ := all.Find("330103")
	if added.Name != "临平区" || ended != (directory.Entry{Name: "下城区", Abolished: "202104", Successor: "330105"}) {
		t.Errorf("%+v, %+v", added, ended)
	}
	for name, list := range map[string]string{
		"one cell": "330113\n", "code": "3301x3,临平区\n", "no code": ",临平区\n", "no name": "330113,\n", "control": "330113,临\x07平\n",
		"long": "330113," + strings.Repeat("临", 41) + "\n", "successor": "330103,下城区,202104,x\n", "not abolished": "330103,下城区,,330105\n", "more": "1,2,3,4,5\n",
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
