// Package admin is the administration door: package admin's Administration over a
// unix socket in the data directory (HTTP, one JSON value each way), for commands
// beside a running server; and Remote, the Administration that those commands use. A
// registry file goes over the socket as an open descriptor.
//
// It guarantees that only the account that serves and root are let in (the kernel
// says which account calls), and that each call is made as the member of staff to
// whom the account or the request's session belongs; that only public keys,
// identifiers, counts and open files go through (and, with the inbox driver, texts);
// that a body is accepted only in the exact bytes that this release writes; that a
// descriptor which no import takes is closed; and that no request is sent twice. It
// trusts those two accounts: they can read the data directory.
//
// Start here: Door, in door.go; Remote, in remote.go, is the other end.
package admin

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

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// Config holds the parts of a Door; Dir and Admin are required.
type Config struct {
	Dir    string               // the data directory; the caller has its lease
	Admin  admin.Administration // must work for as long as Serve runs
	Drain  time.Duration        // how long requests may take to end once the door is closed; default 1 s
	Logger *slog.Logger         // default: discard
}

// Door is the administration door of a running server.
type Door struct {
	admin  admin.Administration
	drain  time.Duration
	logger *slog.Logger
	ln     net.Listener
}

// Open makes the socket; Serve answers at it, and Close removes it if Serve is never
// called. ErrOpenDir, ErrPath and ErrPlatform mean that there can be no door here; a
// server can run without it.
func Open(ctx context.Context, c Config) (*Door, error) {
	if c.Dir == "" || c.Admin == nil {
		return nil, errors.New("admin door: want Dir and Admin")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Drain <= 0 {
		c.Drain = time.Second
	}
	if !tellsCallers {
		return nil, ErrPlatform
	}
	ln, err := listen(ctx, c.Dir, c.Logger)
	if err != nil {
		return nil, err
	}
	return &Door{admin: c.Admin, drain: c.Drain, logger: c.Logger, ln: ln}, nil
}

// Serve answers until ctx ends; an import under way then stops after its present
// chunk, and reports within the drain time. Serve removes the socket.
func (d *Door) Serve(ctx context.Context) error {
	server := &http.Server{
		Handler:           d.routes(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConnection,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(d.logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(d.ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("operator door: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), d.drain)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("operator door: drain: %w", err), server.Close())
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("operator door: %w", err)
	}
	return nil
}

// Close removes the socket.
func (d *Door) Close() error { return d.ln.Close() }

func (d *Door) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathHello, d.answer(func(*http.Request) (any, error) { return hello{Door: greeting}, nil }))
	mux.HandleFunc("GET "+pathStatus, d.answer(func(r *http.Request) (any, error) { return d.admin.Status(r.Context()) }))
	mux.HandleFunc("GET "+pathClient, d.answer(func(r *http.Request) (any, error) {
		found, err := d.admin.Clients(r.Context(), store.ClientKind(r.URL.Query().Get("kind")))
		return listed{Clients: found}, err
	}))
	mux.HandleFunc("POST "+pathClient, d.answer(d.add))
	mux.HandleFunc("POST "+pathChange, d.answer(d.change))
	mux.HandleFunc("POST "+pathImport, d.imports(d.people))
	mux.HandleFunc("POST "+pathAgencyImport, d.imports(d.agencies))
	mux.HandleFunc("POST "+pathAgencies, d.answer(asked(d.admin.Agencies)))
	mux.HandleFunc("GET "+pathTexts, d.answer(func(r *http.Request) (any, error) {
		q := r.URL.Query()
		found, err := d.admin.Texts(r.Context(), store.MessageState(q.Get("state")), q.Get("after"))
		return textsListed{Texts: found}, err
	}))
	mux.HandleFunc("GET "+pathInbox, d.answer(func(r *http.Request) (any, error) {
		found, err := d.admin.Inbox(r.Context())
		return inboxListed{Texts: found}, err
	}))
	mux.HandleFunc("POST "+pathRetry, d.answer(d.retryText))
	mux.HandleFunc("POST "+pathRotate, d.answer(d.rotateKey))
	mux.HandleFunc("GET "+pathClock, d.answer(func(r *http.Request) (any, error) { return d.admin.Clock(r.Context()) }))
	mux.HandleFunc("POST "+pathAcceptClock, d.answer(d.acceptClock))
	mux.HandleFunc("GET "+pathKeepers, d.answer(func(r *http.Request) (any, error) {
		found, err := d.admin.Keepers(r.Context())
		return keepersListed{Keepers: found}, err
	}))
	mux.HandleFunc("POST "+pathRepair, d.answer(d.repairKeeper))
	mux.HandleFunc("POST "+pathDrop, d.answer(d.dropKey))
	mux.HandleFunc("POST "+pathDigest, d.answer(d.makeDigest))
	mux.HandleFunc("POST "+pathResume, d.answer(d.resumeDigests))
	mux.HandleFunc("GET "+pathRecord, d.exportRecord)
	mux.HandleFunc("POST "+pathPlan, d.answer(d.planArchive))
	mux.HandleFunc("POST "+pathKeep, d.answer(d.keepArchive))
	mux.HandleFunc("POST "+pathRoot, d.answer(d.rotateRoot))
	mux.HandleFunc("POST "+pathDropRoot, d.answer(d.dropRoot))
	mux.HandleFunc("GET "+pathConflicts, d.answer(d.conflicts))
	mux.HandleFunc("POST "+pathDecide, d.answer(d.decideConflict))
	mux.HandleFunc("POST "+pathCorrect, d.answer(d.correctNumber))
	mux.HandleFunc("GET "+pathCorrections, d.answer(d.corrections))
	mux.HandleFunc("POST "+pathNotCorrect, d.answer(d.cancelCorrection))
	mux.HandleFunc("POST "+pathGoOn, d.answer(d.goOnUntold))
	mux.HandleFunc("POST "+pathHeld, d.answer(d.held))
	mux.HandleFunc("POST "+pathErase, d.answer(d.erasePerson))
	mux.HandleFunc("POST "+pathMinors, d.answer(d.minors))
	mux.HandleFunc("GET "+pathAuthority, d.answer(func(r *http.Request) (any, error) { return d.admin.Authorities(r.Context()) }))
	mux.HandleFunc("POST "+pathAuthority, d.answer(d.changeAuthority))
	mux.HandleFunc("POST "+pathHead, d.answer(d.raiseHead))
	mux.HandleFunc("POST "+pathAccept, d.answer(d.acceptRestore))
	d.staffRoutes(mux)
	d.freezeRoutes(mux)
	d.deskRoutes(mux)
	d.policyRoutes(mux)
	d.recordRoutes(mux)
	d.letterRoutes(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(admin.From(r.Context(), originOf(r))))
		// If no handler took a request's descriptor, or no route answered it, the
		// descriptor must not go to the next request.
		dropFile(r)
	})
}

// answer limits the request's body and writes the answer.
func (d *Door) answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return d.within(maxBody, f)
}

