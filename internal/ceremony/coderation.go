package ceremony

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The rations of one-time codes, in any 24 hours. A person who asks for a code
// has proved little: they have a session in an app, which may be stolen, or a card of
// their own and somebody else's number. So each card, number, link and number that is
// not bound yet has a ration. A share of the card's ration is kept for known links,
// so that strangers cannot use up the owner's codes. A code is counted in the
// transaction that sends or judges it, on the card or the number, over all
// ceremonies; so a thousand requests at once get no more codes than one after the
// other.
const (
	codePeriod = 24 * time.Hour
	codeEvery  = time.Minute // between two codes to a number

	cardMost   = 10 // codes of a card
	cardKept   = 4  // of them for known links
	numberMost = 20 // codes to a number, over all cards
	numberKept = 4  // of them for known links of the cards that it is bound to
	textsMost  = 3  // through one link
	callsMost  = 2  // through one link

	newPairMost    = 3  // codes of a card to one number that is not bound to it
	newNumberMost  = 10 // codes to a number from cards that it is not bound to
	newNumbersMost = 3  // numbers of a card that are not bound to it
	newCallsMost   = 2  // calls to a number from cards that it is not bound to

	wrongCodesMost = 5 // wrong codes of a card
	wrongCodesKept = 2 // of them for known links

	tickCodeWrong     = "code_wrong"      // of a card; also with a link
	tickCodeCard      = "code_card"       // of a card
	tickCodeText      = "code_text"       // of a card and link
	tickCodeVoice     = "code_voice"      // of a card and link
	tickCodeNewNumber = "code_new_number" // of a card: another number
	tickCodeSent      = "code_sent"       // key: number
	tickCodeNew       = "code_new"        // key: number; codes before it was bound
	tickCodePair      = "code_pair"       // key: card and number; the same
	tickCodeNewCall   = "code_new_call"   // key: number; calls before it was bound
)

// asks says through which link a code is asked for or typed.
type asks struct {
	link  string // handle; empty at an enrolment, and for a card that was only named
	known bool   // the link is known
	other bool   // the card has another known link
	bound bool   // the number is the card's bound phone
}

// askedThrough finds out whether a ceremony's link is known, and whether the card has
// another known link. A link that was ended counts as a stranger with the same
// ration.
func (s *Ceremonies) askedThrough(r store.Reader, c store.Ceremony, d details, to addressee) (by asks, err error) {
	if to.card.ID.IsZero() {
		return asks{known: true}, nil // before the first enrolment there is no link to keep a share for
	}
	contact, err := r.Contact(to.card.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return by, err
	}
	by.bound = err == nil && contact.Phone == s.engine.PhoneIndex(to.phone)
	if c.Action == liuma.ActionCounter {
		by.known = true // the counter may use the share kept for known links
		return by, nil
	}
	links, err := r.Links(to.card.ID)
	if err != nil {
		return by, err
	}
	by.link = d.Subject.Card
	for _, l := range links {
		mine := by.link != "" && l.Channel == c.Channel && string(l.Handle) == by.link
		if s.engine.KnownLink(to.card, l) {
			by.known, by.other = by.known || mine, by.other || !mine
		}
	}
	return by, nil
}

// share is how much of a ration this asker may use: all of it through a known link,
// else all but the share kept for known links.
func (by asks) share(most, kept int) int {
	if by.known {
		return most
	}
	return most - kept
}

// shareSpent is the error code when the asker's share is spent.
func (by asks) shareSpent(whole liuma.Code) liuma.Code {
	if by.known {
		return whole
	}
	return liuma.CodePhoneCodesKept
}

// ration is how often something was done within a time, and how often it may be.
type ration struct {
	why   liuma.Code // when it is spent
	spent []time.Time
	most  int
	in    time.Duration
}

// until is the time from which the ration allows one more; zero: now.
func (q ration) until(now time.Time) time.Time {
	if until := authority.SpentUntil(q.spent, q.most, q.in); until.After(now) {
		return until
	}
	return time.Time{}
}

// offer says how many codes may be sent in one way.
type offer struct {
	CodeOffer
	why liuma.Code // why none may be sent now; empty: one may
}

