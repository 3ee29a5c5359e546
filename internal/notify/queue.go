package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Queue writes n to the outbox within the caller's transaction; the caller also
// writes the audit entry. The message is sent after the commit; without a
// commit there is no message. A notice that is queued again with the same Dedup
// is ignored, even if its Params differ.
//
// Errors are mistakes of the caller (ErrParam, ErrTemplate, ErrNoVoice) or come
// from the store; they contain nothing of the text.
func (o *Outbox) Queue(tx store.Tx, n Message) error {
	_, err := o.Put(tx, n)
	return err
}

// Put does the same as Queue, and returns the message's ID, by which its row is
// found.
func (o *Outbox) Put(tx store.Tx, n Message) (string, error) {
	s, ok := o.cfg.Templates.shapes[n.Template]
	if !ok || n.Kind != "" && n.Kind != s.kind {
		return "", fmt.Errorf("%w: none of that name and kind", ErrTemplate)
	}
	if !phonePattern.MatchString(n.Phone) {
		return "", fmt.Errorf("%w: the number is not canonical", ErrParam)
	}
	if n.Way == liuma.ByText {
		n.Way = "" // as in rows written before there were calls
	}
	switch {
	case n.Way == "":
	case n.Way != liuma.ByVoice || s.kind != KindCode:
		return "", fmt.Errorf("%w: nothing of that kind goes that way", ErrTemplate)
	case !speaks(o.cfg.Driver):
		return "", ErrNoVoice
	}
	now := o.now()
	if n.Expires.IsZero() {
		if s.kind == KindCode {
			return "", fmt.Errorf("%w: a code without Expires", ErrParam)
		}
		n.Expires = now.Add(o.cfg.NoticeLife)
	}
	kept, err := s.checkParams(withDefaults(n, now, o.cfg.Wall()))
	if err != nil {
		return "", err
	}
	m := store.Message{ID: o.messageID(n), Kind: s.kind, Card: n.Card, Template: string(n.Template),
		Language: languageOf(n.Language), Region: n.Region, State: store.MessageWaiting,
		NextAt: now, Expires: n.Expires.UTC().Truncate(time.Millisecond), At: now, Way: n.Way}
	m.Sealed, err = seal(o.cfg.Vault, m, sealedPart{Phone: n.Phone, Params: kept})
	if err != nil {
		return "", err
	}
	// A crash between here and the commit leaves neither the message nor the
	// change that it is about (I-8).
	if err := tx.InsertMessage(m); err != nil && !errors.Is(err, store.ErrExists) {
		return "", fmt.Errorf("notify: queue: %w", err)
	}
	return m.ID, nil
}

// ErrNoVoice means that the gateway places no calls.
var ErrNoVoice = errors.New("notify: no calls through this gateway")

// withDefaults adds the values that are computed from other values: at,
// minutes.
func withDefaults(n Message, now, wall time.Time) map[string]string {
	out := make(map[string]string, len(n.Params)+2)
	out["at"] = Stamp(wall)
	// To the nearest minute, because the caller computed Expires a moment
	// before now.
	out["minutes"] = strconv.Itoa(max(1, int(n.Expires.Sub(now).Round(time.Minute)/time.Minute)))
	for name, v := range n.Params {
		out[name] = v
	}
	return out
}

// sealedPart holds the values of a message that only the vault can open. The
// row also has Template, Kind, Card and Way; the copy here exposes a change of
// the row.
type sealedPart struct {
	Phone    string            `json:"phone"`
	Params   map[string]string `json:"params"`
	Template string            `json:"template"`
	Kind     string            `json:"kind"`
	Card     string            `json:"card"`
	Way      liuma.CodeWay     `json:"way,omitempty"`
}

func seal(v *vault.Vault, m store.Message, p sealedPart) ([]byte, error) {
	p.Template, p.Kind, p.Card, p.Way = m.Template, m.Kind, m.Card.String(), m.Way
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("notify: seal: %w", err)
	}
	defer clear(plain)
	sealed, err := v.Seal(vault.MessageText, []byte(m.ID), plain)
	if err != nil {
		return nil, fmt.Errorf("notify: seal: %w", err)
	}
	return sealed, nil
}

func unseal(v *vault.Vault, m store.Message) (sealedPart, error) {
	plain, err := v.Unseal(vault.MessageText, []byte(m.ID), m.Sealed)
	if err != nil {
		return sealedPart{}, fmt.Errorf("notify: %w", err)
	}
	defer clear(plain)
	var p sealedPart
	if err := json.Unmarshal(plain, &p); err != nil {
		return sealedPart{}, errors.New("notify: sealed part is not one") // the decoder's error may quote the content
	}
	if p.Template != m.Template || p.Kind != m.Kind || p.Card != m.Card.String() || p.Way != m.Way {
		return sealedPart{}, errors.New("notify: sealed part of another message")
	}
	return p, nil
}

// open decrypts a message and writes its text.
func (o *Outbox) open(m store.Message) (Text, error) { return o.openAs(m, false) }

// openBare is open without the names that others chose.
func (o *Outbox) openBare(m store.Message) (Text, error) { return o.openAs(m, true) }

func (o *Outbox) openAs(m store.Message, bare bool) (Text, error) {
	p, err := unseal(o.cfg.Vault, m)
	if err != nil {
		return Text{}, &Failure{Kind: Permanent, Word: FaultUnreadable, Cause: err}
	}
	for name, instead := range map[string]string{"holder": noHolder, "channel": noName} {
		if _, has := p.Params[name]; has && bare {
			p.Params[name] = instead
		}
	}
	write := o.cfg.Templates.write
	if m.Way == liuma.ByVoice {
		if !speaks(o.cfg.Driver) { // calls were switched off after it was queued
			return Text{}, &Failure{Kind: Permanent, Word: FaultNoVoice}
		}
		write = o.cfg.Templates.speak
	}
	t, err := write(Template(m.Template), m.Language, m.Region, p.Params)
	if err != nil {
		return Text{}, &Failure{Kind: Permanent, Word: FaultTemplate, Cause: err}
	}
	t.ID, t.Phone, t.Expires = m.ID, p.Phone, m.Expires
	if !t.Expires.IsZero() {
		t.Expires = t.Expires.Add(o.cfg.Wall().Sub(o.cfg.Now())).Truncate(time.Millisecond)
	}
	return t, nil
}
