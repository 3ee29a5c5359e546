package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/locale"
)

// The speakers at the hosted door.
func grannyWho() who { return who(both(words.WhoGranny)) }
func textWho() who   { return who(both(words.WhoHerPhone)) }
func pageWho() who   { return who(both(words.WhoPage)) }
func appWho() who    { return who(both(words.WhoApp)) }
func fraudWho() who  { return who(both(words.WhoFraud)) }

// The results of an act on the sample channel's pages, for programs: in attributes,
// which do not change with the sentences.
const (
	cameDone       = `data-result="done"`
	cameLocked     = `data-result="locked"`
	cameFrozen     = `data-result="frozen"`
	cameNotHer     = `data-result="face_mismatch"`
	cameLeft       = `data-result="left_by_holder"`
	standsFrozen   = `data-standing="frozen"`
	showsInsurance = `data-insurance="pension"`
	showsMedical   = `data-medical="code"`
)

// text waits for a message and prints it as the phone shows it.
func (p *play) text(ctx context.Context, template notify.Template) (notify.Received, error) {
	r, err := p.stage.theatre.letters.next(ctx, template)
	if err == nil {
		p.Do(textWho(), both(func(w words) string { return w.TextArrives(wordsOfText(w, r)) }))
	}
	return r, err
}

// wordsOfText are the words that the phone shows or reads out, which is Chinese; for
// other readers, what the text is about.
func wordsOfText(w words, r notify.Received) string {
	if w.Lang() == locale.Chinese {
		return r.Body
	}
	return locale.In(w.Lang()).Word("notice", string(r.Template))
}

// giveCode asks for a one-time code, reads it from the phone and types it.
func (p *play) giveCode(ctx context.Context, g *guest, template notify.Template) error {
	if !g.page.Has("send-code") {
		return want("a page that sends codes", g.page.Title())
	}
	if err := g.press(ctx, "send-code"); err != nil {
		return err
	}
	r, err := p.text(ctx, template)
	if err != nil {
		return err
	}
	return g.press(ctx, "code", "code", r.Params["code"])
}

// hearCode has a one-time code read out by phone call, from the page for holders who
// got no text or cannot read it, and types it.
func (p *play) hearCode(ctx context.Context, g *guest, template notify.Template) error {
	page, err := g.page.Follow(ctx, "ask=no-code")
	if err != nil {
		return err
	}
	g.page = page
	p.Say(grannyWho(), pageWho(), both(words.CannotRead))
	if err := g.press(ctx, "send-code", "way", string(liuma.ByVoice)); err != nil {
		return err
	}
	r, err := p.stage.theatre.letters.next(ctx, template)
	if err != nil {
		return err
	}
	if r.Way != liuma.ByVoice {
		return want("a call", "a text "+string(r.Template))
	}
	p.Do(textWho(), both(func(w words) string { return w.PhoneRings(wordsOfText(w, r)) }))
	return g.press(ctx, "code", "code", r.Params["code"])
}

// looks goes to the channel's camera, and follows all pages after it.
func (p *play) looks(ctx context.Context, g *guest) error {
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.press(ctx, "evidence"); err != nil {
		return err
	}
	return g.begin(ctx)
}

// years asks for the contribution years, up to the verdict on the PIN.
func (p *play) years(ctx context.Context, app, digits string) (*guest, error) {
	g, err := p.granny(ctx, app)
	if err != nil {
		return nil, err
	}
	if err := g.start(ctx, "verify"); err != nil {
		return nil, err
	}
	if err := g.pad("current"); err != nil {
		return nil, err
	}
	return g, g.types(ctx, digits)
}

// opens checks that a PIN opens the years in a channel.
func (p *play) opens(ctx context.Context, app, digits string) error {
	g, err := p.years(ctx, app, digits)
	if err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	return g.shows(showsInsurance)
}

func (p *play) granny(ctx context.Context, app string) (*guest, error) {
	return p.guest(ctx, app, "wang")
}

