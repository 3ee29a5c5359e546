package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestHealthAtEachDoor: every door says whether it lives; those of holders and channels are
// ready while verdicts can be given, that of the staff as long as its acts can be kept, who
// is needed most while keepers are away. None says why not.
func TestHealthAtEachDoor(t *testing.T) {
	var gone atomic.Bool
	e := testkit.New(t, testkit.Options{Shape: "2/3", Listen: true, Console: true, Configure: func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" },
		Keeper: func(k keeper.Keeper) keeper.Keeper { return away{k, &gone} }})
	at, shut, err := e.System.ServeMetrics()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shut)
	ask := func(h http.Handler, path string) (int, string) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", path, http.NoBody))
		return rec.Code, rec.Body.String()
	}
	doors := map[string]http.Handler{"channel": e.System.Door.Handler, "hosted": e.System.Hosted.Handler, "console": e.System.Console.Handler}
	for _, trouble := range []bool{false, true} {
		gone.Store(trouble)
		for name, h := range doors {
			if status, body := ask(h, "/healthz"); status != http.StatusOK || !strings.Contains(body, "alive") {
				t.Errorf("%s, keepers away %t: /healthz %d %s", name, trouble, status, body)
			}
			want := http.StatusOK
			if trouble && name != "console" {
				want = http.StatusServiceUnavailable
			}
			status, body := ask(h, "/readyz")
			if status != want {
				t.Errorf("%s, keepers away %t: /readyz %d, want %d", name, trouble, status, want)
			}
			for _, cause := range []string{"away", "k1", "k2", "k3", "keeper:"} {
				if strings.Contains(body, cause) {
					t.Errorf("%s, keepers away %t: /readyz tells %q: %s", name, trouble, cause, body)
				}
			}
		}
		resp, err := http.Get("http://" + at + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if (resp.StatusCode == http.StatusOK) == trouble {
			t.Errorf("metrics, keepers away %t: /readyz %d", trouble, resp.StatusCode)
		}
	}
}
