package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/registry"
)

// CodeAgency is the error code of an agency that does not exist.
const CodeAgency Code = "agency_unknown"

func knownOfAgencies() []knownError {
	return []knownError{{agency.ErrUnknown, CodeAgency, http.StatusNotFound}}
}

// stopPatience is how long a stopped import may take to report the rows that it
// kept.
const stopPatience = 15 * time.Second

// ImportRegistry has the server import a file of people.
func (r *Remote) ImportRegistry(ctx context.Context, file *os.File, c admin.ImportConfig) (registry.Summary, error) {
	end, err := r.imports(ctx, pathImport, file, c)
	return end.summary(), err
}

// ImportAgencies has the server import a file of agencies.
func (r *Remote) ImportAgencies(ctx context.Context, file *os.File, c admin.ImportConfig) (agency.Summary, error) {
	end, err := r.imports(ctx, pathAgencyImport, file, c)
	return end.agencies(), err
}

// Agencies lists agencies.
func (r *Remote) Agencies(ctx context.Context, q admin.AgencyQuery) (out admin.AgenciesFound, err error) {
	err = r.call(ctx, http.MethodPost, pathAgencies, q, &out)
	return out, err
}

// imports passes the open file to the server, which reads it and reports its progress. When ctx
// ends, this half of the connection is closed; the server then stops after its present chunk, and
// reports the rows that it kept.
func (r *Remote) imports(ctx context.Context, path string, file *os.File, c admin.ImportConfig) (*ended, error) {
	none := &ended{}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if _, err := file.Stat(); err != nil {
		return none, fmt.Errorf("%w: %w", admin.ErrFile, err)
	}
	// A connection of its own, so that the descriptor cannot be taken for
	// another request's.
	conn, err := connect(ctx, r.path)
	if err != nil {
		return none, err
	}
	defer func() { _ = conn.Close() }()
	unwatch := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Now().Add(stopPatience))
		_ = conn.CloseWrite()
	})
	defer unwatch()
	resp, err := r.ask(conn, path, file, importQuery(c))
	if err != nil {
		return none, lost(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		if err != nil {
			return none, lost(ctx, err)
		}
		return none, refusal(raw)
	}
	end, err := follow(resp.Body, c)
	if err != nil {
		// A caller that gave up must learn, too, that the outcome is unknown.
		return none, lost(context.Background(), err)
	}
	switch {
	case end.Problem == nil:
		return end, nil
	case ctx.Err() != nil && end.Problem.Code == CodeStopping:
		return end, ctx.Err()
	}
	return end, end.Problem.refusal()
}

// ask sends the request and the file with it, and reads the head of the answer.
func (r *Remote) ask(conn *net.UnixConn, path string, file *os.File, query string) (*http.Response, error) {
	req, err := r.newRequest(context.Background(), http.MethodPost, path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = query
	req.Close = true // one request a connection
	var head bytes.Buffer
	if err := req.Write(&head); err != nil {
		return nil, err
	}
	if err := send(conn, head.Bytes(), file); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), req)
}

// follow passes the server's progress lines on, up to the last line.
func follow(body io.Reader, c admin.ImportConfig) (*ended, error) {
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
		case e.Cell != nil && c.Cell != nil:
			c.Cell(e.Cell.Line, e.Cell.Reason)
		case e.Read != nil && c.Progress != nil:
			c.Progress(*e.Read)
		}
	}
}
