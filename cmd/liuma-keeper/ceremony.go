package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/locale"
)

// ceremony continues the key ceremony with the files of the other members, and shows
// its state and the next step.
func ceremony(f *flags) runner {
	heard := f.text("heard", "", f.say.FlagHeardKeys())
	begin := f.yes("begin", f.say.FlagBegin())
	set := f.number("set", f.say.FlagSet())
	cancel := f.yes("cancel", f.say.FlagCancel())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		if *set < 0 || *set > 1<<30 {
			return badValue("ceremony", "set", fmt.Sprint(*set))
		}
		desk, err := c.desk(d)
		if err != nil {
			return err
		}
		var w keys.Where
		switch {
		case *cancel:
			return c.cancel(desk)
		case *begin:
			w, err = desk.Begin(who(d), uint32(*set)) //nolint:gosec // bounded above
		case len(c.args) > 0:
			var files [][]byte
			if files, err = readFiles("ceremony", c.args); err == nil {
				w, err = desk.Take(files...)
			}
		case *heard != "":
			return c.finish(ctx, d, desk, *heard)
		default:
			w, err = desk.Status()
		}
		if err != nil {
			return err
		}
		return c.stands(w)
	}
}

// cancel gives up a running ceremony or request. If nothing is running, files that other
// members may still need stay where they are.
func (c *call) cancel(desk keys.Desk) error {
	if w, err := desk.Status(); err == nil && (w.Stage == keys.Nothing || w.Stage == keys.Ready) {
		return &keys.OrderError{Where: w}
	}
	w, err := desk.Cancel()
	if err != nil {
		return err
	}
	if w.Stage == keys.Ready {
		return c.line(c.say().KeysCancelled() + "\n" + c.say().KeysCancelledNext())
	}
	return c.line(c.say().KeysCancelled() + "\n" + c.say().KeysNothing())
}

// finish takes the key set into use with the digits that were heard, and makes a running
// keeper load it.
func (c *call) finish(ctx context.Context, d *host.Dir, desk keys.Desk, heard string) error {
	if w, err := desk.Status(); err == nil && w.Stage == keys.Reading {
		if err := whole(heard, keyDigits); err != nil {
			return err
		}
	}
	w, err := desk.Finish(ctx, heard)
	if err != nil {
		return err
	}
	say := c.say()
	lines := []string{say.KeysFits()}
	if w.Member == 2 {
		lines = append(lines, say.KeysFitsRead(parties(say, w.Others[:1]))+"\n    "+w.Digits)
	}
	lines = append(lines, say.KeysReady(string(w.ID), setsOf(w.Sets)))
	err = d.Ask().TakeKeys(ctx)
	switch {
	case err == nil:
		lines = append(lines, say.SaidInForce(), say.KeysReadyOthers())
	case errors.Is(err, host.ErrNotServed):
		lines = append(lines, say.KeysReadyNext(), say.KeysReadyOthers())
		err = nil
	default:
		err = notInForce(err)
	}
	return errors.Join(c.line(strings.Join(lines, "\n")), err)
}

// rotate begins the ceremony for another key set.
func rotate(f *flags) runner {
	set := f.number("set", f.say.FlagSet())
	return func(_ context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		if *set < 0 || *set > 1<<30 {
			return badValue("rotate", "set", fmt.Sprint(*set))
		}
		desk, err := c.desk(d)
		if err != nil {
			return err
		}
		w, err := desk.Rotate(uint32(*set)) //nolint:gosec // bounded above
		if errors.Is(err, keys.ErrSet) {
			if at, bad := desk.Status(); bad == nil {
				return refuse(func(w locale.KeeperCommand) string { return w.NoSetUsed(fmt.Sprint(*set), setsOf(at.Sets)) })
			}
		}
		if err != nil {
			return err
		}
		return c.stands(w)
	}
}

func who(d *host.Dir) keys.Who { return keys.Who{ID: d.Keeper, Member: d.Member, Shape: d.Shape} }

// shapeSaid writes a shape as --shape takes it.
func shapeSaid(s split.Shape) string { return fmt.Sprintf("%d/%d", s.T, s.N) }

