package authority

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Times of the hosted door.
const (
	pushedLife   = 90 * time.Second // of a request_uri until the first post
	ceremonyLife = 15 * time.Minute // from the first post
	ceremonyMore = 10 * time.Minute // that an extension gives
	ceremonyMost = time.Hour        // in all, from the first push
	codeLife     = 60 * time.Second
	keepEnded    = 30 * 24 * time.Hour // before an ended ceremony is forgotten
)

const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// maxPurpose bounds what the page shows, in characters.
const maxPurpose = 60

// details are what a ceremony keeps sealed. They print redacted by the types
// of their parts; the struct itself never leaves this package.
type details struct {
	Subject  subjectParts `json:"subject"`
	Purpose  string       `json:"purpose"`
	Return   Return       `json:"return"`
	Proof    *proofParts  `json:"proof,omitempty"` // evidence that came with a push
	Verdict  string       `json:"verdict,omitempty"`
	Code     string       `json:"code,omitempty"` // of the last move
	Reason   string       `json:"reason,omitempty"`
	Sentence liuma.Text   `json:"sentence,omitzero"`
	Left     *int         `json:"left,omitempty"`
	Until    time.Time    `json:"until,omitzero"`

	Language     string        `json:"language,omitempty"`  // of texts to the phone
	Doing        string        `json:"doing,omitempty"`     // the action that it turned to, if not its own
	Coded        *codedParts   `json:"coded,omitempty"`     // a code that was right
	Right        liuma.Version `json:"right,omitempty"`     // of a rebind: the version whose PIN was right
	Prover       []byte        `json:"prover,omitempty"`    // hash of the browser that gave them
	NewPhone     string        `json:"new_phone,omitempty"` // to be bound
	CardNo       bool          `json:"card_no,omitempty"`   // the physical card's number was right
	NoReset      string        `json:"no_reset,omitempty"`  // why it cannot be reset online
	NoResetUntil time.Time     `json:"no_reset_until,omitzero"`
	WasReset     bool          `json:"was_reset,omitempty"`
	ToldOff      bool          `json:"told_off,omitempty"` // the phone, that every use is not told any more

	// Hashes of browsers, for known devices: that made the last try, that gave
	// or set a right PIN (of version PINOf), and that gave a right code.
	Giver  []byte        `json:"giver,omitempty"`
	PINIn  []byte        `json:"pin_in,omitempty"`
	PINOf  liuma.Version `json:"pin_of,omitempty"`
	CodeIn []byte        `json:"code_in,omitempty"`
	Device []byte        `json:"device,omitempty"` // MAC of the device that this ceremony made known
}

// subjectParts and proofParts are the wire forms of envelope.Subject and
// evidence.Proof, which refuse to be marshalled by accident.
type subjectParts struct{ Card, IDNumber, Name, Phone string }

type proofParts struct {
	Provider, ID, Method string
	IssuedAt, Expires    time.Time
	IDNumber             string // whom it is about
}

func (d details) subject() envelope.Subject { return envelope.Subject(d.Subject) }

// random gives n random bytes in lower-case base32.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

func hashed(label, s string) [32]byte { return sha256.Sum256([]byte("liuma/1/" + label + "\x00" + s)) }

// Push takes a channel's request for a ceremony and reserves its business
// number, so that the native door cannot use it as well (I-11).
func (a *Authority) Push(ctx context.Context, c Caller, q Push) (Pushed, error) {
	switch q.Action {
	case liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange,
		liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze:
	default:
		return Pushed{}, liuma.FailField(liuma.CodeBadRequest, "action", nil)
	}
	if err := c.permit(q.Action, q.Region); err != nil {
		return Pushed{}, err
	}
	if n := utf8.RuneCountInString(q.Purpose); n < 1 || n > maxPurpose {
		return Pushed{}, liuma.FailField(liuma.CodeBadRequest, "purpose", errors.New("want 1 to 60 characters"))
	}
	d := details{Subject: subjectParts(q.Subject), Purpose: q.Purpose, Return: q.Return}
	if err := checkSubject(q); err != nil {
		return Pushed{}, err
	}
	if err := a.pushEvidence(ctx, c, q, &d); err != nil {
		return Pushed{}, a.withChallenge(c, err)
	}
	uri := requestURIPrefix + random(32)
	expires := a.now().Add(pushedLife)
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return a.pushed(tx, c, q, d, hashed("request-uri", uri), expires)
	})
	if err != nil {
		return Pushed{}, house(err)
	}
	return Pushed{RequestURI: uri, Expires: expires}, nil
}

