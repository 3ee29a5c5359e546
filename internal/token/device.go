//go:build pkcs11

package token

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

const (
	defaultSessions = 8
	defaultWait     = 2 * time.Second
	// connectEvery is how often the device tries to find a token that is not
	// reachable.
	connectEvery = time.Second
)

// device is a token behind a PKCS#11 library. One goroutine at a time may use a
// session, so sessions are taken from a pool and put back.
type device struct {
	cfg  Config
	ctx  *pkcs11.Ctx
	pool chan *session // all sessions that are not in use
	// connecting is held while connecting again.
	connecting chan struct{}

	mu         sync.Mutex
	generation uint64                       // guarded by mu: counts connections
	lost       bool                         // guarded by mu: the connection must be made again
	closed     bool                         // guarded by mu
	refused    error                        // guarded by mu: the PIN was wrong; it is never tried again
	triedAt    time.Time                    // guarded by mu
	away       error                        // guarded by mu: why the last try failed
	slot       uint                         // guarded by mu
	objects    map[object]objectList        // guarded by mu: key handles of this connection
	stay       map[pkcs11.ObjectHandle]bool // guarded by mu: this connection's private keys that cannot be extracted

	// The holder of connecting owns these.
	initialized bool // this device initialized the library, and must finalize it
	keep        pkcs11.SessionHandle
}

// session is a place in the pool; its handle is opened when it is first used.
type session struct {
	generation uint64
	open       bool
	handle     pkcs11.SessionHandle
}

var _ Token = (*device)(nil)

// Open loads the library, finds the token and logs in. Errors: ErrConfig, ErrModule,
// ErrNoToken, ErrPIN, ErrAmbiguous.
func Open(c Config) (Token, error) {
	if c.Module == "" || c.Label == "" || c.PIN.text == "" || c.Logger == nil {
		return nil, ErrConfig
	}
	if _, err := os.Stat(c.Module); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	c.Sessions, c.Wait = max(cmp.Or(c.Sessions, defaultSessions), 1), cmp.Or(c.Wait, defaultWait)
	ctx := pkcs11.New(c.Module)
	if ctx == nil {
		return nil, fmt.Errorf("%w: %s", ErrModule, c.Module)
	}
	d := &device{cfg: c, ctx: ctx, pool: make(chan *session, c.Sessions), connecting: make(chan struct{}, 1), lost: true}
	for range c.Sessions {
		d.pool <- &session{}
	}
	if err := d.reconnect(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Label implements Token.
func (d *device) Label() string { return d.cfg.Label }

// Check implements Token.
func (d *device) Check() error {
	return d.ask(d.loggedIn)
}

func (d *device) loggedIn(h pkcs11.SessionHandle) error {
	info, err := d.ctx.GetSessionInfo(h)
	if err == nil && info.State != pkcs11.CKS_RW_USER_FUNCTIONS {
		err = pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	return err
}

// ask runs an operation that may be done twice: if the token was not reachable,
// it tries once more.
func (d *device) ask(f func(pkcs11.SessionHandle) error) error {
	err := d.once(f)
	if errors.Is(err, ErrAway) {
		err = d.once(f)
	}
	return err
}

// once runs one operation, with a session of its own.
func (d *device) once(f func(pkcs11.SessionHandle) error) error {
	s, err := d.take()
	if err != nil {
		return err
	}
	defer func() { d.pool <- s }()
	if err := f(s.handle); err != nil {
		// An operation may still be running in this session.
		s.open = false
		_ = d.ctx.CloseSession(s.handle) // it may be gone
		return d.judge(s.generation, err)
	}
	return nil
}

// judge translates an error of the library, and records if the connection is lost.
func (d *device) judge(generation uint64, err error) error {
	err, lost := translate(err)
	if lost {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.generation == generation {
			d.lost = true
		}
	}
	return err
}

// take waits for a session of the present connection.
func (d *device) take() (*session, error) {
	wait := time.NewTimer(d.cfg.Wait)
	defer wait.Stop()
	for {
		var s *session
		select {
		case s = <-d.pool:
		case <-wait.C:
			return nil, ErrBusy
		}
		d.mu.Lock()
		generation, slot, lost, closed := d.generation, d.slot, d.lost, d.closed
		d.mu.Unlock()
		switch {
		case closed:
			d.pool <- s
			return nil, ErrClosed
		case lost:
			d.pool <- s
			if err := d.reconnect(); err != nil {
				return nil, err
			}
			continue
		case s.open && s.generation == generation:
			return s, nil
		}
		h, err := d.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			d.pool <- s
			return nil, d.judge(generation, err)
		}
		s.generation, s.open, s.handle = generation, true, h
		return s, nil
	}
}

// reconnect makes the connection again, unless another goroutine just did or
// tried. It first takes all sessions out of the pool, so that nobody is using the
// library.
func (d *device) reconnect() error {
	wait := time.NewTimer(d.cfg.Wait)
	defer wait.Stop()
	select {
	case d.connecting <- struct{}{}:
		defer func() { <-d.connecting }()
	case <-wait.C:
		return ErrBusy
	}
	d.mu.Lock()
	lost, refused, away := d.lost, d.refused, d.away
	recent := time.Since(d.triedAt) < connectEvery
	d.mu.Unlock()
	switch {
	case !lost:
		return nil
	case refused != nil:
		return refused
	case recent:
		return cmp.Or(away, ErrAway)
	}
	back, err := d.drain(wait.C)
	defer back()
	if err != nil {
		return err
	}
	slot, err := d.connect()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.triedAt, d.away = time.Now(), err
	if errors.Is(err, ErrPIN) {
		d.refused = err
	}
	if err != nil {
		d.cfg.Logger.Warn("the token is away", "token", d.cfg.Label, "error", err)
		return err
	}
	d.generation, d.slot, d.lost = d.generation+1, slot, false
	d.objects, d.stay = map[object]objectList{}, map[pkcs11.ObjectHandle]bool{}
	d.cfg.Logger.Info("the token answers", "token", d.cfg.Label, "connection", d.generation)
	return nil
}

// drain takes every session out of the pool; back returns them.
func (d *device) drain(end <-chan time.Time) (back func(), err error) {
	var all []*session
	back = func() {
		for _, s := range all {
			d.pool <- s
		}
	}
	for range d.cfg.Sessions {
		select {
		case s := <-d.pool:
			s.open = false
			all = append(all, s)
		case <-end: // the token does not answer some caller
			return back, fmt.Errorf("%w: a call has not come back", ErrAway)
		}
	}
	return back, nil
}

// connect loads the tokens again, finds the right one and logs in. The session that
// logged in stays open: a token logs out when its last session closes. The caller
// holds connecting, and all sessions.
func (d *device) connect() (slot uint, err error) {
	d.disconnect()
	switch err := d.ctx.Initialize(); {
	case err == nil:
		d.initialized = true
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)):
		// Another token of this process has initialized the library.
	default:
		return 0, fmt.Errorf("%w: %w", ErrModule, err)
	}
	slot, info, err := d.find()
	if err != nil {
		return 0, err
	}
	if info.Flags&(pkcs11.CKF_USER_PIN_LOCKED|pkcs11.CKF_USER_PIN_FINAL_TRY) != 0 {
		return 0, fmt.Errorf("%w (one more wrong PIN would lock it, or it is locked: log in once by hand)", ErrPIN)
	}
	if d.keep, err = d.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	err = d.ctx.Login(d.keep, pkcs11.CKU_USER, d.cfg.PIN.text)
	switch code := codeOf(err); {
	case err == nil, code == pkcs11.CKR_USER_ALREADY_LOGGED_IN:
		return slot, nil
	case wrongPIN(code):
		return 0, fmt.Errorf("%w: %w", ErrPIN, err)
	}
	return 0, fmt.Errorf("%w: %w", ErrAway, err)
}

