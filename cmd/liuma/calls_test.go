package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/notify"
)

// TestOperatorsSeeCalls: status says that codes are read out, too, and the list
// says which messages were calls.
func TestOperatorsSeeCalls(t *testing.T) {
	for voice, want := range map[bool]string{true: "texts         webhook, with calls\n", false: "texts         webhook\n"} {
		var out bytes.Buffer
		if err := printTexts(&terminal{out: &out}, admin.Texts{Driver: "webhook", Voice: voice}); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("status: %q, %v", out.String(), err)
		}
	}
	for by, want := range map[liuma.CodeWay]bool{liuma.ByVoice: true, liuma.ByText: false} {
		var out bytes.Buffer
		err := new(textsListCmd).print(&terminal{out: &out}, notify.MessageView{ID: "a", Template: "code_reset", Way: by})
		if err != nil || strings.Contains(out.String(), "  call  ") != want {
			t.Errorf("a code by %s: %q, %v", by, out.String(), err)
		}
	}
}
