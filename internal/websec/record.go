package websec

import "net/http"

// record remembers what was answered, for the log.
type record struct {
	http.ResponseWriter
	status int // zero until the header is written
	bytes  int64
}

func (r *record) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *record) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController and http.MaxBytesReader.
func (r *record) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *record) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// refusal takes what the mux says to a request that it has no handler for,
// and keeps only the status.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header { return r.header }

func (r *refusal) WriteHeader(status int) { r.status = status }

func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
