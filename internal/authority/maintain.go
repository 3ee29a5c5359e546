package authority

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ration"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// maintainEvery is how often Maintain looks for unfinished work.
	maintainEvery = 10 * time.Second
	// intentPage is how many open intents are read at once.
	intentPage = 256
)

// Maintain does the regular work until ctx ends. It finishes intents that waited for keepers, and
// carries out corrections of ID numbers. It makes, shares and destroys seal keys, and drops marks
// of evidence that has expired. It saves the keepers' sequences, the time, the counts of rations
// and the sums of the counts in memory. It records the alarms of the guard and of rations, and the
// number of wrong freeze codes. Each step may be repeated, and losing one breaks nothing.
func (a *Authority) Maintain(ctx context.Context) {
	shared := make(chan struct{})
	go func() {
		defer close(shared)
		a.shareOften(ctx) // in a loop of its own, so that a long round delays no sum
	}()
	defer func() { <-shared }()
	t, seen, keys := time.NewTicker(maintainEvery), time.NewTicker(seenEvery), time.NewTicker(tendEvery)
	defer t.Stop()
	defer seen.Stop()
	defer keys.Stop()
	for {
		select {
		case <-ctx.Done():
			// At an orderly end nothing of the last second is lost.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
			defer cancel()
			a.tellSprays(last)
			if err := a.tellFreezeTries(last, 0); err != nil {
				a.log.WarnContext(ctx, "wrong freeze codes not recorded", "err", err)
			}
			if err := errors.Join(a.tellRations(last), a.saveSecond(last)); err != nil {
				a.log.WarnContext(ctx, "the last second was not saved", "err", err)
			}
			return
		case <-seen.C:
			if err := a.saveSecond(ctx); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "the last second was not saved", "err", err)
			}
			continue
		case <-keys.C:
			if err := a.tendSealKeys(ctx); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "seal keys not asked for or given", "err", err)
			}
			continue
		case <-a.rations.wake:
			if err := a.tellRations(ctx); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "a spent ration was not recorded", "err", err)
			}
			continue
		case al := <-a.sprays.waiting:
			a.tellSpray(ctx, al)
			continue
		case <-t.C:
		}
		if err := a.MaintainOnce(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "maintenance incomplete", "err", err)
		}
	}
}

// MaintainOnce is one round of Maintain, for tests that move the clock.
func (a *Authority) MaintainOnce(ctx context.Context) error {
	if err := errors.Join(a.timely(), a.keepTime(ctx), a.witnessTime(ctx)); err != nil {
		return err // nothing is forgotten or ended by a clock that is not trusted
	}
	_, err := a.SealKey(ctx)
	err = errors.Join(err, a.tellRations(ctx), a.saveCounts(ctx), a.destroySealKeys(ctx), a.tendSealKeys(ctx), a.tellFreezeTries(ctx, ration.Period))
	if !a.onDuty(store.DutyUpkeep) {
		a.forgets = time.Time{}
		return err
	}
	return errors.Join(err, a.finishIntents(ctx), a.forget(ctx), a.tellUnreturned(ctx), a.tellChanges(ctx), a.goOnCorrecting(ctx), a.goOnClosing(ctx))
}

// forget drops rows that have expired. Beside other authorities it uses the time of the round
// before. If the time jumped since then, every authority has the new time before a mark is dropped
// by it, and so none accepts again the thing that was marked (I-15).
func (a *Authority) forget(ctx context.Context) error {
	now := a.Now()
	by := now
	if a.shared {
		by, a.forgets = a.forgets, now
	}
	if by.IsZero() {
		return nil
	}
	return errors.Join(a.pruneEvidence(ctx, by), a.pruneRows(ctx, by))
}

// finishIntents abandons intents that were reserved and left, and carries recorded ones through. If
// keepers do not answer, the intents stay for the next round.
func (a *Authority) finishIntents(ctx context.Context) error {
	var after liuma.CardID
	for {
		var page []store.Intent
		err := a.store.View(ctx, func(r store.Reader) (err error) {
			page, err = r.Intents(after, intentPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("list intents: %w", err)
		}
		for _, in := range page {
			if err := a.finishOne(ctx, in.Card); err != nil {
				a.log.WarnContext(ctx, "intent not finished", "card", in.Card, "version", in.Version, "err", err)
			}
			after = in.Card
		}
		if len(page) < intentPage || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// finishOne takes the card's slot, reads the intent again and finishes it.
func (a *Authority) finishOne(ctx context.Context, card liuma.CardID) error {
	ctx, release, err := a.HoldCard(ctx, card)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	var in store.Intent
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		in, err = r.Intent(card)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if in.State != store.IntentReserved {
		return a.carryThrough(ctx, "system", in)
	}
	if a.ended(in.Owner) || !a.Now().Before(in.Lease) {
		return a.abandon(ctx, "system", in, liuma.CodeUnavailable)
	}
	return nil
}

// pruneEvidence drops marks of used evidence that is by now refused as too old.
func (a *Authority) pruneEvidence(ctx context.Context, now time.Time) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n, err := tx.PruneEvidence(now)
		if err != nil || n == 0 {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.EvidencePruned, liuma.CardID{}, "", "ok")
		e.Note = fmt.Sprintf("rows=%d", n)
		return e, nil
	})
}

// ticksKept is longer than any period over which ration marks are counted.
const ticksKept = 30 * 24 * time.Hour

// pruneRows drops rows that ended, expired or stopped counting long ago.
func (a *Authority) pruneRows(ctx context.Context, now time.Time) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		ticks, err1 := tx.PruneTicks(now.Add(-ticksKept))
		codes, err2 := tx.PruneFreezeCodes(now)
		_, err3 := tx.PruneMeters(now.Add(-store.MeterKept))
		_, err6 := tx.PruneSums(now.Add(-sumsGrace))
		told, err4 := tx.PruneFormerContacts(now)
		letters, err5 := tx.PruneLetters(now.Add(-a.keepLetters))
		if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil || ticks+codes+told+letters == 0 {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.RowsPruned, liuma.CardID{}, "", "ok")
		e.Note = fmt.Sprintf("rows=%d", ticks+codes+told+letters)
		return e, nil
	})
}

// saveSecond saves the values that are saved each second, outside of all requests.
func (a *Authority) saveSecond(ctx context.Context) error {
	return errors.Join(a.saveSeen(ctx), a.saveCounts(ctx), a.saveFreezeTries(ctx), a.followTime(ctx))
}

// saveSeen saves the keepers' sequences that rose, outside of all requests, so that no request
// writes a row that all share. Losing the last second of them only makes a keeper's rollback within
// that second harder to see.
func (a *Authority) saveSeen(ctx context.Context) error {
	rose := map[string]uint64{}
	for id, seq := range a.quorum.Seen() {
		if seq > a.seen[string(id)] {
			rose[string(id)] = seq
		}
	}
	if len(rose) == 0 {
		return nil
	}
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return a.Entry("system", audit.KeeperSeen, liuma.CardID{}, "", "ok"), errors.Join(tx.SaveKeepersSeen(rose), tx.SaveClock(a.clock.State()))
	})
	if err == nil {
		maps.Copy(a.seen, rose)
	}
	return err
}
