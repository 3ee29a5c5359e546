package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// Times of a call.
const (
	helloPatience = 5 * time.Second
	callPatience  = 30 * time.Second
)

// Remote is the Administration of a server, through its socket. If the server goes
// away before it answers, the error is ErrLost. If it refuses, the error is a
// *Refusal with the same error that admin.Admin would return.
type Remote struct {
	http *http.Client
	path string // of the socket
	// session of the terminal that signed in; set before the first call.
	session staff.Token
}

var _ admin.Administration = (*Remote)(nil)

// Dial connects to the socket of a data directory. ErrNoDoor: there is no
// socket, or no process answers. A directory that other accounts can enter
// counts as one without a socket, since any account could answer there.
func Dial(ctx context.Context, dir string) (*Remote, error) {
	if err := closedToOthers(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDoor, err)
	}
	path, err := socketPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDoor, err)
	}
	conn, err := connect(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	r := &Remote{path: path, http: &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, path) },
			Proxy:       nil, // the environment's proxy must not be used here
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if err := r.greet(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Remote) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, helloPatience)
	defer cancel()
	var h hello
	if err := r.call(ctx, http.MethodGet, pathHello, nil, &h); err != nil {
		return fmt.Errorf("admin door: %s does not answer: %w", SocketName, err)
	}
	if h.Door != greeting {
		return errRequest
	}
	return nil
}

// Close closes the connections.
func (r *Remote) Close() error {
	r.http.CloseIdleConnections()
	return nil
}

// Clients lists the clients of a kind.
func (r *Remote) Clients(ctx context.Context, kind store.ClientKind) ([]store.Client, error) {
	var l listed
	err := r.call(ctx, http.MethodGet, pathClient+"?kind="+url.QueryEscape(string(kind)), nil, &l)
	return l.Clients, err
}

// Status returns the status.
func (r *Remote) Status(ctx context.Context) (admin.Status, error) {
	var s admin.Status
	err := r.call(ctx, http.MethodGet, pathStatus, nil, &s)
	return s, err
}

// AddClient registers a client.
func (r *Remote) AddClient(ctx context.Context, c admin.Client) error {
	if err := sendable(c.Key); err != nil {
		return err
	}
	return r.call(ctx, http.MethodPost, pathClient, c, &done{})
}

// StopClient makes every door refuse the client.
func (r *Remote) StopClient(ctx context.Context, kind store.ClientKind, id string) error {
	return r.call(ctx, http.MethodPost, pathChange, change{What: stop, Kind: kind, ID: id}, &done{})
}

// ResumeClient lets a stopped client in again.
func (r *Remote) ResumeClient(ctx context.Context, kind store.ClientKind, id string) error {
	return r.call(ctx, http.MethodPost, pathChange, change{What: resume, Kind: kind, ID: id}, &done{})
}

// SetAudience says whether a channel's assertions must name the issuer alone.
func (r *Remote) SetAudience(ctx context.Context, id string, strict bool) error {
	what := anyAudience
	if strict {
		what = strictAudience
	}
	return r.call(ctx, http.MethodPost, pathChange, change{What: what, Kind: store.ClientChannel, ID: id}, &done{})
}

// AddClientKey adds a key to the client's keys.
func (r *Remote) AddClientKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error {
	if err := sendable(key); err != nil {
		return err
	}
	return r.call(ctx, http.MethodPost, pathChange, change{What: addKey, Kind: kind, ID: id, Key: &key}, &done{})
}

// RemoveClientKey removes a key.
func (r *Remote) RemoveClientKey(ctx context.Context, kind store.ClientKind, id, kid string) error {
	return r.call(ctx, http.MethodPost, pathChange, change{What: removeKey, Kind: kind, ID: id, KID: kid}, &done{})
}

// Texts lists messages of the outbox.
func (r *Remote) Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error) {
	var l textsListed
	q := url.Values{"state": {string(state)}, "after": {after}}
	err := r.call(ctx, http.MethodGet, pathTexts+"?"+q.Encode(), nil, &l)
	return l.Texts, err
}

// RetryText sends a dead notice again.
func (r *Remote) RetryText(ctx context.Context, id string) (string, error) {
	var again retried
	err := r.call(ctx, http.MethodPost, pathRetry, retryText{ID: id}, &again)
	return again.ID, err
}

// Inbox lists the texts in the server's inbox.
func (r *Remote) Inbox(ctx context.Context) ([]admin.InboxText, error) {
	var l inboxListed
	err := r.call(ctx, http.MethodGet, pathInbox, nil, &l)
	return l.Texts, err
}

// Clock returns the times.
func (r *Remote) Clock(ctx context.Context) (admin.ClockState, error) {
	var s admin.ClockState
	err := r.call(ctx, http.MethodGet, pathClock, nil, &s)
	return s, err
}

// AcceptClock moves the high-water time up to the machine's clock.
func (r *Remote) AcceptClock(ctx context.Context, reason audit.Reason) (admin.ClockState, error) {
	var s admin.ClockState
	err := r.call(ctx, http.MethodPost, pathAcceptClock, acceptClock{Reason: reason}, &s)
	return s, err
}

