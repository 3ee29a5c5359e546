//go:build linux || darwin

package admin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	door "github.com/liuma-pin/liuma/internal/door/admin"
)

const importRequest = "POST /v1/registry/import HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

// write writes to the door, and lets open descriptors go with it.
func write(t *testing.T, conn net.Conn, stream string, files ...*os.File) {
	t.Helper()
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	if n, _, err := conn.(*net.UnixConn).WriteMsgUnix([]byte(stream), rights, nil); err != nil || n != len(stream) {
		t.Fatal(n, err)
	}
}

func (h *house) connected(t *testing.T) net.Conn {
	t.Helper()
	conn, err := h.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// answer is the status of an answer and its last line.
func answer(t *testing.T, from *bufio.Reader) (status int, last string) {
	t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return resp.StatusCode, lines[len(lines)-1]
}

// An import comes with exactly one descriptor, every other request with none.
// Refused descriptors are closed, and a refused request changes nothing.
func TestDescriptorsRefused(t *testing.T) {
	keepGarbage(t)
	h := serve(t, admintest.New(t, admintest.Options{}))
	file := h.File(t, admintest.Sample(t, 700))
	files := func(n int) (out []*os.File) {
		for range n {
			out = append(out, file)
		}
		return out
	}
	const body = "id_number"
	upload := fmt.Sprintf("POST /v1/registry/import HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	chunked := "POST /v1/registry/import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	for name, tt := range map[string]struct {
		request string
		files   int
		status  int
		code    door.Code
	}{
		"none":                     {importRequest, 0, 400, door.CodeNoFile},
		"two":                      {importRequest, 2, 400, door.CodeManyFiles},
		"as many as are received":  {importRequest, 4, 400, door.CodeManyFiles},
		"more than are received":   {importRequest, 9, 400, door.CodeManyFiles},
		"as many as can be sent":   {importRequest, 250, 400, door.CodeManyFiles},
		"an upload":                {upload, 0, 400, door.CodeNoFile},
		"an upload beside it":      {upload, 1, 400, door.CodeRequest},
		"a chunked upload":         {chunked, 1, 400, door.CodeRequest},
		"a question with one":      {"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 1, 400, door.CodeRequest},
		"a question with many":     {"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 9, 400, door.CodeRequest},
		"a change with one":        {"POST /v1/keys/rotate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 1, 400, door.CodeRequest},
		"another path with one":    {"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 1, 404, ""},
		"an import, as it must be": {importRequest, 1, 200, ""},
	} {
		conn := h.connected(t)
		write(t, conn, tt.request, files(tt.files)...)
		status, last := answer(t, bufio.NewReader(conn))
		var got problem
		_ = json.Unmarshal([]byte(last), &got)
		if status != tt.status || got.Code != tt.code {
			t.Errorf("%s: %d %s", name, status, last)
		}
		if want := `{"end":{"read":707,"kept":700,"rejected":7}}`; tt.status == 200 && last != want {
			t.Errorf("%s: %s", name, last)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := h.People(t); got != 700 {
		t.Errorf("%d people", got)
	}
	h.noneLeft(t, file)
}

// Several descriptors are several, however they come.
func TestDescriptorsInPieces(t *testing.T) {
	keepGarbage(t)
	h := serve(t, admintest.New(t, admintest.Options{}))
	file := h.File(t, admintest.Sample(t, 10))
	conn := h.connected(t)
	write(t, conn, importRequest[:10], file)
	write(t, conn, importRequest[10:20], file)
	write(t, conn, importRequest[20:])
	from := bufio.NewReader(conn)
	if status, last := answer(t, from); status != 400 || !strings.Contains(last, string(door.CodeManyFiles)) {
		t.Errorf("two in two pieces: %d %s", status, last)
	}
	// They belong to the request that they came with, and not to the next.
	write(t, conn, importRequest)
	if status, last := answer(t, from); status != 400 || !strings.Contains(last, string(door.CodeNoFile)) {
		t.Errorf("the next request: %d %s", status, last)
	}
	for i := range importRequest[:30] { // one, in many pieces
		write(t, conn, importRequest[i:i+1])
	}
	write(t, conn, importRequest[30:], file)
	if status, last := answer(t, from); status != 200 || !strings.Contains(last, `"kept":10,`) {
		t.Errorf("one in many pieces: %d %s", status, last)
	}
	h.noneLeft(t, file)
}

// A caller that goes away in the middle of a request leaves no descriptor open.
func TestCallerDiesWhileAsking(t *testing.T) {
	keepGarbage(t)
	h := serve(t, admintest.New(t, admintest.Options{}))
	file := h.File(t, admintest.Sample(t, 10))
	for _, sent := range []int{1, 10, len(importRequest) - 1} {
		conn := h.connected(t)
		write(t, conn, importRequest[:sent], file)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	h.noneLeft(t, file)
	if got := h.People(t); got != 0 {
		t.Errorf("%d people", got)
	}
}

// A caller that goes away during an import is noticed: the import ends after
// the chunk that it is at, and makes room for the next.
func TestCallerDiesDuringImport(t *testing.T) {
	keepGarbage(t)
	h := serve(t, admintest.New(t, admintest.Options{}))
	file := h.File(t, admintest.Sample(t, 10_000))
	conn := h.connected(t)
	write(t, conn, importRequest, file)
	// The first line tells that it has begun.
	if _, err := bufio.NewReader(conn).ReadString('}'); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	h.idle(t)
	if got := h.People(t); got%500 != 0 || got == 10_000 {
		t.Errorf("%d people kept for nobody", got)
	}
	h.noneLeft(t, file)
}

// A caller that reads no answer does not keep others from working, and is not
// waited for once it is gone.
func TestCallerReadsNothing(t *testing.T) {
	h := serve(t, admintest.New(t, admintest.Options{}))
	var file strings.Builder
	file.WriteString("id_number,name,phone,card_no,region,status\n")
	for range 60_000 { // each is told, which fills the socket
		file.WriteString("not,a,row\n")
	}
	conn := h.connected(t)
	write(t, conn, importRequest, h.File(t, []byte(file.String())))
	if err := h.dial(t).AddClient(t.Context(), admintest.Channel(t, "zj")); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	h.idle(t)
}

// idle waits until no import is under way.
func (h *house) idle(t *testing.T) {
	t.Helper()
	empty := h.File(t, nil)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		_, err := h.Admin.ImportRegistry(t.Context(), empty, admin.ImportConfig{})
		if err != nil && err.Error() == admin.ErrImporting.Error() {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		return
	}
	t.Fatal("an import goes on without a caller")
}

// keepGarbage stops the garbage collector, which would close descriptors that
// the code forgot.
func keepGarbage(t *testing.T) {
	before := debug.SetGCPercent(-1)
	t.Cleanup(func() { debug.SetGCPercent(before) })
}

// noneLeft waits until the file is open once only, in the test.
func (h *house) noneLeft(t *testing.T, file *os.File) {
	t.Helper()
	const table = "/proc/self/fd" // where there is one
	left := 0
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		list, err := os.ReadDir(table)
		if err != nil {
			t.Logf("descriptors are not counted: %v", err)
			return
		}
		left = 0
		for _, e := range list {
			if to, err := os.Readlink(filepath.Join(table, e.Name())); err == nil && to == file.Name() {
				left++
			}
		}
		if left == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the file is open %d times", left)
}
