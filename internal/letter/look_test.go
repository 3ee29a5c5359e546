package letter_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/store"
)

var look = flag.String("look", "", "directory to write sample letters to, for a person to look at")

// TestSampleLetters writes letters of each look; with -look a person sees them in a
// browser. The longest address and name fit their place.
func TestSampleLetters(t *testing.T) {
	const name = "湖州市吴兴区社会保险事业管理中心爱山服务大厅"
	o := newOffice(t)
	o.at(store.Agency{Code: "a", Kind: store.AgencyOffice, Region: "330502", Telephone: "0572-0000004", Name: liuma.Text{ZH: name, EN: "Wuxing" + strings.Repeat(" Centre", 7)}})
	one := o.holder(1, "330502", strings.Repeat("湖州市吴兴区爱山街道南街", 5))
	two := o.holder(2, "330502", "湖州市吴兴区爱山街道123号2幢301室")
	o.write(one, "330502", "strangers_stopped", "pin_reset", "card_closing")
	o.write(two, "330502", "card_frozen")
	b := o.print(nation, letter.Order{})
	o.must(o.Printed(t.Context(), "x", nation, b.ID))
	if strings.Count(b.HTML, name) != 1 || strings.Count(b.HTML, "0572-0000004") != 0 || strings.Count(b.HTML, "Wuxing") != 1 {
		t.Error("the office is not named, or on a full sheet, or by more than its name")
	}
	zh := o.print(nation, letter.Order{Batch: b.ID, Again: true, Chinese: true})
	if strings.Contains(zh.HTML, "The PIN") || !strings.Contains(b.HTML, "The PIN") {
		t.Error("the languages are mixed up")
	}
	if *look == "" {
		return
	}
	o.must(os.WriteFile(filepath.Join(*look, "both.html"), []byte(b.HTML), 0o600))
	o.must(os.WriteFile(filepath.Join(*look, "chinese.html"), []byte(zh.HTML), 0o600))
}

// at makes letters of an office go by a directory of one agency.
func (o *office) at(a store.Agency) {
	o.t.Helper()
	regions, err := directory.Published()
	o.must(err)
	now := func() time.Time { return o.now }
	o.Letters, err = letter.New(letter.Config{Store: o.store, Vault: o.vault, Registry: o.people, Now: now, Agencies: fixed{agency.NewListing([]store.Agency{a}, regions)},
		ReturnTo: "湖州市社保中心，湖州市金盖山路66号，313000"})
	o.must(err)
}

// fixed is a directory that stays as it is.
type fixed struct{ listing *agency.Listing }

func (f fixed) Listing() *agency.Listing { return f.listing }

// TestALetterNamesTheRegionsOffice: the nearest one of the card's region, by its name; in
// English by its Chinese one where it has no other; and none that was made up.
func TestALetterNamesTheRegionsOffice(t *testing.T) {
	huzhou := store.Agency{Code: "huzhou", Kind: store.AgencyOffice, Region: "3305", Name: liuma.Text{ZH: "湖州市社保中心大厅"}}
	for name, c := range map[string]struct {
		change func(*store.Agency)
		region string
		want   bool
	}{
		"its city's":    {func(*store.Agency) {}, "330502", true},
		"a neighbour's": {func(*store.Agency) {}, "3304", false},
		"made up":       {func(a *store.Agency) { a.Sample = true }, "330502", false},
		"closed":        {func(a *store.Agency) { a.Closed = true }, "330502", false},
		"a long name":   {func(a *store.Agency) { a.Name.ZH += strings.Repeat("大厅", 12) }, "330502", false},
		"a hotline":     {func(a *store.Agency) { a.Kind = store.AgencyHotline }, "330502", false},
	} {
		o, a := newOffice(t), huzhou
		c.change(&a)
		o.at(a)
		o.write(o.holder(1, c.region, "爱山街道1号"), liuma.Region(c.region), "pin_reset")
		got := o.print(nation, letter.Order{}).HTML
		if n := strings.Count(got, "湖州市社保中心大厅"); c.want && n != 2 || !c.want && n != 0 {
			t.Errorf("%s: named %d times", name, n)
		}
		if general := strings.Contains(got, "到社保柜台问。"); general == c.want {
			t.Errorf("%s: the general sentence: %v", name, general)
		}
	}
}