// Keepers returns the states of the keepers.
func (r *Remote) Keepers(ctx context.Context) ([]admin.KeeperState, error) {
	var l keepersListed
	err := r.call(ctx, http.MethodGet, pathKeepers, nil, &l)
	return l.Keepers, err
}

// RepairKeeper starts to restore a keeper from the others.
func (r *Remote) RepairKeeper(ctx context.Context, id string, reason audit.Reason) error {
	return r.call(ctx, http.MethodPost, pathRepair, repairKeeper{ID: id, Reason: reason}, &done{})
}

// RotateSigningKey makes a new key the signing key.
func (r *Remote) RotateSigningKey(ctx context.Context) (admin.RotatedKey, error) {
	var key admin.RotatedKey
	err := r.call(ctx, http.MethodPost, pathRotate, rotateKey{}, &key)
	return key, err
}

// DropSigningKey destroys a key that no longer signs.
func (r *Remote) DropSigningKey(ctx context.Context, kid string) (admin.DroppedKey, error) {
	var key admin.DroppedKey
	err := r.call(ctx, http.MethodPost, pathDrop, dropKey{KID: kid}, &key)
	return key, err
}

// RotateRootKey adds a root key to the vault.
func (r *Remote) RotateRootKey(ctx context.Context, reason audit.Reason) (admin.RootKey, error) {
	var key admin.RootKey
	err := r.call(ctx, http.MethodPost, pathRoot, rotateRoot{Reason: reason}, &key)
	return key, err
}

// DropRootKey destroys an older root key of the vault.
func (r *Remote) DropRootKey(ctx context.Context, id uint32, reason audit.Reason) (admin.DroppedRootKey, error) {
	var out admin.DroppedRootKey
	err := r.call(ctx, http.MethodPost, pathDropRoot, dropRoot{ID: id, Reason: reason}, &out)
	return out, err
}

// Authorities says who works with the database.
func (r *Remote) Authorities(ctx context.Context) (admin.Authorities, error) {
	var out admin.Authorities
	err := r.call(ctx, http.MethodGet, pathAuthority, nil, &out)
	return out, err
}

// ConfirmAuthority confirms another authority, as a person decided.
func (r *Remote) ConfirmAuthority(ctx context.Context, q admin.AuthorityWord) error {
	return r.call(ctx, http.MethodPost, pathAuthority, authorityChange{AuthorityWord: q}, &done{})
}

// DismissAuthority dismisses an authority.
func (r *Remote) DismissAuthority(ctx context.Context, name string, reason audit.Reason) error {
	return r.call(ctx, http.MethodPost, pathAuthority, authorityChange{AuthorityWord: admin.AuthorityWord{Name: name, Reason: reason}, Dismiss: true}, &done{})
}

// RaiseHead brings one restored card up to the keepers.
func (r *Remote) RaiseHead(ctx context.Context, card liuma.CardID, reason audit.Reason) (authority.Raised, error) {
	var out authority.Raised
	err := r.call(ctx, http.MethodPost, pathHead, raiseHead{Card: card.String(), Reason: reason}, &out)
	return out, err
}

// AcceptRestore does one step for a restored database.
func (r *Remote) AcceptRestore(ctx context.Context, after liuma.CardID, reason audit.Reason) (authority.Accepted, error) {
	q := acceptRestore{Reason: reason}
	if !after.IsZero() {
		q.After = after.String()
	}
	var step acceptedStep
	if err := r.call(ctx, http.MethodPost, pathAccept, q, &step); err != nil {
		return authority.Accepted{}, err
	}
	out := authority.Accepted{Cards: step.Cards, Raised: step.Raised, Failed: step.Failed, Last: after, Done: step.Done}
	var err error
	if step.Cards > 0 {
		if out.Last, err = liuma.ParseCardID(step.Last); err != nil {
			err = errRequest
		}
	}
	return out, err
}

// call sends one request. It is never repeated: a change must not be made twice.
func (r *Remote) call(ctx context.Context, method, path string, send, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	var body io.Reader
	if send != nil {
		raw, err := json.Marshal(send)
		if err != nil {
			return fmt.Errorf("admin door: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := r.newRequest(ctx, method, path, body)
	if err != nil {
		return err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return lost(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errRequest
	}
	return nil
}

func (r *Remote) newRequest(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	// The host in the URL is a placeholder: the dialer ignores it and opens the
	// socket.
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, body)
	if err != nil {
		return nil, fmt.Errorf("admin door: %w", err)
	}
	if r.session != "" {
		req.Header.Set("Authorization", bearer+string(r.session))
	}
	return req, nil
}

// As makes every further call with a terminal's session; empty: as the account.
func (r *Remote) As(session staff.Token) { r.session = session }

// lost distinguishes a caller that gave up from a server that went away.
func lost(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if errors.Is(err, ErrNoDoor) {
		return ErrNoDoor
	}
	return fmt.Errorf("%w (%w)", ErrLost, err)
}

func refusal(raw []byte) error {
	var p problem
	if err := json.Unmarshal(raw, &p); err != nil || p.Code == "" || p.Detail == "" {
		return errRequest
	}
	return p.refusal()
}
