package door

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/liuma-pin/liuma"
)

// TestTraced: a line under a request's context names it once, whoever logs it.
func TestTraced(t *testing.T) {
	id := liuma.RequestID{1, 2, 3}
	under := liuma.WithRequest(t.Context(), id)
	for what, log := range map[string]func(*slog.Logger){
		"a line":                 func(l *slog.Logger) { l.InfoContext(under, "x", "a", 1) },
		"a line that names it":   func(l *slog.Logger) { l.InfoContext(under, "x", "request", id.String()) },
		"a logger that names it": func(l *slog.Logger) { l.With("request", id.String()).InfoContext(under, "x") },
		"a logger of a part":     func(l *slog.Logger) { l.With("part", "x").InfoContext(under, "x") },
	} {
		var out bytes.Buffer
		log(slog.New(Traced(slog.NewJSONHandler(&out, nil))))
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["request"] != id.String() || bytes.Count(out.Bytes(), []byte(`"request"`)) != 1 {
			t.Errorf("%s: %s, %v", what, out.Bytes(), err)
		}
	}
	var out bytes.Buffer
	slog.New(Traced(slog.NewJSONHandler(&out, nil))).InfoContext(t.Context(), "x")
	if bytes.Contains(out.Bytes(), []byte("request")) {
		t.Errorf("outside of any request: %s", out.Bytes())
	}
}
