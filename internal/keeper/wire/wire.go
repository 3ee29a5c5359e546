// Package wire carries requests to a keeper on another machine, and its answers back,
// in frames over TLS 1.3 with certificates on both sides.
//
// It guarantees that a request is written to the connection at most once and never
// repeated, on this connection or another (an Attempt that was counted without an answer
// is one lost guess; repeated, it would be two); that an answer goes to the request with
// its number and to no other; that a party may do only what the role in its certificate
// allows; and that nothing is allocated, waited for or kept beyond the bounds below,
// whatever the other side sends. An error of the keeper arrives as the same error value,
// without further text.
//
// It trusts TLS for secrecy and for the names of the parties, and the issuers of the
// certificates. It does not trust the data that a party sends: every body is read
// strictly, and points are checked before anything is counted.
//
// A frame is its length (u32, of the rest), the number of its request (u64), its type
// (u8) and a body. Each side first sends one byte, the version. Numbers are big-endian,
// times are milliseconds since 1970, points are 65 bytes uncompressed.
//
// Start here: Client and Server, then messages.go for the bodies.
package wire

import (
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
)

// version is the first byte that each side sends.
const version = 1

// ALPN is the name of the protocol in the TLS handshake.
const ALPN = "liuma-keeper/1"

// Bounds of a connection. A party that needs more is refused, not served slowly.
const (
	// maxFrame is the largest length of a frame. keeper.MaxSettlements of the largest
	// settlements, which take 48,000 bytes, fit into it.
	maxFrame = 64 << 10
	// maxCalls is how many requests of one connection are handled at once, and how many
	// calls a client may have pending.
	maxCalls = 2048
	// maxReading is the same for a connection without the roles authority and closer.
	maxReading = 16
	// maxHeld bounds, for one connection, the bytes of requests being handled together
	// with the bytes of answers waiting to be written.
	maxHeld = 4 << 20
	// maxScans is how many pages of rows are read at once, so that a peer that asks
	// again and again takes no time away from guesses.
	maxScans = 2
	// maxHeads is how many heads one request holds.
	maxHeads = 256
	// rowsPerPage is how many rows of a scan one answer holds.
	rowsPerPage = 128
)

// Times of a connection.
const (
	handshakeTime = 5 * time.Second
	// pingEvery is how often the client checks on a quiet connection that the keeper is
	// there.
	pingEvery = 5 * time.Second
	// silence is how long either side waits without receiving a byte before it gives up
	// the connection.
	silence = 15 * time.Second
	// writeTime bounds one write, so that a party that does not read delays nobody
	// else.
	writeTime = 5 * time.Second
)

// Errors of a connection. After ErrLost the keeper may or may not have done the
// request.
var (
	ErrLost    = errors.New("wire: the connection was lost before the answer")
	ErrDown    = errors.New("wire: the keeper cannot be reached; nothing was sent")
	ErrBusy    = errors.New("wire: too many requests are under way; nothing was sent")
	ErrFrame   = errors.New("wire: malformed frame")
	ErrVersion = errors.New("wire: another version of the protocol")
	ErrRole    = fmt.Errorf("wire: the certificate's role may not do that: %w", keeper.ErrCertificate)
	ErrKeeper  = errors.New("wire: the keeper failed")
	ErrClosed  = errors.New("wire: closed")
)
