package written

import "testing"

func TestPageAddress(t *testing.T) {
	for typed, want := range map[string]string{
		"pin.example.cn": "pin.example.cn", "  ｐｉｎ．example。cn\u3000": "pin.example.cn", "https：／／pin.example.cn／a": "https://pin.example.cn/a",
		"рin.example.cn": "рin.example.cn", // a Cyrillic letter stays one
	} {
		if got, hidden := PageAddress(typed); got != want || hidden {
			t.Errorf("%q: %q, hidden %v", typed, got, hidden)
		}
	}
	for _, typed := range []string{"pin\u200b.example.cn", "pin.example.cn\u202e", "pin\ufe0f.example.cn", "pin\x00.example.cn", "a.cn／.b.cn", "a.cn⁇b。cn", "https：／／a.cn＃b．cn", "a.cn：1.cn"} {
		if got, hidden := PageAddress(typed); !hidden || len(got) > len(typed) {
			t.Errorf("%q: %q, hidden %v", typed, got, hidden)
		}
	}
}
