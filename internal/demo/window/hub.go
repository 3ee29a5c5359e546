package window

import (
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// Party is a side of the demo: channel, authority, keeper, database or phone.
type Party string

// The sides, in the order of the page's columns.
const (
	Channel   Party = "channel"
	Authority Party = "authority"
	Keeper    Party = "keeper"
	Database  Party = "database"
)

// Fact is one value that a side saw, under its name on the wire or in the row.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Event is something that a side saw, sent or wrote.
type Event struct {
	Seq   uint64     `json:"seq"`
	At    time.Time  `json:"at"`
	Party Party      `json:"party"`
	Who   string     `json:"who"` // which of them, such as a channel's id; may be empty
	Title liuma.Text `json:"title"`
	Facts []Fact     `json:"facts"`
}

const mostEvents = 600 // kept; older ones are forgotten

// Hub collects the events of all sides. The zero value is not usable; NewHub
// makes one. Safe for concurrent use.
type Hub struct {
	now func() time.Time

	mu     sync.Mutex
	seq    uint64           // guarded by mu
	events []Event          // guarded by mu; oldest first
	last   map[string]Event // guarded by mu; of each keeper
	// The requests and ceremonies that events belong to: those since the last
	// Forget, and those before it. Both guarded by mu; the first is nil after
	// Forget.
	during, before map[Fact]bool
}

// NewHub makes an empty hub.
func NewHub(now func() time.Time) *Hub {
	return &Hub{now: now, during: map[Fact]bool{}, last: map[string]Event{}}
}

// Saw records one event.
func (h *Hub) Saw(p Party, who string, title liuma.Text, facts ...Fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range facts {
		if f.Name != "channel" && f.Name != "business_no" {
			continue
		}
		if h.before[f] {
			return
		}
		if h.during != nil {
			h.during[f] = true
		}
	}
	h.seq++
	if facts == nil {
		facts = []Fact{}
	}
	e := Event{Seq: h.seq, At: h.now(), Party: p, Who: who, Title: title, Facts: facts}
	h.events = append(h.events, e)
	if p == Keeper {
		h.last[who] = e
	}
	if len(h.events) > mostEvents {
		h.events = append([]Event(nil), h.events[len(h.events)-mostEvents:]...)
	}
}

// Forget drops all events so far, and later events of the same requests and
// ceremonies: a ceremony that was left open still expires some time. Event
// numbers go on.
func (h *Hub) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = nil
	clear(h.last)
	if h.before == nil {
		h.before, h.during = h.during, nil
	}
}

// After returns the events behind a sequence number, oldest first, at most
// limit.
func (h *Hub) After(seq uint64, limit int) []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []Event{}
	for _, e := range h.events {
		if e.Seq > seq && len(out) < limit {
			out = append(out, e)
		}
	}
	return out
}

// Last is the last event of a keeper; nil if there was none.
func (h *Hub) Last(keeper string) *Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.last[keeper]; ok {
		return &e
	}
	return nil
}

const (
	shownBytes = 12 // of a binary value
	shownText  = 28 // characters of a token
)

// bytesOf shows how a binary value begins, and how long it is.
func bytesOf(b []byte) string {
	if len(b) == 0 {
		return "–"
	}
	if len(b) <= shownBytes {
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%s… %dB", hex.EncodeToString(b[:shownBytes]), len(b))
}

// cut returns the beginning of a string.
func cut(s string) string {
	r := []rune(s)
	if len(r) <= shownText {
		return s
	}
	return fmt.Sprintf("%s… (%d)", string(r[:shownText-8]), len(r))
}

// words are the window's sentences in one language.
type words = locale.Window

// both is a sentence in both languages.
func both(say func(words) string) liuma.Text {
	return locale.Both(func(w *locale.Words) string { return say(w.Window) })
}
