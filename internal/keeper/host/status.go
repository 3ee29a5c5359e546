package host

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
)

// Status is a keeper's state, for its administrator. Nothing in it is secret or about a
// card.
type Status struct {
	Keeper      keeper.ID         `json:"keeper"`
	Member      int               `json:"member"`
	Shape       string            `json:"shape"`
	Address     string            `json:"address"`
	Release     string            `json:"release,omitempty"`
	Began       time.Time         `json:"began"`
	State       State             `json:"state"`
	Why         string            `json:"why,omitempty"` // with every State but Serves
	Sequence    uint64            `json:"sequence"`
	Incarnation string            `json:"incarnation,omitempty"`
	KeySets     []uint32          `json:"key_sets"`
	Clock       *ClockStatus      `json:"clock,omitempty"` // absent without a ledger
	Door        time.Time         `json:"door_until"`      // when the door's certificate ends
	Issuer      IssuerStatus      `json:"issuer"`
	Callers     []CallerStatus    `json:"callers"`
	Peers       []PeerStatus      `json:"peers"`
	Connections map[string]int    `json:"connections"` // by role
	Asked       map[string]uint64 `json:"asked"`       // since the process began
	Repair      *RepairStatus     `json:"repair,omitempty"`
	Warnings    []Warning         `json:"warnings"`
}

// ClockStatus are the keeper's times.
type ClockStatus struct {
	Wall time.Time `json:"wall"`
	High time.Time `json:"high"` // the time by which locks and waits are measured
}

// IssuerStatus describes the keeper's issuer, by which callers recognise the keeper.
type IssuerStatus struct {
	Fingerprint string    `json:"fingerprint"`
	Until       time.Time `json:"until"`
}

// CallerStatus is one admission.
type CallerStatus struct {
	Name  string    `json:"name"`
	Roles []string  `json:"roles"`
	Until time.Time `json:"until"`
	State string    `json:"state"` // admitted, ended or dismissed
}

// PeerStatus is an admission of this keeper at another one.
type PeerStatus struct {
	Keeper  keeper.ID `json:"keeper"`
	Address string    `json:"address"`
	Roles   []string  `json:"roles"`
	Until   time.Time `json:"until"`
}

// Warning is something that the administrator should look at. Its text is a code.
type Warning string

// The warnings.
const (
	DoorEnds       Warning = "door_ends"   // the door's certificate has ended, or ends within 30 days
	IssuerEnds     Warning = "issuer_ends" // the issuer's certificate ends within a year
	CallerEnds     Warning = "caller_ends" // the last certificate of a caller, within 30 days
	PeerEnds       Warning = "peer_ends"   // an admission at another keeper, within 30 days
	FilesUnread    Warning = "files_unread"
	ClocksApart    Warning = "clocks_apart" // a caller's clock differed within the last ten minutes
	TimeLags       Warning = "time_lags"    // the ledger's time is far behind the clock: the machine was off
	NobodyAdmitted Warning = "nobody"       // nobody is admitted
)

// warnings lists all of them.
func warnings() []Warning {
	return []Warning{DoorEnds, IssuerEnds, CallerEnds, PeerEnds, FilesUnread, ClocksApart, TimeLags, NobodyAdmitted}
}

const (
	endsSoon  = 30 * 24 * time.Hour
	issuerEnd = 365 * 24 * time.Hour
	apartFor  = 10 * time.Minute
	lagMost   = 10 * time.Minute
)

// Status returns the keeper's state.
func (h *Host) Status(ctx context.Context) Status {
	f, now := h.files.Load(), h.now()
	s, unreadPeers := h.dir.standing(f, h.root, now)
	s.Release, s.Began = h.release, h.began
	h.ofNode(ctx, &s)
	for role, n := range h.server.Connections() {
		s.Connections[role.Names()[0]] = n
	}
	for c, n := range h.seat.tally.read() {
		if c.kind != "" {
			c.what += "." + c.kind
		}
		s.Asked[c.what] = n
	}
	h.mu.Lock()
	repair, unread := h.repair, h.unread
	h.mu.Unlock()
	if !repair.Began.IsZero() {
		s.Repair = &repair
	}
	s.warn(unread != nil || unreadPeers != nil, FilesUnread)
	s.warn(now.Sub(time.Unix(h.seat.apart.Load(), 0)) < apartFor, ClocksApart)
	s.warnOfEnds(now)
	return s
}

