package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/locale"
)

// ceremony goes on with the key ceremony by the files of the other members, and says
// where it stands and what comes next.
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
			w, err = desk.Cancel()
		case *begin:
			w, err = desk.Begin(who(d), uint32(*set)) //nolint:gosec // bounded above
		case len(c.args) > 0:
			var files [][]byte
			if files, err = readFiles(c.args); err == nil {
				w, err = desk.Take(files...)
			}
		case *heard != "":
			w, err = desk.Finish(ctx, *heard)
		default:
			w, err = desk.Status()
		}
		if err != nil {
			return err
		}
		return c.stands(w)
	}
}

// rotate begins the ceremony of another key set.
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
		if err != nil {
			return err
		}
		return c.stands(w)
	}
}

func who(d *host.Dir) keys.Who { return keys.Who{ID: d.Keeper, Member: d.Member, Shape: d.Shape} }

// readFiles reads what was carried here, and names the file that is none.
func readFiles(paths []string) (out [][]byte, err error) {
	for _, p := range paths {
		data, err := os.ReadFile(p)
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

// stands says how a directory stands: what is waited for, what is to be carried, what is
// to be read aloud, and the next command.
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
		lines = append(lines, say.KeysReadyNext())
	case keys.Gifts, keys.Gathered:
		return c.asks(w)
	default:
		lines = append(lines, say.KeysCeremony(fmt.Sprint(w.KeySet), w.Shape.String(), string(w.ID), fmt.Sprint(w.Member)))
		lines = append(lines, c.toCarry(w)...)
		if w.Stage == keys.Reading {
			lines = append(lines, say.KeysRead()+"\n    "+w.Digits, say.KeysReadNext())
			break
		}
		file := map[keys.Stage]string{keys.Hellos: "hello", keys.Offers: "offers", keys.Prints: "prints"}[w.Stage]
		lines = append(lines, say.KeysWaits(file, parties(say, w.Waits)), say.KeysWaitsNext())
	}
	return c.line(strings.Join(lines, "\n"))
}

// toCarry names the files that are to be carried, and to whom.
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
	return strings.Join(out, ", ")
}

func setsOf(sets []keeper.SetInfo) string {
	var out []string
	for _, s := range sets {
		out = append(out, fmt.Sprint(s.ID))
	}
	return strings.Join(out, ", ")
}

// outOfOrder says which step is next in place of the one that was refused.
func outOfOrder(w locale.KeeperCommand, err error) (string, bool) {
	order, ok := errors.AsType[*keys.OrderError](err)
	if !ok {
		return "", false
	}
	at := order.Where
	switch at.Stage {
	case keys.Hellos, keys.Offers, keys.Prints:
		file := map[keys.Stage]string{keys.Hellos: "hello", keys.Offers: "offers", keys.Prints: "prints"}[at.Stage]
		return w.NoOrderWaits(file, parties(w, at.Waits)), true
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
