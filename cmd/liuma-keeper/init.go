package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/split"
)

// initialise makes a keeper's directory.
func initialise(f *flags) runner {
	id := f.text("id", "", f.say.FlagID())
	member := f.number("member", f.say.FlagMember())
	shape := f.text("shape", "2/3", f.say.FlagShape())
	address := f.text("address", "", f.say.FlagAddress())
	listen := f.text("listen", "", f.say.FlagListen())
	metrics := f.text("metrics", "", f.say.FlagMetrics())
	lost := f.yes("lost", f.say.FlagLost())
	inToken := f.token()
	return func(_ context.Context, c *call) error {
		if *member == 0 {
			return missing("init", "member")
		}
		if *address == "" {
			return missing("init", "address")
		}
		place := admission.Place{Keeper: keeper.ID(*id), Member: *member, Address: *address}
		if *id == "" {
			place.Keeper = keeper.IDOf(*member)
		}
		var err error
		if place.Shape, err = shapeOf(*shape); err != nil {
			return err
		}
		if *member < 0 || *member > place.Shape.N {
			return badValue("init", "member", fmt.Sprint(*member))
		}
		if *listen == "" {
			_, port, _ := net.SplitHostPort(*address) // Create refuses an invalid address
			*listen = ":" + port
		}
		conf := host.Config{Place: place, Listen: *listen, Metrics: *metrics}
		if conf.PKCS11, err = inToken.config(); err != nil {
			return err
		}
		d, err := c.makeKeeper(conf, *lost)
		if err != nil {
			return err
		}
		return initialised(c, d, *lost)
	}
}

// shapeOf reads a shape: 1/1, 2/3 or 3/5.
func shapeOf(text string) (s split.Shape, err error) {
	if n, bad := fmt.Sscanf(text, "%d/%d", &s.T, &s.N); n != 2 || bad != nil || s.Validate() != nil || text != fmt.Sprintf("%d/%d", s.T, s.N) {
		return s, badValue("init", "shape", text)
	}
	return s, nil
}

// makeKeeper makes the directory, and in it the keeper's identity with the beginning of its
// key ceremony; but no ceremony if the keeper asks the others for a lost keeper's share
// keys, is alone, or already has keys.
//
// The token is opened first, so that with a wrong PIN nothing is made.
func (c *call) makeKeeper(conf host.Config, lost bool) (*host.Dir, error) {
	desk := keys.Desk{Dir: c.dir}
	if conf.PKCS11 != nil {
		if conf.Shape.N == 1 {
			return nil, keys.ErrAlone
		}
		custodian, err := c.custodianOf("", *conf.PKCS11, c.warnings())
		if err != nil {
			return nil, err
		}
		if err := keepSpares(c.dir, conf.PKCS11); err != nil {
			return nil, err
		}
		desk.Custodian = custodian
	}
	d, err := host.Create(c.dir, conf, time.Now())
	if err != nil || lost || conf.Shape.N == 1 {
		return d, err
	}
	if w, err := desk.Status(); err != nil || w.Stage != keys.Nothing {
		return d, err
	}
	_, err = desk.Begin(keys.Who{ID: conf.Keeper, Member: conf.Member, Shape: conf.Shape}, 0)
	return d, err
}

// initialised says what was made, and what to do next.
func initialised(c *call, d *host.Dir, lost bool) error {
	root, err := d.Root()
	if err != nil {
		return err
	}
	say := c.say()
	next := say.SaidInitNext()
	lines := []string{
		say.SaidInitDone(d.Path(), string(d.Keeper), shapeSaid(d.Shape), fmt.Sprint(d.Member), d.Address),
		say.SaidIssuerDigits(admission.IssuerFingerprint(root).String()),
	}
	if lost {
		next = say.SaidInitLost()
	}
	if d.PKCS11 != nil {
		said, err := c.saidToken(d)
		if err != nil {
			return err
		}
		if lines = append(lines, said); lost {
			next = say.SaidInitOver()
		}
	}
	return c.line(strings.Join(append(lines, next), "\n"))
}
