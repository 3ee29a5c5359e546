package ceremony

import (
	"bytes"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// codeProofLife is how long a right one-time code shows that the holder has the phone.
// It is long enough, also for the slow, to go to the evidence provider and back and to
// choose a PIN. It is short enough that a phone which was lent or forgotten is back with
// its owner. After it the ceremony asks for another code.
const codeProofLife = 30 * time.Minute

// Proofs holds all that a ceremony's holder has proved so far. Each proof says
// in which browser it was given, for which version or number, and until when it
// holds. Browsers are named by the hash of their secret, as in
// store.Ceremony.Browser.
type Proofs struct {
	PIN      PINProof       `json:"pin,omitzero"`
	Code     CodeProof      `json:"code,omitzero"`
	CardNo   CardNoProof    `json:"card_no,omitzero"`
	Evidence *EvidenceProof `json:"evidence,omitempty"`
	// Ticket is a ticket of a counter, given in place of evidence.
	Ticket TicketProof `json:"ticket,omitzero"`
	// OldCode, in a rebinding with a ticket, is the code to the phone that is bound now.
	OldCode CodeProof `json:"old_code,omitzero"`
	// TriedIn is the browser that made the last try, and TriedFrom the number of
	// its first try since another browser made one. The verdict on a try proves the
	// PIN only in the browser that made it.
	TriedIn   []byte `json:"tried_in,omitempty"`
	TriedFrom int    `json:"tried_from,omitempty"`
}

// PINProof is a PIN that was right, or was newly set. It holds as long as the
// card's PIN has that version.
type PINProof struct {
	In      []byte        `json:"in,omitempty"`
	Version liuma.Version `json:"version,omitempty"`
}

func (p PINProof) given(c store.Ceremony) bool { return p.Version != 0 && isBrowser(p.In, c) }

func (p PINProof) holds(c store.Ceremony, v liuma.Version) bool { return p.given(c) && p.Version == v }

// CodeProof is a one-time code that was right. It holds until Until, for the
// number that it was sent to. Spent ends it earlier: it was used, or the holder
// turned back.
type CodeProof struct {
	In    []byte    `json:"in,omitempty"`
	Phone []byte    `json:"phone,omitempty"` // blind index of the number
	At    time.Time `json:"at,omitzero"`
	Spent bool      `json:"spent,omitempty"`
}

// Until is when the proof ends by itself.
func (p CodeProof) Until() time.Time { return p.At.Add(codeProofLife) }

// given reports whether the browser that goes on gave a right code, spent or not.
func (p CodeProof) given(c store.Ceremony) bool { return isBrowser(p.In, c) }

// open reports whether there is a code that was not spent.
func (p CodeProof) open() bool { return len(p.In) > 0 && !p.Spent }

func (p CodeProof) holds(c store.Ceremony, phone vault.Index, now time.Time) bool {
	return p.open() && p.given(c) && bytes.Equal(p.Phone, phone[:]) && now.Before(p.Until())
}

// CardNoProof is the number of the physical card, given in place of evidence or,
// where the policy asks for it, beside the other proofs.
// It holds as long as the ceremony goes on in that browser.
type CardNoProof struct {
	In []byte `json:"in,omitempty"`
}

func (p CardNoProof) holds(c store.Ceremony) bool { return isBrowser(p.In, c) }

// TicketProof is a ticket of a counter. It holds as long as the ceremony goes on in that
// browser and the ticket stands (ticketProves).
type TicketProof struct {
	In []byte         `json:"in,omitempty"`
	ID liuma.TicketID `json:"id,omitzero"`
}

func (p TicketProof) holds(c store.Ceremony) bool { return isBrowser(p.In, c) }

// EvidenceProof is evidence that came with a push, where it was checked and
// marked as used. It is about a person. It comes from the channel's server and
// so belongs to no browser, and holds as long as the ceremony goes on.
type EvidenceProof struct {
	Provider, ID, Method string
	IssuedAt, Expires    time.Time
	IDNumber             string // canonical, of the person that it is about
}

// proof is the evidence in the form that an attempt takes; nil if there is
// none.
func (p *EvidenceProof) proof() *evidence.Proof {
	if p == nil {
		return nil
	}
	return &evidence.Proof{Provider: p.Provider, ID: p.ID, Method: p.Method, IssuedAt: p.IssuedAt, Expires: p.Expires}
}

// present reports evidence, or a ticket in its place that was given in the browser that
// goes on.
func (p Proofs) present(c store.Ceremony) bool { return p.Evidence != nil || p.Ticket.holds(c) }

// method is how the holder's presence was proved, as a request names it; empty without
// such a proof.
func (p Proofs) method(c store.Ceremony) string {
	switch {
	case p.Evidence != nil:
		return p.Evidence.Method
	case p.Ticket.holds(c):
		return authority.MethodCounter
	}
	return ""
}

// browser is the browser in which a code or a PIN was given, or nil. It is
// known also after the proof has ceased to hold.
func (p Proofs) browser() []byte {
	if len(p.Code.In) > 0 {
		return p.Code.In
	}
	return p.PIN.In
}

// drop takes back the proofs that were given in a browser, and reports whether
// any of them still counted. Evidence stays, because it belongs to no browser.
func (p *Proofs) drop() bool {
	proved := p.Code.open() || p.OldCode.open() || len(p.PIN.In) > 0 || len(p.CardNo.In) > 0 || len(p.Ticket.In) > 0
	p.PIN, p.Code, p.CardNo, p.Ticket, p.OldCode = PINProof{}, CodeProof{}, CardNoProof{}, TicketProof{}, CodeProof{}
	return proved
}

// tried notes that the browser that goes on makes the ceremony's last try.
func (p *Proofs) tried(c store.Ceremony) {
	if !isBrowser(p.TriedIn, c) {
		p.TriedIn, p.TriedFrom = bytes.Clone(c.Browser[:]), c.Tries
	}
}

// madeBy is the browser that made a try, or nil if another browser has made a try since.
// It goes by the number of the try: the ceremony's row may have been put back to an
// older state, with another browser, while the keepers worked (I-13).
func (p Proofs) madeBy(c store.Ceremony, try store.Request) []byte {
	if !bytes.Equal(p.TriedIn, try.Browser[:]) {
		return nil
	}
	for n := max(p.TriedFrom, 1); n <= c.Tries; n++ {
		if try.BusinessNo == authority.TryNo(c.BusinessNo, n) {
			return p.TriedIn
		}
	}
	return nil
}

func isBrowser(in []byte, c store.Ceremony) bool {
	return c.Browser != [32]byte{} && bytes.Equal(in, c.Browser[:])
}
