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
	return t.note(t.Tx.PutContact(c), both(words.RowPhone), facts...)
}

func (t *watchedTx) PutCode(c store.Code) error {
	title := both(words.RowCode)
	if !c.Used.IsZero() {
		title = both(words.RowCodeUsed)
	}
	return t.note(t.Tx.PutCode(c), title, Fact{"code (MAC)", bytesOf(c.MAC[:])}, Fact{"phone (blind index)", bytesOf(c.Phone[:])})
}

func (t *watchedTx) InsertFreezeCode(c store.FreezeCode) error {
	return t.note(t.Tx.InsertFreezeCode(c), both(words.RowFreezeCode),
		Fact{"freeze code (MAC)", bytesOf(c.MAC[:])}, cardFact(c.Card))
}

func messageRow(m store.Message) []Fact {
	return []Fact{{"template", m.Template}, {"way", string(cmp.Or(m.Way, liuma.ByText))}, {"state", string(m.State)}, {"number and values (sealed)", bytesOf(m.Sealed)}}
}

func (t *watchedTx) InsertMessage(m store.Message) error {
	return t.note(t.Tx.InsertMessage(m), both(words.RowMessage), messageRow(m)...)
}

func (t *watchedTx) UpdateMessage(m store.Message) error {
	err := t.Tx.UpdateMessage(m)
	if m.State == store.MessageWaiting {
		return err // taken up, or to be tried again
	}
	title := both(words.RowMessageSent)
	if m.State == store.MessageDead {
		title = both(words.RowMessageDead)
	}
	return t.note(err, title, messageRow(m)...)
}

// titleOfForm names a form of the holder pages for a visitor; false for forms
// without content.
func titleOfForm(verb string) (liuma.Text, bool) {
	switch verb {
	case "code":
		return both(words.FormCode), true
	case "send-code": // by text or by call
		return both(words.FormSendCode), true
	case "phone":
		return both(words.FormPhone), true
	case "forgot":
		return both(words.FormForgot), true
	case "freeze":
		return both(words.FormFreeze), true
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
	h.Saw(Authority, "", both(words.FormFreezeCode),
		Fact{"characters", fmt.Sprint(len([]rune(form.Get("code"))))})
}
