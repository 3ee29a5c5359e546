package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 16 << 10

// call is an authenticated request, decoded.
type call struct {
	*http.Request
	caller authority.Caller
	digest [32]byte
	// name records the business number once it is known, so that a problem
	// document can repeat it.
	name func(liuma.BusinessNo)
}

// endpoint is one operation of the door.
type endpoint struct {
	method  string
	path    string
	id      string
	summary string
	detail  string
	kind    store.ClientKind // the kind of client that may call; empty: no authentication
	// recalls says that the client is authenticated by its cached registration;
	// the act checks the registration again in its first view.
	recalls bool
	answer  any          // its zero value names the schema
	codes   []liuma.Code // of this endpoint, for the document
}

// post registers an endpoint with a body of type B.
func post[B any](d *Door, h huma.API, e endpoint, handle func(*call, *B) (any, error)) error {
	e.method = http.MethodPost
	body := reflect.TypeFor[B]()
	op := describe(h.OpenAPI(), e, body)
	shape, err := compile(body, h.OpenAPI().Components.Schemas)
	if err != nil {
		return err
	}
	h.Adapter().Handle(op, func(ctx huma.Context) {
		r, _ := humago.Unwrap(ctx)
		v := visitOf(r)
		c, err := d.admit(v, r, e, e.recalls)
		if err == nil {
			into := new(B)
			err = d.serve(v, c, func() (any, error) {
				raw, err := readBody(v, r)
				if err != nil {
					return nil, err
				}
				if fault := shape.Decode(raw, into); fault != nil {
					return nil, door.Malformed(reason(fault.Kind), fault.Path)
				}
				c.digest = digest(r.Method, r.URL.Path, raw)
				return handle(c, into)
			})
			if err != nil && e.recalls {
				err = d.afresh(v, c, e, err, func() (any, error) { return handle(c, into) })
			}
		}
		if err != nil {
			d.calls.Fail(v, r, err)
		}
	})
	return nil
}

// get registers an endpoint without a body.
func get(d *Door, h huma.API, e endpoint, handle func(*call) (any, error)) {
	e.method = http.MethodGet
	bare(d, h, e, handle)
}

// remove registers an endpoint that ends the thing that its path names.
func remove(d *Door, h huma.API, e endpoint, handle func(*call) (any, error)) {
	e.method = http.MethodDelete
	bare(d, h, e, handle)
}

func bare(d *Door, h huma.API, e endpoint, handle func(*call) (any, error)) {
	op := describe(h.OpenAPI(), e, nil)
	h.Adapter().Handle(op, func(ctx huma.Context) {
		r, _ := humago.Unwrap(ctx)
		v := visitOf(r)
		c, err := d.admit(v, r, e, false)
		if err == nil {
			err = d.serve(v, c, func() (any, error) { return handle(c) })
		}
		if err != nil {
			d.calls.Fail(v, r, err)
		}
	})
}

// afresh repeats a request that failed when its client was only read from memory: in
// the store the client may be stopped, or have more permissions. It repeats only
// errors that an outdated registration can cause, because then nothing was done.
func (d *Door) afresh(v *door.Visit, c *call, e endpoint, failed error, again func() (any, error)) error {
	now, err := d.admit(v, c.Request, e, false)
	if err != nil {
		return err
	}
	c.caller = now.caller
	if errors.Is(failed, authority.ErrClientChanged) || liuma.CodeOf(failed) == liuma.CodeForbidden {
		return d.serve(v, c, again)
	}
	return failed
}

// admit authenticates the client. A client of the wrong kind is refused before its
// body is read.
func (d *Door) admit(v *door.Visit, r *http.Request, e endpoint, recall bool) (*call, error) {
	c := &call{Request: r, name: func(no liuma.BusinessNo) { v.BusinessNo = no }}
	if e.kind == "" {
		return c, nil
	}
	client, err := d.client(r, recall)
	if err != nil {
		return nil, err
	}
	if err := v.Admit(client.ID); err != nil {
		return nil, err
	}
	if client.Kind != e.kind {
		return nil, liuma.Fail(liuma.CodeForbidden, errors.New("wrong kind of client"))
	}
	if err := door.NoQuery(r); err != nil {
		return nil, err
	}
	c.caller = authority.Caller{Client: client}
	return c, nil
}

// client returns the client that signed the request's token. A cached
// registration may admit a client but never refuse it: before a refusal the
// store is read.
func (d *Door) client(r *http.Request, recall bool) (store.Client, error) {
	if recall {
		if client, err := d.recalling.check(r); err == nil {
			return client, nil
		}
	}
	return d.gate.check(r)
}

// serve runs a handler and writes its answer.
func (d *Door) serve(v *door.Visit, c *call, handle func() (any, error)) error {
	answer, err := handle()
	if err != nil {
		return err
	}
	return door.Answer(v, http.StatusOK, "application/json", answer)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := door.OnlyType(r.Header, "application/json"); err != nil {
		return nil, err
	}
	return door.ReadBody(w, r, maxBody)
}

// digest is a hash over method, path and body, each after its length. It tells a
// repetition from another request with the same number.
func digest(method, path string, body []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("liuma/1/request"))
	for _, part := range [][]byte{[]byte(method), []byte(path), body} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return [32]byte(h.Sum(nil))
}

// ready answers whether the authority can give verdicts now.
func (d *Door) ready(ctx context.Context) (any, error) {
	if err := d.readiness.Ask(ctx, d.authority.Ready); err != nil {
		return nil, liuma.Outward(err)
	}
	v := healthView{Status: "ready"}
	if d.degraded != nil {
		v.Keepers = "whole"
		if d.degraded() {
			v.Keepers = "degraded" // an operator's to see to; verdicts go on
		}
	}
	if d.textsBehind != nil {
		v.Texts = "in_time"
		if d.textsBehind() {
			v.Texts = "late" // an operator's to see to; verdicts go on
		}
	}
	return v, nil
}
