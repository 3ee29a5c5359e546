package gallery

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// Landed is the ceremony to which the landing page leads.
const Landed = "verifypin"

// Authority is what the door stands on to show the scenes: it shows each under
// its own address, to whoever asks, and moves nothing.
type Authority struct{ pages map[string]authority.Page }

// NewAuthority holds all scenes.
func NewAuthority() Authority {
	a := Authority{map[string]authority.Page{}}
	for _, s := range Scenes() {
		if s.Page.ID != "" {
			a.pages[s.Page.ID] = s.Page
		}
	}
	return a
}

func (a Authority) Look(_ context.Context, id string, _ authority.Hand) (authority.Page, error) {
	p, ok := a.pages[id]
	if !ok {
		return authority.Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return p, nil
}

func (a Authority) LookAt(context.Context, string, string, authority.Hand) (authority.Page, error) {
	return a.pages[Landed], nil
}

// still answers every move.
func still() (authority.Page, error) {
	return authority.Page{}, liuma.Fail(liuma.CodeUnavailable, nil)
}

func (Authority) Begin(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) Agree(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) Leave(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) Extend(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) GivePIN(context.Context, string, authority.Hand, authority.Given) (authority.Page, error) {
	return still()
}

func (Authority) SendCode(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) GiveCode(context.Context, string, authority.Hand, string) (authority.Page, error) {
	return still()
}

func (Authority) GivePhone(context.Context, string, authority.Hand, string) (authority.Page, error) {
	return still()
}

func (Authority) GiveCardNo(context.Context, string, authority.Hand, string) (authority.Page, error) {
	return still()
}

func (Authority) Forgot(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) Remember(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) FreezeOwn(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) NoticeEveryUse(context.Context, string, authority.Hand, bool) (authority.Page, error) {
	return still()
}

func (Authority) KnowDevice(context.Context, string, authority.Hand) (authority.Page, error) {
	return still()
}

func (Authority) FreezeByCode(context.Context, string, string) (authority.FreezeView, error) {
	return authority.FreezeView{}, liuma.Fail(liuma.CodeFreezeCodeInvalid, nil)
}

func (Authority) WayBack(context.Context, string, authority.Hand) (authority.Way, error) {
	return authority.Way{}, liuma.Fail(liuma.CodeUnavailable, nil)
}
