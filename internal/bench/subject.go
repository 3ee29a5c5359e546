package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/pprof/profile"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/vault"
)

// subject is a filled database and the server on it, which is measured.
type subject struct {
	c       Config
	f       *filled
	client  *http.Client
	run     string // begins the business numbers of this run
	asked   int    // requests that were sealed so far
	server  *child // nil while it does not run
	asker   *asker // of server; nil while it does not run
	control string // the socket at which the server is profiled
	rate    float64
}

// raise fills a directory and starts the server.
func raise(ctx context.Context, c Config) (_ *subject, err error) {
	on, err := beginDatabase(c)
	if err != nil {
		return nil, fmt.Errorf("bench: database: %w", err)
	}
	f, err := fill(ctx, c, on)
	if err != nil {
		on.end()
		return nil, fmt.Errorf("bench: fill: %w", err)
	}
	s := &subject{c: c, f: f, client: httpClient(c.Clients), run: rand.Text(), rate: expected}
	dir, err := os.MkdirTemp("", "liuma-bench-")
	s.control = filepath.Join(dir, "profile")
	if err == nil {
		err = s.start()
	}
	if err == nil {
		err = s.use(ctx)
	}
	if err == nil && c.Cold {
		err = s.stop()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// usedAtOnce is how many requests are sealed together while cards are used: even a slow machine
// answers them before their challenge ends.
const usedAtOnce = 1000

// use asks about each card once that will be asked about. Cards that people have are not new:
// their rows have grown, and their record has begun. The first verification of a card that
// was only filled in costs more than any later one, and where there are many cards each of
// a run would be a first one.
func (s *subject) use(ctx context.Context) error {
	if s.f.kept.Used {
		return nil
	}
	cards := len(s.f.deck.verifier)
	bar := s.c.bar("using each card once", cards)
	defer bar.Done()
	for left := cards; left > 0; left -= min(left, usedAtOnce) {
		q, err := s.seal(ctx, min(left, usedAtOnce))
		if err != nil {
			return fmt.Errorf("bench: use: %w", err)
		}
		_, times, err := ask(ctx, s.c.Clients, time.Hour, len(q), func(i int) error { return s.give(ctx, q[i]) })
		if err != nil {
			return fmt.Errorf("bench: use: %w", err)
		}
		bar.Add(int64(len(times)))
	}
	s.f.kept.Used = true
	return s.f.kept.save(s.c)
}

func (s *subject) start() (err error) {
	if s.server, err = start(s.c.Binary, "bench", "server", "--data", s.c.data(), "--control", s.control); err != nil {
		return err
	}
	s.asker = newAsker(s.server.base)
	return nil
}

func (s *subject) stop() error {
	if s.server == nil {
		return nil
	}
	err := errors.Join(s.asker.close(), s.server.stop())
	s.server, s.asker = nil, nil
	return err
}

// close ends all processes of the subject. Its directory stays.
func (s *subject) close() error {
	s.client.CloseIdleConnections()
	err := errors.Join(s.stop(), s.f.keepers.stop(), os.RemoveAll(filepath.Dir(s.control)))
	s.f.on.end()
	return err
}

// chill restarts the server with none of its files in the page cache. Where the
// subject is not to be cold it does nothing.
func (s *subject) chill() error {
	if !s.c.Cold {
		return nil
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := evict(append(s.f.ledgers(), s.f.config.Database)...); err != nil {
		return err
	}
	return s.start()
}

// seal prepares requests with their heads, as devices would have sealed them. The challenge
// and the token last for minutes, so what is sealed is asked soon.
func (s *subject) seal(ctx context.Context, n int) (requests [][]byte, err error) {
	token, err := s.f.token()
	if err != nil {
		return nil, err
	}
	if err := s.asker.hangUp(); err != nil {
		return nil, err
	}
	ch, err := challenge(ctx, s.client, s.server.base, token)
	if err != nil {
		return nil, err
	}
	public, err := base64.RawURLEncoding.DecodeString(ch.SealKey.Public)
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(s.f.config.Vault)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	requests = make([][]byte, n)
	first, deck := s.asked, s.f.deck
	s.asked += n
	err = parallel(n, func(i int) error {
		card := deck.id(deck.askedAt((first + i) % len(deck.verifier)))
		b := envelope.Binding{Channel: channelID, Action: liuma.ActionVerify, Role: liuma.RoleCurrent,
			Subject:    envelope.Subject{Card: v.Handle(channelID, card)},
			BusinessNo: liuma.BusinessNo(fmt.Sprintf("%s-%08d", s.run, first+i)), PurposeHash: envelope.PurposeHash(purpose),
			SealKeyID: ch.SealKey.ID, Challenge: ch.Value}
		e, err := envelope.Seal(public, b, secretOf(card))
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{"business_no": b.BusinessNo, "subject": map[string]string{"card": b.Subject.Card},
			"purpose": purpose, "challenge": ch.Value, "pin": e})
		requests[i] = s.asker.request(verifications, token, body)
		return err
	})
	return requests, err
}

// verifications is where requests go.
const verifications = "/v1/verifications"

// give sends a request and wants the verdict that the PIN is right.
func (s *subject) give(ctx context.Context, request []byte) error {
	return s.asker.ask(ctx, request, right)
}

// right is what each answer has to say.
const right = `"verdict":"right"`

// sliced is what one slice of the load cost.
type sliced struct {
	n                 int
	rate              float64 // a second
	p50, p99          float64 // ms
	cpu               float64 // µs a verification, of the server
	generator         float64 // and of this process, which asks
	keepers           []float64
	database, standby float64
	rssMiB            float64 // of the server, the most so far
	profile           *profile.Profile
}

// enough is how many requests are sealed for a while at the rate that was seen last.
func (s *subject) enough(d time.Duration) int {
	return int(min(1.6*s.rate, expected)*d.Seconds()) + 2*s.c.Clients
}

// slice asks for a while and says what it cost.
func (s *subject) slice(ctx context.Context, d time.Duration) (out sliced, err error) {
	if err := s.chill(); err != nil {
		return out, err
	}
	q, err := s.seal(ctx, s.enough(d))
	if err != nil {
		return out, err
	}
	p, err := beginProfile(s.control)
	if err != nil {
		return out, err
	}
	defer func() {
		var e error
		out.profile, e = p.end()
		err = errors.Join(err, e)
	}()
	pids := append([]int{s.server.cmd.Process.Pid}, s.f.keepers.pids()...)
	before, err := s.used(pids)
	if err != nil {
		return out, err
	}
	own, err := processorTime(os.Getpid())
	if err != nil {
		return out, err
	}
	took, times, err := ask(ctx, s.c.Clients, d, len(q), func(i int) error { return s.give(ctx, q[i]) })
	if err != nil {
		return out, err
	}
	ownAfter, err := processorTime(os.Getpid())
	if err != nil {
		return out, err
	}
	after, err := s.used(pids)
	if err != nil {
		return out, err
	}
	out.n = len(times)
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(out.n) }
	out.rate, out.p50, out.p99 = float64(out.n)/took.Seconds(), quantile(times, 0.50), quantile(times, 0.99)
	out.cpu, out.rssMiB = each(after.of[0].cpu-before.of[0].cpu), after.of[0].rssMiB
	out.generator = each(ownAfter - own)
	for i := range s.f.keepers {
		out.keepers = append(out.keepers, each(after.of[1+i].cpu-before.of[1+i].cpu))
	}
	out.database, out.standby = each(after.primary-before.primary), each(after.standby-before.standby)
	s.rate = out.rate
	return out, nil
}

// roles is the processor time of all that take part.
type roles struct {
	of               []used
	primary, standby time.Duration
}

func (s *subject) used(pids []int) (r roles, err error) {
	if r.of, err = usages(pids); err == nil {
		r.primary, r.standby, err = s.f.on.cpu()
	}
	return r, err
}

// OpenLoop holds the values of a load that comes at an even rate, whether the server keeps
// up or not. Times count from when a request was due.
type OpenLoop struct {
	Rate  float64 `json:"rate_per_second"`
	Sent  int     `json:"sent"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Worst float64 `json:"worst_ms"`
}

// open asks at a rate.
func (s *subject) open(ctx context.Context, rate float64, d time.Duration) (OpenLoop, error) {
	q, err := s.seal(ctx, int(rate*d.Seconds())+1)
	if err != nil {
		return OpenLoop{}, err
	}
	var noticed tally
	paced(ctx, rate, d, mostOpen, func(i int, due time.Time) { noticed.add(due, s.give(ctx, q[i])) })
	n := noticed.noticed()
	if n.Errors > 0 {
		return OpenLoop{}, fmt.Errorf("bench: open loop: %s", n.errors())
	}
	return OpenLoop{Rate: rate, Sent: n.Sent, P50: n.P50, P99: n.P99, Worst: n.Worst}, ctx.Err()
}

// mostOpen bounds the requests under way in an open loop.
const mostOpen = 10_000
