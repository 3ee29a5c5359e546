package holder

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
)

// TestEveryActHasWords: an act that can be pushed has a row in the pages' table,
// with a title and a success in both languages.
func TestEveryActHasWords(t *testing.T) {
	for _, lang := range []door.Lang{door.Chinese, door.English} {
		words := newWordings(locale.In(lang), "12333")
		for _, a := range liuma.Actions() {
			if _, ok := ceremony.ActOf(a); !ok {
				continue
			}
			row := actOf(words, a)
			if row.title == "" || row.pad == "" || row.success == "" || row.successMeans == "" {
				t.Errorf("%s in %v: %+v", a, lang, row)
			}
		}
	}
}
