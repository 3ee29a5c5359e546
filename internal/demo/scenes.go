package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

// attemptsBeforeLock is the national rule. It is written out here so that a change of
// the rule makes the play fail instead of telling another story.
const attemptsBeforeLock = 6

const lockLasts = 24 * time.Hour

// The purposes that holders are shown.
func purposeYears() client.Purpose       { return purposeOf(words.PurposeYears) }
func purposeCertificate() client.Purpose { return purposeOf(words.PurposeCertificate) }

// weak is a PIN that must be refused, and why.
type weak struct {
	digits string
	rule   string
	what   liuma.Text
}

func (h *holder) weakPINs() []weak {
	return []weak{
		{h.birthday(), "birthday", both(words.WeakBirthday)},
		{h.phonePart(), "phone", both(words.WeakPhone)},
		{"123456", "steps", both(words.WeakSteps)},
		{"112233", "steps", both(words.WeakPairs)},
	}
}

// sceneEnroll refuses weak PINs and sets a good one.
func sceneEnroll(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.first
	p.Say(holderWho(), ch.name, both(func(w words) string { return w.Applies(h.masked(), h.facts.MaskedIDNumber()) }))
	a, err := p.stage.apply(ctx, ch, h)
	if err != nil {
		return err
	}
	p.Say(ch.name, authorityWho(), both(words.AsksChallenge))
	p.Say(providerWho(), ch.name, both(words.GivesEvidence))
	p.Say(deviceWho(), ch.name, both(words.Seals))
	if err := refuseWeak(ctx, p, ch, h, a); err != nil {
		return err
	}
	v, err := ch.enroll(ctx, h, a, h.pin)
	if err != nil {
		return err
	}
	if v.State != "decided" || v.Code != "" || v.Card == "" {
		return want("a card", v.State+" "+v.Code)
	}
	h.handles[ch] = v.Card
	p.Say(ch.name, authorityWho(), both(func(w words) string { return w.SetsPIN(h.pin) }))
	p.Say(authorityWho(), ch.name, both(func(w words) string { return w.PINSet(v.Card) }))
	return enrolTwice(ctx, p, ch, h)
}

// refuseWeak tries every weak PIN with the same challenge and evidence: a
// request that is refused before anything is stored uses up neither.
func refuseWeak(ctx context.Context, p *play, ch *channel, h *holder, a application) error {
	for _, w := range h.weakPINs() {
		_, err := ch.enroll(ctx, h, a, w.digits)
		problem, ok := errors.AsType[*client.Problem](err)
		if !ok || problem.Code != string(liuma.CodeWeakPIN) || problem.Reason != w.rule {
			return want(fmt.Sprintf("%s refused as weak_pin/%s", w.digits, w.rule), err)
		}
		mark := both(func(l words) string { return l.Weak(w.digits, in(l, w.what)) })
		p.row(mark, both(func(l words) string {
			return l.WeakRefused(problem.Code+"/"+problem.Reason, in(l, liuma.Text{ZH: problem.DetailZH, EN: problem.DetailEN}))
		}))
	}
	return nil
}

func enrolTwice(ctx context.Context, p *play, ch *channel, h *holder) error {
	a, err := p.stage.apply(ctx, ch, h)
	if err != nil {
		return err
	}
	_, err = ch.enroll(ctx, h, a, h.pin)
	if client.CodeOf(err) != string(liuma.CodeAlreadyEnrolled) {
		return want("already_enrolled", err)
	}
	p.Note(both(words.EnrolledTwice))
	return nil
}

// sceneVerify verifies the PIN, wrong once and then right.
func sceneVerify(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.first
	if err := p.wrong(ctx, ch, h, attemptsBeforeLock-1); err != nil {
		return err
	}
	v, err := p.right(ctx, ch, h, purposeYears())
	if err != nil {
		return err
	}
	again, err := ch.client.Verification(ctx, v.BusinessNo)
	if err != nil {
		return err
	}
	if !again.Right() {
		return want("the same verdict by business number", again.Verdict)
	}
	p.Note(both(func(w words) string { return w.LostAnswer(v.BusinessNo) }))
	return nil
}

