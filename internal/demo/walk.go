package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/liuma-pin/liuma/internal/visitor"
)

// guest is a person with a phone, in a sample channel or on the authority's
// pages. Every step presses a button of the current page, and fails if the page
// has no such button.
type guest struct {
	browser *visitor.Visitor
	app     string // origin of the sample channel
	page    *visitor.Page
}

func (s *stage) newGuest(app string) (*guest, error) {
	v, err := visitor.New(visitor.Config{Transport: s.transport, Now: s.clock.Now})
	return &guest{browser: v, app: app}, err
}

// open goes to an address.
func (g *guest) open(ctx context.Context, address string) (err error) {
	g.page, err = g.browser.Open(ctx, address)
	return err
}

// press fills in a form: pairs of name and value.
func (g *guest) press(ctx context.Context, verb string, pairs ...string) error {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	p, err := g.page.Press(ctx, verb, values)
	if err != nil {
		return fmt.Errorf("%s on the page “%s”: %w", verb, g.page.Title(), err)
	}
	g.page = p
	return nil
}

// be opens the channel and chooses whom to be there.
func (g *guest) be(ctx context.Context, person string) error {
	if err := g.open(ctx, g.app+"/"); err != nil {
		return err
	}
	return g.press(ctx, "person", "person", person)
}

// start asks the channel for something, and goes to the authority's page where
// it leads there.
func (g *guest) start(ctx context.Context, action string) error {
	if err := g.open(ctx, g.app+"/"); err != nil {
		return err
	}
	if err := g.press(ctx, "start", "action", action); err != nil {
		return err
	}
	return g.begin(ctx)
}

// begin goes on from the first page of a ceremony, as its script does.
func (g *guest) begin(ctx context.Context) error {
	if g.page.Has("begin") {
		return g.press(ctx, "begin")
	}
	return nil
}

// types types on the pad.
func (g *guest) types(ctx context.Context, secrets ...string) error {
	p, err := g.page.TypePIN(ctx, secrets...)
	if err != nil {
		return fmt.Errorf("pad on the page “%s”: %w", g.page.Title(), err)
	}
	g.page = p
	return nil
}

// back goes back to the channel.
func (g *guest) back(ctx context.Context) error {
	if strings.HasPrefix(g.page.URL().String(), g.app+"/") {
		return nil // it went by itself
	}
	return g.press(ctx, "return")
}

// shows checks that the page has an attribute, by which a sample channel says what
// came of an act.
func (g *guest) shows(attribute string) error {
	if strings.Contains(g.page.Body(), attribute) {
		return nil
	}
	return want("a page with "+attribute, "“"+g.page.Title()+"”: "+g.page.Text())
}

// pad checks which PIN the pad asks for: current, new, change, or none.
func (g *guest) pad(mode string) error {
	if got := g.page.Pad(); got != mode {
		return want(fmt.Sprintf("a pad for %q", mode), fmt.Sprintf("%q on the page “%s”", got, g.page.Title()))
	}
	return nil
}
