package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/locale"
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
		ctx, stop := context.WithTimeout(t.Context(), time.Minute) // one that starts ends by itself
		status := run(ctx, append([]string{"--data", dir, "evidence", "stand-in", "--listen", "127.0.0.1:0"}, tt.args...), &terminal{out: &out, err: &errs})
		stop()
		if status == exitOK || !strings.Contains(errs.String(), tt.want) || strings.Contains(errs.String(), "STAND-IN") {
			t.Errorf("%v: %d %s", tt.args, status, errs.String())
		}
	}
}

// TestStandInWarns: at each start, in the language of the terminal, of what it is.
func TestStandInWarns(t *testing.T) {
	for lang, want := range map[locale.Lang]string{
		locale.Chinese: "STAND-IN 替身认证：什么也不证明。能打开 http://h 的人，可以冒充 /d 的任何持卡人。只用于开发。\n",
		locale.English: "STAND-IN: proves nothing. Whoever reaches http://h passes for any holder of /d. For development only.\n",
	} {
		var errs bytes.Buffer
		warnStandIn(&terminal{err: &errs, lang: lang}, "/d", "http://h")
		if errs.String() != want {
			t.Errorf("%s: %q", lang, errs.String())
		}
	}
}