// checkSubject checks that the subject names a holder in the way that the
// action wants.
func checkSubject(q Push) error {
	if q.Action != liuma.ActionEnroll && q.Action != liuma.ActionLink {
		if q.Subject.Card == "" || q.Subject.IDNumber != "" || q.Subject.Name != "" || q.Subject.Phone != "" {
			return liuma.FailField(liuma.CodeBadRequest, "holder", errors.New("want the card's handle alone"))
		}
		return nil
	}
	if q.Subject.Card != "" {
		return liuma.FailField(liuma.CodeBadRequest, "holder.card", nil)
	}
	if _, err := registry.ParseIDNumber(q.Subject.IDNumber); err != nil {
		return atField(house(err), "holder.id_number")
	}
	if _, err := registry.ParseName(q.Subject.Name); err != nil {
		return atField(house(err), "holder.name")
	}
	if q.Subject.Phone != "" {
		if _, err := registry.ParsePhone(q.Subject.Phone); err != nil {
			return atField(house(err), "holder.phone")
		}
	}
	return nil
}

// pushEvidence checks evidence that came with the push. It is marked as used
// in the transaction that keeps the push, and kept in the ceremony.
func (a *Authority) pushEvidence(ctx context.Context, c Caller, q Push, d *details) error {
	if q.Evidence == "" {
		if q.Action == liuma.ActionEnroll {
			return &liuma.Error{Code: liuma.CodeEvidenceRequired}
		}
		return nil
	}
	if err := a.Vault.CheckChallenge(c.channel(), q.Challenge, a.now()); err != nil {
		return atField(err, "challenge")
	}
	idNumber, name := q.Subject.IDNumber, q.Subject.Name
	if q.Subject.Card != "" {
		f, err := a.factsByHandle(ctx, c, q.Subject.Card)
		if err != nil {
			return err
		}
		idNumber, name = f.IDNumber, f.Name
	}
	id, err := registry.ParseIDNumber(idNumber)
	if err != nil {
		return err
	}
	if name, err = registry.ParseName(name); err != nil {
		return err
	}
	proof, err := a.checkEvidenceOf(ctx, q.Evidence, q.Challenge, id.Canonical(), name, a.policyFor(c, q.Region))
	if err != nil {
		return err
	}
	d.Proof = &proofParts{Provider: proof.Provider, ID: proof.ID, Method: proof.Method,
		IssuedAt: proof.IssuedAt, Expires: proof.Expires, IDNumber: id.Canonical()}
	return nil
}

func (a *Authority) factsByHandle(ctx context.Context, c Caller, handle string) (registry.Facts, error) {
	var card store.Card
	err := a.Store.View(ctx, func(r store.Reader) error {
		link, err := r.LinkByHandle(c.channel(), store.Handle(handle))
		if err != nil {
			return err
		}
		card, err = a.checkedCard(r, link.Card)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return registry.Facts{}, liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", err)
	}
	if err != nil {
		return registry.Facts{}, house(err)
	}
	return a.facts(card)
}

// pushed keeps a push: a new ceremony, or one that goes on under a new
// address. A crash before the commit leaves nothing.
func (a *Authority) pushed(tx store.Tx, c Caller, q Push, d details, uri [32]byte, expires time.Time) (audit.Entry, error) {
	if err := a.markEvidence(tx, d.Proof.proof()); err != nil {
		return audit.Entry{}, err
	}
	e := a.entry(c.actor(), audit.CeremonyPushed, liuma.CardID{}, q.BusinessNo, "ok")
	e.Note = "action=" + string(q.Action)
	digest := pushDigest(q)
	row := a.row(c, q.Action, q.BusinessNo, q.Purpose, digest)
	row.Ceremony = random(16)
	there, err := tx.Request(row.Channel, row.BusinessNo)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := tx.InsertRequest(row); err != nil {
			return audit.Entry{}, err
		}
		cer := store.Ceremony{ID: row.Ceremony, Channel: row.Channel, BusinessNo: row.BusinessNo, Action: q.Action,
			Region: q.Region, Step: string(firstStep(q.Action)), RequestURI: uri, At: row.At, Expires: expires}
		if err := a.sealDetails(&cer, d); err != nil {
			return audit.Entry{}, err
		}
		return e, tx.InsertCeremony(cer)
	case err != nil:
		return audit.Entry{}, err
	case there.Digest != digest || there.Ceremony == "":
		return audit.Entry{}, liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
	}
	return e, a.pushedAgain(tx, there, d, uri, expires)
}

