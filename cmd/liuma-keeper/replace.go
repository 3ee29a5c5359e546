package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/locale"
)

// replace gets a keeper's share keys back from the others: for a keeper that takes a
// lost keeper's place, or one that missed a key set.
func replace(f *flags) runner {
	heard := f.text("heard", "", f.say.FlagHeardKeys())
	without := f.text("without", "", f.say.FlagWithout())
	cancel := f.yes("cancel", f.say.FlagCancel())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		lost, err := membersOf(*without)
		if err != nil {
			return err
		}
		if len(c.args) > 1 { // each file has its own digits
			return wrong(func(w locale.KeeperCommand) string { return w.NoArguments(strings.Join(c.args, " "), "replace") })
		}
		desk, err := c.desk(d)
		if err != nil {
			return err
		}
		if *cancel {
			return c.cancel(desk)
		}
		w, err := regain(desk, who(d), c.args, *heard)
		if err == nil && (w.Stage == keys.Gathered || w.Stage == keys.Gifts && len(lost) > 0) {
			w, err = desk.Gather(lost...)
		}
		if err != nil {
			return err
		}
		if w.Stage == keys.Ready {
			return c.regained(ctx, d, w)
		}
		return c.stands(w)
	}
}

// regain asks for the keys if it has not asked yet, takes a gift if a file is given, and
// otherwise shows the state.
func regain(desk keys.Desk, who keys.Who, files []string, heard string) (keys.Where, error) {
	if len(files) == 1 {
		data, err := readFiles("replace", files)
		if err != nil {
			return keys.Where{}, err
		}
		if err := spoken40(heard); err != nil {
			return keys.Where{}, err
		}
		w, err := desk.TakeGift(data[0], heard)
		return w, ofFile(files[0], err)
	}
	w, err := desk.Status()
	switch {
	case err != nil:
		return w, err
	case w.Stage == keys.Nothing:
		return desk.Replace(who)
	case w.Stage == keys.Ready:
		return desk.Join()
	case w.Stage != keys.Gifts && w.Stage != keys.Gathered:
		return w, &keys.OrderError{Where: w}
	}
	return w, nil
}

// membersOf reads member numbers separated by commas.
func membersOf(text string) (out []int, err error) {
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, badValue("replace", "without", text)
		}
		out = append(out, n)
	}
	return out, nil
}

// spoken40 requires the digits, as they were read aloud, of a file that asks for share keys
// or gives them.
func spoken40(heard string) error {
	if heard == "" {
		return refuse(locale.KeeperCommand.NoKeyUnheard)
	}
	return whole(heard, keyDigits)
}

// ofFile says what is wrong with a file that asks for keys or gives them, for a member
// that has no ceremony to cancel.
func ofFile(path string, err error) error {
	switch {
	case errors.Is(err, keys.ErrReading):
		return refuse(func(w locale.KeeperCommand) string { return w.NoGiftReading(path) })
	case errors.Is(err, keys.ErrOther):
		return refuse(func(w locale.KeeperCommand) string { return w.NoGiftOther(path) })
	}
	return err
}

// regained says that the request for keys has ended, and what to do next: a running keeper
// loads the key sets that it missed, and a new machine needs the others' counts.
func (c *call) regained(ctx context.Context, d *host.Dir, w keys.Where) error {
	if err := c.line(strings.Join(c.gathered(w), "\n")); err != nil {
		return err
	}
	err := d.Ask().TakeKeys(ctx)
	switch {
	case errors.Is(err, host.ErrNotServed):
		return c.line(c.say().KeysGatheredNext())
	case err != nil:
		return notInForce(err)
	}
	return c.line(c.say().SaidInForce())
}

// gathered says which key sets came.
func (c *call) gathered(w keys.Where) []string {
	lines := []string{c.say().KeysReady(string(w.ID), setsOf(w.Sets))}
	for _, left := range w.Left {
		lines = append(lines, c.say().KeysLeft(fmt.Sprint(left)))
	}
	return lines
}

// asks shows the state of a request for keys.
func (c *call) asks(w keys.Where) error {
	say := c.say()
	lines := append([]string{say.KeysAsks(string(w.ID), fmt.Sprint(w.Member), shapeSaid(w.Shape))}, c.toCarry(w)...)
	lines = append(lines, say.KeysAskRead()+"\n    "+w.Digits)
	if w.Stage == keys.Gifts {
		lines = append(lines, say.KeysAskWaits(parties(say, w.Waits)))
	}
	return c.line(strings.Join(append(lines, say.KeysAskNext()), "\n"))
}

// give seals the share keys that this keeper and the asking keeper both hold.
func give(f *flags) runner {
	heard := f.text("heard", "", f.say.FlagHeardKeys())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		files, err := readFiles("give", c.args)
		if err != nil {
			return err
		}
		a, err := keys.ReadAsk(files[0])
		if err != nil {
			return refuse(func(w locale.KeeperCommand) string { return w.NoKeyMessage(c.args[0]) })
		}
		said := c.say().KeysAsksLost(string(a.ID), fmt.Sprint(a.Member))
		if a.Joins {
			said = c.say().KeysAsksJoin(string(a.ID), fmt.Sprint(a.Member))
		}
		if err := c.line(said); err != nil {
			return err
		}
		if err := spoken40(*heard); err != nil {
			return err
		}
		desk, err := c.desk(d)
		if err != nil {
			return err
		}
		w, err := desk.Give(ctx, files[0], *heard, answers(d))
		if err != nil {
			return ofFile(c.args[0], err)
		}
		lines := []string{c.say().KeysCarry(string(a.ID)), "    " + w.Carry[0], c.say().KeysGiveRead() + "\n    " + w.Digits}
		if !a.Joins {
			lines = append(lines, c.say().KeysGiveDismiss(string(a.ID)))
		}
		return c.line(strings.Join(lines, "\n"))
	}
}

// answers returns a function that reports whether a keeper can be reached with this
// keeper's admission there. A keeper that cannot be reached may still serve others.
func answers(d *host.Dir) func(context.Context, keeper.ID) bool {
	return func(ctx context.Context, id keeper.ID) bool {
		peers, err := d.Peers()
		if err != nil {
			return false
		}
		for _, a := range peers {
			if a.Keeper != id || a.Roles&(wire.Peer|wire.Administrator) == 0 {
				continue
			}
			peer, err := d.Call(a, slog.New(slog.DiscardHandler))
			if err != nil {
				continue
			}
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err = peer.About(ctx)
			cancel()
			_ = peer.Close() // it was only asked
			if err == nil {
				return true
			}
		}
		return false
	}
}
