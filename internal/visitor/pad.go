package visitor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"

	"github.com/liuma-pin/liuma/internal/envelope"
)

// web/README.md describes the pad's attributes and fields.
const padInfo = "liuma/1/pin-envelope"

// Pad returns which PIN the page's pad asks for: current, new, change, or none.
func (p *Page) Pad() string {
	f, ok := p.padForm()
	if !ok {
		return ""
	}
	return attr(f.pad, "data-mode")
}

func (p *Page) padForm() (Form, bool) {
	for _, f := range p.Forms() {
		if f.pad != nil {
			return f, true
		}
	}
	return Form{}, false
}

// entry is a PIN that the pad asks for: the field that it is posted in, and
// the role that it is sealed for.
type entry struct{ field, role string }

func entries(mode string) []entry {
	switch mode {
	case "current":
		return []entry{{"pin", "current"}}
	case "new":
		return []entry{{"new_pin", "new"}}
	case "change":
		return []entry{{"old_pin", "old"}, {"new_pin", "new"}}
	}
	return nil
}

// TypePIN types the PINs that the pad asks for, in its order: the current PIN;
// the new one, which the pad asks for twice; or the old one and the new. It
// seals each and submits the form.
func (p *Page) TypePIN(ctx context.Context, secrets ...string) (*Page, error) {
	return p.TypeWith(ctx, nil, secrets...)
}

// TypeWith is TypePIN with values for other fields of the pad's form, such as a
// checkbox.
func (p *Page) TypeWith(ctx context.Context, values url.Values, secrets ...string) (*Page, error) {
	f, ok := p.padForm()
	if !ok {
		return nil, fmt.Errorf("%w: a pad", ErrNotOffered)
	}
	if err := f.takes(values); err != nil {
		return nil, err
	}
	sealed, err := p.Seal(secrets...)
	if err != nil {
		return nil, err
	}
	maps.Copy(sealed, values)
	return p.submit(ctx, f, sealed)
}

// Seal is TypePIN without sending: it returns the whole form that would be
// sent.
func (p *Page) Seal(secrets ...string) (url.Values, error) {
	f, ok := p.padForm()
	if !ok {
		return nil, fmt.Errorf("%w: a pad", ErrNotOffered)
	}
	asked := entries(attr(f.pad, "data-mode"))
	switch {
	case len(asked) == 0 || attr(f.pad, "data-info") != padInfo:
		return nil, fmt.Errorf("%w: a pad that is known here", ErrNotOffered)
	case len(asked) != len(secrets):
		return nil, fmt.Errorf("%w: the pad asks for %d entries, not %d", ErrNotOffered, len(asked), len(secrets))
	}
	key, err := base64.RawURLEncoding.DecodeString(attr(f.pad, "data-key"))
	if err != nil {
		return nil, fmt.Errorf("visitor: the pad's key does not read")
	}
	out := maps.Clone(f.Fields)
	for i, e := range asked {
		aad, err := base64.RawURLEncoding.DecodeString(attr(f.pad, "data-aad-"+e.role))
		if err != nil || len(aad) == 0 {
			return nil, fmt.Errorf("visitor: the pad does not say what to seal for")
		}
		secret := []byte(secrets[i])
		sealed, err := envelope.SealAAD(key, attr(f.pad, "data-kid"), aad, secret)
		clear(secret)
		if err != nil {
			return nil, fmt.Errorf("visitor: seal: %w", err)
		}
		raw, err := json.Marshal(sealed)
		if err != nil {
			return nil, fmt.Errorf("visitor: seal: %w", err)
		}
		out.Set(e.field, string(raw))
	}
	return out, nil
}
