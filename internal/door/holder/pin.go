package holder

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
)

const longestEnvelope = 2048 // bytes of an envelope, as JSON

// givePIN takes the PIN, or the old and the new one, as the pad sealed it.
func (h *handler) givePIN(r *http.Request, id string, by hand) (ceremony.Page, error) {
	given, err := givenPINs(r)
	if err != nil {
		return ceremony.Page{}, err
	}
	given.Source = h.source(r)
	page, err := h.authority.GivePIN(r.Context(), id, by.Hand, given)
	if err != nil && liuma.CodeOf(err) == liuma.CodeCeremonyMoved && !errors.Is(err, ceremony.ErrOldPad) {
		page = h.awaitTry(r.Context(), id, by.Hand, given.Try)
	}
	return page, err
}

// givenPINs reads the form. A form without envelopes did not come from the pad but from
// a reload of an old page, and gets the latest page.
func givenPINs(r *http.Request) (ceremony.Given, error) {
	try, err := strconv.Atoi(r.PostForm.Get("try"))
	if err != nil || try < 1 {
		return ceremony.Given{}, liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	g := ceremony.Given{Try: try, Reopen: r.PostForm.Get("reopen") == "1", Words: r.PostForm.Get("words") == "1"}
	some := false
	for name, into := range map[string]**envelope.Envelope{"pin": &g.Current, "old_pin": &g.Old, "new_pin": &g.New} {
		values := r.PostForm[name]
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			continue
		}
		if len(values) > 1 || len(values[0]) > longestEnvelope {
			return ceremony.Given{}, liuma.FailField(liuma.CodeBadRequest, name, nil)
		}
		e := new(envelope.Envelope)
		if err := json.Unmarshal([]byte(values[0]), e); err != nil {
			// The decoder's error may quote the field, so it is not passed on.
			return ceremony.Given{}, liuma.FailField(liuma.CodeBadRequest, name, errors.New("not an envelope"))
		}
		*into, some = e, true
	}
	if !some {
		return ceremony.Given{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	return g, nil
}

// awaitTry waits a little for the result of a try whose page was submitted twice, so
// that the answer to the second press shows it. It looks less and less often, and
// returns the last page that it saw, or none. It waits only for the last try: no other
// can be under way.
func (h *handler) awaitTry(ctx context.Context, id string, by ceremony.Hand, try int) ceremony.Page {
	ctx, cancel := context.WithTimeout(ctx, h.settle)
	defer cancel()
	var latest ceremony.Page
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		page, err := h.authority.Look(ctx, id, by)
		if err != nil {
			return latest
		}
		latest = page
		if !underWay(page, try) {
			return latest
		}
		select {
		case <-ctx.Done():
			return latest
		case <-time.After(pause):
		}
	}
}

func (h *handler) askPIN(v *view, p ceremony.Page) {
	v.title(p)
	v.stages(p)
	v.Refusal = h.refusal(v, p)
	// Only a few lines stand above the pad, so that its keys are on the first screen.
	row := actAt(v.T, p)
	switch asked := data(p.Action).Roles; {
	case slices.Contains(asked, liuma.RoleCurrent):
		v.cell(v.T.Holder(), p.NameMasked, "", "")
		v.cell(v.T.For(), p.Purpose.In(string(v.Lang)), "", "purpose")
	case slices.Contains(asked, liuma.RoleOld):
		v.cell(v.T.Holder(), p.NameMasked, "", "purpose")
		v.Lead = row.padLead
	}
	// These lines were on the page before, and all keys must be on the first screen.
	v.Folded = v.Refusal != nil || v.Lead != ""
	v.TopLast = v.Care // its buttons are as large as the keys
	v.Keypad = keypadOf(v, p)
	if canForget(p) {
		v.Ways = append(v.Ways, h.forgotWay(v, p, "btn-plain", v.T.ForgotWay()))
	}
	v.Forgot = row.forgot
	v.Ways = append(v.Ways, v.leave(p))
	v.Links = h.asideWays(v, p)
	v.More = row.more
	v.Reopen = p.LaneClosed
	v.Expiry = h.expiryOf(p)
}

// keypadOf writes the seal key, and the bytes to which an envelope is bound, as
// the pad's script reads them.
func keypadOf(v *view, p ceremony.Page) *keypad {
	b64 := base64.RawURLEncoding.EncodeToString
	k := &keypad{
		Mode: actAt(v.T, p).pad, KeyID: p.SealKeyID, Key: b64(p.SealKey), Words: wordsOf(p.Words), Chosen: p.Words.Chosen, Shared: v.OnPad, Try: p.Try,
		Current: b64(p.AAD[liuma.RoleCurrent]), Old: b64(p.AAD[liuma.RoleOld]), New: b64(p.AAD[liuma.RoleNew]),
		Check:       b64(p.AAD[liuma.RoleCheck]),
		List:        string(p.List),
		Refusals:    v.T.refusals(),
		DescribedBy: "asker",
	}
	k.Resume = address(p.ID) + "?" + askLook + "=" + strconv.Itoa(p.Try)
	if len(v.Cells) > 0 {
		k.DescribedBy += " purpose"
	}
	if v.Refusal != nil {
		k.DescribedBy = "refusal " + k.DescribedBy
	}
	if p.TriesLeft != nil && *p.TriesLeft > 0 && codeOf(p) == "" {
		k.Note = v.T.triesLeft(*p.TriesLeft) + v.T.Stop()
	}
	return k
}

// refusals are the pad's sentences about new PINs that a rule for everybody refuses, a
// line each: the rule, a blank and its sentence.
func (t *wordings) refusals() string {
	var lines []string
	for _, rule := range pin.RulesForAll() {
		lines = append(lines, string(rule)+" "+t.all.PINRule(string(rule), false))
	}
	return strings.Join(lines, "\n")
}

// wordsOf tells the pad's markup where a passphrase may be typed.
func wordsOf(w ceremony.Words) string {
	switch {
	case w.First:
		return "first"
	case w.Entered || w.Chosen:
		return "offered"
	}
	return ""
}

// forgot turns to a reset of the PIN. If that is not possible online, a page of its own
// says why and where to go.
func (h *handler) forgot(r *http.Request, id string, by hand) (ceremony.Page, error) {
	page, err := h.authority.Forgot(r.Context(), id, by.Hand)
	if err == nil || liuma.CodeOf(err) != liuma.CodeCeremonyExpired {
		return page, err
	}
	latest, lookErr := h.authority.Look(r.Context(), id, by.Hand)
	if lookErr == nil && latest.Step == ceremony.StepRefused {
		// A locked page stays readable for longer than a reset can be begun from it;
		// showing it again would not help.
		err = liuma.Fail(liuma.CodeRequestURIInvalid, err)
	}
	return latest, err
}

// canForget reports whether the authority takes Forgot at this step.
func canForget(p ceremony.Page) bool {
	if !linked(p) || !data(p.Action).Turns {
		return false
	}
	code := codeOf(p)
	return p.Step == ceremony.StepPIN || p.Step == ceremony.StepRefused && (code == liuma.CodeLocked || code == liuma.CodeBlocked)
}

func resetRefused(p ceremony.Page) bool { return p.ResetRefused != "" && canForget(p) }

// forgotWay is the link to a reset, or the reason why there is none online. If that
// reason has ended meanwhile, the authority is asked again.
func (h *handler) forgotWay(v *view, p ceremony.Page, class, text string) way {
	over := !p.ResetRefusedUntil.IsZero() && !h.now().Before(p.ResetRefusedUntil)
	if resetRefused(p) && !over {
		return way{Class: "btn-plain", Text: v.T.NoResetWhy(), See: address(p.ID) + "?ask=" + askReset}
	}
	return way{Class: class, Text: text, Post: "forgot"}
}

// noReset says why the PIN cannot be reset online, and where it can.
func (h *handler) noReset(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.NoResetTitle() })
	e, _ := v.T.explain(p.ResetRefused)
	why := e.What
	switch p.ResetRefused {
	case liuma.CodeRefused:
		why = v.T.NoLink()
	case liuma.CodeFrozen:
		why = v.T.NoResetFrozen()
	case liuma.CodeLossReported:
		why = v.T.NoResetReported()
	}
	v.Result = &result{Kind: "warn", Icon: "agency", Text: why}
	if v.Until = h.untilOf(v, p.ResetRefusedUntil); v.Until != nil {
		v.Until.Over = v.T.OverReload()
	}
	v.Counter = h.counterOf(v, v.T.CounterOnly(), whereOf(p))
	stay := way{Class: "btn-primary", Text: v.T.RememberWay(), See: address(p.ID)}
	if p.Step == ceremony.StepPIN {
		v.Ways = []way{stay, {Class: "btn-plain", Text: v.T.Leave(), Post: "leave"}}
	} else {
		v.Ways = []way{v.back("btn-primary")}
	}
	v.Links = v.freezeLink(p)
}
