package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStandInStaysHome: a stand-in does not start where none is allowed, nor where
// others reach it without anybody having said so.
func TestStandInStaysHome(t *testing.T) {
	for _, tt := range []struct {
		init, args []string
		want       string
	}{
		{nil, nil, "takes no evidence of stand-ins"},
		{[]string{"--allow-stand-in-evidence"}, []string{"--listen", "0.0.0.0:0"}, "is not loopback"},
		{[]string{"--allow-stand-in-evidence"}, []string{"--listen", "0.0.0.0:0", "--origin", "http://10.0.0.1:8602"}, "is not loopback"},
		{[]string{"--allow-stand-in-evidence"}, []string{"--listen", "0.0.0.0:0", "--allow-network"}, "is not loopback"},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		var out, errs bytes.Buffer
		if status := run(t.Context(), append([]string{"init", dir}, tt.init...), &terminal{out: &out, err: &errs}); status != exitOK {
			t.Fatalf("init: %d %s", status, errs.String())
		}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second) // one that starts ends by itself
		status := run(ctx, append([]string{"--data", dir, "evidence", "stand-in", "--listen", "127.0.0.1:0"}, tt.args...), &terminal{out: &out, err: &errs})
		stop()
		if status == exitOK || !strings.Contains(errs.String(), tt.want) || strings.Contains(errs.String(), "STAND-IN") {
			t.Errorf("%v: %d %s", tt.args, status, errs.String())
		}
	}
}