// right verifies the holder's PIN and expects it to be right.
func (p *play) right(ctx context.Context, ch *channel, h *holder, purpose client.Purpose) (*client.Verification, error) {
	v, err := ch.verify(ctx, h, h.pin, purpose)
	if err != nil {
		return nil, err
	}
	if !v.Right() || v.Receipt == "" || v.ReceiptEnd == nil {
		return nil, want("verdict right with a receipt", v.Verdict+" "+v.Code)
	}
	p.Say(ch.name, authorityWho(), both(func(w words) string { return w.Verifies(h.pin, purpose.In(string(w.Lang()))) }))
	p.Say(authorityWho(), ch.name, both(func(w words) string { return w.Right(inChina(*v.ReceiptEnd).Format("15:04:05")) }))
	return v, nil
}

// wrong tries a wrong PIN and expects so many tries to be left.
func (p *play) wrong(ctx context.Context, ch *channel, h *holder, left int) error {
	guess := "000001"
	v, err := ch.verify(ctx, h, guess, purposeYears())
	if err != nil {
		return err
	}
	if v.Verdict != string(liuma.Wrong) || v.TriesLeft == nil || *v.TriesLeft != left {
		return want(fmt.Sprintf("verdict wrong with %d left", left), describe(v))
	}
	p.Say(ch.name, authorityWho(), both(func(w words) string {
		if left == 0 {
			return w.WrongLast(guess)
		}
		return w.Wrong(left, guess, strconv.Itoa(left))
	}))
	return nil
}

func describe(v *client.Verification) string {
	s := v.State + " " + v.Verdict + " " + v.Code
	if v.TriesLeft != nil {
		s += fmt.Sprintf(" (%d left)", *v.TriesLeft)
	}
	return s
}

// sceneLink brings the card into the second channel by the same PIN.
func sceneLink(ctx context.Context, p *play) error {
	ch, h := p.stage.regional, p.cast.first
	_, err := ch.link(ctx, h, "000001")
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok || problem.Code != string(liuma.CodeRefused) || problem.TriesLeft != nil || problem.Until != nil {
		return want("the one refusal", err)
	}
	p.Say(ch.name, authorityWho(), both(func(w words) string { return w.LinksWrong("000001") }))
	p.Say(authorityWho(), ch.name, both(words.Refused))
	v, err := ch.link(ctx, h, h.pin)
	if err != nil {
		return err
	}
	if !v.Right() || v.Card == "" {
		return want("a link", describe(v))
	}
	h.handles[ch] = v.Card
	if v.Card == h.handles[p.stage.national] {
		return want("another handle than in the first channel", "the same")
	}
	p.Say(ch.name, authorityWho(), both(func(w words) string { return w.LinksWrong(h.pin) }))
	p.Say(authorityWho(), ch.name, both(func(w words) string { return w.Linked(v.Card) }))
	_, err = p.right(ctx, ch, h, purposeCertificate())
	return err
}

// sceneLock types wrong PINs in both channels until the card is locked, and
// then the right one in both.
func sceneLock(ctx context.Context, p *play) error {
	h := p.cast.first
	channels := []*channel{p.stage.national, p.stage.regional}
	start := p.stage.clock.Now()
	p.Note(both(words.NewLinkFewer)) // two of the six are kept from the second channel
	for i, left := range []int{attemptsBeforeLock - 1, 3, 3, 2, 1, 0} {
		if err := p.wrong(ctx, channels[i%2], h, left); err != nil {
			return err
		}
	}
	p.Note(both(words.CountedTogether))
	for _, ch := range channels {
		v, err := ch.verify(ctx, h, h.pin, purposeYears())
		if err != nil {
			return err
		}
		if v.Verdict != string(liuma.Locked) || v.Until == nil || v.Receipt != "" {
			return want("the right PIN locked out", describe(v))
		}
		if off := v.Until.Sub(start.Add(lockLasts)); off < -time.Minute || off > time.Minute {
			return want("a lock of 24 hours", v.Until)
		}
		until := inChina(*v.Until).Format("2006-01-02 15:04:05")
		p.Say(ch.name, authorityWho(), both(func(w words) string { return w.VerifiesRightOne(h.pin) }))
		p.Say(authorityWho(), ch.name, both(func(w words) string { return w.Locked(until) }))
	}
	p.Note(both(words.PhysicalUnaffected))
	return nil
}

