package config_test

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
)

// TestLetters: what stands on letters fits its place, on one line.
func TestLetters(t *testing.T) {
	c, err := config.Parse([]byte("letters: {sender_zh: 湖州市社保中心, sender_en: Huzhou office, return_to: 湖州市金盖山路66号}\n"))
	if err != nil || c.Letters.Sender().ZH != "湖州市社保中心" || c.Letters.Sender().EN != "Huzhou office" || c.Letters.ReturnTo != "湖州市金盖山路66号" {
		t.Errorf("%+v, %v", c.Letters, err)
	}
	for text, want := range map[string]string{
		"sender_zh: " + strings.Repeat("省", 41): "letters.sender_zh", `sender_en: "a\nb"`: "letters.sender_en",
		"return_to: " + strings.Repeat("省", 61): "letters.return_to", "sender: x": "unknown field",
	} {
		if _, err := config.Parse([]byte("letters: {" + text + "}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
