package gallery

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
)

// Landed is the ceremony to which the landing page leads.
const Landed = "verifypin"

// Authority is the stand-in authority of the door: it shows each scene under
// its own address, to every browser, and changes nothing.
type Authority struct{ pages map[string]ceremony.Page }

// NewAuthority holds all scenes.
func NewAuthority() Authority {
	a := Authority{map[string]ceremony.Page{}}
	for _, s := range Scenes() {
		if s.Page.ID != "" {
			a.pages[s.Page.ID] = s.Page
		}
	}
	return a
}

func (a Authority) Look(_ context.Context, id string, _ ceremony.Hand) (ceremony.Page, error) {
	p, ok := a.pages[id]
	if !ok {
		return ceremony.Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return p, nil
}

func (a Authority) LookAt(context.Context, string, string, ceremony.Hand) (ceremony.Page, error) {
	return a.pages[Landed], nil
}

// still answers every move.
func still() (ceremony.Page, error) {
	return ceremony.Page{}, liuma.Fail(liuma.CodeUnavailable, nil)
}

func (Authority) Begin(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) Agree(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) Leave(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) Extend(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) CheckNew(context.Context, string, ceremony.Hand, int, envelope.Envelope) (ceremony.Checked, error) {
	return ceremony.Checked{}, nil
}

func (Authority) GivePIN(context.Context, string, ceremony.Hand, ceremony.Given) (ceremony.Page, error) {
	return still()
}

func (Authority) SendCode(context.Context, string, ceremony.Hand, liuma.CodeWay) (ceremony.Page, error) {
	return still()
}

func (Authority) GiveCode(context.Context, string, ceremony.Hand, string) (ceremony.Page, error) {
	return still()
}

func (Authority) GivePhone(context.Context, string, ceremony.Hand, string) (ceremony.Page, error) {
	return still()
}

func (Authority) GiveCardNo(context.Context, string, ceremony.Hand, string) (ceremony.Page, error) {
	return still()
}

func (Authority) Forgot(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) Remember(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) FreezeOwn(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) NoticeEveryUse(context.Context, string, ceremony.Hand, bool) (ceremony.Page, error) {
	return still()
}

func (Authority) FreezeByCode(context.Context, string, string) (authority.FreezeView, error) {
	return authority.FreezeView{}, liuma.Fail(liuma.CodeFreezeCodeInvalid, nil)
}

func (Authority) WayBack(context.Context, string, ceremony.Hand) (ceremony.Way, error) {
	return ceremony.Way{}, liuma.Fail(liuma.CodeUnavailable, nil)
}

func (Authority) GiveTicket(context.Context, string, ceremony.Hand, string) (ceremony.Page, error) {
	return still()
}

func (Authority) BeginTicket(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return ceremony.Page{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
}

func (Authority) BeginTicketOnPad(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) NoPhone(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) NameContact(context.Context, string, ceremony.Hand, string) (ceremony.Page, error) {
	return still()
}

func (Authority) NameNobody(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}

func (Authority) EndContact(context.Context, string, ceremony.Hand) (ceremony.Page, error) {
	return still()
}
