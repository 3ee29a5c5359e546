package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/notify"
)

const textWithin = 15 * time.Second // a text must reach its phone within this time, or the play fails

// subjectOf names the subject of a text in English; the phone shows the text
// itself.
func subjectOf(t notify.Template) string {
	switch t {
	case notify.CodeBind:
		return "a code to bind the phone"
	case notify.CodeReset:
		return "a code to recover the PIN"
	case notify.CodeUnfreeze:
		return "a code to unfreeze the card"
	case notify.PINSet:
		return "the PIN was set, and a freeze code if that was not her"
	case notify.ChannelLinked:
		return "a channel was linked, and a freeze code"
	case notify.PINLocked:
		return "the PIN is locked until when, and a freeze code"
	case notify.PINReset:
		return "the PIN was recovered and set anew, and a freeze code"
	case notify.CardFrozen:
		return "the card is frozen"
	case notify.CardUnfrozen:
		return "the card is unfrozen, and a freeze code"
	}
	return string(t)
}

// letterbox reads the texts to one number, each once.
type letterbox struct {
	inbox *notify.Inbox
	phone string
	read  map[string]bool // IDs
}

// next waits for an unread text of a template, and takes it.
func (l *letterbox) next(ctx context.Context, template notify.Template) (notify.Received, error) {
	ctx, cancel := context.WithTimeout(ctx, textWithin)
	defer cancel()
	for {
		for _, r := range l.inbox.Texts(l.phone) {
			if r.Template == template && !l.read[r.ID] {
				l.read[r.ID] = true
				return r, nil
			}
		}
		select {
		case <-ctx.Done():
			return notify.Received{}, fmt.Errorf("expected a text %s: %w", template, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
