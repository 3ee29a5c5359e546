package websec

import "net/http"

// refusal takes what the mux says to a request that it has no handler for,
// and keeps only the status.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header { return r.header }

func (r *refusal) WriteHeader(status int) { r.status = status }

func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
