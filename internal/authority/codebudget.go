package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Each channel has a budget of one-time codes, in the policy, which also limits a thief
// who has its key or its app. A second check is how many codes come back: of an honest
// channel most are typed in. If hardly any are, the channel sends codes to phones whose
// owners did not ask, or to numbers that are paid for each text. That raises an alarm.
const (
	meterCodesSent     = "codes_sent"       // key: channel
	meterCodesReturned = "codes_returned"   // key: channel
	tickCodesLimited   = "codes_limited"    // the budget's end was recorded; key: channel
	tickCodesUnused    = "codes_unreturned" // the alarm was recorded; key: channel

	// A code that was sent within the last codeSettles may still be typed in, so it is
	// not judged. The codes of the codeWindow before that are judged, if there are at
	// least codesJudged of them; for a channel that sends fewer, the codes of a day.
	codeSettles = 10 * time.Minute
	codeWindow  = time.Hour
	codesJudged = 50
	// Below one code in codesReturned typed in, a channel is not thought honest.
	codesReturned = 5

	// codeAlarmEvery is the least time between two audit entries about one channel.
	codeAlarmEvery = time.Hour
)

// ChannelCodes counts the one-time codes of a channel.
type ChannelCodes struct {
	Channel liuma.ChannelID
	Hour    uint64 // sent in the last hour
	Day     uint64 // sent in the last 24 hours
	Most    policy.Codes
	// Judged counts the codes of the hour that ended ten minutes ago or, if those are too
	// few, of the day. Returned counts the codes typed in since that time began.
	Judged, Returned uint64
}

// Spent reports whether the channel has used up its budget.
func (c ChannelCodes) Spent() bool {
	return c.Hour >= uint64(c.Most.Hour) || c.Day >= uint64(c.Most.Day)
}

// Unreturned reports whether so few codes were typed in that the alarm is due.
func (c ChannelCodes) Unreturned() bool {
	return c.Judged >= codesJudged && c.Returned*codesReturned < c.Judged
}

func (a *Authority) codesKey(ch liuma.ChannelID) vault.Index {
	return a.vault.Index(vault.IndexPhone, "code-channel\x00"+string(ch))
}

// CodesOf counts the one-time codes of a channel.
func (a *Authority) CodesOf(r store.Reader, ch liuma.ChannelID) (c ChannelCodes, err error) {
	now, key := a.Now(), a.codesKey(ch)
	count := func(kind string, since time.Duration) (n uint64) {
		if err == nil {
			n, err = r.Metered(kind, key, now.Add(-since))
		}
		return n
	}
	c = ChannelCodes{Channel: ch, Most: a.policy.For("", ch).Codes,
		Hour: count(meterCodesSent, time.Hour), Day: count(meterCodesSent, day),
		Returned: count(meterCodesReturned, codeSettles+codeWindow)}
	all, late := count(meterCodesSent, codeSettles+codeWindow), count(meterCodesSent, codeSettles)
	if c.Judged = all - min(late, all); c.Judged < codesJudged {
		c.Judged, c.Returned = c.Day-min(late, c.Day), count(meterCodesReturned, day)
	}
	return c, err
}

// CodesSpent reports whether a channel, or the channel above it, has used up its budget.
func (a *Authority) CodesSpent(r store.Reader, ch liuma.ChannelID) (bool, error) {
	all, err := budgets(r, ch)
	for _, of := range all {
		if err != nil {
			break
		}
		var c ChannelCodes
		if c, err = a.CodesOf(r, of); err == nil && c.Spent() {
			return true, nil
		}
	}
	return false, err
}

// CodeWasSent counts a one-time code of a channel, in the transaction that puts
// it into the outbox.
func (a *Authority) CodeWasSent(tx store.Tx, ch liuma.ChannelID) error {
	return a.meterCode(tx, meterCodesSent, ch)
}

// CodeCameBack counts a right one-time code of a channel, in the transaction that
// takes it.
func (a *Authority) CodeCameBack(tx store.Tx, ch liuma.ChannelID) error {
	return a.meterCode(tx, meterCodesReturned, ch)
}

// meterCode counts a code to a channel's budget and to the budget of the channel above
// it.
func (a *Authority) meterCode(tx store.Tx, meter string, ch liuma.ChannelID) error {
	all, err := budgets(tx, ch)
	for _, of := range all {
		err = errors.Join(err, tx.Meter(meter, a.codesKey(of), a.Now(), 1))
	}
	return err
}

// CodesLimited reports whether an audit entry about the end of a channel's budget is due:
// at the first refusal, and then once an hour.
func (a *Authority) CodesLimited(tx store.Tx, ch liuma.ChannelID) (bool, error) {
	return a.onceAnHour(tx, tickCodesLimited, a.codesKey(ch))
}

func (a *Authority) onceAnHour(tx store.Tx, kind string, key vault.Index) (bool, error) {
	now := a.Now()
	lately, err := tx.Ticks(kind, key, now.Add(-codeAlarmEvery))
	if err != nil || len(lately) > 0 {
		return false, err
	}
	return true, tx.InsertTick(store.Tick{Kind: kind, Key: key, At: now})
}

// ChannelCodes counts the one-time codes of each channel that had any sent within
// a day.
func (a *Authority) ChannelCodes(ctx context.Context) (all []ChannelCodes, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		all = nil
		clients, err := r.Clients()
		if err != nil {
			return err
		}
		for _, client := range clients {
			if client.Kind != store.ClientChannel {
				continue
			}
			c, err := a.CodesOf(r, liuma.ChannelID(client.ID))
			if err != nil {
				return err
			}
			if c.Day > 0 {
				all = append(all, c)
			}
		}
		return nil
	})
	return all, err
}

// tellUnreturned raises the alarm about channels whose codes are not typed in. A crash
// before the commit loses the entry; the next round writes it.
func (a *Authority) tellUnreturned(ctx context.Context) error {
	all, err := a.ChannelCodes(ctx)
	if err != nil {
		return fmt.Errorf("codes of channels: %w", err)
	}
	for _, c := range all {
		if !c.Unreturned() {
			continue
		}
		told := false
		err := a.store.Update(ctx, func(tx store.Tx) (e audit.Entry, err error) {
			if told, err = a.onceAnHour(tx, tickCodesUnused, a.codesKey(c.Channel)); err != nil || !told {
				return audit.Entry{}, err
			}
			e = a.Entry("system", audit.CodesUnreturned, liuma.CardID{}, "", "alarm")
			e.Note = fmt.Sprintf("channel=%s;sent=%d;returned=%d", c.Channel, c.Judged, c.Returned)
			return e, nil
		})
		if err != nil {
			return fmt.Errorf("alarm about codes of %s: %w", c.Channel, err)
		}
		if told {
			a.log.ErrorContext(ctx, "ALARM: hardly any one-time code of a channel is typed in: who asks for them?",
				"channel", c.Channel, "sent", c.Judged, "returned", c.Returned)
		}
	}
	return nil
}
