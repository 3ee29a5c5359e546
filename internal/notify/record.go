package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// result is the result of one try.
type result struct {
	sent      bool
	ref       string
	word      string // the word of the failure, if it was not sent
	dead      bool
	next      time.Time // when to try again, if not dead
	uncounted bool
}

// recordTries is how often writing a result is tried.
const recordTries = 5

// record tries for a while to write a result. If the result is lost all the
// same, through a crash or because the store is gone, the lease ends and the
// text is sent again under the same ID.
func (o *Outbox) record(ctx context.Context, m store.Message, r result) {
	for n := range recordTries {
		err := o.recordOnce(ctx, m, r)
		if err == nil {
			return
		}
		o.cfg.Logger.ErrorContext(ctx, "result of a send not recorded", "message", m.ID, "sent", r.sent, "err", err)
		if lost(err) {
			return
		}
		t := time.NewTimer(100 * time.Millisecond << n)
		<-t.C
	}
}

func (o *Outbox) recordOnce(ctx context.Context, m store.Message, r result) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	return o.settle(ctx, m, r)
}

// settle writes the result of the try for which m was leased. It may be
// repeated.
func (o *Outbox) settle(ctx context.Context, m store.Message, r result) error {
	var kept audit.Event
	err := o.cfg.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		kept = ""
		cur, err := tx.Message(m.ID)
		if errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, nil // the message was deleted in between
		}
		if err != nil {
			return audit.Entry{}, err
		}
		ev, outcome := o.apply(&cur, m, r)
		if ev == "" {
			return audit.Entry{}, nil
		}
		kept = ev
		return o.entry(ev, cur.Card, outcome, fmt.Sprintf("tries=%d", cur.Tries)), tx.UpdateMessage(cur)
	})
	if err == nil {
		o.counts.count(m, kept, o.now())
	}
	return err
}

// apply changes cur according to a result; an empty event means that nothing
// changed.
func (o *Outbox) apply(cur *store.Message, m store.Message, r result) (audit.Event, string) {
	if r.sent {
		return applySent(cur, r.ref, o.now())
	}
	// The number of tries distinguishes one lease from the next: the failure of
	// an expired lease must not change a message that another worker is
	// sending.
	if cur.State != store.MessageWaiting || cur.Tries != m.Tries {
		return "", ""
	}
	cur.Fault = r.word
	if !r.dead && !cur.Expires.IsZero() && !r.next.Before(cur.Expires) {
		r.dead = true // the next try would be too late
	}
	if r.dead {
		kill(cur, o.now())
		return audit.MessageDead, r.word
	}
	if r.uncounted {
		cur.Tries--
	}
	cur.NextAt = r.next
	return audit.MessageTried, r.word
}

// applySent records success, even if the answer came late. A delivery report
// may have come before it.
func applySent(cur *store.Message, ref string, now time.Time) (audit.Event, string) {
	early := cur.State == store.MessageDelivered || cur.State == store.MessageDead && cur.Fault == FaultUndelivered
	switch {
	case early && cur.Ref == "" && ref != "":
		cur.Ref = ref
	case cur.State == store.MessageWaiting, cur.State == store.MessageDead && !early:
		cur.State, cur.Ref, cur.Fault, cur.DoneAt = store.MessageSent, ref, "", now
		if cur.Kind == KindCode {
			cur.Sealed = nil // a one-time code is never sent again, so the row keeps no readable copy
		}
	default:
		return "", ""
	}
	return audit.MessageSent, "ok"
}

// kill marks a message dead. A notice keeps its sealed part, so that an
// operator can queue it again.
func kill(cur *store.Message, now time.Time) {
	cur.State, cur.DoneAt = store.MessageDead, now
	if cur.Kind == KindCode {
		cur.Sealed = nil
	}
}

// Report is a delivery report: a gateway reports whether a text that it
// accepted reached the phone.
type Report struct {
	ID        string // of the message, or empty
	Ref       string // the gateway's reference, if there is no ID
	Delivered bool   // false: the text will not reach the phone
}

// Receive records a delivery report; a repetition changes nothing. It returns
// store.ErrNotFound if the message does not exist, or no longer exists. A
// report that comes before the gateway's answer was recorded counts too.
func (o *Outbox) Receive(ctx context.Context, rc Report) error {
	var kept audit.Event
	var m store.Message
	err := o.cfg.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		kept = ""
		cur, err := find(tx, rc)
		if err != nil {
			return audit.Entry{}, err
		}
		m = cur
		ev, outcome := applyReport(&cur, rc.Delivered, o.now())
		if ev == "" {
			return audit.Entry{}, nil
		}
		kept = ev
		return o.entry(ev, cur.Card, outcome, fmt.Sprintf("tries=%d", cur.Tries)), tx.UpdateMessage(cur)
	})
	if err != nil {
		return fmt.Errorf("notify: receipt: %w", err)
	}
	o.counts.count(m, kept, o.now())
	return nil
}

func find(r store.Reader, rc Report) (store.Message, error) {
	if rc.ID != "" {
		return r.Message(rc.ID)
	}
	return r.MessageByRef(rc.Ref)
}

// applyReport records a delivery report. Once a message counts as delivered, it
// stays so: for a text in several parts, one part may be reported lost after
// the others were delivered.
func applyReport(cur *store.Message, delivered bool, now time.Time) (audit.Event, string) {
	if delivered && cur.State != store.MessageDelivered {
		cur.State, cur.Fault, cur.Sealed, cur.DoneAt = store.MessageDelivered, "", nil, now
		return audit.MessageDelivered, "ok"
	}
	if !delivered && (cur.State == store.MessageSent || cur.State == store.MessageWaiting && cur.Tries > 0) {
		cur.Fault = FaultUndelivered
		kill(cur, now)
		return audit.MessageDead, FaultUndelivered
	}
	return "", ""
}