// Standing returns what the directory alone shows, whether or not a keeper serves it: the
// keeper's identity, the ends of certificates and admissions, and warnings about these.
func (d *Dir) Standing(now time.Time) (Status, error) {
	f, err := d.load()
	if err != nil {
		return Status{}, err
	}
	root, err := d.Root()
	if err != nil {
		return Status{}, err
	}
	s, unread := d.standing(f, root, now)
	s.warn(unread != nil, FilesUnread)
	s.warnOfEnds(now)
	return s, nil
}

// standing returns the part of a status that needs no running keeper. The error concerns
// admissions at other keepers; the rest of the status is valid without them.
func (d *Dir) standing(f *files, root *x509.Certificate, now time.Time) (Status, error) {
	s := Status{
		Keeper: d.Keeper, Member: d.Member, Shape: fmt.Sprintf("%d/%d", d.Shape.T, d.Shape.N), Address: d.Address,
		KeySets: []uint32{}, Callers: CallersOf(f.callers, now), Peers: []PeerStatus{}, Connections: map[string]int{}, Asked: map[string]uint64{}, Warnings: []Warning{},
		Door:   f.door.Leaf.NotAfter,
		Issuer: IssuerStatus{Fingerprint: admission.IssuerFingerprint(root).String(), Until: root.NotAfter},
	}
	peers, err := d.Peers()
	for _, p := range peers {
		s.Peers = append(s.Peers, PeerStatus{Keeper: p.Keeper, Address: p.Address, Roles: p.Roles.Names(), Until: p.Until})
	}
	return s, err
}

// ofNode fills in the part that the node reports.
func (h *Host) ofNode(ctx context.Context, s *Status) {
	n, err := h.seat.sits()
	if err == nil {
		times := n.Times()
		s.Clock = &ClockStatus{Wall: times.Wall, High: times.High}
		s.warn(times.Lag() > lagMost, TimeLags)
		if a, err := n.About(ctx); err == nil {
			s.Sequence, s.Incarnation, s.KeySets = a.Sequence, hex.EncodeToString(a.Incarnation[:]), n.KeySets()
		}
		err = n.Admit(ctx, keeper.Header{Now: times.Wall})
	}
	if s.State = stateOf(err); err != nil {
		s.Why = err.Error()
	}
}

// warnOfEnds adds warnings about certificates that end soon.
func (s *Status) warnOfEnds(now time.Time) {
	s.warn(s.Door.Before(now.Add(endsSoon)), DoorEnds)
	s.warn(s.Issuer.Until.Before(now.Add(issuerEnd)), IssuerEnds)
	soon := now.Add(endsSoon)
	last := lastOf(s.Callers)
	s.warn(len(last) == 0, NobodyAdmitted)
	s.warn(slices.ContainsFunc(last, func(c CallerStatus) bool { return c.Until.Before(soon) }), CallerEnds)
	s.warn(slices.ContainsFunc(s.Peers, func(p PeerStatus) bool { return p.Until.Before(soon) }), PeerEnds)
}

func (s *Status) warn(when bool, w Warning) {
	if when {
		s.Warnings = append(s.Warnings, w)
	}
}

// The states of a caller.
const (
	CallerAdmitted  = "admitted"
	CallerEnded     = "ended"
	CallerDismissed = "dismissed"
)

// CallersOf converts a list of callers to the form of a status.
func CallersOf(list admission.Callers, now time.Time) []CallerStatus {
	out := []CallerStatus{}
	for _, c := range list.List() {
		out = append(out, CallerStatus{Name: c.Name, Roles: c.Roles.Names(), Until: c.Until, State: callerState(c, now)})
	}
	return out
}

func callerState(c admission.Caller, now time.Time) string {
	err := c.State(now)
	switch {
	case err == nil:
		return CallerAdmitted
	case errors.Is(err, admission.ErrDismissed):
		return CallerDismissed
	}
	return CallerEnded
}
