package authority

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Notices have a ration for each template. So repeating one act (freezing, ending
// links, turning a setting on and off) cannot flood a phone, and does not use up
// notices about other acts. A holder who got six notices of the same act within a day
// has six freeze codes, which is enough.
const (
	// NoticesADay is how many notices of one template about a card a number gets in
	// 24 hours.
	NoticesADay = 6
	// UsesADay is the same for the notices of every use, which a holder asked for.
	UsesADay = 30
	// noticesOfAll times as many is the ration of a number over all cards that it is
	// bound to.
	noticesOfAll = 4

	tickNotice = "notice" // with the template; key: number, or card and number
)

// mayTell counts a notice, or reports that the phone's ration is used up. A crash
// leaves the marks with the notice, or neither.
func (a *Authority) mayTell(tx store.Tx, card store.Card, phone, template string) (bool, error) {
	most := NoticesADay
	if template == noticeEveryUse {
		most = UsesADay
	}
	kind, now := tickNotice+" "+template, a.Now()
	number := a.PhoneIndex(phone)
	pair := a.vault.Index(vault.IndexPhone, "notice\x00"+card.ID.String()+phone)
	ofPair, err1 := tx.Ticks(kind, pair, now.Add(-day))
	ofAll, err2 := tx.Ticks(kind, number, now.Add(-day))
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	if len(ofPair) >= most || len(ofAll) >= most*noticesOfAll {
		a.log.Warn("a notice was held back: the phone was told of the same too often today", "card", card.ID, "template", template)
		return false, nil
	}
	mark := func(key vault.Index, at time.Time) error {
		return tx.InsertTick(store.Tick{Kind: kind, Key: key, At: at})
	}
	return true, errors.Join(mark(pair, now), mark(number, now))
}
