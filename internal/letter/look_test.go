package letter_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/letter"
)

var look = flag.String("look", "", "directory to write sample letters to, for a person to look at")

// TestSampleLetters writes letters of each look; with -look a person sees them in a
// browser. The longest address and name fit their place.
func TestSampleLetters(t *testing.T) {
	o := newOffice(t)
	one := o.holder(1, "330502", strings.Repeat("湖州市吴兴区爱山街道南街", 5))
	two := o.holder(2, "330502", "湖州市吴兴区爱山街道123号2幢301室")
	o.write(one, "330502", "strangers_stopped", "pin_reset", "card_closing")
	o.write(two, "330502", "card_frozen")
	b := o.print(nation, letter.Order{})
	o.must(o.Printed(t.Context(), "x", nation, b.ID))
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
