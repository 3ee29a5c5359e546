package crash

import (
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/test/history"
)

// scene is several authorities, and holders who act at any of them, each act at another one
// than the act before, as behind a balancer.
type scene struct {
	*several
	service *history.Service
	timeout time.Duration // of one call; an authority that is suspended answers none

	mu      sync.Mutex
	rng     *rand.Rand        // guarded by mu
	clients []*client.Client  // guarded by mu
	people  []registry.Facts  // guarded by mu: who have no card yet
	all     []*history.Person // guarded by mu
	told    int               // guarded by mu: answers that must hold
	open    int               // guarded by mu: acts of which nobody knows what became
}

func newScene(t *testing.T, authorities, people int, seed uint64, timeout time.Duration) *scene {
	t.Helper()
	s := &scene{several: newSeveral(t, authorities, people), timeout: timeout, rng: rand.New(rand.NewPCG(seed, 87))}
	s.people, s.clients = s.at[0].People, make([]*client.Client, authorities)
	s.service = &history.Service{Channel: channelID, Purpose: purpose, At: s.any, Evidence: s.at[0].World.Evidence, Patience: 2 * time.Minute, Took: s.took}
	for i := range s.at {
		s.start(t, i)
	}
	return s
}

// start starts an authority, which answers at another port than before.
func (s *scene) start(t *testing.T, i int) {
	t.Helper()
	s.at[i].start(t)
	c, err := s.at[i].channel.Connect("http://"+s.at[i].native, &http.Client{Timeout: s.timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64}})
	must(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[i] = c
}

func (s *scene) any(int) *client.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[s.rng.IntN(len(s.clients))]
}

func (s *scene) next() *history.Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.people) == 0 {
		return nil
	}
	p := s.service.NewPerson(s.people[0], s.rng.Uint64())
	s.people = s.people[1:]
	s.all = append(s.all, p)
	return p
}

func (s *scene) took(a *history.Tried) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Told() {
		s.told++
	} else {
		s.open++
	}
}

// answers waits until so many more answers were given.
func (s *scene) answers(t *testing.T, n int) {
	t.Helper()
	count := func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.told }
	n += count()
	until(t, "people get answers", func() bool { return count() >= n })
}

// befalls is what befalls authorities in one round. Whoever is gone for longer than a
// hold lasts may find its cards in others' hands.
func (s *scene) befalls(t *testing.T, long bool, rng *rand.Rand) string {
	t.Helper()
	i := rng.IntN(len(s.at))
	time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond) // any moment of what is under way
	switch n := rng.IntN(10); {
	case n < 4:
		s.at[i].kill(t)
		s.answers(t, 5)
		s.start(t, i)
		return "one killed"
	case n < 5:
		for j := range s.at {
			s.at[j].kill(t)
		}
		for j := range s.at {
			s.start(t, j)
		}
		return "all killed"
	case n < 6:
		must(t, s.at[i].process.Process.Signal(syscall.SIGTERM))
		_ = s.at[i].process.Wait()
		s.start(t, i)
		return "one ended in order"
	default:
		suspended := s.at[i].process.Process
		must(t, suspended.Signal(syscall.SIGSTOP))
		s.answers(t, 5)
		rest := time.Duration(rng.IntN(1500)) * time.Millisecond
		if long && rng.IntN(3) == 0 {
			rest = 22 * time.Second // longer than a hold lasts
		}
		time.Sleep(rest)
		must(t, suspended.Signal(syscall.SIGCONT))
		return "one suspended"
	}
}

// settle has everybody find out, at some authority, which PIN holds now: one of two, or the
// card is stopped. What was cut off is carried through by whoever is left.
func (s *scene) settle(t *testing.T) {
	t.Helper()
	for _, p := range s.all {
		if p.Card == "" {
			continue
		}
		said := ""
		until(t, "the PIN of "+p.Facts.CardNo+" is right, or its card is stopped", func() bool {
			said = p.Settled(t.Context(), 1)
			return said != history.Refused && said != history.Undecided && said != "unavailable"
		})
		if said == "wrong" {
			t.Errorf("%s: no PIN is right any more", p.Facts.CardNo)
		}
	}
}

// fits checks what everybody was told.
func (s *scene) fits(t *testing.T) (acts int) {
	t.Helper()
	for _, p := range s.all {
		ops := p.Operations()
		acts += len(ops)
		if result := history.Check(ops, time.Minute); result != porcupine.Ok {
			t.Errorf("card of %s: %s: %d acts fit no order", p.Facts.CardNo, result, len(ops))
			for _, line := range p.Lines() {
				t.Log(line)
			}
		}
	}
	return acts
}

// TestKilledAuthoritiesKeepOneHistory: holders act at three authorities on one database, and
// with many kills at two as well, each act at any of them, while one is killed, suspended or
// ended in the middle. What each card's holder was told fits one order of the acts, as if one
// authority had never failed; and in the end everybody has one PIN, or a card that is stopped.
// LIUMA_CRASH_SEED repeats what was drawn.
func TestKilledAuthoritiesKeepOneHistory(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("LIUMA_CRASH_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("LIUMA_CRASH_SEED=%d", seed)
	rounds := max(1, kills(t)/10)
	long := rounds > 1
	for _, authorities := range []int{3, 2} {
		if authorities == 2 && !long {
			break
		}
		t.Run(strconv.Itoa(authorities), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(authorities)))
			s := newScene(t, authorities, 200+40*rounds, seed, 4*time.Second)
			crowd := history.NewCrowd(3, s.next)
			t.Cleanup(crowd.End)
			var what []string
			for range rounds {
				s.answers(t, 30)
				what = append(what, s.befalls(t, long, rng))
			}
			s.answers(t, 30)
			crowd.End()
			s.settle(t)
			acts := s.fits(t)
			slices.Sort(what)
			t.Logf("%v: %d acts of %d people fit one order each; %d answers, %d without one", slices.Compact(what), acts, len(s.all), s.told, s.open)
		})
	}
}