// within is answer with another limit.
func (d *Door) within(most int64, f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, most)
		v, err := any(nil), withoutFile(r)
		if err == nil {
			v, err = f(r)
		}
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		d.write(w, r, http.StatusOK, "application/json", v)
	}
}

func (d *Door) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(err)
	d.logger.InfoContext(r.Context(), "operator door: refused", "path", r.URL.Path, "code", string(p.Code))
	d.write(w, r, p.Status, "application/problem+json", p)
}

func (d *Door) write(w http.ResponseWriter, r *http.Request, status int, kind string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		d.logger.ErrorContext(r.Context(), "operator door: answer", "path", r.URL.Path, "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	if _, err := w.Write(raw); err != nil {
		d.logger.InfoContext(r.Context(), "operator door: the caller went away", "path", r.URL.Path)
	}
}

// add registers a client.
func (d *Door) add(r *http.Request) (any, error) {
	c, err := decode[admin.Client](r.Body)
	if err != nil {
		return nil, err
	}
	if c.Key, err = checkedKey(c.Key); err != nil {
		return nil, err
	}
	if err := d.admin.AddClient(r.Context(), c); err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: registered", "kind", string(c.Kind), "id", c.ID)
	return done{}, nil
}

// checkedKey reads the key again in the way a command reads it from a file.
func checkedKey(key jose.JSONWebKey) (jose.JSONWebKey, error) {
	if err := sendable(key); err != nil {
		return jose.JSONWebKey{}, err
	}
	raw, err := key.MarshalJSON()
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("%w: %w", admin.ErrKey, err)
	}
	return admin.ParseKey(raw)
}

// change changes a registered client.
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
	d.logger.InfoContext(r.Context(), "operator door: changed", "what", string(c.What), "kind", string(c.Kind), "id", c.ID)
	return done{}, nil
}

