package operator

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/registry"
)

// stopPatience is how long an import that was asked to stop may take to say
// what it kept.
const stopPatience = 15 * time.Second

// Import sends the file while the server tells how far it is. When ctx ends,
// the file ends early, and the server answers with what it kept.
func (r *remote) Import(ctx context.Context, in io.Reader, c ImportConfig) (registry.Summary, error) {
	if err := ctx.Err(); err != nil {
		return registry.Summary{}, err
	}
	asking, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	up := &upload{in: in, trailer: http.Header{trailerWhole: nil}}
	defer up.cut()
	unwatch := context.AfterFunc(ctx, func() {
		time.AfterFunc(stopPatience, hangUp)
		up.cut()
	})
	defer unwatch()
	req, err := newRequest(asking, http.MethodPost, pathImport, up)
	if err != nil {
		return registry.Summary{}, err
	}
	req.ContentLength, req.Trailer = -1, up.trailer
	req.Header.Set("Content-Type", "text/csv")
	resp, err := r.http.Do(req)
	if err != nil {
		return registry.Summary{}, lost(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		if err != nil {
			return registry.Summary{}, lost(ctx, err)
		}
		return registry.Summary{}, refusal(raw)
	}
	end, err := follow(resp.Body, c)
	if err != nil {
		return registry.Summary{}, lost(context.Background(), err)
	}
	// The server waits for the file to end, and then has room for the next.
	up.cut()
	time.AfterFunc(stopPatience, hangUp)
	_, _ = io.Copy(io.Discard, resp.Body)
	switch err := up.err(); {
	case end.Problem == nil:
		return end.summary(), nil
	case ctx.Err() != nil:
		return end.summary(), ctx.Err()
	case err != nil:
		return end.summary(), err
	}
	return end.summary(), end.Problem.refusal()
}

// follow passes on what the server tells, up to its last line.
func follow(body io.Reader, c ImportConfig) (*ended, error) {
	lines := json.NewDecoder(body)
	lines.DisallowUnknownFields()
	for {
		var e event
		if err := lines.Decode(&e); err != nil {
			return nil, err
		}
		switch {
		case e.End != nil:
			return e.End, nil
		case e.Reject != nil && c.Reject != nil:
			c.Reject(e.Reject.Line, e.Reject.Reason)
		case e.Read != nil && c.Progress != nil:
			c.Progress(*e.Read)
		}
	}
}

// upload is the file on its way. It may be cut off, after which in is not read
// again; only a file that was sent to its end gets the trailer.
type upload struct {
	trailer http.Header // written before io.EOF, read by the transport after it
	mu      sync.Mutex
	in      io.Reader // guarded by mu
	over    bool      // guarded by mu
	failed  error     // of in; guarded by mu
}

func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return 0, io.EOF
	}
	n, err := u.in.Read(p)
	switch {
	case err == io.EOF:
		u.over = true
		u.trailer.Set(trailerWhole, "yes")
	case err != nil:
		u.over, u.failed = true, err
		err = io.EOF // so that the server says what it kept
	}
	return n, err
}

// cut ends the file here; it waits for a read under way.
func (u *upload) cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
}

func (u *upload) err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failed
}