// offered says how many codes may be sent in a way now or, if none, why and until
// when. Of several reasons it gives the one that lasts longest.
func (s *Ceremonies) offered(r store.Reader, c store.Ceremony, to addressee, by asks, way liuma.CodeWay) (offer, error) {
	o := offer{CodeOffer: CodeOffer{Way: way}}
	if !s.mayReach(c, to.card, to.phone) {
		if o.why = liuma.CodePhoneInvalid; by.bound {
			o.why = liuma.CodePhoneNone
		}
		return o, nil
	}
	spent, err := s.engine.CodesSpent(r, c.Channel)
	if err != nil {
		return o, err
	}
	if spent {
		o.why = liuma.CodePhoneCodeChannel
	}
	rations, err := s.codeRations(r, to, by, way)
	now := s.now()
	for i, q := range rations {
		if left := max(0, q.most-len(q.spent)); q.why != liuma.CodePhoneCodeSoon && (i == 0 || left < o.Left) {
			o.Left = left
		}
		if until := q.until(now); until.After(o.ReadyAt) {
			o.why, o.ReadyAt = q.why, until
		}
	}
	if o.why == liuma.CodePhoneCodeChannel {
		o.Left = 0
	}
	return o, err
}

// codeRations are the rations that sending a code draws on.
func (s *Ceremonies) codeRations(r store.Reader, to addressee, by asks, way liuma.CodeWay) ([]ration, error) {
	var all []ration
	var errs error
	add := func(why liuma.Code, most int, in time.Duration, marks []time.Time, err error) {
		all, errs = append(all, ration{why, marks, most, in}), errors.Join(errs, err)
	}
	day := s.now().Add(-codePeriod)
	number := s.engine.PhoneIndex(to.phone)

	wrong, err := s.wrongRations(r, to, by)
	all, errs = append(all, wrong...), errors.Join(errs, err)
	sent, err := to.marks(r, tickCodeCard, day)
	add(by.shareSpent(liuma.CodePhoneCodeLimit), by.share(cardMost, cardKept), codePeriod, sent, err)
	if by.link != "" {
		kind, most := linkRation(way)
		sent, err := to.marks(r, kind+" "+by.link, day)
		add(liuma.CodePhoneCodeLink, most, codePeriod, sent, err)
	}
	if !by.bound {
		new, err := s.newNumberRations(r, to, number, way)
		all, errs = append(all, new...), errors.Join(errs, err)
	}
	sent, err = r.Ticks(tickCodeSent, number, day)
	most := numberMost
	if !by.known || !by.bound {
		most -= numberKept
	}
	add(liuma.CodePhoneCodeLimit, most, codePeriod, sent, err)
	add(liuma.CodePhoneCodeSoon, 1, codeEvery, sent, nil)
	return all, errs
}

// linkRation is a link's ration of codes sent in one way.
func linkRation(way liuma.CodeWay) (kind string, most int) {
	if way == liuma.ByVoice {
		return tickCodeVoice, callsMost
	}
	return tickCodeText, textsMost
}

// newNumberRations are the rations of a number that is not bound to the card. Anybody
// may type such a number, so these codes take little from the rations of its owner,
// and nobody can make a stranger's phone ring all night.
func (s *Ceremonies) newNumberRations(r store.Reader, to addressee, number vault.Index, way liuma.CodeWay) ([]ration, error) {
	day := s.now().Add(-codePeriod)
	pair, err1 := r.Ticks(tickCodePair, s.pairKey(to, number), day)
	new, err2 := r.Ticks(tickCodeNew, number, day)
	all := []ration{
		{liuma.CodePhoneCodeLimit, pair, newPairMost, codePeriod},
		{liuma.CodePhoneCodeLimit, new, newNumberMost, codePeriod},
	}
	if way == liuma.ByVoice {
		calls, err := r.Ticks(tickCodeNewCall, number, day)
		all, err1 = append(all, ration{liuma.CodePhoneCodeLimit, calls, newCallsMost, codePeriod}), errors.Join(err1, err)
	}
	if len(pair) > 0 {
		return all, errors.Join(err1, err2) // the number is already one of the card's three
	}
	numbers, err3 := to.marks(r, tickCodeNewNumber, day)
	return append(all, ration{liuma.CodePhoneNumbers, numbers, newNumbersMost, codePeriod}), errors.Join(err1, err2, err3)
}

// pairKey is the key of a card and a number. It is made from the holder, because
// before the first enrolment there is no card.
func (s *Ceremonies) pairKey(to addressee, number vault.Index) vault.Index {
	return s.vault.Index(vault.IndexPhone, "code-pair\x00"+hex.EncodeToString(to.holder[:])+hex.EncodeToString(number[:]))
}

// wrongRations are the rations of wrong codes: of the card and, while the card has
// another known link, of one known link.
func (s *Ceremonies) wrongRations(r store.Reader, to addressee, by asks) ([]ration, error) {
	day := s.now().Add(-codePeriod)
	wrong, err := to.marks(r, tickCodeWrong, day)
	all := []ration{{liuma.CodePhoneCodesSpent, wrong, by.share(wrongCodesMost, wrongCodesKept), codePeriod}}
	if err != nil || !by.known || !by.other {
		return all, err
	}
	mine, err := to.marks(r, tickCodeWrong+" "+by.link, day)
	return append(all, ration{liuma.CodePhoneCodesSpent, mine, wrongCodesMost - wrongCodesKept, codePeriod}), err
}