// find looks for the one token with the label.
func (d *device) find() (slot uint, info pkcs11.TokenInfo, err error) {
	slots, err := d.ctx.GetSlotList(true)
	if err != nil {
		return 0, info, fmt.Errorf("%w: %w", ErrAway, err)
	}
	found := 0
	for _, s := range slots {
		i, err := d.ctx.GetTokenInfo(s)
		if err != nil || i.Label != d.cfg.Label {
			continue // faults of another token do not matter
		}
		slot, info = s, i
		found++
	}
	switch {
	case found == 0:
		return 0, info, fmt.Errorf("%w: %s", ErrNoToken, d.cfg.Label)
	case found > 1:
		return 0, info, fmt.Errorf("%w: %d tokens are called %s", ErrAmbiguous, found, d.cfg.Label)
	}
	return slot, info, nil
}

// disconnect finalizes the library, if this device initialized it.
func (d *device) disconnect() {
	if d.initialized {
		_ = d.ctx.Finalize() // there may be nothing left to finalize
		d.initialized = false
		return
	}
	if d.keep != 0 {
		_ = d.ctx.CloseSession(d.keep) // it may be gone with the token
	}
	d.keep = 0
}

// Close implements Token. If a call never returns, the library stays loaded.
func (d *device) Close() error {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if closed {
		return nil
	}
	end := time.NewTimer(d.cfg.Wait)
	defer end.Stop()
	select {
	case d.connecting <- struct{}{}:
		defer func() { <-d.connecting }()
	case <-end.C:
		return ErrBusy
	}
	back, err := d.drain(end.C)
	defer back()
	if err != nil {
		return err
	}
	d.disconnect()
	d.ctx.Destroy()
	return nil
}

// String prints the token's name.
func (d *device) String() string { return "token " + d.cfg.Label }

// LogValue logs the token's name.
func (d *device) LogValue() slog.Value { return slog.StringValue(d.String()) }
