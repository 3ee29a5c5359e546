package holder

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
)

const longestEnvelope = 2048 // bytes of one, as JSON

// givePIN takes what the pad sealed.
func (h *handler) givePIN(w http.ResponseWriter, r *http.Request) {
	h.post(w, r, func(id string, by hand) (ceremony.Page, error) {
		given, err := givenPINs(r)
		if err != nil {
			return ceremony.Page{}, err
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
func givenPINs(r *http.Request) (ceremony.Given, error) {
	try, err := strconv.Atoi(r.PostForm.Get("try"))
	if err != nil || try < 1 {
		return ceremony.Given{}, liuma.Fail(liuma.CodeCeremonyMoved, err)
	}
	g := ceremony.Given{Try: try, Reopen: r.PostForm.Get("reopen") == "1"}
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
			// The decoder's words may quote the field.
			return ceremony.Given{}, liuma.FailField(liuma.CodeBadRequest, name, errors.New("not an envelope"))
		}
		*into, some = e, true
	}
	if !some {
		return ceremony.Given{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	return g, nil
}

// awaitTry waits a little while for what a try comes to whose page was
// submitted twice: the answer to the second press is the one that is shown. It
// waits for the last try alone; no other can be under way.
func (h *handler) awaitTry(ctx context.Context, id string, by ceremony.Hand, try int) {
	ctx, cancel := context.WithTimeout(ctx, h.settle)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := h.authority.Look(ctx, id, by)
		if err != nil || page.Try != try+1 || page.Step != ceremony.StepPIN || page.Code != "" || page.Verdict != "" {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// formError says what was wrong with a form that did not parse.
func formError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return liuma.Fail(liuma.CodeTooLarge, nil)
	}
	return liuma.Fail(liuma.CodeRequestURIInvalid, errors.New("form does not parse"))
}
