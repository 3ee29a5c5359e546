package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
)

// writePatience is how long a caller may take to read a line of an answer. A
// caller that hangs must not keep others from importing.
const writePatience = 30 * time.Second

// imported runs the import of one kind of file.
type imported func(context.Context, *os.File, admin.ImportConfig) (ended, error)

// people and agencies are the two kinds of files.
func (d *Door) people(ctx context.Context, file *os.File, c admin.ImportConfig) (ended, error) {
	sum, err := d.admin.ImportRegistry(ctx, file, c)
	return ended{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected, Unchanged: sum.Unchanged, Cells: sum.Cells, Abolished: sum.Abolished}, err
}

func (d *Door) agencies(ctx context.Context, file *os.File, c admin.ImportConfig) (ended, error) {
	sum, err := d.admin.ImportAgencies(ctx, file, c)
	return ended{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected, Unchanged: sum.Unchanged, Added: sum.Added, Changed: sum.Changed, Telephones: sum.Telephones}, err
}

// imports imports the file whose open descriptor came with the request, and reports
// its progress. It ends after its present chunk when the caller goes away or closes
// its half of the connection, or the server is stopped.
func (d *Door) imports(from imported) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { d.importFile(w, r, from) }
}

func (d *Door) importFile(w http.ResponseWriter, r *http.Request, from imported) {
	file, err := fileOf(r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	defer file.Close() // read only: nothing to lose
	c, err := importConfig(r.URL.RawQuery)
	if err != nil || r.ContentLength != 0 { // a body means an earlier release's upload
		d.refuse(w, r, errRequest)
		return
	}
	control := http.NewResponseController(w)
	// From here on the server reads only to notice that the caller goes away.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		d.refuse(w, r, err)
		return
	}
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	out := &report{w: w, control: control, stop: stop}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out.flush()
	c.Progress = func(read int64) { out.tell(event{Read: &read}); out.flush() }
	c.Reject = func(line int, reason string) { out.tell(event{Reject: &rejected{Line: line, Reason: reason}}) }
	c.Cell = func(line int, reason string) { out.tell(event{Cell: &rejected{Line: line, Reason: reason}}) }
	end, err := from(ctx, file, c)
	code := "ok"
	if err != nil {
		end.Problem = explain(err)
		code = string(end.Problem.Code)
	}
	d.logger.InfoContext(r.Context(), "operator door: import", "path", r.URL.Path, "read", end.Read, "kept", end.Kept, "rejected", end.Rejected, "code", code)
	out.tell(event{End: &end})
	out.flush()
}

// report writes the lines of the answer, in the goroutine of the import.
type report struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stop    context.CancelCauseFunc // called when the caller no longer reads
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
