package operator

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

	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/store"
)

// Times of a call.
const (
	helloPatience = 5 * time.Second
	callPatience  = 30 * time.Second
)

// remote is the Office of a server, through its socket.
type remote struct{ http *http.Client }

// Dial asks the server at the socket of a data directory. ErrNoDoor: there is
// none, or nobody answers at it. A directory that others can enter counts as
// one without a door: anybody could answer.
func Dial(ctx context.Context, dir string) (Office, error) {
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
	r := &remote{http: &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, path) },
			Proxy:       nil, // the environment's is not for this
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if err := r.greet(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *remote) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, helloPatience)
	defer cancel()
	var h hello
	if err := r.call(ctx, http.MethodGet, pathHello, nil, &h); err != nil {
		return fmt.Errorf("operator: %s does not answer: %w", SocketName, err)
	}
	if h.Door != greeting {
		return errRequest
	}
	return nil
}

// Close gives the connection back.
func (r *remote) Close() error {
	r.http.CloseIdleConnections()
	return nil
}

func (r *remote) List(ctx context.Context, kind store.ClientKind) ([]store.Client, error) {
	var l listed
	err := r.call(ctx, http.MethodGet, pathParty+"?kind="+url.QueryEscape(string(kind)), nil, &l)
	return l.Parties, err
}

func (r *remote) Status(ctx context.Context) (Status, error) {
	var s Status
	err := r.call(ctx, http.MethodGet, pathStatus, nil, &s)
	return s, err
}

func (r *remote) Add(ctx context.Context, p parties.Party) error {
	if err := sendable(p.Key); err != nil {
		return err
	}
	return r.call(ctx, http.MethodPost, pathParty, p, &done{})
}

func (r *remote) Stop(ctx context.Context, kind store.ClientKind, id string) error {
	return r.call(ctx, http.MethodPost, pathChange, change{What: stop, Kind: kind, ID: id}, &done{})
}

func (r *remote) Resume(ctx context.Context, kind store.ClientKind, id string) error {
	return r.call(ctx, http.MethodPost, pathChange, change{What: resume, Kind: kind, ID: id}, &done{})
}

func (r *remote) AddKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error {
	if err := sendable(key); err != nil {
		return err
	}
	return r.call(ctx, http.MethodPost, pathChange, change{What: addKey, Kind: kind, ID: id, Key: &key}, &done{})
}

func (r *remote) RemoveKey(ctx context.Context, kind store.ClientKind, id, kid string) error {
	return r.call(ctx, http.MethodPost, pathChange, change{What: removeKey, Kind: kind, ID: id, KID: kid}, &done{})
}

// call asks once. It is never repeated: a change must not be made twice.
func (r *remote) call(ctx context.Context, method, path string, send, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	var body io.Reader
	if send != nil {
		raw, err := json.Marshal(send)
		if err != nil {
			return fmt.Errorf("operator: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := newRequest(ctx, method, path, body)
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

func newRequest(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	// The host is a name for the socket that is dialed whatever it says.
	req, err := http.NewRequestWithContext(ctx, method, "http://operator"+path, body)
	if err != nil {
		return nil, fmt.Errorf("operator: %w", err)
	}
	return req, nil
}

// lost tells a caller that gave up from a server that went away.
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
