package host

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestAlertsAndDashboardNameMetrics: what the alert rules and the dashboard read of a keeper
// is what a keeper tells; and it says whether it lives and is ready.
func TestAlertsAndDashboardNameMetrics(t *testing.T) {
	ds := dirs(t)
	ds[0].Metrics = "127.0.0.1:0"
	r := run(t, ds[0])
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + r.at.Metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	_, text := get("/metrics")
	for _, file := range []string{"../../../deploy/prometheus/alerts.yml", "../../../deploy/grafana/liuma.json"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`liuma_keeper_[a-z_]+`).FindAllString(string(raw), -1) {
			family := regexp.MustCompile(`_(sum|count|bucket)$`).ReplaceAllString(name, "") // of a histogram
			if !strings.Contains(text, "# TYPE "+name+" ") && !strings.Contains(text, "# TYPE "+family+" histogram\n") {
				t.Errorf("%s: a keeper has no %s", file, name)
			}
		}
	}
	if status, _ := get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	if status, said := get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %s", status, said)
	}
	if err := r.seat.empty(os.ErrClosed); err != nil {
		t.Fatal(err)
	}
	if status, said := get("/readyz"); status != http.StatusServiceUnavailable || said != "not ready\n" {
		t.Errorf("/readyz of an empty seat: %d %s", status, said)
	}
}
