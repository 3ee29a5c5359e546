package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
)

// DoorConfig is what a Door needs; Dir and System are required.
type DoorConfig struct {
	Dir    string           // the data directory that System has the lease of
	System *server.System   // must be open for as long as Serve runs
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discard
}

// Door is the operator's door of a running server.
type Door struct {
	office    *local
	system    *server.System
	logger    *slog.Logger
	ln        net.Listener
	importing chan struct{} // holds one token while an import is under way
}

// OpenDoor makes the socket; Serve answers at it, and Close takes it away
// unserved. ErrOpenDir, ErrPath and ErrPlatform mean that there can be no door
// here; a server can do without.
func OpenDoor(ctx context.Context, c DoorConfig) (*Door, error) {
	if c.Dir == "" || c.System == nil {
		return nil, errors.New("operator: door: want Dir and System")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if !tellsCallers {
		return nil, ErrPlatform
	}
	signs, err := signingKey(c.System)
	if err != nil {
		return nil, err
	}
	behind := &serving{system: c.System, since: c.Now().UTC(), signs: signs}
	office, err := newLocal(c.System.Office, c.Now, behind, func() error { return nil })
	if err != nil {
		return nil, err
	}
	ln, err := listen(ctx, c.Dir, c.Logger)
	if err != nil {
		return nil, err
	}
	return &Door{office: office, system: c.System, logger: c.Logger, ln: ln, importing: make(chan struct{}, 1)}, nil
}

// Serve answers until ctx ends; an import under way then stops after the chunk
// that it is at. It takes the socket away.
func (d *Door) Serve(ctx context.Context) error { return d.system.ServeOperator(ctx, d.ln, d.routes()) }

// Close takes the socket away.
func (d *Door) Close() error { return d.ln.Close() }

func (d *Door) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathHello, d.answer(func(*http.Request) (any, error) { return hello{Door: greeting}, nil }))
	mux.HandleFunc("GET "+pathStatus, d.answer(func(r *http.Request) (any, error) { return d.office.Status(r.Context()) }))
	mux.HandleFunc("GET "+pathParty, d.answer(func(r *http.Request) (any, error) {
		found, err := d.office.List(r.Context(), store.ClientKind(r.URL.Query().Get("kind")))
		return listed{Parties: found}, err
	}))
	mux.HandleFunc("POST "+pathParty, d.answer(d.add))
	mux.HandleFunc("POST "+pathChange, d.answer(d.change))
	mux.HandleFunc("POST "+pathImport, d.importRegistry)
	d.textRoutes(mux)
	return mux
}

// answer bounds what comes in and writes down what goes out.
func (d *Door) answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := f(r)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		d.write(w, r, http.StatusOK, "application/json", v)
	}
}

func (d *Door) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(err)
	d.logger.Info("operator door: refused", "path", r.URL.Path, "code", string(p.Code))
	d.write(w, r, p.Status, "application/problem+json", p)
}

func (d *Door) write(w http.ResponseWriter, r *http.Request, status int, kind string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		d.logger.Error("operator door: answer", "path", r.URL.Path, "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	if _, err := w.Write(raw); err != nil {
		d.logger.Info("operator door: the caller went away", "path", r.URL.Path)
	}
}

// add registers a party.
func (d *Door) add(r *http.Request) (any, error) {
	p, err := decode[parties.Party](r.Body)
	if err != nil {
		return nil, err
	}
	if p.Key, err = checkedKey(p.Key); err != nil {
		return nil, err
	}
	if err := d.office.Add(r.Context(), p); err != nil {
		return nil, err
	}
	d.logger.Info("operator door: registered", "kind", string(p.Kind), "id", p.ID)
	return done{}, nil
}

// checkedKey reads the key again as a command reads it from a file.
func checkedKey(key jose.JSONWebKey) (jose.JSONWebKey, error) {
	if err := sendable(key); err != nil {
		return jose.JSONWebKey{}, err
	}
	raw, err := key.MarshalJSON()
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("%w: %w", parties.ErrKey, err)
	}
	return parties.ParseKey(raw)
}

// change changes a registered party.
func (d *Door) change(r *http.Request) (any, error) {
	c, err := decode[change](r.Body)
	if err != nil {
		return nil, err
	}
	if (c.Key != nil) != (c.What == addKey) || c.KID != "" && c.What != removeKey {
		return nil, errRequest
	}
	if err := d.apply(r.Context(), c); err != nil {
		return nil, err
	}
	d.logger.Info("operator door: changed", "what", string(c.What), "kind", string(c.Kind), "id", c.ID)
	return done{}, nil
}

func (d *Door) apply(ctx context.Context, c change) error {
	switch c.What {
	case stop:
		return d.office.Stop(ctx, c.Kind, c.ID)
	case resume:
		return d.office.Resume(ctx, c.Kind, c.ID)
	case removeKey:
		return d.office.RemoveKey(ctx, c.Kind, c.ID, c.KID)
	case addKey:
		key, err := checkedKey(*c.Key)
		if err != nil {
			return err
		}
		return d.office.AddKey(ctx, c.Kind, c.ID, key)
	}
	return errRequest
}
