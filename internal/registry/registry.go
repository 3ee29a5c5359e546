package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Config holds the parts of a Registry. Logger may be nil.
type Config struct {
	Store  store.Store
	Vault  *vault.Vault
	Now    func() time.Time
	Logger *slog.Logger
	// Regions returns the list of valid regions, once for each import; nil: the
	// published list.
	Regions func() (*directory.Regions, error)
}

// Registry finds and imports people. Safe for concurrent use; two imports at
// once are safe too, but each looks for duplicates in its own file only.
type Registry struct {
	store   store.Store
	vault   *vault.Vault
	now     func() time.Time
	logger  *slog.Logger
	regions func() (*directory.Regions, error)
}

// New checks the Config and returns a Registry.
func New(c Config) (*Registry, error) {
	if c.Store == nil || c.Vault == nil || c.Now == nil {
		return nil, errors.New("registry: config: want Store, Vault and Now")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Regions == nil {
		c.Regions = directory.Published
	}
	return &Registry{store: c.Store, vault: c.Vault, now: c.Now, logger: c.Logger, regions: c.Regions}, nil
}

// Find returns the person with an ID number, and their facts. CodeNotInRegistry:
// there is none. If the row's facts cannot be opened or belong to another person,
// that is a fault of this program and no *liuma.Error.
func (g *Registry) Find(rd store.Reader, id IDNumber) (store.Person, Facts, error) {
	if id.IsZero() {
		return store.Person{}, Facts{}, liuma.Fail(liuma.CodeIDNumberInvalid, errIDShape)
	}
	person, err := rd.Person(g.vault.Index(vault.IndexIDNumber, id.Canonical()))
	if err == nil && nobody(person) { // a correction has left the number, or waits for it
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return store.Person{}, Facts{}, liuma.Fail(liuma.CodeNotInRegistry, err)
	}
	if err != nil {
		return store.Person{}, Facts{}, fmt.Errorf("registry: find: %w", err)
	}
	f, err := g.open(person)
	if err != nil {
		return store.Person{}, Facts{}, err
	}
	if f.IDNumber != id.Canonical() {
		return store.Person{}, Facts{}, fmt.Errorf("registry: find: %w: another person's", ErrFacts)
	}
	return person, f, nil
}

func (g *Registry) open(person store.Person) (Facts, error) {
	plain, err := g.vault.Unseal(vault.PersonFacts, person.Holder[:], person.Sealed)
	if err != nil {
		return Facts{}, fmt.Errorf("registry: facts: %w", err)
	}
	defer clear(plain)
	return ParseFacts(plain)
}

// seal makes the sealed form of facts for a person's row.
func (g *Registry) seal(holder vault.Index, f Facts) ([]byte, error) {
	plain, err := f.Marshal()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return g.vault.Seal(vault.PersonFacts, holder[:], plain)
}
