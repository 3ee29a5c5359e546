package window

import (
	"cmp"
	"fmt"
	"net/url"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Rows of the bound phone as they are stored: MACs of one-time codes and freeze
// codes, a blind index and a sealed form of numbers.

func (t *watchedTx) PutContact(c store.Contact) error {
	facts := []Fact{cardFact(c.Card), {"phone (blind index)", bytesOf(c.Phone[:])}, {"phone (sealed)", bytesOf(c.Sealed)}}
	if !c.HoldUntil.IsZero() {
		facts = append(facts, Fact{"no reset before", c.HoldUntil.UTC().Format("2006-01-02 15:04Z")})
	}
	return t.note(t.Tx.PutContact(c), text("绑定手机：号码密封", "The bound phone: its number is sealed"), facts...)
}

func (t *watchedTx) PutCode(c store.Code) error {
	title := text("验证码：只存 MAC，看不出是几", "A code: only its MAC, which does not tell it")
	if !c.Used.IsZero() {
		title = text("验证码：已用过", "A code: used")
	}
	return t.note(t.Tx.PutCode(c), title, Fact{"code (MAC)", bytesOf(c.MAC[:])}, Fact{"phone (blind index)", bytesOf(c.Phone[:])})
}

func (t *watchedTx) InsertFreezeCode(c store.FreezeCode) error {
	return t.note(t.Tx.InsertFreezeCode(c), text("冻结码：只存 MAC", "A freeze code: only its MAC"),
		Fact{"freeze code (MAC)", bytesOf(c.MAC[:])}, cardFact(c.Card))
}

func messageRow(m store.Message) []Fact {
	return []Fact{{"template", m.Template}, {"way", string(cmp.Or(m.Way, liuma.ByText))}, {"state", string(m.State)}, {"number and values (sealed)", bytesOf(m.Sealed)}}
}

func (t *watchedTx) InsertMessage(m store.Message) error {
	return t.note(t.Tx.InsertMessage(m), text("待发短信：号码和内容密封", "A text to go out: number and values are sealed"), messageRow(m)...)
}

func (t *watchedTx) UpdateMessage(m store.Message) error {
	err := t.Tx.UpdateMessage(m)
	if m.State == store.MessageWaiting {
		return err // taken up, or to be tried again
	}
	title := text("短信已交给网关", "The gateway took the text")
	if m.State == store.MessageDead {
		title = text("短信没有发出去", "The text was given up")
	}
	return t.note(err, title, messageRow(m)...)
}

// titleOfForm names a form of the holder pages for a visitor; false for forms
// without content.
func titleOfForm(verb string) (liuma.Text, bool) {
	switch verb {
	case "code":
		return text("收到填回的验证码：密码服务自己看得到", "A code typed in: the authority itself sees it"), true
	case "send-code": // by text or by call
		return text("请求发送验证码", "A code is asked for"), true
	case "phone":
		return text("收到新手机号", "A new number typed in"), true
	case "forgot":
		return text("持卡人按了“忘记密码”", "The holder pressed “forgot”"), true
	case "freeze":
		return text("持卡人按了“冻结”", "The holder pressed “freeze”"), true
	}
	return liuma.Text{}, false
}

// sawForm notes the fields of a holder page's form.
func (h *Hub) sawForm(verb string, form url.Values) {
	title, ok := titleOfForm(verb)
	if !ok {
		return
	}
	facts := []Fact{}
	if v := form.Get("code"); v != "" {
		facts = append(facts, Fact{"code", cut(v)})
	}
	if v := form.Get("phone"); v != "" {
		facts = append(facts, Fact{"phone", registry.MaskPhone(v)})
	}
	h.Saw(Authority, "", title, facts...)
}

// sawFreezePage notes a freeze code that was sent from the official page.
func (h *Hub) sawFreezePage(form url.Values) {
	h.Saw(Authority, "", text("官方页面收到冻结码，不用登录", "A freeze code on the official page, without a log-in"),
		Fact{"characters", fmt.Sprint(len([]rune(form.Get("code"))))})
}
