package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
)

// Errors of the administrator's door.
var (
	// ErrNotServed: no process serves the directory.
	ErrNotServed = errors.New("host: no keeper serves in this directory")
	// ErrPath: the path of the socket is longer than operating systems allow.
	ErrPath = errors.New("host: the directory's path is too long for a socket; start in the directory, or choose a shorter one")
	// ErrSocket: a file that is not a socket has the socket's name.
	ErrSocket = errors.New("host: something that is no socket has the name of the administrator's door")
)

// maxPath is the length of a socket's path that every supported system allows.
const maxPath = 100

// socketPath returns the path of a directory's socket, absolute or relative, whichever
// is shorter.
func socketPath(dir string) (string, error) {
	abs, err := filepath.Abs(filepath.Join(dir, socketName))
	if err != nil {
		return "", fmt.Errorf("host: %w", err)
	}
	if len(abs) <= maxPath {
		return abs, nil
	}
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, abs); err == nil && len(rel) <= maxPath {
			return rel, nil
		}
	}
	return "", ErrPath
}

// listenSocket makes the socket. The process has the lease for serving, so an existing
// socket was left by a dead process. Until the socket's mode is set, the directory's
// mode keeps others out.
func listenSocket(dir string) (net.Listener, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, ErrSocket
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("host: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("host: %w", err), l.Close())
	}
	return l, nil
}

// problem is the answer to a request that failed. Its text is for logs and for this
// keeper's administrator; its code is for programs.
type problem struct {
	Code  string `json:"code"`
	Error string `json:"error"`
}

// codes lists the errors that the asker gets back as the same error values, by their
// codes.
func codes() map[string]error {
	return map[string]error{
		"repairing": ErrRepairing, "peers": keeper.ErrPeers, "format": admission.ErrFormat, "mode": ErrMode, "owner": keeper.ErrOwner,
		"act": ErrAct, "heard_time": ErrHeardTime, "not_ahead": clock.ErrNotAhead, "behind": clock.ErrBehind, "gone": keeper.ErrGone,
	}
}

// refused answers with an error.
func refused(w http.ResponseWriter, status int, err error) {
	p := problem{Code: "other", Error: err.Error()}
	for code, known := range codes() {
		if errors.Is(err, known) {
			p.Code = code
		}
	}
	answer(w, status, p)
}

// socketRoutes are the requests that the administrator may make on the keeper's
// machine.
func (h *Host) socketRoutes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, h.Status(r.Context()))
	})
	m.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.Reload(); err != nil {
			refused(w, http.StatusConflict, err)
			return
		}
		answer(w, http.StatusOK, struct{}{})
	})
	m.HandleFunc("POST /keys", func(w http.ResponseWriter, r *http.Request) {
		if err := h.takeKeys(); err != nil {
			h.log.ErrorContext(r.Context(), "key sets were not taken in", "err", err)
			refused(w, http.StatusConflict, err)
			return
		}
		answer(w, http.StatusOK, struct{}{})
	})
	m.HandleFunc("POST /repair", wanting(http.StatusAccepted, func(_ context.Context, q repairRequest) error { return h.BeginRepair(q.Seen, q.Rows) }))
	m.HandleFunc("POST /clock", wanting(http.StatusOK, h.AcceptClock))
	return m
}

// wanting makes a route that decodes a request and calls do.
func wanting[Q any](done int, do func(context.Context, Q) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q Q
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			refused(w, http.StatusBadRequest, keeper.ErrRequest)
			return
		}
		if err := do(r.Context(), q); err != nil {
			refused(w, http.StatusConflict, err)
			return
		}
		answer(w, done, struct{}{})
	}
}

// repairRequest asks for a repair. Seen is the highest sequence that anybody received
// from this keeper, if it is known; the keeper also knows what its callers claimed.
// Rows is how many rows one keeper may give beyond the others.
type repairRequest struct {
	Seen uint64 `json:"seen"`
	Rows uint64 `json:"rows"`
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that does not read it loses it
}

// Asker sends requests to the keeper that serves a directory, on the same machine.
type Asker struct{ dir string }

// Ask returns an Asker for the keeper that serves d.
func (d *Dir) Ask() Asker { return Asker{d.path} }

// Status asks for the keeper's state.
func (a Asker) Status(ctx context.Context) (s Status, err error) {
	err = a.ask(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Reload makes the keeper read its changed files.
func (a Asker) Reload(ctx context.Context) error {
	return a.ask(ctx, http.MethodPost, "/reload", nil, nil)
}

// TakeKeys makes the keeper take in the key sets that were added to keeper.json.
func (a Asker) TakeKeys(ctx context.Context) error {
	return a.ask(ctx, http.MethodPost, "/keys", nil, nil)
}

// Repair makes the keeper begin its repair; Status shows the progress.
func (a Asker) Repair(ctx context.Context, seen, rows uint64) error {
	return a.ask(ctx, http.MethodPost, "/repair", repairRequest{seen, rows}, nil)
}

// AcceptClock makes the keeper accept the machine's clock; see Host.AcceptClock.
func (a Asker) AcceptClock(ctx context.Context, act ClockAct) error {
	return a.ask(ctx, http.MethodPost, "/clock", act, nil)
}

// ask makes one request. It returns ErrNotServed if no process listens.
func (a Asker) ask(ctx context.Context, method, path string, body, into any) error {
	socket, err := socketPath(a.dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	sent, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://keeper"+path, bytes.NewReader(sent))
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	resp, err := transport.RoundTrip(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNotServed
	}
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	defer resp.Body.Close()
	got := io.LimitReader(resp.Body, maxFile)
	if resp.StatusCode >= http.StatusBadRequest {
		var p problem
		if err := json.NewDecoder(got).Decode(&p); err != nil || p.Error == "" {
			p.Error = resp.Status
		}
		if known, ok := codes()[p.Code]; ok {
			return fmt.Errorf("%w (%s)", known, p.Error)
		}
		return fmt.Errorf("host: the keeper refused: %s", p.Error)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(got).Decode(into); err != nil {
		return fmt.Errorf("host: read the answer: %w", err)
	}
	return nil
}