// codesLeft is how many wrong codes may still be given and, if none, when that ends.
func (s *Ceremonies) codesLeft(r store.Reader, to addressee, by asks) (left int, until time.Time, err error) {
	all, err := s.wrongRations(r, to, by)
	left = wrongCodesMost
	for _, q := range all {
		left = max(0, min(left, q.most-len(q.spent)))
		if at := q.until(s.now()); at.After(until) {
			until = at
		}
	}
	return left, until, err
}

// codeWasSent marks a code in every ration that it was sent from.
func (s *Ceremonies) codeWasSent(tx store.Tx, c store.Ceremony, to addressee, by asks, way liuma.CodeWay) error {
	now := s.now()
	number := s.engine.PhoneIndex(to.phone)
	errs := []error{
		s.engine.CodeWasSent(tx, c.Channel),
		tx.InsertTick(store.Tick{Kind: tickCodeSent, Key: number, At: now}),
		to.mark(tx, tickCodeCard, now),
	}
	if by.link != "" {
		kind, _ := linkRation(way)
		errs = append(errs, to.mark(tx, kind+" "+by.link, now))
	}
	if !by.bound {
		pair := s.pairKey(to, number)
		before, err := tx.Ticks(tickCodePair, pair, now.Add(-codePeriod))
		errs = append(errs, err, tx.InsertTick(store.Tick{Kind: tickCodePair, Key: pair, At: now}),
			tx.InsertTick(store.Tick{Kind: tickCodeNew, Key: number, At: now}))
		if way == liuma.ByVoice {
			errs = append(errs, tx.InsertTick(store.Tick{Kind: tickCodeNewCall, Key: number, At: now}))
		}
		if err == nil && len(before) == 0 {
			errs = append(errs, to.mark(tx, tickCodeNewNumber, now))
		}
	}
	return errors.Join(errs...)
}

// codeWasWrong marks a wrong code on the card and the link.
func (s *Ceremonies) codeWasWrong(tx store.Tx, to addressee, by asks) error {
	err := to.mark(tx, tickCodeWrong, s.now())
	if by.link != "" {
		err = errors.Join(err, to.mark(tx, tickCodeWrong+" "+by.link, s.now()))
	}
	return err
}

// marks are the ration marks of the addressee's card or, before the first enrolment
// has made the card, of its holder.
func (to addressee) marks(r store.Reader, kind string, since time.Time) ([]time.Time, error) {
	if to.card.ID.IsZero() {
		return r.Ticks(kind, to.holder, since)
	}
	return r.CardTicks(to.card.ID, kind, since)
}

// mark sets a ration mark. It also drops the marks in the card's row that no ration
// counts any more; otherwise a thief who spends the rations for weeks would make the
// row grow.
func (to addressee) mark(tx store.Tx, kind string, at time.Time) error {
	if to.card.ID.IsZero() {
		return tx.InsertTick(store.Tick{Kind: kind, Key: to.holder, At: at})
	}
	all, err := tx.CardTicks(to.card.ID, kind, time.Time{})
	if err != nil {
		return err
	}
	if len(all) > 0 && all[0].Before(at.Add(-2*codePeriod)) {
		err = tx.DeleteCardTicks(to.card.ID, kind)
		for _, old := range all {
			if err == nil && old.After(at.Add(-2*codePeriod)) {
				err = tx.InsertCardTick(to.card.ID, kind, old)
			}
		}
	}
	return errors.Join(err, tx.InsertCardTick(to.card.ID, kind, at))
}

// mayReach reports whether codes may go to a number: only to a mobile of mainland
// China, unless the rules allow others. Both sets of rules count: those of the push's
// region and, where there is a card, those of the card's region.
func (s *Ceremonies) mayReach(c store.Ceremony, card store.Card, phone string) bool {
	rules := s.rules(c)
	if !card.ID.IsZero() {
		rules = s.rulesAbout(c, card)
	}
	return mainlandMobile(phone) || rules.Codes.OtherNumbers
}

// mainlandMobile reports whether a canonical number is a mobile of mainland China:
// eleven digits, 1 and then 3 to 9 first. Eleven-digit numbers that begin with 10 to
// 12 are services that cost more.
func mainlandMobile(phone string) bool {
	return len(phone) == 11 && strings.Trim(phone, "0123456789") == "" && phone[0] == '1' && phone[1] >= '3'
}
