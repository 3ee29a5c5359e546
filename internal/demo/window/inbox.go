package window

import (
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

// SMS is a text message on the demo's phone.
type SMS struct {
	ID     string     `json:"id"`
	At     time.Time  `json:"at"`
	To     string     `json:"to"`     // masked
	Whose  liuma.Text `json:"whose"`  // whose number it is
	Also   liuma.Text `json:"also"`   // the other person who can read this phone's messages; empty for none
	Text   string     `json:"text"`   // as the phone shows it
	Code   string     `json:"code"`   // the one-time code in it, if any
	Freeze string     `json:"freeze"` // the freeze code in it, if any
	Call   bool       `json:"call"`   // the phone rang, and Text was read out
}

// Messages reads the demo's inbox for the page: the person whose number a text
// went to, and the codes in it. Texts from before since are left out. For
// Config.SMS.
func Messages(inbox *notify.Inbox, since time.Time) (func() []SMS, error) {
	people, err := miniapp.SamplePeople()
	if err != nil {
		return nil, err
	}
	return func() []SMS {
		all := []SMS{}
		for _, r := range inbox.Texts("") {
			if r.At.Before(since) {
				continue
			}
			m := SMS{ID: r.ID, At: r.At, To: registry.MaskPhone(r.Phone), Text: r.Body, Code: r.Params["code"], Freeze: r.Params["freeze"], Call: r.Way == liuma.ByVoice}
			m.Whose, m.Also = readers(people, r.Phone)
			all = append(all, m)
		}
		return all
	}, nil
}

// readers says whose number it is, and which thief has that SIM card.
func readers(people []miniapp.Person, phone string) (whose, also liuma.Text) {
	var owners, keys, thieves []string
	var ownersEN, thievesEN []string
	for _, p := range people {
		if p.Phone == phone {
			owners, ownersEN, keys = append(owners, p.Known), append(ownersEN, p.KnownEN), append(keys, p.Key)
		}
	}
	for _, p := range people {
		if p.Account != "" && slices.Contains(keys, p.Account) {
			thieves, thievesEN = append(thieves, p.Known), append(thievesEN, p.KnownEN)
		}
	}
	if len(owners) == 0 {
		return both(words.NewNumber), liuma.Text{}
	}
	return listed(owners, ownersEN), listed(thieves, thievesEN)
}

// listed writes names one after the other.
func listed(zh, en []string) liuma.Text {
	return liuma.Text{ZH: locale.In(locale.Chinese).Listed(zh), EN: locale.In(locale.English).Listed(en)}
}
