package window_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/notify"
)

// TestInbox: the owner of the number, the other reader, and the codes to type.
func TestInbox(t *testing.T) {
	inbox := notify.NewInbox(at)
	read, err := window.Messages(inbox, at())
	if err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != 0 || got == nil {
		t.Errorf("empty: %v", got)
	}
	for i, m := range []notify.Text{
		{Phone: "13857210019", Body: "验证码482913", Params: map[string]string{"code": "482913", "holder": "王*珍"}},
		{Phone: "13957220028", Body: "冻结码ABCD2345", Params: map[string]string{"freeze": "ABCD2345"}},
		{Phone: "13300000000", Body: "本机已绑定"},
		{Phone: "13857210019", Way: liuma.ByVoice, Body: "验证码是：4，8", Params: map[string]string{"code": "482913"}},
	} {
		m.ID = string(rune('a' + i))
		if _, err := inbox.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	want := []window.SMS{
		{ID: "a", At: at(), To: "138****0019", Whose: liuma.Text{ZH: "王奶奶", EN: "Granny Wang"}, Also: liuma.Text{ZH: "小偷", EN: "The thief"}, Text: "验证码482913", Code: "482913"},
		{ID: "b", At: at(), To: "139****0028", Whose: liuma.Text{ZH: "李师傅", EN: "Master Li"}, Text: "冻结码ABCD2345", Freeze: "ABCD2345"},
		{ID: "c", At: at(), To: "133****0000", Whose: liuma.Text{ZH: "新号码", EN: "a new number"}, Text: "本机已绑定"},
		{ID: "d", At: at(), To: "138****0019", Whose: liuma.Text{ZH: "王奶奶", EN: "Granny Wang"}, Also: liuma.Text{ZH: "小偷", EN: "The thief"},
			Text: "验证码是：4，8", Code: "482913", Call: true},
	}
	if none, err := window.Messages(inbox, at().Add(1)); err != nil || len(none()) != 0 {
		t.Errorf("texts from before: %v", none())
	}
	got := read()
	if len(got) != len(want) {
		t.Fatalf("%d texts", len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}
