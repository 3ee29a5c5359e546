package miniapp

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// A real channel keeps this in its database. A result that is lost when the
// process ends can be fetched again: the authority knows every request by its
// business number.
const (
	sessionLife = time.Hour // since it was last used
	mostSession = 10_000
	mostFlows   = 20 // of a session; the oldest is dropped for a new one
)

// flow is one request to the authority, from the press of a button to its end.
// It is a value: memory keeps the original.
type flow struct {
	BusinessNo string
	// LogIn has the secrets of the last push, and the session and the account that
	// pushed: only there is a code redeemed.
	LogIn     client.LogIn
	Action    string
	Person    string // the holder
	Camera    string // who is at the browser, and would be before the camera
	Purpose   client.Purpose
	Card      string // the handle; empty for enroll and link
	Address   string // of the authority's page, since the last push
	Challenge string // that evidence must be bound to, where the authority gave one
	Check     string // state of the provider's page, while the holder is there
	Pushed    bool
	Started   time.Time
	Outcome   *outcome // nil before there is one
}

// session is one browser.
type session struct {
	person  string
	flows   []flow // oldest first
	used    time.Time
	years   access // to the contribution years
	medical access // to the medical e-credential
	code    code   // that the e-credential's page shows
}

// access is what a proof opened: until when whose service may be seen.
type access struct {
	until time.Time
	of    string // the holder
	no    string // business number of the proof
}

type memory struct {
	now func() time.Time

	mu       sync.Mutex
	sessions map[string]*session // guarded by mu
	cards    map[string]string   // guarded by mu: handle by person, for all browsers
	codes    map[string]string   // guarded by mu: session by code of the e-credential
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, sessions: map[string]*session{}, cards: map[string]string{}, codes: map[string]string{}}
}

// with calls f with the session of an id; it reports whether there is such a
// session.
func (m *memory) with(id string, f func(*session)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok || id == "" {
		return false
	}
	if m.now().Sub(s.used) > sessionLife {
		m.forget(id)
		return false
	}
	s.used = m.now()
	f(s)
	return true
}

// begin makes a session for a person. The id is always new, so that an attacker
// cannot plant a known one.
func (m *memory) begin(old, person string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(old)
	if len(m.sessions) >= mostSession {
		m.drop()
	}
	id := rand.Text()
	m.sessions[id] = &session{person: person, used: m.now()}
	return id
}

// drop removes expired sessions and, if there are none, the session that was
// used longest ago. The caller holds mu.
func (m *memory) drop() {
	oldest, at := "", m.now().Add(time.Second)
	for id, s := range m.sessions {
		if m.now().Sub(s.used) > sessionLife {
			m.forget(id)
		} else if s.used.Before(at) {
			oldest, at = id, s.used
		}
	}
	if len(m.sessions) >= mostSession {
		m.forget(oldest)
	}
}

// forget ends a session, and with it what was opened in it. The caller holds mu.
func (m *memory) forget(id string) {
	if s, ok := m.sessions[id]; ok {
		delete(m.codes, s.code.value)
		delete(m.sessions, id)
	}
}

func (m *memory) end(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(id)
}

// keep adds a flow to a session.
func (m *memory) keep(id string, f flow) {
	m.with(id, func(s *session) {
		s.flows = append(s.flows, f)
		if len(s.flows) > mostFlows {
			s.flows = s.flows[1:]
		}
	})
}

// flowBy finds a session's flow.
func (m *memory) flowBy(id string, fits func(*flow) bool) (found flow, ok bool) {
	m.with(id, func(s *session) {
		for i := range s.flows {
			if fits(&s.flows[i]) {
				found, ok = s.flows[i], true
			}
		}
	})
	return found, ok
}

// update changes a session's flow in place.
func (m *memory) update(id, businessNo string, change func(*flow)) {
	m.with(id, func(s *session) {
		for i := range s.flows {
			if s.flows[i].BusinessNo == businessNo {
				change(&s.flows[i])
			}
		}
	})
}

// takeState takes a flow's state, so that a second answer finds none: a
// callback counts once.
func (m *memory) takeState(id, state string) (found flow, ok bool) {
	if state == "" {
		return flow{}, false
	}
	m.with(id, func(s *session) {
		for i := range s.flows {
			if s.flows[i].LogIn.State == state {
				found, ok = s.flows[i], true
				s.flows[i].LogIn.State = ""
			}
		}
	})
	return found, ok
}

func (m *memory) card(person string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cards[person]
}

func (m *memory) setCard(person, handle string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cards[person] = handle
}
