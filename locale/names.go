package locale

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
)

// Region names the province of a region (GB/T 2260, first two digits). The empty
// region is the nation and has no name to show.
func (w *Words) Region(r liuma.Region) string {
	if len(r) < 2 {
		return ""
	}
	return w.say("region." + string(r[:2]))
}

// Day writes a date with its year.
func (w *Words) Day(t time.Time) string {
	return w.say("date.full", "{year}", strconv.Itoa(t.Year()), "{month}", w.month(t), "{day}", strconv.Itoa(t.Day()))
}

// ShortDay writes a date of about now, without its year.
func (w *Words) ShortDay(t time.Time) string {
	return w.say("date.short", "{month}", w.month(t), "{day}", strconv.Itoa(t.Day()))
}

func (w *Words) month(t time.Time) string { return w.say("month." + strconv.Itoa(int(t.Month()))) }

// PINRule says why a rule refuses a PIN, and how to choose better: for six digits,
// or for a passphrase where the rule has a sentence of its own for them. It is
// written to be read out to a holder who has never heard of a "pattern".
func (w *Words) PINRule(rule string, passphrase bool) string {
	if key := "pin.passphrase." + rule; passphrase && w.has(key) {
		return w.say(key)
	}
	if key := "pin." + rule; w.has(key) {
		return w.say(key)
	}
	return w.say("pin.unreadable")
}

// PINFormat says why a text is no PIN.
func (w *Words) PINFormat(reason string) string {
	if key := "pin.format." + reason; w.has(key) {
		return w.say(key)
	}
	return w.say("pin.format.not_six_digits")
}

// PINFormatNext says what to do about a text that is no PIN. It is empty for a reason
// that is none of a PIN's form.
func (w *Words) PINFormatNext(reason string) string {
	if key := "pin.format.next." + reason; w.has(key) {
		return w.say(key)
	}
	return ""
}

// Both returns a sentence in the two languages of messages and of the documents
// that programs read.
func Both(say func(*Words) string) liuma.Text {
	return liuma.Text{ZH: say(In(Chinese)), EN: say(In(English))}
}

// Reason explains to the developer of a client why a door refused a request: as
// that door does, or as all doors do. It is empty for a reason without an
// explanation.
func (w *Words) Reason(door, reason string) string {
	if key := "reason." + door + "." + reason; w.has(key) {
		return w.say(key, "{form}", "[{...}]")
	}
	return w.say("reason.any." + reason)
}

// ReasonNext is the next step of a reason, where that of its error code does not help;
// else empty.
func (w *Words) ReasonNext(reason string) string {
	if key := "reason.next." + reason; w.has(key) {
		return w.say(key)
	}
	return ""
}

// Word is the word for a name that the program has as a value: a kind of names,
// such as "standing" or "event", and the name. It is empty for a name without one.
func (w *Words) Word(kind, name string) string { return w.say("word." + kind + "." + name) }

// Alarm tells of an alarm by its kind: what it is, about what and how many, and what
// to do next. Both are empty of an unknown kind.
func (w *Words) Alarm(kind, about string, n uint64) Explanation {
	say := func(part string) string {
		return w.say("alarm."+kind+part, "{about}", about, "{n}", strconv.FormatUint(n, 10))
	}
	return Explanation{What: say(".what"), Next: say(".next")}
}

// ImportReason says in one sentence why a row or a cell was left out of an import,
// and what to do.
func (w *Words) ImportReason(reason string) string {
	if key := "import." + reason; w.has(key) {
		return w.say(key)
	}
	return w.say("import.any")
}

// Command says what a command of the program does; path is its name without the
// program's. It is empty for a command without a sentence.
func (w *Words) Command(path []string) string {
	key := strings.ReplaceAll(strings.Join(path, "."), "-", "_")
	return w.say("command."+key, "{open}", "<(")
}

// Flag says what a flag or an argument of a command is for; path is the command's
// name without the program's. What a command does not say itself is said for all
// below one of its parents, for every kind of clients, or for any command. It is
// empty for a name without a sentence.
func (w *Words) Flag(path []string, name string) string {
	for _, key := range FlagKeys(path, name) {
		if w.has(key) {
			return w.say(key)
		}
	}
	return ""
}

// FlagKeys are the keys that may hold that sentence, the first one that exists
// counts.
func FlagKeys(path []string, name string) []string {
	key := func(path ...string) string {
		return strings.ReplaceAll(strings.Join(slices.Concat([]string{"flag"}, path, []string{name}), "."), "-", "_")
	}
	var keys []string
	if len(path) > 0 {
		keys = append(keys, key(path...), key("client", path[len(path)-1]))
	}
	for n := len(path) - 1; n > 0; n-- {
		keys = append(keys, key(path[:n]...))
	}
	return append(keys, key("any"))
}

// Why says why the console did not do something, by the name that the console has for the
// reason, and what to do next.
func (w *Words) Why(name string) (what, next string) {
	return w.say("why." + name + ".what"), w.say("why." + name + ".next")
}

// Done says that something was done, by the name that the console has for the act; it is
// empty for another name, which may come from anybody.
func (w *Words) Done(act string) string {
	if key := "done." + act; w.has(key) {
		return w.say(key)
	}
	return ""
}