func (d *Door) apply(ctx context.Context, c change) error {
	switch c.What {
	case stop:
		return d.admin.StopClient(ctx, c.Kind, c.ID)
	case resume:
		return d.admin.ResumeClient(ctx, c.Kind, c.ID)
	case strictAudience, anyAudience:
		if c.Kind != store.ClientChannel {
			return errRequest
		}
		return d.admin.SetAudience(ctx, c.ID, c.What == strictAudience)
	case removeKey:
		return d.admin.RemoveClientKey(ctx, c.Kind, c.ID, c.KID)
	case addKey:
		key, err := checkedKey(*c.Key)
		if err != nil {
			return err
		}
		return d.admin.AddClientKey(ctx, c.Kind, c.ID, key)
	}
	return errRequest
}

// retryText sends a dead notice again.
func (d *Door) retryText(r *http.Request) (any, error) {
	q, err := decode[retryText](r.Body)
	if err != nil {
		return nil, err
	}
	again, err := d.admin.RetryText(r.Context(), q.ID)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: text tried again", "message", q.ID, "as", again)
	return retried{ID: again}, nil
}

// rotateKey makes a new key the signing key.
func (d *Door) rotateKey(r *http.Request) (any, error) {
	if _, err := decode[rotateKey](r.Body); err != nil {
		return nil, err
	}
	key, err := d.admin.RotateSigningKey(r.Context())
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: signing key made", "kid", key.KID)
	return key, nil
}

// acceptClock moves the high-water time up to the machine's clock.
func (d *Door) acceptClock(r *http.Request) (any, error) {
	q, err := decode[acceptClock](r.Body)
	if err != nil {
		return nil, err
	}
	s, err := d.admin.AcceptClock(r.Context(), q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: clock accepted")
	return s, nil
}

// repairKeeper starts to restore a keeper from the others.
func (d *Door) repairKeeper(r *http.Request) (any, error) {
	q, err := decode[repairKeeper](r.Body)
	if err != nil {
		return nil, err
	}
	if err := d.admin.RepairKeeper(r.Context(), q.ID, q.Reason); err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: repair of a keeper begun", "keeper", q.ID)
	return done{}, nil
}

// dropKey destroys a signing key.
func (d *Door) dropKey(r *http.Request) (any, error) {
	q, err := decode[dropKey](r.Body)
	if err != nil {
		return nil, err
	}
	key, err := d.admin.DropSigningKey(r.Context(), q.KID)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: signing key dropped", "kid", q.KID)
	return key, nil
}

// rotateRoot adds a root key to the vault.
func (d *Door) rotateRoot(r *http.Request) (any, error) {
	q, err := decode[rotateRoot](r.Body)
	if err != nil {
		return nil, err
	}
	key, err := d.admin.RotateRootKey(r.Context(), q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: root key made", "key", key.ID)
	return key, nil
}

// dropRoot destroys an older root key of the vault.
func (d *Door) dropRoot(r *http.Request) (any, error) {
	q, err := decode[dropRoot](r.Body)
	if err != nil {
		return nil, err
	}
	out, err := d.admin.DropRootKey(r.Context(), q.ID, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: root key dropped", "key", q.ID)
	return out, nil
}

// raiseHead brings one restored card up to the keepers.
func (d *Door) raiseHead(r *http.Request) (any, error) {
	q, err := decode[raiseHead](r.Body)
	if err != nil {
		return nil, err
	}
	card, err := liuma.ParseCardID(q.Card)
	if err != nil {
		return nil, errRequest
	}
	raised, err := d.admin.RaiseHead(r.Context(), card, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: card brought up to the keepers", "card", card)
	return raised, nil
}

// acceptRestore does one step for a restored database.
func (d *Door) acceptRestore(r *http.Request) (any, error) {
	q, err := decode[acceptRestore](r.Body)
	if err != nil {
		return nil, err
	}
	var after liuma.CardID
	if q.After != "" {
		if after, err = liuma.ParseCardID(q.After); err != nil {
			return nil, errRequest
		}
	}
	accepted, err := d.admin.AcceptRestore(r.Context(), after, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: restore accepted", "cards", accepted.Cards, "raised", accepted.Raised, "failed", accepted.Failed)
	return acceptedStep{accepted.Cards, accepted.Raised, accepted.Failed, accepted.Last.String(), accepted.Done}, nil
}
