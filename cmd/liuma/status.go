package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
)

// statusCmd is "liuma status".
type statusCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run prints how things stand. Its exit status says only whether that could be
// found out; /readyz is for machines.
func (a *statusCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	err := c.administer(ctx, t, func(adm admin.Administration) error {
		s, err := adm.Status(ctx)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(s)
		}
		return errors.Join(printServer(t.out, c.Data, s), printRest(t.out, s))
	})
	if inUse, ok := errors.AsType[*inUseError](err); ok {
		return c.knock(ctx, inUse)
	}
	return err
}

// knock asks at the channel door of a server that has no administration door, so
// that its trouble is not taken for the server's.
func (c *cli) knock(ctx context.Context, inUse *inUseError) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address(conf, conf.Channel.Listen)+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	// Certificate checks are off: the certificate names the public host and not
	// the loopback address dialed here. Nothing secret is sent, and the answer
	// is only displayed.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w; nobody answers at %s either", inUse, conf.Channel.Listen)
	}
	defer resp.Body.Close()
	ready := "is ready"
	if resp.StatusCode != http.StatusOK {
		ready = fmt.Sprintf("is not ready (%d)", resp.StatusCode)
	}
	return fmt.Errorf("%w; the server at %s %s", inUse, conf.Channel.Listen, ready)
}

func printServer(w io.Writer, dir string, v admin.Status) error {
	s := v.Serving
	if s == nil {
		_, err := fmt.Fprintf(w, "%s: not being served\n", dir)
		return err
	}
	ready := "ready"
	if !s.Ready {
		ready = "NOT READY: " + s.Why
	}
	_, err := fmt.Fprintf(w, "%s: served as %s since %s, %s\n", dir, v.Issuer, s.Since.Format(time.RFC3339), ready)
	if v.Restart && err == nil {
		_, err = fmt.Fprintln(w, "  restart       needed: the key file holds other signing keys than the server has read")
	}
	if err == nil {
		err = errors.Join(printGuesses(w, s.Guesses), printCodes(w, s.Codes))
	}
	if err == nil {
		err = printRations(w, s.Rations)
	}
	if err == nil {
		err = printDoors(w, s.Doors)
	}
	return err
}

// printGuesses prints the guesses since the start, and the last alarm of each kind
// that they gave.
func printGuesses(w io.Writer, g admin.Guesses) error {
	_, err := fmt.Fprintf(w, "  guesses       %d since the start, %d of them wrong; %d told to slow down\n", g.Decided, g.Wrong, g.Slowed)
	for _, al := range g.Alarms {
		if err == nil {
			_, err = fmt.Fprintf(w, "    ALARM        %s at %s, through %s: %d wrong\n", al.Kind, al.At.Format(time.RFC3339), al.Channel, al.Wrong)
		}
	}
	return err
}

// printCodes prints the one-time codes of each channel, and what is wrong with them.
func printCodes(w io.Writer, all []admin.ChannelCodes) error {
	var errs []error
	for _, c := range all {
		_, err := fmt.Fprintf(w, "  codes         %s: %d in the last hour of %d, %d in a day of %d\n", c.Channel, c.Hour, c.HourMost, c.Day, c.DayMost)
		errs = append(errs, err)
		if c.Spent {
			_, err = fmt.Fprintln(w, "    ALARM        it has used them up, and gets no more for now")
			errs = append(errs, err)
		}
		if c.Unreturned {
			_, err = fmt.Fprintf(w, "    ALARM        of %d that were sent, %d were typed in\n", c.Judged, c.Returned)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// printDoors prints how full each door is.
func printDoors(w io.Writer, doors []admin.DoorState) error {
	for _, d := range doors {
		c, r := d.Connections, d.Requests
		_, err := fmt.Fprintf(w, "  %-13s %d of %d connections open, %d closed to make room, %d refused; %d of %d requests in flight, %d refused\n",
			d.Door+" door", c.Open, c.Most, c.Closed, c.Refused, r.InFlight, r.Most, r.Refused)
		if err != nil {
			return err
		}
	}
	return nil
}

func printRest(w io.Writer, v admin.Status) error {
	_, err := fmt.Fprintf(w, "  keepers       %s\n", v.Shape)
	for _, k := range v.Keepers {
		if err == nil {
			_, err = fmt.Fprintf(w, "    %-12s sequence %d\n", k.ID, k.Sequence)
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "  open intents  %d\n  cards         %d\n  people        %d\n", v.OpenIntents, v.Cards, v.People)
	}
	if err == nil {
		err = printTexts(w, v.Texts)
	}
	if err == nil {
		err = printRecord(w, v.Record)
	}
	if err == nil {
		err = printRetention(w, v.Retention)
	}
	if err != nil {
		return err
	}
	if err := printResealing(w, v.Resealing); err != nil {
		return err
	}
	if v.SealKey == nil {
		_, err = fmt.Fprintln(w, "  seal key      none; the server makes the first")
		return err
	}
	_, err = fmt.Fprintf(w, "  seal key      %s, %s old\n", v.SealKey.ID, v.At.Sub(v.SealKey.MadeAt).Truncate(time.Second))
	return err
}

// printResealing prints how far sealing everything anew has come, as long as
// older root keys are there.
func printResealing(w io.Writer, r *admin.Resealing) error {
	if r == nil {
		return nil
	}
	how := "begins a minute after the rotation, while the server runs"
	switch {
	case r.Ended:
		how = fmt.Sprintf("done, %d rows; the older keys may be dropped", r.Rows)
	case r.Table != "":
		how = fmt.Sprintf("under way, %d rows so far, at %s", r.Rows, r.Table)
	}
	_, err := fmt.Fprintf(w, "  root key      %d seals, older %v; sealing everything anew: %s\n", r.Key, r.Older, how)
	if err == nil && r.Refused > 0 {
		_, err = fmt.Fprintf(w, "    REFUSED      %d rows fail their seals and are left as they are\n", r.Refused)
	}
	return err
}

// printTexts prints the state of the outbox. Messages of an earlier
// configuration are listed even where none are sent now.
func printTexts(w io.Writer, x admin.Texts) error {
	how := x.Driver
	if x.Voice {
		how += ", with calls"
	}
	if x.Behind {
		how += ", LATE: see the log for the gateway's fault"
	}
	_, err := fmt.Fprintf(w, "  texts         %s\n", how)
	for _, q := range []struct {
		name string
		admin.TextQueue
	}{{"codes", x.Codes}, {"notices", x.Notices}} {
		if err != nil {
			return err
		}
		if x.Driver == config.DriverNone && q.Waiting+q.Dead == 0 {
			continue
		}
		line := fmt.Sprintf("%d waiting, %d of them over a minute", q.Waiting, q.Overdue)
		if q.Waiting > 0 {
			line += fmt.Sprintf(" (oldest %s)", time.Duration(q.Oldest)*time.Second)
		}
		line += fmt.Sprintf(", %d dead", q.Dead)
		if s := q.Since; s != nil {
			line += fmt.Sprintf("; since the start %d sent, %d of them late, %d given up, %d stuck", s.Sent, s.Late, s.Dead, s.Stuck)
		}
		_, err = fmt.Fprintf(w, "    %-12s %s\n", q.name, line)
	}
	return err
}
