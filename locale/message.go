package locale

import (
	"strconv"
	"strings"
	"time"
)

// Text is what a message says, with its placeholders: package notify knows and
// fills them. The sentence about what to do if it was somebody else is in it.
// There is none of an unknown name.
func (w *Words) Text(template string) string {
	return w.say("text."+template, "{warn}", w.say("text.warn"))
}

// Call is what a phone call says of a one-time code, with its placeholders.
func (w *Words) Call(template string) string { return w.say("call." + template) }

// SenderMark opens every text, with the blank that the language puts after it.
func (w *Words) SenderMark() string {
	mark := w.say("text.sender_mark")
	if !strings.HasSuffix(mark, "】") {
		mark += " "
	}
	return mark
}

// Moment writes a time in a text, which has no room for a year.
func (w *Words) Moment(t time.Time) string {
	return w.say("text.moment", "{month}", w.say("text.month."+strconv.Itoa(int(t.Month()))), "{day}", strconv.Itoa(t.Day()), "{clock}", t.Format("15:04"))
}

// Listed writes names one after the other.
func (w *Words) Listed(names []string) string { return w.joined("text.pair", names) }

// ReadOut writes figures so that a voice reads them one by one.
func (w *Words) ReadOut(figures string) string {
	return w.joined("call.pair", strings.Split(figures, ""))
}

// Unmasked writes a masked name so that it can be read out: its stars are not.
func (w *Words) Unmasked(name string) string {
	parts := strings.FieldsFunc(name+" ", func(r rune) bool { return r == '*' })
	return strings.Join(strings.Fields(w.joined("call.masked", parts)), " ")
}

func (w *Words) joined(key string, parts []string) string {
	out := ""
	for i, part := range parts {
		if out = w.say(key, "{first}", out, "{second}", part); i == 0 {
			out = part
		}
	}
	return out
}
