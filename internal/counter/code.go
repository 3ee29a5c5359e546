package counter

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ration"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// A ticket's code has eight of the 30 written.CodeLetters: 6.6e11 codes, 39 bits, valid for the
// half hour of asking. It finds a ticket and proves nothing. With a thousand tickets open in a
// province, an attacker who tries 10 codes an hour from each of a thousand networks finds one in
// seven years. Then they still need the bound phone, or a supervisor who reads the number off a
// screen that is not at the counter.
const codeSize = 8

// parseCode reads the typed code of a ticket, or the pairing number of a pad.
func parseCode(typed string) (string, bool) {
	code, formed := written.Code(typed)
	return code, formed && len(code) == codeSize
}

// ShownCode is a code in the form in which it is read aloud: 4-4.
func ShownCode(code string) string { return code[:codeSize/2] + "-" + code[codeSize/2:] }

func (c *Counter) codeIndex(what, code string) vault.Index {
	return c.c.Vault.Index(vault.IndexTicket, what+"\x00"+code)
}

// NewCode makes a code for the clerk's own ticket, for the holder's phone, before a browser has the
// ticket (handable). It is returned once; another call makes another code, and the first one no
// longer finds the ticket. Errors: ErrMember, ErrDocument, ErrTicket, ErrState.
func (c *Counter) NewCode(ctx context.Context, by liuma.StaffID, id liuma.TicketID) (string, error) {
	code := written.NewCode(codeSize)
	err := c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		t, err := c.ownTicket(tx, by, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if !c.handable(t) {
			return audit.Entry{}, ErrState
		}
		t.Code, t.Pad = c.codeIndex("code", code), ""
		e := c.entry(by.Actor(), audit.TicketHanded, t, "ok")
		e.Note += " by=code"
		return e, tx.UpdateTicket(t)
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// ByCode finds the live ticket of a typed code. source names the sender of the request (an address,
// say): after ten wrong codes within an hour further ones are refused without a look, at all
// authorities on the database. ByCode does not check whether the ticket stands. Errors:
// CodeTicketUnknown, CodeTooManyRequests.
func (c *Counter) ByCode(ctx context.Context, source, typed string) (store.Ticket, error) {
	from := c.codeIndex("source", source)
	taken, err := c.takeTry(ctx, from)
	if err != nil {
		return store.Ticket{}, err
	}
	code, formed := parseCode(typed)
	var t store.Ticket
	err = store.ErrNotFound
	if formed {
		err = c.c.Store.View(ctx, func(r store.Reader) (err error) {
			t, err = r.TicketByCode(c.codeIndex("code", code))
			return err
		})
	}
	if errors.Is(err, store.ErrNotFound) {
		c.wrong.Add()
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	if err != nil {
		return store.Ticket{}, liuma.Outward(err)
	}
	if err := c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, taken.GiveBack(tx) }); err != nil {
		c.c.Logger.WarnContext(ctx, "a right code stays counted to its source", "err", err)
	}
	return t, nil
}

// takeTry counts a try before its code is looked at. So of a hundred tries at once, at one
// authority or at several, only as many are looked at as the source's ration allows. A try of a
// source that is slowed writes nothing.
func (c *Counter) takeTry(ctx context.Context, from vault.Index) (ration.Taken, error) {
	taken, until, err := c.codes.Spend(ctx, c.c.Store, from, c.c.Now())
	if err != nil {
		return ration.Taken{}, liuma.Outward(err)
	}
	if !until.IsZero() {
		return ration.Taken{}, &liuma.Error{Code: liuma.CodeTooManyRequests, Until: c.c.Engine.ToWall(until)}
	}
	return taken, nil
}

// ticketCodes is the ration of wrong codes. While a source is slowed, right codes are refused too:
// the holder is at a counter, where the clerk can send the ticket to a pad instead. If an attacker
// uses more networks than are counted one by one, the remaining sources share one ration, and
// honest ones among them are slowed as well.
func ticketCodes() ration.Codes {
	return ration.Codes{Kind: "ticket_codes", Source: 10, Sources: 1 << 14, Others: 1 << 14, Alarm: 1000}
}

// saveWrong adds the wrong codes of all sources to the sum over all authorities, for the alarm.
func (c *Counter) saveWrong(ctx context.Context) error {
	alarm, err := c.wrong.Save(ctx, c.c.Store, c.codes, c.c.Now())
	if alarm {
		c.c.Logger.ErrorContext(ctx, "ALARM: codes of tickets are being guessed", "wrong", c.codes.Alarm, "within", ration.Period)
	}
	return err
}
