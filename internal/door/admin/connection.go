package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/staff"
)

// Errors about the descriptor that comes with a request.
var (
	errNoFile    = errors.New("the file to be imported must come with the request, as one open descriptor")
	errManyFiles = errors.New("more open descriptors came with the request than one")
)

// connection is the connection of one command. Open descriptors that come over it are
// taken off the socket as it is read, and belong to the request that they came with.
// The request's handler takes its descriptor, or closes all of them.
type connection struct {
	*net.UnixConn
	account uint32 // the user that made it, as the kernel says
	mu      sync.Mutex
	file    *os.File // the first descriptor that came and was not taken; guarded by mu
	many    bool     // more descriptors came, and were closed; guarded by mu
	closed  bool     // guarded by mu
}

// Read reads the stream and puts aside the descriptors that come with it.
func (c *connection) Read(p []byte) (int, error) {
	n, files, cut, err := receive(c.UnixConn, p)
	c.keep(files, cut)
	return n, err
}

// keep puts the first descriptor aside and closes the others. cut says that more were
// sent than were received.
func (c *connection) keep(files []*os.File, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range files {
		if c.file == nil && !c.many && !c.closed {
			c.file = f
			continue
		}
		c.many = true
		_ = f.Close() // nothing was written to it
	}
	c.many = c.many || cut
}

// take returns the descriptor of this request, which must be the only one; the
// caller closes it.
func (c *connection) take() (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	file, many := c.file, c.many
	c.file, c.many = nil, false
	switch {
	case many && file != nil:
		return nil, errors.Join(errManyFiles, file.Close())
	case many:
		return nil, errManyFiles
	case file == nil:
		return nil, errNoFile
	}
	return file, nil
}

// Close also closes descriptors that were not taken.
func (c *connection) Close() error {
	c.mu.Lock()
	file := c.file
	c.file, c.closed = nil, true
	c.mu.Unlock()
	err := c.UnixConn.Close()
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

// connectionKey finds a request's connection in its context.
type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// originOf is the origin of a request: the account that the kernel named when the
// connection was made, and the session in the request's header.
func originOf(r *http.Request) admin.Origin {
	var o admin.Origin
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		o.Account = &c.account
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), bearer); ok {
		o.Session = staff.Token(token)
	}
	return o
}

// bearer precedes the token of a session in a request's header.
const bearer = "Bearer "

// fileOf takes the descriptor that came with a request.
func fileOf(r *http.Request) (*os.File, error) {
	c, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok {
		return nil, errNoFile
	}
	return c.take()
}

// dropFile closes a descriptor that came with a request and was not taken.
func dropFile(r *http.Request) {
	if file, err := fileOf(r); err == nil {
		_ = file.Close() // nothing was written to it
	}
}

// withoutFile refuses a request that brings descriptors.
func withoutFile(r *http.Request) error {
	file, err := fileOf(r)
	switch {
	case err == nil:
		return errors.Join(errRequest, file.Close())
	case errors.Is(err, errManyFiles):
		return errRequest
	}
	return nil
}
