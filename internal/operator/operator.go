// Package operator is administration beside a running server. The store has
// one writer, so a command that finds a server at work asks it, through a unix
// socket in the data directory, and does the work itself otherwise; Office is
// the same either way, and so are the audit entries, whose actor is
// "operator". It guarantees that the door answers only the account that serves
// and root, that nothing but public keys, registry rows, identifiers and
// counts goes through it (and, where nothing is sent, the texts), that a body
// is whole or is not taken, and that an import which is cut off leaves whole
// chunks. It trusts those two accounts: they can read the data directory.
//
// DESIGN sections 5 (I-8), 6 and 7.
package operator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
)

// Actor is who the audit record names for what an Office changes.
const Actor = "operator"

// SocketName is the operator's door in a data directory.
const SocketName = "operator.sock"

// Errors of the way to a server.
var (
	// ErrNoDoor says that no server answers at the directory's socket.
	ErrNoDoor = errors.New("operator: no server answers here")
	// ErrServed says that another server answers at the directory's socket.
	ErrServed = errors.New("operator: another server answers at this directory's " + SocketName)
	// ErrLost says that the server went away before it answered: what was
	// asked for may be done or not.
	ErrLost = errors.New("the server went away before it answered, so this may be done or not; look, and try again")
	// ErrOpenDir is returned for a directory that other accounts can enter.
	ErrOpenDir = errors.New("operator: the data directory is open to other accounts; want mode 0700")
	// ErrPath is returned where the path of the socket is longer than the
	// system allows, or something else has its name.
	ErrPath = errors.New("operator: no socket can be made in the data directory")
	// ErrPlatform is returned where the system does not tell who calls.
	ErrPlatform = errors.New("operator: this system does not tell who calls at a unix socket")
)

// Office is what an operator can do. Both kinds return the same errors, those
// of the packages parties and registry among them; safe for concurrent use.
type Office interface {
	// List returns the parties of a kind in the order of their identifiers.
	List(context.Context, store.ClientKind) ([]store.Client, error)
	Add(context.Context, parties.Party) error
	Stop(ctx context.Context, kind store.ClientKind, id string) error
	Resume(ctx context.Context, kind store.ClientKind, id string) error
	AddKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error
	RemoveKey(ctx context.Context, kind store.ClientKind, id, kid string) error
	// Import is registry.Import: with an error, the Summary counts what is
	// certain to be kept, unless it is ErrLost. Reads of in must not block for
	// good: Import waits for the one under way, also when ctx ends.
	Import(ctx context.Context, in io.Reader, c ImportConfig) (registry.Summary, error)
	Status(context.Context) (Status, error)
	// Texts lists messages of the outbox in a state, or all, in the order of
	// their IDs after one, at most MaxTexts.
	Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error)
	// RetryText has a dead notice tried again and returns the ID that it goes
	// by now. Errors: store.ErrNotFound, notify.ErrNotRetriable.
	RetryText(ctx context.Context, id string) (string, error)
	// Inbox shows what a driver inbox took, codes too. ErrNoInbox: there is none.
	Inbox(context.Context) ([]InboxText, error)
	Close() error
}

// ImportConfig says who is told what of an import. Both members are optional;
// they are called from Import's own goroutine.
type ImportConfig struct {
	// Progress is told how many bytes were worked through.
	Progress func(read int64)
	// Reject is told the line, from 1, and the reason of each row not taken.
	Reject func(line int, reason string)
}

// Status is how a data directory stands. Nothing in it is secret or personal.
type Status struct {
	At      time.Time     `json:"at"`      // clock of the process that answered
	Serving *Serving      `json:"serving"` // null: no server is at work
	Issuer  string        `json:"issuer"`
	Shape   string        `json:"shape"` // of the keepers, for example 2/3
	Keepers []KeeperState `json:"keepers"`
	// OpenIntents are settings of a PIN that not every keeper has yet.
	OpenIntents int64    `json:"open_intents"`
	Cards       int64    `json:"cards"`
	People      int64    `json:"people"`   // in the registry
	SealKey     *SealKey `json:"seal_key"` // the newest; null before the first start
	Texts       Texts    `json:"texts"`
}

// Serving tells of the server at work.
type Serving struct {
	Since time.Time `json:"since"`
	Ready bool      `json:"ready"`         // verdicts can be given now
	Why   string    `json:"why,omitempty"` // not ready
	Signs string    `json:"signs_with"`    // kid of its signing key; empty if it is not known
	Keys  []string  `json:"publishes"`     // kids, oldest first
}

// KeeperState is the highest sequence number that was heard from a keeper.
type KeeperState struct {
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence"`
}

// SealKey is the key that channels seal PINs to.
type SealKey struct {
	ID       string    `json:"id"`
	MadeAt   time.Time `json:"made_at"`
	RetireAt time.Time `json:"retire_at"` // not given out after this
}

// Config is what Open needs; Dir and Directory are required.
type Config struct {
	Dir       string        // the data directory
	Directory config.Config // its configuration
	Now       func() time.Time
	Logger    *slog.Logger // default: discard
	// Patience is how long Open waits for a directory that another process
	// holds without answering: a server that starts, a command that is almost
	// done. Default 2 s.
	Patience time.Duration
}

func (c *Config) fill() error {
	if c.Dir == "" || c.Directory.Database == "" {
		return errors.New("operator: config: want Dir and Directory")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Second
	}
	return nil
}

// Open asks the server that works with the directory, or else opens the
// directory itself. sqlite.ErrInUse: another process has it, and answers no
// operator.
func Open(ctx context.Context, c Config) (Office, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	for until := time.Now().Add(c.Patience); ; {
		o, err := Dial(ctx, c.Dir)
		if err == nil || !errors.Is(err, ErrNoDoor) {
			return o, err
		}
		o, err = openLocal(ctx, c)
		if err == nil || !errors.Is(err, sqlite.ErrInUse) || time.Now().After(until) {
			return o, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