func (p *play) guest(ctx context.Context, app, person string) (*guest, error) {
	g, err := p.stage.newGuest(app)
	if err != nil {
		return nil, err
	}
	return g, g.be(ctx, person)
}

// sceneHosted enrols her in one sample channel, links the other, and activates the
// medical e-credential, for which a PIN is not enough.
func sceneHosted(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.Note(both(words.Hosted))
	g, err := p.granny(ctx, t.province)
	if err != nil {
		return err
	}
	if err := g.start(ctx, "enroll"); err != nil {
		return err
	}
	if err := g.press(ctx, "evidence"); err != nil {
		return err
	}
	p.Say(grannyWho(), appWho(), both(words.GrannyApplies))
	if err := g.begin(ctx); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.giveCode(ctx, g, notify.CodeBind); err != nil {
		return err
	}
	p.Note(both(words.CodeToRegistered))
	if err := g.pad("new"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(cameDone); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(func(w words) string { return w.GrannyEnrolled(t.granny.pin) }))
	if _, err := p.text(ctx, notify.PINSet); err != nil {
		return err
	}
	if err := linkNation(ctx, p); err != nil {
		return err
	}
	return activateMedical(ctx, p)
}

func linkNation(ctx context.Context, p *play) error {
	t := p.stage.theatre
	g, err := p.granny(ctx, t.nation)
	if err != nil {
		return err
	}
	if err := g.start(ctx, "link"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(cameDone); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(words.GrannyLinks))
	_, err = p.text(ctx, notify.ChannelLinked)
	return err
}

// activateMedical goes to the camera first, and then to the pad.
func activateMedical(ctx context.Context, p *play) error {
	t := p.stage.theatre
	g, err := p.granny(ctx, t.province)
	if err != nil {
		return err
	}
	if err := g.start(ctx, "medical"); err != nil {
		return err
	}
	if err := p.looks(ctx, g); err != nil {
		return err
	}
	if err := g.pad("current"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(showsMedical); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(func(w words) string { return w.GrannyMedical(client.ACRPINEvidence) }))
	return nil
}

// sceneForgot locks the PIN and resets it: one-time code, evidence, a new PIN.
func sceneForgot(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.later()
	wrong, err := goodPIN(t.granny, 42, t.granny.pin)
	if err != nil {
		return err
	}
	g, err := p.years(ctx, t.province, wrong)
	if err != nil {
		return err
	}
	for range attemptsBeforeLock - 1 {
		if err := g.types(ctx, wrong); err != nil {
			return err
		}
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(cameLocked); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(words.GrannyLocked))
	if _, err := p.text(ctx, notify.PINLocked); err != nil {
		return err
	}
	old := t.granny.pin
	if t.granny.pin, err = goodPIN(t.granny, 43, old); err != nil {
		return err
	}
	if err := resetPIN(ctx, p, g); err != nil {
		return err
	}
	return p.afterReset(ctx, old)
}

// resetPIN goes through the whole reset, from the button on the app's page.
func resetPIN(ctx context.Context, p *play, g *guest) error {
	t := p.stage.theatre
	if err := g.start(ctx, "reset"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.giveCode(ctx, g, notify.CodeReset); err != nil {
		return err
	}
	if g.page.Pad() != "" {
		return want("no pad before the face was checked", g.page.Title())
	}
	p.Say(grannyWho(), pageWho(), both(words.GrannyForgot))
	if err := p.looks(ctx, g); err != nil {
		return err
	}
	if err := g.pad("new"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.birthday()); err != nil {
		return err
	}
	if err := g.pad("new"); err != nil {
		return fmt.Errorf("after a weak PIN: %w", err)
	}
	p.Say(pageWho(), grannyWho(), both(func(w words) string { return w.BirthdayRefused(t.granny.birthday()) }))
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(cameDone); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(func(w words) string { return w.GrannyReset(t.granny.pin) }))
	return nil
}

