// Package letter is the print queue of notices on paper, for people without a known
// phone. It guarantees that a letter is in the database from the transaction of the act
// that it is about; that its row holds neither name nor address, and its freeze code only
// under the vault's seal; that name and address are read from the registry when it is
// printed, and shown only to the member who prints; that a letter is printed in one
// batch, again only on request, and each time on the record with a name; and that nothing
// more is sent to an address from which a letter came back.
//
// It trusts the store with durability, the vault with sealed values, the registry with
// names and addresses, and the member who prints with the paper.
//
// docs/LETTERS.md says how an agency works with it; docs/decisions/0051-letters.md why it
// is so.
//
// Start here: Letters.Write in write.go puts a letter into a transaction, Letters.Print
// in print.go returns a batch.
package letter

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The limits of a batch: what one transaction reads, and one person can fold.
const (
	maxSheets    = 100
	maxOnASheet  = 3 // letters of one person on one page
	pageOfLetter = 500
)

// Overdue is how long a letter may wait to be printed, or a printed one to be posted,
// before an alarm.
const Overdue = 2 * 24 * time.Hour

// Errors of an order, for the member who gave it.
var (
	ErrNone       = errors.New("letter: no such letter, sheet or batch")
	ErrPrinted    = errors.New("letter: that batch was printed before")
	ErrNotPrinted = errors.New("letter: it was not printed yet")
	ErrEnded      = errors.New("letter: it is posted, or came back, already")
	ErrBatch      = errors.New("letter: one sheet or one letter comes back, not a batch")
)

// Scope says whose letters a member of staff may print: those of a region. The zero Scope
// is the nation.
type Scope struct{ Region liuma.Region }

func (s Scope) has(l store.Letter) bool { return s.Region.Contains(l.Region) }

// Config holds the parts of Letters. Store, Vault, Registry and Now are required.
type Config struct {
	Store    store.Store
	Vault    *vault.Vault
	Registry *registry.Registry
	Hotline  string     // the number in letters; empty: the national one
	Sender   liuma.Text // the sender's name; empty: the name of the service
	ReturnTo string     // a line above the address, to which undelivered letters return
	Agencies Agencies   // the directory with the counter that a letter names; nil: it names none
	Now      func() time.Time
	// ToWall turns a time of Now into the time of people's clocks. Default: unchanged.
	ToWall func(time.Time) time.Time
}

// Agencies is the directory as letters read it; *agency.Book implements it.
type Agencies interface{ Listing() *agency.Listing }

// Letters is the print queue. It is safe for concurrent use.
type Letters struct{ c Config }

// New checks the config.
func New(c Config) (*Letters, error) {
	if c.Store == nil || c.Vault == nil || c.Registry == nil || c.Now == nil {
		return nil, errors.New("letter: config: want Store, Vault, Registry and Now")
	}
	if c.ToWall == nil {
		c.ToWall = func(t time.Time) time.Time { return t }
	}
	return &Letters{c}, nil
}

// now is the clock's time, in the precision of the store.
func (b *Letters) now() time.Time { return b.c.Now().UTC().Truncate(time.Millisecond) }

// kinds are the notices that go on paper. Left out are notices for which a letter comes
// too late to help (locks that end within a day), notices of a single use, and notices
// for a former number.
func kinds() []string {
	return []string{"pin_set", "pin_changed", "pin_reset", "pin_blocked", "strangers_stopped", "phone_changed_new",
		"channel_linked", "channel_unlinked", "card_frozen", "loss_reported", "card_unfrozen", "person_changed",
		"id_number_correction", "correction_sooner", "person_shown", "ticket_opened", "phone_pin_changed", "card_closing", "agent_froze", "agent_closing", "reset_planned",
		"notices_named", "notices_ended"}
}

// OnPaper reports whether notices of that template go on paper if no phone is told.
func OnPaper(template string) bool { return slices.Contains(kinds(), template) }

// sealedPart holds the values that only the vault can open. Template and Card are in the
// row as well; the copies here reveal a change of the row.
type sealedPart struct {
	Template string            `json:"template"`
	Card     string            `json:"card"`
	ZH       map[string]string `json:"zh"`
	EN       map[string]string `json:"en"`
	Freeze   string            `json:"freeze"`
	Until    time.Time         `json:"until"` // of the freeze code, by the store's clock
}

func (b *Letters) seal(l store.Letter, p sealedPart) ([]byte, error) {
	p.Template, p.Card = l.Template, l.Card.String()
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("letter: seal: %w", err)
	}
	defer clear(plain)
	sealed, err := b.c.Vault.Seal(vault.LetterText, []byte(l.ID), plain)
	if err != nil {
		return nil, fmt.Errorf("letter: seal: %w", err)
	}
	return sealed, nil
}

func (b *Letters) unseal(l store.Letter) (p sealedPart, err error) {
	plain, err := b.c.Vault.Unseal(vault.LetterText, []byte(l.ID), l.Sealed)
	if err != nil {
		return p, fmt.Errorf("letter: %w", err)
	}
	defer clear(plain)
	if err := json.Unmarshal(plain, &p); err != nil {
		return p, errors.New("letter: sealed part is not one") // the decoder's error may quote the content
	}
	if p.Template != l.Template || p.Card != l.Card.String() {
		return p, errors.New("letter: sealed part of another letter")
	}
	return p, nil
}

// newID is 26 random characters of a-z and 2-7.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// addressMAC stands for an address in a row. Two letters of one person to one place have
// the same MAC, and without the vault it tells nothing about the address.
func (b *Letters) addressMAC(card liuma.CardID, f registry.Facts) vault.MAC {
	return b.c.Vault.RowMAC("letter-address", card[:], []byte(f.Postcode), []byte(f.Address))
}
