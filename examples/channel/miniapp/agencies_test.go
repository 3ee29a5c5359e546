package miniapp

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// TestNearestAgency: the page "in person" names the offices of the app's region, asks for
// them once in five minutes, marks a sample, and is whole without an answer.
func TestNearestAgency(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	s := newSiteWith(t, func(c *Config) { c.Now = func() time.Time { return now } })
	shows := func(t *testing.T, page string, words ...string) {
		t.Helper()
		for _, w := range words {
			says(t, got{body: page}, w)
		}
	}
	page := func() string { return s.do(http.MethodGet, "/counter", nil).body }
	where := `href="` + s.fake.server.URL + `/where?region=33"`
	shows(t, page(), "0571-96345", where)
	if strings.Contains(page(), "data-office") {
		t.Error("an office without an answer")
	}
	hall := client.Agency{Name: client.AgencyText{ZH: "吴兴区服务大厅", EN: "Wuxing Hall"}, Address: client.AgencyText{ZH: "样例街 4 号"},
		Documents: client.AgencyText{ZH: "身份证原件"}, Telephone: "0572-0000004", Sample: true}
	s.set(func() { s.offices = []client.Agency{hall} })
	shows(t, page(), "吴兴区服务大厅", "Wuxing Hall", "样例街 4 号", "身份证原件", `href="tel:0572-0000004"`, "样例", where)
	s.set(func() { s.asked, s.offices = nil, nil })
	now = now.Add(agenciesLast - time.Second)
	shows(t, page(), "吴兴区服务大厅")
	if s.asked != nil {
		t.Errorf("asked again: %v", s.asked)
	}
	now = now.Add(time.Second)
	shows(t, page(), "吴兴区服务大厅") // what was known last
	if !slices.Equal(s.asked, []string{"33"}) {
		t.Errorf("asked for %v", s.asked)
	}
}
