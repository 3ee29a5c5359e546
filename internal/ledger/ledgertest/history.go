package ledgertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// HistoriesAreLinearizable lets several clients guess, settle, propose and
// commit on a few cards at once, makes the backend fail or crash in between,
// and checks each card's history against the rules: all answers must fit one
// order of the requests. In that order a crash may lose settlements, but
// nothing else that was answered.
func HistoriesAreLinearizable(t *testing.T, place func(testing.TB) Place) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h := newHistory(newRig(t, place(t)), seed)
			for range 6 {
				h.epoch()
			}
			for card, ops := range h.ops {
				result := porcupine.CheckOperationsTimeout(rules().ToModel(), ops, 20*time.Second)
				if result != porcupine.Ok {
					t.Errorf("card %d: %s: %d operations fit no order", card, result, len(ops))
					for _, op := range ops {
						t.Logf("%d-%d %+v: %+v", op.Call, op.Return, op.Input, op.Output)
					}
				}
			}
		})
	}
}

const (
	historyCards    = 3
	historyClients  = 4
	historyVersions = 200
)

type action string

// history is a run and the record of it.
type history struct {
	rig   *rig
	rand  *rand.Rand
	tick  atomic.Int64
	cards [historyCards][]*holder // by version; each version has another key

	current [historyCards]atomic.Uint32 // highest version that a client committed, a hint
	heads   [historyCards]atomic.Uint64 // the head of the card's row in a database

	mu  sync.Mutex
	ops [historyCards][]porcupine.Operation // guarded by mu
}

// input is a request. A settlement is for spend s.
type input struct {
	action  action
	now     time.Time
	version liuma.Version
	// replaces and head are the sender's view of the card.
	replaces liuma.Version
	head     uint64
	lane     ledger.Lane
	reserve  int
	s        uint64
	reopen   bool
}

// output is an answer; unknown is set if the ledger failed during the request.
type output struct {
	unknown bool
	refusal ledger.Refusal
	s       uint64
	left    int
}

func newHistory(r *rig, seed uint64) *history {
	h := &history{rig: r, rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range h.cards {
		first := newHolder(r.t)
		first.version = 0
		h.cards[i] = append(h.cards[i], first)
		for v := range historyVersions {
			next := newHolder(r.t)
			next.card, next.version = first.card, liuma.Version(v+1)
			h.cards[i] = append(h.cards[i], next)
		}
	}
	return h
}

// epoch runs the clients until they are done or the ledger fails, then opens
// the ledger again from disk, and moves the clock.
func (h *history) epoch() {
	calls := h.rig.calls()
	h.rig.fault.FailAt(calls+10+h.rand.IntN(40), h.rand.IntN(2) == 0)
	var clients sync.WaitGroup
	for client := range historyClients {
		random := rand.New(rand.NewPCG(h.rand.Uint64(), h.rand.Uint64()))
		clients.Go(func() {
			for range 24 {
				if !h.one(client, random) {
					return
				}
			}
		})
	}
	clients.Wait()
	if h.rand.IntN(3) > 0 {
		call := h.tick.Add(1)
		h.rig.crash()
		for card := range h.cards {
			h.record(card, historyClients, call, input{action: "crash"}, output{})
		}
	} else {
		h.rig.reopen() // if the ledger failed, this counts as a crash
		for card := range h.cards {
			h.record(card, historyClients, h.tick.Add(1), input{action: "crash"}, output{})
		}
	}
	h.rig.clock.Move(time.Duration(h.rand.IntN(30)) * time.Hour)
}

func (h *history) record(card, client int, call int64, in input, out output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[card] = append(h.ops[card], porcupine.Operation{
		ClientId: client, Input: in, Call: call, Output: out, Return: h.tick.Add(1),
	})
}

// one plays one request, and for some guesses the settlement that follows.
func (h *history) one(client int, random *rand.Rand) bool {
	card := random.IntN(historyCards)
	in := input{action: "spend", now: h.rig.clock.Now(), version: liuma.Version(h.current[card].Load())}
	in.lane, in.reserve, in.replaces = ledger.Lane(random.IntN(2)), 2*random.IntN(2), in.version
	in.head = h.heads[card].Load()
	if random.IntN(3) == 0 { // the card's row changes; another client may or may not know it yet
		in.head = h.heads[card].Add(1)
	}
	switch dice := random.IntN(20); {
	case dice == 0 || in.version == 0:
		in.action, in.version = "commit", in.version+liuma.Version(random.IntN(3))
	case dice == 1:
		in.action, in.version = "propose", in.version+liuma.Version(random.IntN(4))
	case dice <= 3:
		in.action = "head"
	}
	in.version = min(max(in.version, 1), historyVersions)
	out, ok := h.play(client, card, in)
	if ok && in.action == "spend" && out.s > 0 && random.IntN(3) == 0 {
		settle := input{head: in.head, action: "settle", now: in.now, version: in.version, s: out.s, reopen: random.IntN(4) == 0}
		_, ok = h.play(client, card, settle)
	}
	return ok
}

// play makes a request and records it; false means that the ledger failed.
func (h *history) play(client, card int, in input) (output, bool) {
	call := h.tick.Add(1)
	out, err := h.send(h.cards[card][in.version], in)
	if refusal, ok := errors.AsType[*ledger.Refusal](err); ok {
		out.refusal, err = *refusal, nil
	}
	out.unknown = err != nil
	h.record(card, client, call, in, out)
	if err != nil && !errors.Is(err, ledger.ErrPoisoned) {
		h.rig.t.Errorf("%+v: %v", in, err)
	}
	if err == nil && in.action == "commit" && out.refusal.Reason == "" {
		for old := h.current[card].Load(); old < uint32(in.version); old = h.current[card].Load() {
			if h.current[card].CompareAndSwap(old, uint32(in.version)) {
				break
			}
		}
	}
	return out, err == nil
}

func (h *history) send(who *holder, in input) (out output, err error) {
	r := h.rig
	who = &holder{card: who.card, version: who.version, key: who.key, head: in.head}
	switch in.action {
	case "head":
		err = r.head(ledger.Head{Card: who.card, Head: in.head})
	case "spend":
		var spent *ledger.Spent
		if spent, err = r.try(who, in.lane, in.reserve); err == nil {
			out.s, out.left = spent.S(), spent.Left()
		}
	case "settle":
		err = r.settle(r.proof(who, in.s, in.reopen))
	case "propose":
		_, err = r.propose(who, in.replaces, in.version)
	case "commit":
		c := who.commitment()
		c.Replaces = in.replaces
		_, err = r.ledger.Commit(r.t.Context(), ledger.CommitRequest{Commitment: c, Head: in.head, Sender: r.clock.Now()})
	}
	return out, err
}
