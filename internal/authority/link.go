package authority

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// A link (关联) is one act of linking a card in a channel. It belongs to the account
// that made it. A thief who links the same card in the same channel gets a separate
// handle with a separate age, and nothing of the owner's link.
//
// Guesses through a known link are counted in a lane of their own, which strangers
// cannot use up; a change without evidence needs a known link. A known link is no
// proof (I-12).
const (
	// linkWrong is how many wrong PINs since the last right one make a link a
	// stranger. It stays a stranger until a right PIN comes through it together with
	// evidence.
	linkWrong = 10
	// linksMost is how many links a card has at most: for its holder's apps and
	// mini-programs, on an old phone and a new one.
	linksMost = 10
	// linksADay is how many links a day may be made by linking. The link of an
	// enrolment does not count.
	linksADay = 3
	day       = 24 * time.Hour
)

// TickLinked marks a link that was made, for the ration of a card and day.
const TickLinked = "linked"

// KnownLink reports whether a card's link is known. It becomes known some days
// (policy's recovery.hold, at least 72 hours) after it was made or after the first
// right PIN of the present version came through it, whichever is later. It is known
// at once when a right or newly set PIN of that version came through it together with
// evidence. A new version makes all links unknown except the one through which it was
// set.
func (a *Authority) KnownLink(card store.Card, l store.Link) bool {
	if card.Version == 0 || l.Card != card.ID || l.Wrong >= linkWrong {
		return false
	}
	if l.Evidenced == card.Version {
		return true
	}
	hold := a.policy.For(card.Region, l.Channel).Recovery.Hold
	return l.Proved == card.Version && !a.Now().Before(l.At.Add(hold)) && !a.Now().Before(l.ProvedAt.Add(hold))
}

// Place is the lane that a guess is counted in, with the reserve of known
// links.
type Place struct {
	Lane    ledger.Lane
	Reserve int  // part of the limit kept for known links; 0 on a card without any
	Through bool // the guess comes through a known link
}

// PlaceOf returns the lane of a guess that comes through a link of a channel, or
// without a link. A guess with evidence about the holder counts like a guess through
// a known link, so that strangers who used up their lane cannot shut the holder out
// of any channel. On a card without a known link there is one lane for all.
// CodeRefused: the link has ended.
func (a *Authority) PlaceOf(r store.Reader, card store.Card, ch liuma.ChannelID, h store.Handle, evidence bool, p policy.Policy) (Place, error) {
	links, err := r.Links(card.ID)
	if err != nil {
		return Place{}, err
	}
	var at Place
	there := h == ""
	for _, l := range links {
		mine := h != "" && l.Channel == ch && l.Handle == h
		there = there || mine
		if a.KnownLink(card, l) {
			at.Reserve = reserveOf(p.Limits.Attempts)
			at.Through = at.Through || mine
		}
	}
	if !there {
		return Place{}, liuma.Fail(liuma.CodeRefused, ErrUnlinked)
	}
	if at.Through || evidence && at.Reserve > 0 {
		at.Lane = ledger.Known
	}
	return at, nil
}

// reserveOf is the part of a limit that strangers cannot spend: they get two thirds,
// rounded down, and at least one.
func reserveOf(attempts int) int { return max(1, attempts-max(1, attempts*2/3)) }

// throughLink counts a guess against its link, in the transaction that counts the
// guess. So if an attacker prevents the verdict from being stored, or puts an older
// row back, the guess stays counted as wrong.
func throughLink(tx store.Tx, row store.Request) error {
	if row.Handle == "" {
		return nil
	}
	l, err := tx.LinkByHandle(row.Channel, row.Handle)
	if err != nil {
		return err
	}
	l.Wrong++
	return tx.PutLink(l)
}

// linkOf is the link of a guess, or nil if it came without one or the link was ended
// while the keepers worked.
func linkOf(r store.Reader, row store.Request) (*store.Link, error) {
	if row.Handle == "" {
		return nil, nil
	}
	l, err := r.LinkByHandle(row.Channel, row.Handle)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &l, err
}

// uncount takes the count of a guess back from its link: the PIN was right, or
// no keeper evaluated it.
func uncount(l *store.Link, right bool) {
	l.Wrong = max(l.Wrong, 1) - 1
	if right {
		begunAnew(l)
	}
}

// begunAnew resets a link's count of wrong PINs, unless they have made it a stranger.
func begunAnew(l *store.Link) {
	if l.Wrong < linkWrong {
		l.Wrong = 0
	}
}

// proved notes at a link that a right PIN of a version came through it.
func proved(l *store.Link, v liuma.Version, evidence bool, now time.Time) {
	if l.Proved != v {
		l.Proved, l.ProvedAt = v, now
	}
	if evidence {
		l.Evidenced, l.Wrong = v, 0
	}
}

// Returned notes at a link that a right PIN came through it at the hosted door, in
// the transaction that redeems the verdict's code. A verdict that never came back
// proves no link. Otherwise a thief with a link could relay its page to the holder,
// and the PIN that the holder types would make the thief's link known (I-14).
func (a *Authority) Returned(tx store.Tx, row store.Request) error {
	if row.Alone {
		return nil // no PIN came through it
	}
	l, err := linkOf(tx, row)
	if err != nil || l == nil {
		return err
	}
	begunAnew(l)
	proved(l, row.Version, evidenced(row), row.DecidedAt)
	return tx.PutLink(*l)
}

