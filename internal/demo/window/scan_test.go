package window_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/window"
)

// TestScan: the QR code is in the page only where Config asks for it.
func TestScan(t *testing.T) {
	for _, scan := range []bool{true, false} {
		h, err := window.New(window.Config{Hub: window.NewHub(at), Origin: "https://192.168.1.23:8443", Scan: scan, Official: "https://192.168.1.23:8444/",
			Phones: []window.Phone{{Name: liuma.Text{ZH: "浙"}, URL: "https://192.168.1.23:8445"}}})
		if err != nil {
			t.Fatal(err)
		}
		status := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[scan]
		if got := get(h, "192.168.1.23:8443", "/qr.svg"); got.Code != status {
			t.Errorf("scan %t: %d", scan, got.Code)
		}
		page := get(h, "192.168.1.23:8443", "/").Body.String()
		if strings.Contains(page, "/qr.svg") != scan || !strings.Contains(page, `href="https://192.168.1.23:8444/"`) {
			t.Errorf("scan %t: %s", scan, page)
		}
	}
}