// afterReset shows that the new PIN holds everywhere, and the old one nowhere.
func (p *play) afterReset(ctx context.Context, old string) error {
	t := p.stage.theatre
	r, err := p.text(ctx, notify.PINReset)
	if err != nil {
		return err
	}
	if r.Params["freeze"] == "" || strings.Contains(r.Body, "http") {
		return want("a notice with a freeze code and no link", r.Template)
	}
	g, err := p.years(ctx, t.nation, old)
	if err != nil {
		return err
	}
	if err := g.pad("current"); err != nil {
		return fmt.Errorf("the old PIN: %w", err)
	}
	p.Say(pageWho(), grannyWho(), both(func(w words) string { return w.GrannyOldPIN(old) }))
	for _, app := range []string{t.province, t.nation} {
		if err := p.opens(ctx, app, t.granny.pin); err != nil {
			return fmt.Errorf("the new PIN in %s: %w", app, err)
		}
	}
	p.Say(pageWho(), grannyWho(), both(words.GrannyNewPIN))
	return nil
}

// sceneSIM lets a thief who reads her texts try to set her PIN.
func sceneSIM(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.later()
	g, err := p.guest(ctx, t.province, "thief")
	if err != nil {
		return err
	}
	if err := g.start(ctx, "reset"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.giveCode(ctx, g, notify.CodeReset); err != nil {
		return err
	}
	p.Say(thiefWho(), pageWho(), both(words.ThiefHasCode))
	// With a browser's developer tools one can post an envelope before the page
	// shows a pad.
	skipped, err := g.browser.Post(ctx, g.ceremony()+"/pin", url.Values{"try": {"1"}, "new_pin": {"{}"}})
	if err != nil {
		return err
	}
	if skipped.Pad() != "" || skipped.Status() == 0 {
		return want("no pad for a thief", skipped.Title())
	}
	p.Say(thiefWho(), pageWho(), both(words.ThiefSkips))
	if err := p.looks(ctx, g); err != nil {
		return err
	}
	if err := g.shows(cameNotHer); err != nil {
		return err
	}
	p.Say(providerWho(), thiefWho(), both(words.ThiefIsNotHer))
	return p.opens(ctx, t.nation, t.granny.pin)
}

// ceremony is the address of the ceremony whose page is open.
func (g *guest) ceremony() string {
	u := g.page.URL()
	parts := strings.SplitN(u.Path, "/", 4) // "", "c", id, …
	if len(parts) < 3 {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + "/c/" + parts[2]
}

// sceneFace lets a fraudster, who plays a video of her face to the camera, try it
// without her phone.
func sceneFace(ctx context.Context, p *play) error {
	t := p.stage.theatre
	g, err := p.guest(ctx, t.nation, "video")
	if err != nil {
		return err
	}
	if err := g.start(ctx, "reset"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if !g.page.Has("send-code") || g.page.Pad() != "" {
		return want("a code asked for before anything else", g.page.Title())
	}
	if g.page.Has("return") {
		return want("no way on to the camera without a code", g.page.Title())
	}
	p.Say(pageWho(), fraudWho(), both(words.FraudNeedsCode))
	p.later()
	if err := g.press(ctx, "send-code"); err != nil {
		return err
	}
	r, err := p.text(ctx, notify.CodeReset)
	if err != nil {
		return err
	}
	guess := "135246"
	if guess == r.Params["code"] {
		guess = "135247"
	}
	if err := g.press(ctx, "code", "code", guess); err != nil {
		return err
	}
	if g.page.Has("return") || g.page.Pad() != "" || !g.page.Has("code") {
		return want("a guessed code refused", g.page.Title())
	}
	p.Say(fraudWho(), pageWho(), both(func(w words) string { return w.FraudGuesses(guess) }))
	if err := g.press(ctx, "leave"); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(cameLeft); err != nil {
		return err
	}
	return p.opens(ctx, t.province, t.granny.pin)
}
