package console_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/agency"
)

// TestSamplesAreMarked: who stands at a desk does not send anybody to an office that is
// made up.
func TestSamplesAreMarked(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	_, err := h.Agencies.Import(t.Context(), bytes.NewReader(agencies.File), agency.ImportConfig{Actor: "operator"})
	must(t, err)
	for _, c := range []struct{ lang, sample string }{{"en", "huzhou-wuxing, Sample data"}, {"zh-CN", "huzhou-wuxing、样例数据"}} {
		p := operator.get("/agency?lang=" + c.lang)
		if p.status != http.StatusOK || !p.says(c.sample) {
			t.Errorf("%s: %d\n%s", c.lang, p.status, p.body)
		}
	}
}
