package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/notify"
)

// textWithin is how long a play waits for a text before it fails: several times what a text
// takes whose first try was cut off (30 seconds), on a machine that others keep busy.
const textWithin = 3 * time.Minute

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
