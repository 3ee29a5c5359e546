package notify

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// inboxTexts is how many texts an Inbox keeps, and inboxWaiting how many
	// may wait for one subscriber.
	inboxTexts   = 500
	inboxWaiting = 64
)

// Received is a text in an Inbox.
type Received struct {
	Text
	At time.Time // when the driver got it
}

// Inbox is a driver that keeps texts in memory and shows them: the phone of the
// demo. It is for demos and tests only, because its readers see the one-time
// codes. It keeps the latest 500 texts, each ID once.
type Inbox struct {
	now func() time.Time

	mu    sync.Mutex
	texts []Received                 // guarded by mu; oldest first
	subs  map[chan Received]struct{} // guarded by mu
}

// NewInbox makes an Inbox that stamps texts with the clock now.
func NewInbox(now func() time.Time) *Inbox {
	return &Inbox{now: now, subs: map[chan Received]struct{}{}}
}

// Speaks returns true: the demo's phone shows the words of a call.
func (b *Inbox) Speaks() bool { return true }

// Send keeps t, unless it has a text with this ID. The reference is the ID.
func (b *Inbox) Send(ctx context.Context, t Text) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.texts, func(r Received) bool { return r.ID == t.ID }) {
		return t.ID, nil
	}
	r := Received{Text: t, At: b.now()}
	if len(b.texts) == inboxTexts {
		b.texts = slices.Delete(b.texts, 0, 1)
	}
	b.texts = append(b.texts, r)
	for sub := range b.subs {
		offer(sub, r)
	}
	return t.ID, nil
}

// offer drops the oldest waiting text instead of waiting for a slow reader.
// Only the holder of mu sends, so there is room after one text was taken out.
func offer(sub chan Received, r Received) {
	for {
		select {
		case sub <- r:
			return
		default:
		}
		select {
		case <-sub:
		default:
		}
	}
}

// Texts returns the texts to one number, or all texts if phone is empty, oldest
// first.
func (b *Inbox) Texts(phone string) []Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Received
	for _, r := range b.texts {
		if phone == "" || r.Phone == phone {
			out = append(out, r)
		}
	}
	return out
}

// Subscribe returns a channel of the texts from now on, to any number. A reader
// that falls 64 behind loses the oldest. The channel is never closed; stop ends
// the subscription.
func (b *Inbox) Subscribe() (texts <-chan Received, stop func()) {
	sub := make(chan Received, inboxWaiting)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[sub] = struct{}{}
	return sub, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, sub)
	}
}
