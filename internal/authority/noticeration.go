package authority

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Notices have a ration of their own, for each template: whoever repeats one thing
// (freezes, ends links, turns a setting on and off) floods no phone with it, and
// uses up no notice of anything else. A holder who was told six times within a day
// that the same was done has six freeze codes.
const (
	// NoticesADay is how many notices of one template about a card a number gets in
	// 24 hours.
	NoticesADay = 6
	// UsesADay is that number for the notices of every use, which a holder asked for.
	UsesADay = 30
	// noticesOfAll is how many times as many the number gets about all cards that it
	// is bound to.
	noticesOfAll = 4

	tickNotice = "notice" // with the template; key: number, or card and number
)

// mayTell counts a notice, or says that the phone was told as often as it may be.
// A crash leaves the marks with the notice, or neither.
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