// sceneChange changes another holder's PIN: it holds in both channels at once.
func sceneChange(ctx context.Context, p *play) error {
	first, second, h := p.stage.national, p.stage.regional, p.cast.second
	if err := p.settle(ctx, h); err != nil {
		return err
	}
	fresh, err := goodPIN(h, 77, h.pin)
	if err != nil {
		return err
	}
	_, err = first.change(ctx, h, h.pin, h.birthday())
	if client.CodeOf(err) != string(liuma.CodeWeakPIN) {
		return want("a weak new PIN refused", err)
	}
	v, err := first.change(ctx, h, h.pin, fresh)
	if err != nil {
		return err
	}
	if !v.Right() {
		return want("the PIN changed", describe(v))
	}
	p.Say(first.name, authorityWho(), both(func(w words) string { return w.Changes(h.pin, fresh) }))
	p.Say(authorityWho(), first.name, both(words.Changed))
	old := h.pin
	h.pin = fresh
	v, err = second.verify(ctx, h, old, purposeYears())
	if err != nil {
		return err
	}
	if v.Verdict != string(liuma.Wrong) {
		return want("the old PIN wrong in the other channel", describe(v))
	}
	p.Say(second.name, authorityWho(), both(func(w words) string { return w.VerifiesOldOne(old) }))
	p.Say(authorityWho(), second.name, both(words.OldOneWrong))
	_, err = p.right(ctx, second, h, purposeYears())
	return err
}

// settle enrols a holder and links the second channel, without comment.
func (p *play) settle(ctx context.Context, h *holder) error {
	first, second := p.stage.national, p.stage.regional
	a, err := p.stage.apply(ctx, first, h)
	if err != nil {
		return err
	}
	v, err := first.enroll(ctx, h, a, h.pin)
	if err != nil {
		return err
	}
	h.handles[first] = v.Card
	if v, err = second.link(ctx, h, h.pin); err != nil {
		return err
	}
	if !v.Right() {
		return want("a link", describe(v))
	}
	h.handles[second] = v.Card
	p.Say(holderWho(), authorityWho(), both(func(w words) string { return w.Settles(h.masked(), h.pin) }))
	return nil
}

// sceneReceipt checks a receipt offline, once for the right purpose and once for
// another, and redeems it once.
func sceneReceipt(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.second
	v, err := p.right(ctx, ch, h, purposeYears())
	if err != nil {
		return err
	}
	about := client.Want{BusinessNo: v.BusinessNo, Card: h.handles[ch], Purpose: purposeYears(), Action: client.Verify}
	receipt, err := ch.client.CheckReceipt(ctx, v.Receipt, about)
	if err != nil {
		return err
	}
	p.Do(ch.name, both(func(w words) string { return w.ReceiptChecked(receipt.ACR) }))
	about.Purpose = purposeCertificate()
	if _, err := ch.client.CheckReceipt(ctx, v.Receipt, about); !errors.Is(err, client.ErrReceipt) {
		return want("the receipt refused for another purpose", err)
	}
	p.Do(ch.name, both(func(w words) string { return w.ReceiptOtherPurpose(purposeCertificate().In(string(w.Lang()))) }))
	redeemed, err := ch.client.Redeem(ctx, v.Receipt)
	if err != nil {
		return err
	}
	if !redeemed.Redeemed {
		return want("the receipt redeemed", describe(redeemed))
	}
	p.Say(ch.name, authorityWho(), both(words.Redeems))
	p.Say(authorityWho(), ch.name, both(words.Redeemed))
	_, err = ch.client.Redeem(ctx, v.Receipt)
	if client.CodeOf(err) != string(liuma.CodeReceiptSpent) {
		return want("the second redemption refused", err)
	}
	p.Say(authorityWho(), ch.name, both(words.RedeemedTwice))
	return nil
}

// inChina formats a time as texts and pages do, in China's time zone, wherever
// the demo runs.
func inChina(t time.Time) time.Time { return t.In(time.FixedZone("China", 8*60*60)) }
