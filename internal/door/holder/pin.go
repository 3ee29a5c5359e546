package holder

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
)

const longestEnvelope = 2048 // bytes of one, as JSON

// givePIN takes what the pad sealed.
func (h *handler) givePIN(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		given, err := givenPINs(r)
		if err != nil {
			return authority.Page{}, err
		}
		page, err := h.authority.GivePIN(r.Context(), id, by.Hand, given)
		if liuma.CodeOf(err) == liuma.CodeCeremonyMoved && err != nil {
			h.awaitTry(r.Context(), id, by.Hand, given.Try)
		}
		return page, err
	})
}

// givenPINs reads the form. A form without envelopes was not sent by the pad:
// it is a reload of something old, and the latest page is the answer to it.
func givenPINs(r *http.Request) (authority.Given, error) {
	try, err := strconv.Atoi(r.PostForm.Get("try"))
	if err != nil || try < 1 {
		return authority.Given{}, liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	g := authority.Given{Try: try, Reopen: r.PostForm.Get("reopen") == "1"}
	some := false
	for name, into := range map[string]**envelope.Envelope{"pin": &g.Current, "old_pin": &g.Old, "new_pin": &g.New} {
		values := r.PostForm[name]
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			continue
		}
		if len(values) > 1 || len(values[0]) > longestEnvelope {
			return authority.Given{}, liuma.FailField(liuma.CodeBadRequest, name, nil)
		}
		e := new(envelope.Envelope)
		if err := json.Unmarshal([]byte(values[0]), e); err != nil {
			// The decoder's words may quote the field.
			return authority.Given{}, liuma.FailField(liuma.CodeBadRequest, name, errors.New("not an envelope"))
		}
		*into, some = e, true
	}
	if !some {
		return authority.Given{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	return g, nil
}

// awaitTry waits a little while for what a try comes to whose page was
// submitted twice: the answer to the second press is the one that is shown. It
// waits for the last try alone; no other can be under way.
func (h *handler) awaitTry(ctx context.Context, id string, by authority.Hand, try int) {
	ctx, cancel := context.WithTimeout(ctx, h.settle)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := h.authority.Look(ctx, id, by)
		if err != nil || page.Try != try+1 || page.Step != authority.StepPIN || page.Code != "" || page.Verdict != "" {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *handler) askPIN(v *view, p authority.Page) {
	v.heading(titleOf(p.Action))
	h.stages(v, p)
	v.Refusal = h.refusal(v, p)
	// Few lines above the pad: its keys should stand on the first screen.
	switch p.Action {
	case liuma.ActionEnroll, liuma.ActionReset:
	case liuma.ActionChange:
		v.cell(v.T.Holder, p.NameMasked, "", "purpose")
		v.Lead = v.T.ChangeLead
	default:
		v.cell(v.T.Holder, p.NameMasked, "", "")
		v.cell(v.T.For, p.Purpose, "", "purpose")
	}
	if v.Care && v.Refusal != nil {
		v.Cells = nil // said on the page before; large keys need the room
	}
	v.Keypad = keypadOf(v, p)
	if canForget(p) {
		v.Ways = append(v.Ways, h.forgotWay(v, p, "btn-plain", v.T.ForgotWay))
	}
	switch p.Action {
	case liuma.ActionLink:
		v.Forgot = v.T.ForgotText
	case liuma.ActionUnfreeze:
		v.Forgot = v.T.ForgotFrozen
	}
	v.Ways = append(v.Ways, way{Class: "btn-plain", Text: v.T.Leave, Post: "leave"})
	v.Links = v.freezeLink(p)
	v.More = p.Action == liuma.ActionVerify
	v.Reopen = p.LaneClosed
	v.Expiry = h.expiryOf(p)
}

// keypadOf writes the seal key and the bytes to be bound, as the script reads
// them.
func keypadOf(v *view, p authority.Page) *keypad {
	b64 := base64.RawURLEncoding.EncodeToString
	k := &keypad{
		Mode: "current", KeyID: p.SealKeyID, Key: b64(p.SealKey), Passphrase: p.Passphrase, Try: p.Try,
		Current: b64(p.AAD[liuma.RoleCurrent]), Old: b64(p.AAD[liuma.RoleOld]), New: b64(p.AAD[liuma.RoleNew]),
		DescribedBy: "asker",
	}
	switch p.Action {
	case liuma.ActionEnroll, liuma.ActionReset:
		k.Mode = "new"
	case liuma.ActionChange:
		k.Mode = "change"
	}
	if v.Hand == "" {
		k.Resume = address(p.ID)
	}
	if len(v.Cells) > 0 {
		k.DescribedBy += " purpose"
	}
	if v.Refusal != nil {
		k.DescribedBy = "refusal " + k.DescribedBy
	}
	if p.TriesLeft != nil && *p.TriesLeft > 0 && codeOf(p) == "" {
		k.Note = v.T.triesLeft(*p.TriesLeft) + v.T.Stop
	}
	return k
}

// forgot turns to setting the PIN anew. Where that cannot be done online, a
// page of its own says why and where to go.
func (h *handler) forgot(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		page, err := h.authority.Forgot(r.Context(), id, by.Hand)
		if err != nil && liuma.CodeOf(err) == liuma.CodeCeremonyExpired {
			// A locked page stays readable for longer than it can be turned to
			// something else; showing it again would be no answer.
			if now, lookErr := h.authority.Look(r.Context(), id, by.Hand); lookErr == nil && now.Step == authority.StepRefused {
				err = liuma.Fail(liuma.CodeRequestURIInvalid, err)
			}
		}
		return page, err
	})
}

// remember goes back from there to the pad.
func (h *handler) remember(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (authority.Page, error) {
		return h.authority.Remember(r.Context(), id, by.Hand)
	})
}