// setThrough lets the link through which a version was set keep its age, because its
// holder gave the PIN before, or two other proofs.
func (a *Authority) setThrough(tx store.Tx, in store.Intent, row store.Request) error {
	l, err := linkOf(tx, row)
	if err != nil || l == nil {
		return err
	}
	if in.From != 0 && l.Proved == in.From {
		l.Proved = in.Version // ProvedAt stays
	}
	if in.From != 0 && l.Evidenced == in.From {
		l.Evidenced = in.Version
	}
	proved(l, in.Version, evidenced(row), a.Now())
	return tx.PutLink(*l)
}

// MakeLink makes the link of a decided request: a link, or an enrolment. The link
// starts with the proof of the PIN that the verdict gave. replaces is the handle that
// the link replaces, or empty: that link ends if it belongs to this channel and card,
// and the new one does not inherit its age.
//
// CodeLinkLimit: three were made within a day. CodeLinksFull: the card has ten, and
// all are known. If it has ten and some are not known, the youngest of those ends.
// Every contact gets a notice of each end. If it fails, nothing was written. The
// link's handle is the row's, if ClaimHandle has claimed one, and else a new one.
func (a *Authority) MakeLink(tx store.Tx, card store.Card, row store.Request, replaces store.Handle) (store.Link, error) {
	now := a.Now()
	l := store.Link{Channel: row.Channel, Card: card.ID, Handle: cmp.Or(row.Handle, newHandle()), At: now, Proved: row.Version, ProvedAt: row.DecidedAt}
	if evidenced(row) {
		l.Evidenced = row.Version
	}
	ends, err := a.linkRoom(tx, card, row, replaces)
	if err != nil {
		return store.Link{}, err
	}
	if row.Action != liuma.ActionEnroll {
		if err := tx.InsertCardTick(card.ID, TickLinked, now); err != nil {
			return store.Link{}, err
		}
	}
	for _, old := range ends {
		if err := a.endLink(tx, card, old); err != nil {
			return store.Link{}, err
		}
	}
	return l, tx.PutLink(l)
}

// MayLink returns the error that MakeLink would return now.
func (a *Authority) MayLink(r store.Reader, card store.Card, row store.Request, replaces store.Handle) error {
	_, err := a.linkRoom(r, card, row, replaces)
	return err
}

// linkRoom returns the links that end to make room for a new one, or why no new one
// may be made.
func (a *Authority) linkRoom(r store.Reader, card store.Card, row store.Request, replaces store.Handle) ([]store.Link, error) {
	if row.Action != liuma.ActionEnroll {
		if err := a.mayLink(r, card, a.Now()); err != nil {
			return nil, err
		}
	}
	return a.makeRoom(r, card, row.Channel, replaces)
}

// mayLink applies the day's ration of links of a card. Ended links count too, so
// linking and ending in turn gains nothing.
func (a *Authority) mayLink(r store.Reader, card store.Card, now time.Time) error {
	made, err := r.CardTicks(card.ID, TickLinked, now.Add(-day))
	if err == nil && len(made) >= linksADay {
		err = &liuma.Error{Code: liuma.CodeLinkLimit, Until: made[len(made)-linksADay].Add(day)}
	}
	return err
}

// makeRoom chooses the links that end for a new one: the link that it replaces and,
// if there would be too many, the youngest that are not known.
func (a *Authority) makeRoom(r store.Reader, card store.Card, ch liuma.ChannelID, replaces store.Handle) (ends []store.Link, err error) {
	links, err := r.Links(card.ID)
	if err != nil {
		return nil, err
	}
	links = slices.Clone(links)
	drop := func(i int) {
		ends = append(ends, links[i])
		links = slices.Delete(links, i, i+1)
	}
	if i := slices.IndexFunc(links, func(l store.Link) bool { return replaces != "" && l.Channel == ch && l.Handle == replaces }); i >= 0 {
		drop(i)
	}
	for i := len(links) - 1; i >= 0 && len(links) >= linksMost; i-- {
		if !a.KnownLink(card, links[i]) {
			drop(i)
		}
	}
	if len(links) >= linksMost {
		return nil, liuma.Fail(liuma.CodeLinksFull, nil)
	}
	return ends, nil
}

// endLink ends a link: its handle leads nowhere from here on.
func (a *Authority) endLink(tx store.Tx, card store.Card, l store.Link) error {
	if err := tx.DeleteLink(l.Channel, l.Handle); err != nil {
		return err
	}
	return a.TellIn(tx, card, noticeUnlinked, l.Channel, nil)
}

// Unlink ends a link of the channel at the channel's request: its account was closed,
// or its holder asked for it. A crash leaves the link, or its end with the notice and
// the audit entry.
func (a *Authority) Unlink(ctx context.Context, c Caller, h store.Handle) error {
	if err := c.PermitChannel(); err != nil {
		return err
	}
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		l, err := tx.LinkByHandle(c.Channel(), h)
		if errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, liuma.FailField(liuma.CodeNotFound, "handle", err)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := a.ReadCard(tx, l.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := a.Spend(tx, c, ActUnlink); err != nil {
			return audit.Entry{}, err
		}
		return a.Entry(c.Actor(), audit.CardUnlinked, card.ID, "", "ok"), a.endLink(tx, card, l)
	})
	return liuma.Outward(err)
}

// newHandle draws a handle: 160 bits, so that nobody guesses another account's.
func newHandle() store.Handle {
	var b [20]byte
	rand.Read(b[:])
	return handleOf(b)
}

func handleOf(b [20]byte) store.Handle {
	return store.Handle(strings.ToLower(base32.StdEncoding.EncodeToString(b[:])))
}
