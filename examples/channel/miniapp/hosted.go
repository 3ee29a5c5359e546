package miniapp

import (
	"context"

	"github.com/liuma-pin/liuma/client"
)

// request is what the authority is asked for. It goes there from server to
// server, and nothing of it through the browser.
func (a *App) request(f flow, evidence string) client.HostedRequest {
	ask := client.HostedRequest{
		Action: client.Action(actFor(f.Action)), BusinessNo: f.BusinessNo, Purpose: f.Purpose, Region: a.c.Region,
		Holder: client.Subject{Card: f.Card}, RedirectURI: RedirectURI(a.c.Origin),
	}
	if evidence != "" {
		ask.Challenge, ask.Evidence = f.Challenge, evidence
	}
	if f.Card == "" {
		p := a.person(f.Person)
		ask.Holder = client.Subject{IDNumber: p.IDNumber, Document: p.Document, Name: p.Name}
		if f.Action == actionEnroll {
			ask.Holder.Phone = p.Phone
		}
	}
	return ask
}

// push hands a request over and returns the address to open in the web view.
func (a *App) push(ctx context.Context, f flow, evidence string) (string, error) {
	page, err := a.door.Push(ctx, f.LogIn, a.request(f, evidence))
	if err != nil {
		return "", err
	}
	return page.URL, nil
}
