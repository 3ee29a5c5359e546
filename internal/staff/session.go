package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Token is the secret of a session. Only its hash is kept.
type Token string

// Format keeps a token out of logs.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[session]") }

// LogValue does the same for logs that do not format.
func (t Token) LogValue() slog.Value { return slog.StringValue("[session]") }

// pagesMark is the prefix of the token of a session of the staff pages. The stored hash
// covers the whole token, so a token of one kind cannot be turned into the other.
const pagesMark = "page."

// OfPages reports whether a session belongs to the staff pages, not to a terminal. So a
// leaked cookie is no sign-in at the machine, and a terminal's variable none on the
// pages.
func (t Token) OfPages() bool { return strings.HasPrefix(string(t), pagesMark) }

func newPagesToken() Token { return pagesMark + newToken() }

func tokenHash(t Token) [32]byte {
	return sha256.Sum256([]byte("liuma/1/staff-session\x00" + string(t)))
}

// Session is a new sign-in.
type Session struct {
	Token Token
	Until time.Time
	Caller
}

// begin makes a session within a transaction. A crash before the commit leaves no
// session, and nobody has its token.
func (s *Staff) begin(tx store.Tx, m store.Member, t Token, now time.Time) (Session, error) {
	row := store.StaffSession{Hash: tokenHash(t), Member: m.ID, At: now, Seen: now, Until: now.Add(SessionLife)}
	if _, err := tx.PruneStaffSessions(now); err != nil {
		return Session{}, err
	}
	return Session{Token: t, Until: row.Until, Caller: callerOf(m)}, tx.PutStaffSession(row)
}

func newToken() Token {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	return Token(base64.RawURLEncoding.EncodeToString(raw))
}

// Who is the member whose session a token is. Each use prolongs the session by 30
// minutes, up to its 8 hours. ErrSession if it is unknown or ended, or its member is
// suspended.
func (s *Staff) Who(ctx context.Context, t Token) (Caller, error) {
	var c Caller
	var row store.StaffSession
	err := s.c.Store.View(ctx, func(r store.Reader) (err error) {
		var m store.Member
		row, m, err = s.session(r, tokenHash(t), false)
		c = callerOf(m)
		return err
	})
	if err != nil {
		return Caller{}, err
	}
	if now := s.c.Now(); now.Sub(row.Seen) >= time.Minute {
		// Stored to the minute, so that not every request causes a write.
		err = s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{}, tx.SeeStaffSession(row.Hash, now)
		})
		if errors.Is(err, store.ErrNotFound) {
			err = ErrSession // it ended meanwhile
		}
		if err != nil {
			return Caller{}, err
		}
	}
	return c, nil
}

// session reads a session or code that has not ended, and its member.
func (s *Staff) session(r store.Reader, hash [32]byte, code bool) (store.StaffSession, store.Member, error) {
	row, err := r.StaffSession(hash)
	if errors.Is(err, store.ErrNotFound) {
		return row, store.Member{}, ErrSession
	}
	if err != nil {
		return row, store.Member{}, err
	}
	now := s.c.Now()
	if row.Code != code || !now.Before(row.Until) || !code && now.Sub(row.Seen) >= SessionIdle {
		return row, store.Member{}, ErrSession
	}
	m, err := r.Member(row.Member)
	if err != nil {
		return row, m, err
	}
	if !m.Active() || row.At.Before(m.SessionsFrom) {
		return row, store.Member{}, ErrSession
	}
	return row, m, nil
}

// SignedIn reports whether a member has an open session, at a terminal or on the staff
// pages.
func SignedIn(r store.Reader, m store.Member, now time.Time) (bool, error) {
	all, err := r.StaffSessionsOf(m.ID)
	if err != nil || !m.Active() {
		return false, err
	}
	return slices.ContainsFunc(all, func(row store.StaffSession) bool { return goesOn(row, m, now) }), nil
}

// goesOn reports whether a row is a session of the member that has not ended.
func goesOn(row store.StaffSession, m store.Member, now time.Time) bool {
	return !row.Code && now.Before(row.Until) && now.Sub(row.Seen) < SessionIdle && !row.At.Before(m.SessionsFrom)
}

// End ends a session. ErrSession: it had ended before.
func (s *Staff) End(ctx context.Context, t Token) error {
	return s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, m, err := s.session(tx, tokenHash(t), false)
		if err != nil {
			return audit.Entry{}, err
		}
		return entry(s.c.Now(), m.ID, audit.SessionEnded, ""), tx.DeleteStaffSession(row.Hash)
	})
}

// TerminalCode makes a code by which a terminal signs in as the caller, once, within five
// minutes, since a terminal has no passkeys. The caller signed in with a passkey.
func (s *Staff) TerminalCode(ctx context.Context, by Caller) (code string, until time.Time, err error) {
	first, second := newHalf(), newHalf()
	err = s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		who, err := active(tx, by)
		if err != nil {
			return audit.Entry{}, err
		}
		now := s.c.Now()
		until = now.Add(CodeLife)
		return entry(now, who.ID, audit.SessionBegun, "by=code_shown"),
			tx.PutStaffSession(store.StaffSession{Hash: codeHash(halfHash(first), second), Member: who.ID, Code: true, At: now, Seen: now, Until: until})
	})
	return shown(first) + "-" + shown(second), until, err
}

// SignInByCode turns a code of TerminalCode into a session of this terminal. ErrCode.
// A crash before the commit leaves the code as it was.
func (s *Staff) SignInByCode(ctx context.Context, code string) (Session, error) {
	first, second := halves(code)
	if first == "" {
		return Session{}, ErrCode
	}
	t := newToken()
	var out Session
	err := s.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, m, err := s.session(tx, codeHash(halfHash(first), second), true)
		if errors.Is(err, ErrSession) {
			err = ErrCode
		}
		if err != nil {
			return audit.Entry{}, err
		}
		now := s.c.Now()
		if out, err = s.begin(tx, m, t, now); err != nil {
			return audit.Entry{}, err
		}
		return entry(now, m.ID, audit.SessionBegun, "by=code"), tx.DeleteStaffSession(row.Hash)
	})
	return out, err
}

// Actor is the member's name in the record; without a member, the actor of 0.1.0.
func (c Caller) Actor() string {
	if c.ID == "" {
		return unnamed
	}
	return c.ID.Actor()
}
