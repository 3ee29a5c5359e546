// Package admin is what operators do with an authority: they register clients
// and their keys, import the registry, see to texts, change signing keys and
// look how things stand. It knows no HTTP and not how the process was put
// together, so the command, the administration door and a console stand on it
// alike.
//
// It guarantees that every change of the authority's database has its audit
// entry in the same transaction, with Actor as its actor (I-8); that only
// public P-256 keys are kept, that a client always has at least one, and that
// an identifier belongs to one client for good; that an import reads one whole
// regular file, or says that it did not, and leaves whole chunks; and that
// nothing that is secret or personal is answered (Inbox excepted, where nothing
// is sent). It trusts whoever calls: who that is, the door finds out.
//
// Start here: Administration, in admin.go.
package admin

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Actor is who the audit record names for what is done here.
const Actor = "operator"

// Administration is what an operator can do. Two types have it: Admin, in the
// process that has the store, and the client of the administration door. Both
// do the same and return the same errors; both are safe for concurrent use.
// Package admintest holds the trials that both pass.
type Administration interface {
	// Clients returns the clients of a kind in the order of their identifiers.
	Clients(ctx context.Context, kind store.ClientKind) ([]store.Client, error)
	// AddClient registers a client. Errors: ErrClient, ErrKey, ErrTaken.
	AddClient(ctx context.Context, c Client) error
	// StopClient refuses the client everywhere, from its next request on. ErrUnknown.
	StopClient(ctx context.Context, kind store.ClientKind, id string) error
	// ResumeClient lets a stopped client in again. ErrUnknown.
	ResumeClient(ctx context.Context, kind store.ClientKind, id string) error
	// AddClientKey adds a key beside those that the client has. Errors:
	// ErrUnknown, ErrKey, ErrTaken.
	AddClientKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error
	// RemoveClientKey takes a key out of use, from the next request on. Errors:
	// ErrUnknown, ErrLastKey.
	RemoveClientKey(ctx context.Context, kind store.ClientKind, id, kid string) error

	// ImportRegistry imports a registry file (registry.Import says which form it
	// has) from its first byte, wherever the file is positioned, and leaves the
	// position alone. With an error, the Summary counts what is certain to be
	// kept; where a server went away, nobody knows. Errors: ErrFile,
	// ErrFileChanged, ErrImporting.
	ImportRegistry(ctx context.Context, file *os.File, c ImportConfig) (registry.Summary, error)

	Status(context.Context) (Status, error)

	// Texts lists messages of the outbox in a state, or all, in the order of
	// their IDs after one, at most MaxTexts.
	Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error)
	// RetryText has a dead notice tried again and returns the ID that it goes
	// by now. Errors: store.ErrNotFound, notify.ErrNotRetriable.
	RetryText(ctx context.Context, id string) (string, error)
	// Inbox shows what a driver inbox took, codes too. ErrNoInbox: there is none.
	Inbox(context.Context) ([]InboxText, error)

	// RotateSigningKey lets a new key sign, from the next start of a server on.
	RotateSigningKey(context.Context) (RotatedKey, error)
	// DropSigningKey destroys a key that no longer signs. Errors: ErrKeyInUse,
	// vault.ErrNoSuchKey, vault.ErrKeySigns.
	DropSigningKey(ctx context.Context, kid string) (DroppedKey, error)
}

// ImportConfig says who is told what of an import. Both members are optional;
// they are called from ImportRegistry's own goroutine.
type ImportConfig struct {
	// Progress is told how many bytes were worked through.
	Progress func(read int64)
	// Reject is told the line, from 1, and the reason of each row not taken.
	Reject func(line int, reason string)
}

// Registry imports people; *registry.Registry does. It keeps whole chunks, each
// in one transaction with its audit entry.
type Registry interface {
	Import(ctx context.Context, r io.Reader, c registry.ImportConfig) (registry.Summary, error)
}

// Authority says whether verdicts can be given now; *authority.Authority does.
type Authority interface {
	Ready(context.Context) error
}

// Quorum knows the highest sequence number that was heard from each keeper;
// *keeper.Quorum does.
type Quorum interface {
	Seen() map[keeper.ID]uint64
}

// Outbox is an outbox that sends; *notify.Outbox is one.
type Outbox interface {
	Stats(context.Context) (notify.Stats, error)
	Wake() // looks for texts at once
}

// Inbox keeps texts in place of sending them; *notify.Inbox does.
type Inbox interface {
	Texts(phone string) []notify.Received // all, where phone is empty
}

// Config is what an Admin works with. All members but Server are required.
type Config struct {
	Store    store.Store
	Registry Registry
	Vault    *vault.Vault // texts that are tried again are sealed with it
	KeyFile  string       // what Vault was opened from
	Now      func() time.Time
	// What the configuration says, for Status.
	Issuer, Shape, TextsDriver string
	// Server is the server at work in this process; nil where there is none.
	Server *Server
}

// Server is what a serving process adds. Authority and Quorum are required.
type Server struct {
	Since     time.Time
	Authority Authority
	Quorum    Quorum
	Outbox    Outbox // nil where nothing is sent
	Inbox     Inbox  // nil unless texts are only shown
}

func (c *Config) check() error {
	if c.Store == nil || c.Registry == nil || c.Vault == nil || c.KeyFile == "" || c.Now == nil {
		return errors.New("admin: config: want Store, Registry, Vault, KeyFile and Now")
	}
	if c.Issuer == "" || c.Shape == "" || c.TextsDriver == "" {
		return errors.New("admin: config: want Issuer, Shape and TextsDriver")
	}
	if s := c.Server; s != nil && (s.Since.IsZero() || s.Authority == nil || s.Quorum == nil) {
		return errors.New("admin: config: want Since, Authority and Quorum of the server")
	}
	return nil
}

// Admin is the Administration of the process that has the store.
type Admin struct {
	c Config
	// importing is held by the one import that may be under way: each takes
	// memory for every row of its file.
	importing sync.Mutex
}

var _ Administration = (*Admin)(nil)

// New checks the Config.
func New(c Config) (*Admin, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Admin{c: c}, nil
}
