package holder

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// askNoCode names the page for holders who got no code, or cannot read it.
const askNoCode = "no-code"

// takesCode reports whether a page sends and takes one-time codes.
func takesCode(p ceremony.Page) bool {
	return p.CodesLeft > 0 && (p.Step == ceremony.StepCode || canConfirm(p))
}

// canConfirm reports whether this is the end of an act at which the bound phone can
// be confirmed by a code.
func canConfirm(p ceremony.Page) bool {
	return p.Step == ceremony.StepDone && data(p.Action).ConfirmsPhone && p.EveryUse != nil
}

// noCodeWay is the link to that page from a page that asks for a code.
func (h *handler) noCodeWay(v *view, p ceremony.Page) *way {
	text := v.T.NoCodeWay()
	switch {
	case !v.Send.ready() && h.sendBy(v, p, liuma.ByVoice).ready():
		text = v.T.NoCodeCall()
	case v.Field != nil && p.CodeBy == liuma.ByVoice:
		text = v.T.NoCallWay()
	case offered(p, liuma.ByVoice) != nil:
		text = v.T.NoCodeOrRead()
	}
	return &way{Class: "btn-plain", Text: text, See: address(p.ID) + "?ask=" + askNoCode}
}

// offered is the offer of a way; nil if codes cannot be sent that way.
func offered(p ceremony.Page, by liuma.CodeWay) *ceremony.CodeOffer {
	for i := range p.Ways {
		if p.Ways[i].Way == by {
			return &p.Ways[i]
		}
	}
	return nil
}

// noCode is the page that helps holders who got no code: where it went, what to
// check, another code by text or by call, and what to do if the number is an old one.
// If no more codes are sent, it says until when, and where else to go.
func (h *handler) noCode(v *view, p ceremony.Page) {
	open := h.codeOpen(p)
	called := open && p.CodeBy == liuma.ByVoice
	v.heading(func(t *wordings) string {
		switch {
		case called:
			return t.NoCallTitle()
		case p.CodeSentAt.IsZero():
			return t.NoCodeAhead()
		}
		return t.NoCodeTitle()
	})
	v.cell(v.T.NoCodeNumber(), p.PhoneMasked, "number", "")
	if open {
		v.cell(v.T.NoCodeLast(), p.CodeSentAt.In(h.zone).Format("15:04"), "number", "")
	}
	v.TipsTitle = v.T.NoCodeCheck()
	v.Tips = []string{v.T.CheckNumber(), v.T.CheckSignal(), v.T.CheckBlocked(), v.T.CheckWait()}
	if called {
		v.Tips = []string{v.T.CheckNumber(), v.T.CheckSignal(), v.T.CheckCalls()}
	}
	v.Send, v.Call = h.sendBy(v, p, liuma.ByText), h.sendBy(v, p, liuma.ByVoice)
	v.lostNumber(p)
	v.Counter = h.counterOf(v, v.T.CounterTitle(), whereOf(p))
	if !v.Send.ready() && !v.Call.ready() {
		if v.Counter != nil {
			v.Counter.Title = v.T.CounterOnly()
		}
		if v.Until = h.untilOf(v, laterUntil(v.Send, v.Call)); v.Until != nil {
			v.Until.Title, v.Until.Over = v.T.NoCodeUntil(), v.T.OverReload()
		}
	}
	v.Ways = []way{{Class: "btn-plain", Text: v.T.NoCodeBack(), See: address(p.ID)}}
	switch {
	case open:
		v.First = []way{{Class: "btn-primary", Text: v.T.NoCodeCame(), See: address(p.ID)}}
		v.Ways = nil
	case v.Send.ready():
		v.Send.Class = "btn-primary"
	case v.Call.ready():
		v.Call.Class = "btn-primary"
	default:
		v.Ways = append(v.Ways, h.call(v))
	}
	v.Links = v.freezeLink(p)
	v.Expiry = h.expiryOf(p)
}

// lostNumber says what to do if the number is wrong or an old one.
func (v *view) lostNumber(p ceremony.Page) {
	row := actAt(v.T, p)
	if row.newPhone {
		v.Other, v.OtherTitle = v.phoneField(), v.T.PhoneOther()
		return
	}
	v.Below = &notice{Title: v.T.NoCodeOld(), Text: row.oldNumber}
}

// codeOpen reports whether a code was sent that still counts.
func (h *handler) codeOpen(p ceremony.Page) bool {
	return !p.CodeSentAt.IsZero() && h.now().Before(p.CodeSentAt.Add(codeLasts))
}

// sendBy is the button for a code by one way, or the reason why there is none now;
// nil if codes cannot be sent that way.
func (h *handler) sendBy(v *view, p ceremony.Page, by liuma.CodeWay) *send {
	o := offered(p, by)
	if o == nil {
		if by != liuma.ByText {
			return nil
		}
		o = &ceremony.CodeOffer{ReadyAt: p.ResendAt, Left: 1}
	}
	s := &send{Way: string(by), Class: "btn-plain", Text: v.T.CodeSend(), Wait: v.T.CodeWait("{n}")}
	switch {
	case by == liuma.ByVoice:
		s.Text, s.Wait = v.T.CallMe(), v.T.CallWait("{n}")
	case h.codeOpen(p) && p.CodeBy == liuma.ByVoice:
		s.Text, s.Wait = v.T.CodeTextInstead(), v.T.CodeTextWait("{n}")
	case !p.CodeSentAt.IsZero():
		s.Text = v.T.CodeResend()
	}
	now := h.now()
	switch wait := o.ReadyAt.Sub(now); {
	case o.ReadyAt.IsZero() || wait <= 0:
		if o.Left == 0 { // and the end is not known
			s.Later = v.T.noneNow(by)
		}
	case wait > shortWait:
		s.until = o.ReadyAt
		s.Later = v.T.sendFrom(by, v.T.moment(o.ReadyAt.In(h.zone), now.In(h.zone)))
	default:
		s.Ready, s.Now = o.ReadyAt.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano)
	}
	return s
}

// ready reports whether a way can be used now, or within minutes.
func (s *send) ready() bool { return s != nil && s.Later == "" }

// laterUntil is when the first of the ways can be used again; zero if none can,
// as far as is known.
func laterUntil(ways ...*send) time.Time {
	var first time.Time
	for _, s := range ways {
		if s != nil && !s.until.IsZero() && (first.IsZero() || s.until.Before(first)) {
			first = s.until
		}
	}
	return first
}