// canForget reports whether the authority takes Forgot at this step.
func canForget(p authority.Page) bool {
	if !linked(p) || p.Action == liuma.ActionReset || p.Action == liuma.ActionUnfreeze {
		return false
	}
	code := codeOf(p)
	return p.Step == authority.StepPIN || p.Step == authority.StepRefused && (code == liuma.CodeLocked || code == liuma.CodeBlocked)
}

func resetRefused(p authority.Page) bool { return p.ResetRefused != "" && canForget(p) }

// forgotWay leads to a new PIN, or to why there is none online. A refusal that
// is over by now is asked for again.
func (h *handler) forgotWay(v *view, p authority.Page, class, text string) way {
	over := !p.ResetRefusedUntil.IsZero() && !h.now().Before(p.ResetRefusedUntil)
	if resetRefused(p) && !over {
		return way{Class: "btn-plain", Text: v.T.NoResetWhy, See: address(p.ID) + "?ask=" + askReset}
	}
	return way{Class: class, Text: text, Post: "forgot"}
}

// noReset says why the PIN cannot be set anew online, and where it can.
func (h *handler) noReset(v *view, p authority.Page) {
	v.heading(func(t *texts) string { return t.NoResetTitle })
	why := v.say(liuma.Explain(p.ResetRefused).What)
	switch p.ResetRefused {
	case liuma.CodeRefused:
		why = v.T.NoLink
	case liuma.CodeFrozen:
		why = v.T.NoResetFrozen
	}
	v.Result = &result{Kind: "warn", Icon: "agency", Text: why}
	if v.Until = h.untilOf(v, p.ResetRefusedUntil); v.Until != nil {
		v.Until.Over = v.T.OverReload
	}
	v.Counter = v.counterOf(v.T.CounterOnly, p.Region)
	stay := way{Class: "btn-primary", Text: v.T.RememberWay, See: address(p.ID)}
	if p.Step == authority.StepPIN {
		v.Ways = []way{stay, {Class: "btn-plain", Text: v.T.Leave, Post: "leave"}}
	} else {
		v.Ways = []way{v.back("btn-primary")}
	}
	v.Links = v.freezeLink(p)
}