// pushDigest covers what a continued ceremony may not change.
func pushDigest(q Push) [32]byte {
	b, err := json.Marshal([]any{q.Action, subjectParts(q.Subject), q.Region, q.Purpose, q.Return.RedirectURI})
	if err != nil {
		panic(err) // strings only
	}
	return sha256.Sum256(b)
}

// pushedAgain lets a ceremony go on: in another browser, perhaps with
// evidence that it lacked. One whose business number is decided goes on only
// while its holder sets the PIN anew. One whose time is over does not, whether
// the sweep has been there or not: what was proved in it was proved then (I-12).
func (a *Authority) pushedAgain(tx store.Tx, row store.Request, d details, uri [32]byte, expires time.Time) error {
	cer, err := tx.Ceremony(row.Ceremony)
	if err != nil {
		return err
	}
	kept, err := a.openDetails(cer)
	if err != nil {
		return err
	}
	if expired(cer, a.now()) || row.Decided && row.Code == liuma.CodeCeremonyExpired {
		return liuma.FailField(liuma.CodeCeremonyExpired, "business_no", nil)
	}
	if !cer.Ended.IsZero() || row.Decided && kept.Doing == "" {
		return liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
	}
	kept.Return = d.Return
	if d.Proof != nil {
		kept.Proof = d.Proof
		switch Step(cer.Step) {
		case StepRefused:
			kept.Code = ""
			err = goTo(&cer, StepPIN)
		case StepEvidence:
			err = goTo(&cer, kept.withProof(acting(cer, kept)))
		}
		if err != nil {
			return err
		}
	}
	cer.RequestURI, cer.Browser = uri, [32]byte{}
	cer.Expires = within(cer, maxTime(cer.Expires, expires))
	if err := a.sealDetails(&cer, kept); err != nil {
		return err
	}
	return tx.UpdateCeremony(cer)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// proof is the evidence as the native door has it; nil is none.
func (p *proofParts) proof() *evidence.Proof {
	if p == nil {
		return nil
	}
	return &evidence.Proof{Provider: p.Provider, ID: p.ID, Method: p.Method, IssuedAt: p.IssuedAt, Expires: p.Expires}
}

func (a *Authority) sealDetails(c *store.Ceremony, d details) error {
	plain, err := json.Marshal(d)
	if err != nil {
		return err
	}
	defer clear(plain)
	c.Sealed, err = a.Vault.Seal(vault.CeremonyDetails, []byte(c.ID), plain)
	return err
}

func (a *Authority) openDetails(c store.Ceremony) (details, error) {
	plain, err := a.Vault.Unseal(vault.CeremonyDetails, []byte(c.ID), c.Sealed)
	if err != nil {
		return details{}, fmt.Errorf("authority: ceremony: %w", err)
	}
	defer clear(plain)
	var d details
	if err := json.Unmarshal(plain, &d); err != nil {
		return details{}, errors.New("authority: ceremony details do not parse")
	}
	return d, nil
}

// UseAssertion takes a client assertion's jti out of use.
func (a *Authority) UseAssertion(ctx context.Context, clientID, jti string, until time.Time) error {
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		err := tx.InsertEvidence("assertion:"+clientID, a.Vault.Index(vault.IndexEvidence, clientID+"\x00"+jti), until)
		return a.entry("channel:"+clientID, audit.AssertionUsed, liuma.CardID{}, "", "ok"), err
	})
	if errors.Is(err, store.ErrExists) {
		return liuma.Fail(liuma.CodeUnauthenticated, errors.New("jti used before"))
	}
	return house(err)
}

// newSecret makes a browser's secret.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func equal(a, b [32]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
