package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/visitor"
)

const (
	evidencePart = "CHANNELS.md, 3. Evidence, where it is needed"
	recoveryPart = "CHANNELS.md, 6. Forgotten, another phone, frozen"
)

// actCases are the other acts that end with a code. Each needs a member of the
// description; without it, it is not played.
func actCases() []Case {
	return []Case{
		{ID: "enroll", Name: "a newcomer applies for a card", Right: "the evidence comes before the push, the code is redeemed once, and the handle that came is used from then on",
			See: evidencePart, play: playEnroll, needs: needsNewcomer},
		{ID: "enrolled", Name: "somebody applies who has a card in the app", Right: "the app says so (already_enrolled); nothing is redeemed, nothing opens", See: errorList,
			play: playEnrolled, needs: needsEnroll},
		{ID: "change", Name: "another PIN", Right: "the code is redeemed once, and opens nothing; the new PIN does", See: comeBack, play: playChange, needs: needsChange},
	}
}

func needsEnroll(d Description) string   { return without("enroll", d.Enroll) }
func needsChange(d Description) string   { return without("change", d.Change) }
func needsReset(d Description) string    { return without("reset", d.Reset) }
func needsRebind(d Description) string   { return without("rebind", d.Rebind) }
func needsFreeze(d Description) string   { return without("freeze", d.Freeze) }
func needsUnfreeze(d Description) string { return without("unfreeze", d.Unfreeze) }

func needsNewcomer(d Description) string {
	if d.Newcomer == nil {
		return "newcomer"
	}
	return needsEnroll(d)
}

func needsResetAfterRebind(d Description) string {
	if missing := needsRebind(d); missing != "" {
		return missing
	}
	return needsReset(d)
}

func without(member string, r *Request) string {
	if r == nil {
		return member
	}
	return ""
}

func playEnroll(ctx context.Context, s *stage) error {
	who := len(s.c.Channel.Accounts)
	b, p, err := s.starts(ctx, who, "enroll", *s.c.Channel.Enroll)
	if err != nil {
		return err
	}
	last, ok := s.front.last()
	if !ok || last.details["action"] != "enroll" || !last.taken {
		return fmt.Errorf("the application did not come to the authority: the browser is at %s, the push was refused with %q", bare(p.URL()), last.code)
	}
	if p, err = b.code(ctx, p, s.account(who).Phone); err != nil {
		return err
	}
	if p, _, err = b.sets(ctx, p, ""); err != nil {
		return err
	}
	if err := b.ends(ctx, p); err != nil {
		return err
	}
	// If the app has no page for what it stored, the next request shows it.
	handle := s.front.handle(last.details["business_no"])
	if _, err = b.begin(ctx, who, "verify", s.c.Channel.Verify); err != nil {
		return err
	}
	if last, _ = s.front.last(); holderCard(last) != handle {
		return errors.New("the next request did not name the handle (liuma_card) of the ID token")
	}
	return nil
}

// holderCard is the handle that a push names.
func holderCard(p push) string {
	holder, _ := p.details["holder"].(map[string]any)
	card, _ := holder["card"].(string)
	return card
}

func playEnrolled(ctx context.Context, s *stage) error {
	b, p, err := s.starts(ctx, 0, "enroll", *s.c.Channel.Enroll)
	if err != nil {
		return err
	}
	if s.front.count() == s.before {
		return b.closed(ctx, 0) // the app itself refuses
	}
	if last, _ := s.front.last(); !last.taken {
		return b.refused(ctx, p, client.CodeAlreadyEnrolled)
	}
	return b.refusedThere(ctx, p) // with evidence, the authority's page refuses
}

func playChange(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 0, "change", *s.c.Channel.Change)
	if err != nil {
		return err
	}
	p, pin, err := b.sets(ctx, p, s.pins[0])
	if err != nil {
		return err
	}
	back, err := b.leaves(ctx, p)
	if err == nil && back != nil && back.Query().Get("error") == "evidence_required" { // the link is new
		if p, err = b.provesAgain(ctx); err == nil && p.Pad() != "" {
			p, pin, err = b.sets(ctx, p, s.pins[0])
		}
	}
	if err != nil {
		return err
	}
	s.pins[0] = pin
	if err := b.ends(ctx, p); err != nil {
		return err
	}
	return s.works(ctx, 0)
}

// works checks that an account's PIN opens the page behind it.
func (s *stage) works(ctx context.Context, account int) error {
	s.front.calm()
	b, p, err := s.arrive(ctx, account, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	p, back, err := b.types(ctx, p, s.pins[account])
	if err != nil {
		return err
	}
	if back == nil {
		return fmt.Errorf("the authority's page did not lead back: %q", p.Title())
	}
	var at *visitor.Page
	if at, err = b.comes(ctx, back); err != nil {
		return err
	}
	return b.proved(ctx, at)
}
