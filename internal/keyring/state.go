package keyring

import (
	"context"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// State says how the keys of all authorities stand. It holds nothing secret.
type State struct {
	Edition uint64 `json:"edition"` // of the keys that were handed over last; zero: none were
	// Next is what is waited for: "sign" or "seal" with the key NextID; empty: nothing.
	Next   store.KeyringNext `json:"next,omitempty"`
	NextID string            `json:"next_id,omitempty"`
	// From is when the next signing key signs, if nobody is waited for.
	From time.Time `json:"from,omitzero"`
	// Waiting names those who serve and do not have the last edition.
	Waiting []string `json:"waiting,omitempty"`
	Members []Member `json:"members"`
}

// Member is an authority as the others know it.
type Member struct {
	Name   string `json:"name"`
	Here   bool   `json:"here"` // the one that answers
	Digits string `json:"digits"`
	// Serves says that its process is there, since Since. Otherwise Seen is when it was there
	// last; zero where that is not known.
	Serves bool      `json:"serves"`
	Since  time.Time `json:"since,omitzero"`
	Seen   time.Time `json:"seen,omitzero"`
	// Release is that of its program while that serves; empty otherwise, and of one from before
	// it said so.
	Release string `json:"release,omitempty"`
	// Dismissed says that its identity was dismissed, and never comes back.
	Dismissed bool `json:"dismissed,omitempty"`
	// Confirmed says that this authority gives it keys, Confirms that it takes them from
	// this one.
	Confirmed bool   `json:"confirmed"`
	Confirms  bool   `json:"confirms"`
	Edition   uint64 `json:"edition"`       // that it has
	Why       string `json:"why,omitempty"` // why it does not have the last one
	// Reason is a name for Why: one of Reasons, or empty where it is of another release.
	Reason string `json:"reason,omitempty"`
}

// Standing is how an authority stands to the one that answers: the first of these that is true.
type Standing string

// The standings. Words for them are looked up by these names.
const (
	Out         Standing = "dismissed"   // its identity stays out
	Refused     Standing = "refused"     // it cannot take the keys
	Here        Standing = "here"        // it is the one that answers
	Unconfirmed Standing = "unconfirmed" // it gets no keys from here
	Unanswered  Standing = "unanswered"  // it takes none from here
	Behind      Standing = "behind"      // it does not have the last edition yet
	Has         Standing = "same"        // it has the same keys
)

// Standing tells how a member stands.
func (s *State) Standing(m Member) Standing {
	switch {
	case m.Dismissed:
		return Out
	case m.Why != "":
		return Refused
	case m.Here:
		return Here
	case !m.Confirmed:
		return Unconfirmed
	case !m.Confirms:
		return Unanswered
	case m.Edition < s.Edition:
		return Behind
	}
	return Has
}

// State reads it; nil where nobody shares the database.
func (k *Keyring) State(ctx context.Context) (*State, error) {
	if shared, err := k.Shared(ctx); err != nil || !shared {
		return nil, err
	}
	row, err := k.view(ctx)
	if err != nil {
		return nil, err
	}
	peers, err := k.peers(ctx)
	if err != nil {
		return nil, err
	}
	away, err := k.c.Store.Away(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	me, err := k.identity(false)
	if err != nil {
		me = &vault.IdentityKey{} // it trusts nobody, and nobody it
	}
	out := &State{Edition: row.Edition, Next: row.Next, NextID: row.NextID, Members: []Member{}}
	since, waiting := k.standing(&row, peers)
	out.Waiting = waiting
	if row.Next == store.KeyringSign && len(waiting) == 0 {
		out.From = since.Add(vault.PublishedFor).UTC()
	}
	known := k.trusted(&row, me.Identity)
	for _, m := range row.Members {
		i := identityOf(m)
		one := Member{Name: m.Name, Here: same(&m, me.Identity), Digits: i.Fingerprint().String()}
		one.presence(peers, away)
		one.Dismissed = k.isGone(i.Fingerprint())
		to, ok := known[m.Name]
		one.Confirmed = ok && to.Fingerprint() == i.Fingerprint()
		back, ok := k.trusted(&row, i)[me.Name]
		one.Confirms = ok && back.Fingerprint() == me.Fingerprint()
		if n := slices.IndexFunc(row.Took, func(t store.KeyringTaken) bool { return t.Name == m.Name }); n >= 0 {
			one.Edition, one.Why = row.Took[n].Edition, row.Took[n].Why
			one.Reason = reasonOf(one.Why)
		}
		out.Members = append(out.Members, one)
	}
	return out, nil
}

// presence says whether a member serves. One whose connection is gone does not, though its
// process has not been ended yet.
func (m *Member) presence(peers, away []store.Peer) {
	for _, p := range slices.Concat(away, peers) {
		if p.Name != m.Name {
			continue
		}
		m.Serves, m.Since, m.Seen = p.Process != "" && !p.Absent, p.Since, p.Seen
		if m.Serves {
			m.Seen, m.Release = time.Time{}, p.Release
		} else {
			m.Since = time.Time{}
		}
	}
}

// Settled reports since when all that serve have the same keys, and use them; false where
// they do not yet.
func (k *Keyring) Settled(ctx context.Context) (since time.Time, ok bool, err error) {
	shared, err := k.Shared(ctx)
	if err != nil || !shared {
		return time.Time{}, err == nil, err
	}
	row, err := k.view(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	peers, err := k.peers(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	since, waiting := k.standing(&row, peers)
	return since, row.Edition == 0 || len(waiting) == 0 && row.Next == store.KeyringSettled, nil
}

// Heard reports whether another authority of that name has these digits.
func (s *State) Heard(name, digits string) bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool {
		return m.Name == name && !m.Here && written.Number(m.Digits) == written.Number(digits)
	})
}