// readFiles reads the files that were carried here for a command, and names a file that
// does not belong to it.
func readFiles(command string, paths []string) (out [][]byte, err error) {
	for _, p := range paths {
		data, err := carried(command, p)
		if err != nil {
			return nil, err
		}
		if err := keys.Check(data); err != nil {
			return nil, refuse(func(w locale.KeeperCommand) string { return w.NoKeyMessage(p) })
		}
		out = append(out, data)
	}
	return out, nil
}

// stands shows the state of a directory: which files are missing, which must be carried,
// which digits must be read aloud, and the next command.
func (c *call) stands(w keys.Where) error {
	say := c.say()
	lines := []string{}
	switch w.Stage {
	case keys.Nothing:
		lines = append(lines, say.KeysNothing())
	case keys.Ready:
		lines = append(lines, say.KeysReady(string(w.ID), setsOf(w.Sets)))
		for _, left := range w.Left {
			lines = append(lines, say.KeysLeft(fmt.Sprint(left)))
		}
		lines = append(lines, say.KeysReadyNext(), say.KeysReadyOthers())
	case keys.Gifts, keys.Gathered:
		return c.asks(w)
	default:
		lines = append(lines, say.KeysCeremony(fmt.Sprint(w.KeySet), shapeSaid(w.Shape), string(w.ID), fmt.Sprint(w.Member)))
		lines = append(lines, c.toCarry(w)...)
		if w.Stage == keys.Reading {
			lines = append(lines, toRead(say, w)...)
			break
		}
		lines = append(lines, say.KeysWaits(parties(say, w.Waits), fileWaited(w)), say.KeysWaitsNext())
	}
	return c.line(strings.Join(lines, "\n"))
}

// toRead says who reads the digits aloud and who types them: member 1 reads first, then
// member 2 reads to member 1.
func toRead(say locale.KeeperCommand, w keys.Where) []string {
	other := parties(say, w.Others[:1])
	if w.Member == 1 {
		return []string{say.KeysReadOne() + "\n    " + w.Digits, say.KeysReadOneNext(other)}
	}
	return []string{say.KeysReadAll(other) + "\n    " + w.Digits, say.KeysReadAllNext()}
}

// fileWaited returns the ending of the names of the files that are still missing.
func fileWaited(w keys.Where) string {
	what := map[keys.Stage]string{keys.Hellos: "hello", keys.Offers: "offers", keys.Prints: "prints"}[w.Stage]
	return fmt.Sprintf("…-%s-%d.json", what, w.KeySet)
}

// toCarry names the files that must be carried, and to whom.
func (c *call) toCarry(w keys.Where) (lines []string) {
	if len(w.Carry) == 0 {
		return nil
	}
	lines = append(lines, c.say().KeysCarry(parties(c.say(), w.Others)))
	for _, p := range w.Carry {
		lines = append(lines, "    "+p)
	}
	return lines
}

func parties(say locale.KeeperCommand, list []keys.Party) string {
	var out []string
	for _, p := range list {
		name := say.KeysMember(fmt.Sprint(p.Member))
		if p.ID != "" {
			name = string(p.ID)
		}
		out = append(out, name)
	}
	return joined(say, out)
}

// joined writes a list in the way of the language.
func joined(say locale.KeeperCommand, list []string) string {
	if len(list) == 0 {
		return ""
	}
	out := list[0]
	for _, next := range list[1:] {
		out = say.KeysAnd(out, next)
	}
	return out
}

func setsOf(sets []keeper.SetInfo) string {
	var out []string
	for _, s := range sets {
		out = append(out, fmt.Sprint(s.ID))
	}
	return strings.Join(out, ", ")
}

// outOfOrder says which step is next instead of the refused one.
func outOfOrder(w locale.KeeperCommand, err error) (string, bool) {
	order, ok := errors.AsType[*keys.OrderError](err)
	if !ok {
		return "", false
	}
	at := order.Where
	switch at.Stage {
	case keys.Hellos, keys.Offers, keys.Prints:
		return w.NoOrderWaits(parties(w, at.Waits), fileWaited(at)), true
	case keys.Reading:
		return w.NoOrderReading(), true
	case keys.Gifts:
		return w.NoOrderGifts(parties(w, at.Waits)), true
	case keys.Gathered:
		return w.NoOrderGathered(), true
	case keys.Ready:
		return w.NoOrderReady(), true
	}
	return w.NoOrderNothing(), true
}
