// Package wire carries requests to a keeper on another machine, and its answers back:
// frames of its own over TLS 1.3 with certificates on both sides.
//
// It guarantees that a request is written to the connection at most once and never
// repeated, on this connection or another (an Attempt that was counted without an answer
// is a lost guess, and a repeated one would be a second); that an answer goes to the
// request with its number and to no other; that a party may do only what the role in its
// certificate allows; and that nothing is allocated, waited for or kept beyond the bounds
// below, whatever the other side sends. An error of the keeper arrives as the same
// sentinel, without words of its own.
//
// It trusts TLS for secrecy and for the names of the parties, and whoever issued the
// certificates. It does not trust what a party sends: every body is read strictly, and
// points are checked before anything is counted.
//
// A frame is its length (u32, of the rest), the number of its request (u64), its type
// (u8) and a body. Each side first sends one byte, the version. Numbers are big-endian,
// times are milliseconds since 1970, points are 65 bytes uncompressed.
//
// Start here: Client and Server, then messages.go for what the bodies hold.
package wire

import (
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
)

// version is the first byte of each side.
const version = 1

// ALPN is the name of the protocol in the TLS handshake.
const ALPN = "liuma-keeper/1"

// Bounds of a connection. A party that needs more is refused, not served slowly.
const (
	// maxFrame is the largest frame after its length. keeper.MaxSettlements of the
	// largest fit, which take 48,000 bytes.
	maxFrame = 64 << 10
	// maxCalls is how many requests of one connection are worked on at once, and how
	// many a client has under way.
	maxCalls = 2048
	// maxReading is how many of a connection without the roles authority and closer are.
	maxReading = 16
	// maxHeld is how many bytes the requests of one connection have that are worked on,
	// together with those of its answers that wait to be written.
	maxHeld = 4 << 20
	// maxScans is how many pages of rows are read at once, so that a peer which asks for
	// more and more takes no guess's time.
	maxScans = 2
	// maxHeads is how many heads one request holds.
	maxHeads = 256
	// rowsPerPage is how many rows of a scan one answer holds.
	rowsPerPage = 128
)

// Times of a connection.
const (
	handshakeTime = 5 * time.Second
	// pingEvery is how often a quiet side of the client asks whether the keeper is there.
	pingEvery = 5 * time.Second
	// silence is after how long without a byte a connection is given up, by either side.
	silence = 15 * time.Second
	// writeTime bounds one write, so that a party that does not read holds nobody up.
	writeTime = 5 * time.Second
)

// Errors of a connection. After ErrLost the keeper may have done what was asked.
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
