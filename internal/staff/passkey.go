package staff

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Errors of passkeys. With each of them nobody is signed in.
var (
	ErrNoConsole = errors.New("there are no staff pages, to whose address passkeys belong")
	ErrChallenge = errors.New("this took longer than five minutes, or was sent twice; begin again")
	ErrPasskey   = errors.New("this passkey was not accepted")
	ErrCopied    = errors.New("this passkey may have been copied; have it replaced")
)

// The labels of challenges. A channel's identifier has no slash, so no channel's
// challenge can pass for one of these.
const (
	challengeLogIn    = liuma.ChannelID("staff/log-in")
	challengeRegister = liuma.ChannelID("staff/register/") // and the member
	challengeConfirm  = liuma.ChannelID("staff/confirm/")  // and the member, and the act
)

// useProvider is the name under which used challenges are marked, beside used evidence.
// A provider's identifier has no slash.
const useProvider = "staff/challenge"

// relying is the party that passkeys belong to: the host of the staff pages.
type relying struct{ *webauthn.WebAuthn }

func newRelying(console string) (*relying, error) {
	u, err := url.Parse(console)
	if err != nil || u.Host == "" || u.Path != "" || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
		return nil, fmt.Errorf("staff: console %q: want https://host and nothing after it", console)
	}
	required := true
	w, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "Liuma 六码", RPOrigins: []string{console},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{RequireResidentKey: &required,
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil, fmt.Errorf("staff: %w", err)
	}
	return &relying{w}, nil
}

// credentialed is a member in the form that the passkey library needs.
type credentialed struct{ store.Member }

func (c credentialed) WebAuthnID() []byte          { return c.Handle[:] }
func (c credentialed) WebAuthnName() string        { return string(c.ID) }
func (c credentialed) WebAuthnDisplayName() string { return c.Name }

func (c credentialed) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, len(c.Passkeys))
	for i, k := range c.Passkeys {
		out[i] = webauthn.Credential{ID: k.ID, PublicKey: k.Key,
			Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: k.Eligible, BackupState: k.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: k.AAGUID, SignCount: k.SignCount}}
	}
	return out
}

// challenge makes a challenge of five minutes. Nothing is stored: it carries its end
// and a MAC, and using it leaves a mark.
func (s *Staff) challenge(label liuma.ChannelID) ([]byte, error) {
	if s.passkeys == nil {
		return nil, ErrNoConsole
	}
	text, err := s.c.Challenges.NewChallenge(label, s.c.Now(), CodeLife)
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(text)
}

// use checks a challenge and marks it as used, once.
func (s *Staff) use(tx store.Tx, label liuma.ChannelID, challenge string) error {
	now := s.c.Now()
	if err := s.c.Challenges.CheckChallenge(label, challenge, now); err != nil {
		return fmt.Errorf("%w: %w", ErrChallenge, err)
	}
	err := tx.InsertEvidence(useProvider, s.c.Challenges.Index(vault.IndexEvidence, challenge), now.Add(CodeLife+10*time.Minute))
	if errors.Is(err, store.ErrExists) {
		return ErrChallenge
	}
	return err
}

