// Package notify is the outbox of messages to bound phones. It guarantees that
// a message is saved in the transaction of the change that it is about, and
// that it is tried until a gateway accepts it, it expires or its tries are used
// up; an operator can see messages that were given up. A gateway that hangs,
// fails or lies, or a process that is killed, loses no message and delays no
// others. A message may be sent twice; both texts then carry the same message
// ID, so that the gateway can drop the second. One-time codes and notices have
// separate queues, workers and rates, so a flood of one-time codes delays no
// notice.
//
// No text carries a link or a PIN: templates have no place for one, and
// anything that looks like a link is refused in templates and cut from the
// values that fill them.
//
// It trusts the store to be durable, the vault to protect the numbers, and the
// gateway with the texts, which are all that a gateway ever learns.
//
// docs/NOTICES.md shows the texts;
// docs/decisions/0020-outbox-in-the-database.md says why the outbox is in the
// database.
//
// Start here: Outbox.Queue in queue.go puts a message into a transaction,
// Outbox.Run sends it, and Driver in driver.go is the contract of a gateway.
package notify

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The kinds of message, one-time codes and notices. Each has its own queue.
const (
	KindCode   = "code"
	KindNotice = "notice"
)

// Promise is the time within which a message should be accepted by the gateway;
// after that it counts as late.
const Promise = 60 * time.Second

// Quota is the share of the gateway that one queue may use.
type Quota struct {
	PerSecond  float64       // sends a second, and the largest burst; default 50
	Concurrent int           // sends at once; default 16
	MaxTries   int           // after so many tries the message is dead; default 6 for one-time codes, 50 for notices
	MaxBackoff time.Duration // longest pause between tries; default 1 minute for one-time codes, 30 for notices
}

// Config holds the parts of an Outbox. Store, Vault, Driver and Templates are
// required.
type Config struct {
	Store     store.Store
	Vault     *vault.Vault
	Driver    Driver
	Templates *Templates

	Codes, Notices Quota

	Poll        time.Duration // how often the outbox is read; default 500 ms
	SendTimeout time.Duration // for one send; default 10 s
	// Lease is how long other workers leave a message alone after one has taken
	// it; if the process is killed, the message is tried again after that time.
	// More than twice SendTimeout; default 30 s.
	Lease time.Duration
	// Drain is how long Run, when it ends, waits for running sends; default a
	// little longer than SendTimeout. A message whose send is not waited for is
	// sent again later, under the same ID, as after a crash.
	Drain time.Duration
	// NoticeLife is how long a notice is tried; default 72 h. A one-time code
	// is tried until its Expires.
	NoticeLife time.Duration
	// Keep is how long messages are kept after they were sent or given up;
	// default 30 days.
	Keep time.Duration

	Now    func() time.Time // default time.Now; stamps, and decides which messages are due, leased or expired
	Wall   func() time.Time // the wall clock, for times that a person or a gateway reads; default Now
	Logger *slog.Logger     // default: discard
}

func (c *Config) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	quota := func(q *Quota, tries int, backoff time.Duration) {
		if q.PerSecond == 0 {
			q.PerSecond = 50
		}
		if q.Concurrent == 0 {
			q.Concurrent = 16
		}
		if q.MaxTries == 0 {
			q.MaxTries = tries
		}
		def(&q.MaxBackoff, backoff)
	}
	def(&c.Poll, 500*time.Millisecond)
	def(&c.SendTimeout, 10*time.Second)
	def(&c.Lease, max(30*time.Second, 3*c.SendTimeout))
	def(&c.Drain, c.SendTimeout+grace+recordTime)
	def(&c.NoticeLife, 72*time.Hour)
	def(&c.Keep, 30*24*time.Hour)
	quota(&c.Codes, 6, time.Minute)
	quota(&c.Notices, 50, 30*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = c.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	need(c.Store != nil, "Store is missing")
	need(c.Vault != nil, "Vault is missing")
	need(c.Driver != nil, "Driver is missing")
	need(c.Templates != nil, "Templates are missing")
	c.defaults()
	for _, q := range []Quota{c.Codes, c.Notices} {
		need(q.PerSecond > 0 && q.Concurrent > 0 && q.MaxTries > 0 && q.MaxBackoff > 0, "a quota is negative")
	}
	need(c.Poll > 0 && c.SendTimeout > 0 && c.Drain > 0 && c.NoticeLife > 0 && c.Keep > 0, "a time is negative")
	need(c.Lease > 2*c.SendTimeout, "Lease is not more than twice SendTimeout")
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("notify: config: %w", err)
	}
	return nil
}

// Outbox queues messages and sends them. It is safe for concurrent use.
type Outbox struct {
	cfg     Config
	codes   *queue
	notices *queue
	counts  counters
	behind  atomic.Bool // result of watch's last look
}

// New checks the config. Nothing is sent before Run.
func New(c Config) (*Outbox, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	o := &Outbox{cfg: c}
	o.codes = newQueue(o, KindCode, c.Codes)
	o.notices = newQueue(o, KindNotice, c.Notices)
	return o, nil
}

// now returns the clock's time, in the precision of the store.
func (o *Outbox) now() time.Time { return o.cfg.Now().UTC().Truncate(time.Millisecond) }

// Wake makes the workers look at once instead of at the next poll. The
// authority calls it after a transaction that queued a message.
func (o *Outbox) Wake() {
	o.codes.nudge()
	o.notices.nudge()
}

// Run sends until ctx ends, then waits for the running sends, for at most
// Drain. It returns an error only when the store can no longer be used; the
// messages are safe there, and another process or a restart continues with
// them.
func (o *Outbox) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var errs [2]error
	for i, q := range []*queue{o.codes, o.notices} {
		wg.Go(func() {
			errs[i] = q.run(ctx)
			stop() // stops the other queue too, because it uses the same store
		})
	}
	wg.Go(func() { o.watch(ctx) })
	wg.Wait()
	return errors.Join(errs[:]...)
}

// encodeID encodes b in 26 characters of a-z and 2-7.
func encodeID(b [16]byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// messageID is random, or, for a notice with Dedup, always the same. It is a
// keyed hash then, because the gateway sees the ID and must not learn anything
// from it.
func (o *Outbox) messageID(n Message) string {
	var b [16]byte
	if n.Dedup == "" {
		rand.Read(b[:])
		return encodeID(b)
	}
	mac := o.cfg.Vault.RowMAC("message-id", n.Card[:], []byte(n.Phone), []byte(n.Template), []byte(n.Dedup))
	copy(b[:], mac[:])
	return encodeID(b)
}

// entry returns the audit entry for an act of the sender.
func (o *Outbox) entry(ev audit.Event, card liuma.CardID, outcome, note string) audit.Entry {
	return audit.Entry{At: o.now(), Actor: "system", Event: ev, Card: card, Outcome: outcome, Note: note}
}
