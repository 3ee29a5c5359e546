package operator

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// trailerWhole comes after the last byte of an import. A body that ends
// without it was cut off, and its end is not the end of the file: half a line
// must not pass for a row.
const trailerWhole = "Liuma-Whole"

// Times of an import. A caller that hangs must not keep others from importing.
const (
	readPatience  = 2 * time.Minute  // for the next piece of the file
	writePatience = 30 * time.Second // for the caller to take a line
	endPatience   = 2 * time.Second  // for the next piece, once it is not wanted any more
	drainPatience = 5 * time.Second  // for the caller to stop sending
)

// importRegistry imports the body while it comes in, and tells how far it is
// meanwhile. A caller that goes away, and a server that is stopped, end it
// after the chunk that it is at.
func (d *Door) importRegistry(w http.ResponseWriter, r *http.Request) {
	select {
	case d.importing <- struct{}{}:
		defer func() { <-d.importing }()
	default:
		d.refuse(w, r, errBusy)
		return
	}
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		d.refuse(w, r, err)
		return
	}
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	out := &report{w: w, control: control, stop: stop}
	in := &intake{ctx: ctx, r: r, body: http.MaxBytesReader(w, r.Body, maxImport), control: control}
	// A read that waits ends soon after ctx does; one that does not wait is left
	// whole, so that the caller can be told.
	release := context.AfterFunc(ctx, func() { _ = control.SetReadDeadline(time.Now().Add(endPatience)) })
	defer release()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out.flush()
	sum, err := d.office.Import(ctx, in, ImportConfig{
		Progress: func(read int64) { out.tell(event{Read: &read}); out.flush() },
		Reject:   func(line int, reason string) { out.tell(event{Reject: &rejected{Line: line, Reason: reason}}) },
	})
	end := &ended{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}
	code := "ok"
	if err != nil {
		end.Problem = explain(err)
		code = string(end.Problem.Code)
	}
	d.logger.Info("operator door: import", "read", sum.Read, "kept", sum.Kept, "rejected", sum.Rejected, "code", code)
	out.tell(event{End: end})
	out.flush()
	release()
	in.drain()
}

// report writes the lines of the answer. It is used by Import's goroutine.
type report struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stop    context.CancelCauseFunc // called when the caller takes no more
	failed  bool
}

func (o *report) tell(e event) {
	if o.failed {
		return
	}
	raw, err := json.Marshal(e)
	if err == nil {
		err = o.control.SetWriteDeadline(time.Now().Add(writePatience))
	}
	if err == nil {
		_, err = o.w.Write(append(raw, '\n'))
	}
	o.check(err)
}

func (o *report) flush() {
	if !o.failed {
		o.check(o.control.Flush())
	}
}

func (o *report) check(err error) {
	if err != nil {
		o.failed = true
		o.stop(err)
	}
}

// intake is the body of an import.
type intake struct {
	ctx     context.Context // a read ends with it
	r       *http.Request
	body    io.Reader
	control *http.ResponseController
	ended   bool // there is nothing more to read
}

// Read says io.EOF only at the end of the whole file.
func (in *intake) Read(p []byte) (int, error) {
	if err := in.control.SetReadDeadline(time.Now().Add(readPatience)); err != nil {
		return 0, err
	}
	// In this order: when ctx ends after this, the deadline comes forward.
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.body.Read(p)
	if err == nil {
		return n, nil
	}
	in.ended = true
	switch {
	case in.ctx.Err() != nil:
		return n, in.ctx.Err()
	case err == io.ErrUnexpectedEOF: // the caller went away
		return n, errCut
	case err == io.EOF:
		// The server goes on reading to notice when the caller goes away.
		if err := in.control.SetReadDeadline(time.Time{}); err != nil {
			return n, err
		}
		if in.r.Trailer.Get(trailerWhole) == "" {
			return n, errCut
		}
	}
	return n, err
}

// drain reads what the caller still sends until it has seen the end of the
// answer: closing earlier would take the answer from it.
func (in *intake) drain() {
	if in.ended {
		return
	}
	if in.control.SetReadDeadline(time.Now().Add(drainPatience)) == nil {
		_, _ = io.Copy(io.Discard, in.r.Body)
	}
}