// OfferRegistration returns the values with which a browser makes a passkey for the
// person whom a code invites (PublicKeyCredentialCreationOptions). Errors:
// ErrNoConsole, ErrCode, ErrEarly, ErrSuspended.
func (s *Staff) OfferRegistration(ctx context.Context, code string) (json.RawMessage, error) {
	var m store.Member
	err := s.c.Store.View(ctx, func(r store.Reader) (err error) {
		m, err = s.invited(r, code)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := s.challenge(challengeRegister + liuma.ChannelID(m.ID))
	if err != nil {
		return nil, err
	}
	options, _, err := s.passkeys.BeginRegistration(credentialed{m}, func(o *protocol.PublicKeyCredentialCreationOptions) error {
		o.Challenge = raw
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("staff: %w", err)
	}
	return json.Marshal(options.Response)
}

// Register accepts an invitation with the passkey that a browser made for it; software
// says that a program keeps the key, not a device. Errors: those of OfferRegistration,
// ErrChallenge, ErrPasskey. A crash before the commit leaves the invitation open.
func (s *Staff) Register(ctx context.Context, code string, answer []byte, software bool) (Caller, error) {
	if s.passkeys == nil {
		return Caller{}, ErrNoConsole
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Caller{}, fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	var c Caller
	err = s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m, err := s.invited(tx, code)
		if err != nil {
			return audit.Entry{}, err
		}
		challenge := parsed.Response.CollectedClientData.Challenge
		if err := s.use(tx, challengeRegister+liuma.ChannelID(m.ID), challenge); err != nil {
			return audit.Entry{}, err
		}
		made, err := s.passkeys.CreateCredential(credentialed{m}, webauthn.SessionData{Challenge: challenge, RelyingPartyID: s.passkeys.Config.RPID,
			UserID: m.Handle[:], UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersDefault()}, parsed)
		if err != nil {
			return audit.Entry{}, fmt.Errorf("%w: %w", ErrPasskey, err)
		}
		if err := freePasskey(tx, made.ID, m.ID); err != nil {
			return audit.Entry{}, err
		}
		now := s.c.Now()
		accepted(&m, now)
		m.Passkeys = []store.Passkey{{ID: made.ID, Key: made.PublicKey, AAGUID: made.Authenticator.AAGUID, SignCount: made.Authenticator.SignCount,
			Eligible: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState, At: now, Software: software}}
		c = callerOf(m)
		return entry(now, m.ID, audit.StaffJoined, "by=passkey"+marked(software)), errors.Join(tx.DeleteStaffSessionsOf(m.ID), tx.UpdateMember(m))
	})
	return c, err
}

func marked(software bool) string {
	if software {
		return " software=true"
	}
	return ""
}

// freePasskey refuses a key that belongs to another member.
func freePasskey(r store.Reader, id []byte, but liuma.StaffID) error {
	all, err := r.Members()
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.ID != but && slices.ContainsFunc(m.Passkeys, func(k store.Passkey) bool { return bytes.Equal(k.ID, id) }) {
			return fmt.Errorf("%w: it is another member's", ErrPasskey)
		}
	}
	return nil
}

// OfferLogIn returns the values with which a browser signs a member in
// (PublicKeyCredentialRequestOptions). The passkey itself says whose it is.
// ErrNoConsole.
func (s *Staff) OfferLogIn() (json.RawMessage, error) {
	raw, err := s.challenge(challengeLogIn)
	if err != nil {
		return nil, err
	}
	options, _, err := s.passkeys.BeginDiscoverableLogin(webauthn.WithChallenge(raw))
	if err != nil {
		return nil, fmt.Errorf("staff: %w", err)
	}
	return json.Marshal(options.Response)
}

// LogIn signs a member in by the signature of a passkey, on the staff pages; the token
// is for those pages alone (Token.OfPages). Errors: ErrNoConsole, ErrChallenge,
// ErrPasskey, ErrCopied.
func (s *Staff) LogIn(ctx context.Context, answer []byte) (Session, error) {
	var out Session
	t := newPagesToken()
	err := s.touch(ctx, challengeLogIn, "", answer, func(tx store.Tx, m store.Member, key store.Passkey) (e audit.Entry, err error) {
		now := s.c.Now()
		out, err = s.begin(tx, m, t, now)
		return entry(now, m.ID, audit.SessionBegun, "by=passkey"+marked(key.Software)), err
	})
	if err != nil {
		return Session{}, err
	}
	return out, nil
}

// OfferConfirm returns the values with which a browser asks for a fresh touch of the
// caller's passkey, for one act. Errors: ErrNoConsole, ErrNobody, ErrSuspended,
// ErrPasskey if the caller has none.
func (s *Staff) OfferConfirm(ctx context.Context, by Caller, act string) (json.RawMessage, error) {
	var m store.Member
	err := s.c.Store.View(ctx, func(r store.Reader) (err error) {
		if _, err = active(r, by); err != nil {
			return err
		}
		m, err = r.Member(by.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(m.Passkeys) == 0 {
		return nil, fmt.Errorf("%w: %s has none", ErrPasskey, m.ID)
	}
	raw, err := s.challenge(confirmLabel(by.ID, act))
	if err != nil {
		return nil, err
	}
	options, _, err := s.passkeys.BeginLogin(credentialed{m}, webauthn.WithChallenge(raw), webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("staff: %w", err)
	}
	return json.Marshal(options.Response)
}

// Confirm checks that touch: by the caller's passkey, for that act, once. It begins no
// session. A crash before the commit leaves the challenge usable, and the act not done.
// Errors: those of LogIn.
func (s *Staff) Confirm(ctx context.Context, by Caller, act string, answer []byte) error {
	return s.touch(ctx, confirmLabel(by.ID, act), by.ID, answer, func(_ store.Tx, m store.Member, key store.Passkey) (audit.Entry, error) {
		return entry(s.c.Now(), m.ID, audit.PasskeyTouched, "act="+act+marked(key.Software)), nil
	})
}

// confirmLabel names one member and one act. Neither has a slash.
func confirmLabel(id liuma.StaffID, act string) liuma.ChannelID {
	return challengeConfirm + liuma.ChannelID(id) + "/" + liuma.ChannelID(act)
}

// touch checks a passkey's signature, of one member or, if only is empty, of any, and
// runs the act that it was for in the same transaction.
func (s *Staff) touch(ctx context.Context, label liuma.ChannelID, only liuma.StaffID, answer []byte,
	do func(store.Tx, store.Member, store.Passkey) (audit.Entry, error)) error {
	if s.passkeys == nil {
		return ErrNoConsole
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	var copied bool
	err = s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		copied = false
		if err := s.use(tx, label, parsed.Response.CollectedClientData.Challenge); err != nil {
			return audit.Entry{}, err
		}
		m, used, err := s.signed(tx, parsed)
		if err != nil {
			return audit.Entry{}, err
		}
		if only != "" && m.ID != only {
			return audit.Entry{}, fmt.Errorf("%w: it is another member's", ErrPasskey)
		}
		now := s.c.Now()
		if copied = used.Authenticator.CloneWarning; copied {
			e := entry(now, m.ID, audit.PasskeyRefused, fmt.Sprintf("passkey=%x", used.ID[:min(8, len(used.ID))]))
			e.Outcome = "alarm"
			return e, nil // keeps the mark: the challenge is used
		}
		i := slices.IndexFunc(m.Passkeys, func(k store.Passkey) bool { return bytes.Equal(k.ID, used.ID) })
		m.Passkeys[i].SignCount, m.Passkeys[i].BackedUp, m.Passkeys[i].UsedAt = used.Authenticator.SignCount, used.Flags.BackupState, now
		e, err := do(tx, m, m.Passkeys[i])
		if err != nil {
			return audit.Entry{}, err
		}
		return e, tx.UpdateMember(m)
	})
	if err == nil && copied {
		err = ErrCopied
	}
	return err
}

// signed returns the active member whose passkey signed, and that passkey after its
// use.
func (s *Staff) signed(r store.Reader, parsed *protocol.ParsedCredentialAssertionData) (store.Member, *webauthn.Credential, error) {
	all, err := r.Members()
	if err != nil {
		return store.Member{}, nil, err
	}
	var m store.Member
	find := func(_, handle []byte) (webauthn.User, error) {
		for _, m = range all {
			if m.Active() && bytes.Equal(m.Handle[:], handle) {
				return credentialed{m}, nil
			}
		}
		return nil, ErrNobody
	}
	_, used, err := s.passkeys.ValidatePasskeyLogin(find, webauthn.SessionData{Challenge: parsed.Response.CollectedClientData.Challenge,
		RelyingPartyID: s.passkeys.Config.RPID, UserVerification: protocol.VerificationRequired}, parsed)
	if err != nil {
		return store.Member{}, nil, fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	return m, used, nil
}
