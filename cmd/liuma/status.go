package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/locale"
)

// statusCmd is "liuma status".
type statusCmd struct {
	JSON bool `name:"json"`
}

// Run prints the status. Its exit status says only whether that could be read; machines
// use /readyz.
func (a *statusCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	err := c.administer(ctx, t, func(adm admin.Administration) error {
		s, err := adm.Status(ctx)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(s)
		}
		return errors.Join(printServer(t, c.Data, s), printAuthorities(t, s.Authorities), printKeyring(t, s.Keyring), printPolicy(t, s.Policy), printRest(t, s))
	})
	if inUse, ok := errors.AsType[*inUseError](err); ok {
		return c.knock(ctx, inUse)
	}
	return err
}

// knock asks at the channel door of a server whose administration door does not answer, so
// that trouble of the administration door is not taken for the server's.
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
		return refuseFor(inUse, func(w *locale.Words, why string) string { return w.Refused.StatusNobody(why, conf.Channel.Listen) })
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refuseFor(inUse, func(w *locale.Words, why string) string {
			return w.Refused.StatusNotReady(why, conf.Channel.Listen, num(resp.StatusCode))
		})
	}
	return refuseFor(inUse, func(w *locale.Words, why string) string { return w.Refused.StatusReady(why, conf.Channel.Listen) })
}

func printServer(t *terminal, dir string, v admin.Status) error {
	s, say := v.Serving, t.shown()
	if s == nil {
		return t.line(say.StatusNotServed(dir))
	}
	ready := say.StatusReady()
	if !s.Ready {
		ready = say.StatusNotReady(s.Why)
	}
	err := t.line(say.StatusServed(dir, s.Since.Format(time.RFC3339), v.Issuer, ready))
	if v.Restart && err == nil {
		err = t.row(say.StatusRestart(), say.StatusRestartNeeded())
	}
	if err == nil {
		err = errors.Join(printGuesses(t, s.Guesses), printCodes(t, s.Codes))
	}
	if err == nil {
		err = printRations(t, s.Rations)
	}
	if err == nil {
		err = printDoors(t, s.Doors)
	}
	return err
}

// printPolicy prints which policy is in force, since when, and who approved it.
func printPolicy(t *terminal, p edition.State) error {
	say := t.shown()
	what := say.StatusPolicyNational()
	if p.Sum != "" {
		what = say.StatusPolicyLayers(p.Sum[:16], num(len(p.Layers)))
	}
	from := say.StatusPolicyFromFiles()
	switch {
	case p.Approver != "":
		from = say.StatusPolicyFromEdition(num(p.Edition), p.At.Format(time.RFC3339), string(p.Approver), string(p.By))
	case p.Sum == "":
		from = say.StatusPolicyFromProgram()
	}
	err := t.row(say.StatusPolicy(), say.StatusPolicyInUse(what, from, p.Since.Format(time.RFC3339)))
	if p.Fault != "" && err == nil {
		err = t.note(say.StatusPolicyFault(), say.StatusPolicyNoStart(p.Fault))
	}
	if (p.FilesDiffer || p.FilesFault != "") && err == nil {
		err = t.note(say.StatusPolicyOtherFiles(), say.StatusPolicyFilesDiffer())
	}
	for _, f := range p.Layers {
		if err == nil {
			err = t.note(f.Layer, f.File+" "+f.Sum[:16])
		}
	}
	return err
}

// printGuesses prints the guesses since the start, and the last alarm of each kind about
// them.
func printGuesses(t *terminal, g admin.Guesses) error {
	say := t.shown()
	err := t.row(say.StatusGuesses(), say.StatusGuessesCounted(num(g.Decided), num(g.Wrong), num(g.Slowed)))
	for _, al := range g.Alarms {
		if err == nil {
			err = t.note(say.StatusAlarm(), say.StatusAlarmGuesses(al.Kind, al.At.Format(time.RFC3339), string(al.Channel), num(al.Wrong)))
		}
	}
	return err
}

// printCodes prints the one-time codes of each channel, and what is wrong with them.
func printCodes(t *terminal, all []admin.ChannelCodes) error {
	var errs []error
	say := t.shown()
	for _, c := range all {
		errs = append(errs, t.row(say.StatusCodes(), say.StatusCodesCounted(string(c.Channel), num(c.Hour), num(c.HourMost), num(c.Day), num(c.DayMost))))
		if c.Spent {
			errs = append(errs, t.note(say.StatusAlarm(), say.StatusCodesSpent()))
		}
		if c.Unreturned {
			errs = append(errs, t.note(say.StatusAlarm(), say.StatusCodesUnreturned(num(c.Judged), num(c.Returned))))
		}
	}
	return errors.Join(errs...)
}

// doorName is the name of a door at the terminal.
func doorName(say locale.Shown, door string) string {
	switch door {
	case "channel":
		return say.StatusDoorChannel()
	case "hosted":
		return say.StatusDoorHosted()
	case "gateway":
		return say.StatusDoorGateway()
	case "console":
		return say.StatusDoorConsole()
	default:
		return door
	}
}

// printDoors prints how full each door is.
func printDoors(t *terminal, doors []admin.DoorState) error {
	say := t.shown()
	for _, d := range doors {
		c, r := d.Connections, d.Requests
		err := t.row(say.StatusDoor(doorName(say, d.Door)), say.StatusDoorFull(num(c.Open), num(c.Most), num(c.Closed), num(c.Refused), num(r.InFlight), num(r.Most), num(r.Refused)))
		if err != nil {
			return err
		}
	}
	return nil
}

// printAuthorities prints the other authorities on the database, since when they run, and
// the duties of each.
func printAuthorities(t *terminal, all []admin.AuthorityState) error {
	say := t.shown()
	for _, a := range all {
		var duties []string
		for _, d := range a.Duties {
			duties = append(duties, string(d))
		}
		does := ""
		if len(duties) > 0 {
			does = say.StatusAuthorityDuties(strings.Join(duties, ", "))
		}
		since := a.Since.Format(time.RFC3339)
		what := say.StatusAuthorityThere(a.Name, a.Host, num(a.PID), since, does)
		switch {
		case a.Here:
			what = say.StatusAuthorityHere(a.Name, num(a.PID), since, does)
		case a.Gone:
			what = say.StatusAuthorityGone(a.Name, a.Host, a.Seen.Format(time.RFC3339))
		}
		if err := t.row(say.StatusAuthority(), what); err != nil {
			return err
		}
	}
	return nil
}

func printRest(t *terminal, v admin.Status) error {
	say := t.shown()
	err := t.row(say.StatusKeepers(), v.Shape)
	if err == nil {
		err = printKeepers(t, v.Keepers)
	}
	if err == nil {
		err = errors.Join(t.row(say.StatusIntents(), num(v.OpenIntents)), t.row(say.StatusCards(), num(v.Cards)), t.row(say.StatusPeople(), num(v.People)))
	}
	if err == nil {
		err = printPeople(t, v)
	}
	if err == nil {
		err = printTexts(t, v.Texts)
	}
	if err == nil {
		err = printLetters(t, v)
	}
	if err == nil {
		err = printRecord(t, v.Record)
	}
	if err == nil {
		err = printRetention(t, v.Retention)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(printResealing(t, v.Resealing), printStaff(t, v.Staff)); err != nil {
		return err
	}
	if v.SealKey == nil {
		return t.row(say.StatusSealKey(), say.StatusSealKeyNone())
	}
	return t.row(say.StatusSealKey(), say.StatusSealKeyAge(v.SealKey.ID, v.At.Sub(v.SealKey.MadeAt).Truncate(time.Second).String()))
}

// printPeople prints the cards of children, and the corrections that are under way.
func printPeople(t *terminal, v admin.Status) error {
	say := t.shown()
	if c := v.Children; !c.Complete || c.Under14+c.From14+c.From16 > 0 {
		counted := say.StatusChildrenCounted
		if !c.Complete {
			counted = say.StatusChildrenMore
		}
		if err := t.row(say.StatusChildren(), counted(num(c.Under14), num(c.From14), num(c.From16))); err != nil {
			return err
		}
	}
	if c := v.Corrections; c.Waiting+c.Stopped > 0 {
		return t.row(say.StatusCorrections(), say.StatusCorrectionsCounted(num(c.Waiting), num(c.Decided), num(c.Stopped), num(c.Untold)))
	}
	return nil
}

// printStaff prints the state of the staff, and what is missing.
func printStaff(t *terminal, s admin.StaffStatus) error {
	say := t.shown()
	if !s.Begun {
		return t.row(say.StatusStaff(), say.StatusStaffNone())
	}
	err := t.row(say.StatusStaff(), say.StatusStaffCounted(num(s.Active), num(s.Operators), num(s.Officers), num(s.Proposals)))
	if err == nil && (s.Operators == 0 || s.Officers == 0) {
		err = t.note(say.StatusAlone(), say.StatusAloneNext())
	}
	for _, x := range s.Contested {
		if err == nil {
			err = t.note(say.StatusSuspended(), say.StatusSuspendedBy(string(x.Member), x.At.UTC().Format(time.RFC3339), string(x.By), x.Until.UTC().Format(time.RFC3339)))
		}
	}
	for _, id := range s.Waiting {
		if err == nil {
			err = t.note(say.StatusAlarm(), say.StatusInvitedAlone(string(id)))
		}
	}
	return err
}

// printResealing prints the progress of resealing, as long as there are older root keys.
func printResealing(t *terminal, r *admin.Resealing) error {
	if r == nil {
		return nil
	}
	say := t.shown()
	how := say.StatusResealingBegins()
	switch {
	case r.Ended:
		how = say.StatusResealingDone(num(r.Rows))
	case r.Table != "":
		how = say.StatusResealingAt(num(r.Rows), r.Table)
	}
	err := t.row(say.StatusRootKey(), say.StatusResealing(num(r.Key), fmt.Sprint(r.Older), how))
	if err == nil && r.Refused > 0 {
		err = t.note(say.StatusRefused(), say.StatusRowsRefused(num(r.Refused)))
	}
	return err
}

// printTexts prints the state of the outbox. Messages of an earlier configuration are
// listed even if none are sent now. printLetters prints the state of the print queue, and
// the next step if letters wait too long.
func printLetters(t *terminal, v admin.Status) error {
	q, say := v.Letters, t.shown()
	if q.Waiting+q.Printed == 0 {
		return t.row(say.StatusLetters(), say.StatusLettersNone())
	}
	line := say.StatusLettersQueue(num(q.Waiting), num(q.Printed), v.At.Sub(q.Oldest).Truncate(time.Minute).String())
	if q.Partial {
		line = say.StatusLettersPartial(line)
	}
	err := t.row(say.StatusLetters(), line)
	if err == nil && q.Due > 0 {
		err = t.note("DUE", say.StatusLettersDue(num(q.Due)))
	}
	return err
}

func printTexts(t *terminal, x admin.Texts) error {
	how, say := x.Driver, t.shown()
	if x.Voice {
		how = say.StatusTextsCalls(how)
	}
	if x.Behind {
		how = say.StatusTextsLate(how)
	}
	err := t.row(say.StatusTexts(), how)
	for _, q := range []struct {
		name string
		admin.TextQueue
	}{{say.StatusTextCodes(), x.Codes}, {say.StatusTextNotices(), x.Notices}} {
		if err != nil {
			return err
		}
		if x.Driver == config.DriverNone && q.Waiting+q.Dead == 0 {
			continue
		}
		line := say.StatusTextQueue(num(q.Waiting), num(q.Overdue), num(q.Dead))
		if q.Waiting > 0 {
			line = say.StatusTextQueueOldest(num(q.Waiting), num(q.Overdue), (time.Duration(q.Oldest) * time.Second).String(), num(q.Dead))
		}
		if s := q.Since; s != nil {
			line = say.StatusTextSince(line, num(s.Sent), num(s.Late), num(s.Dead), num(s.Stuck))
		}
		err = t.note(q.name, line)
	}
	return err
}

// printRecord prints the state of the audit record.
func printRecord(t *terminal, r admin.RecordStatus) error {
	say := t.shown()
	line := say.StatusNoDigest()
	if r.Digest > 0 {
		line = say.StatusDigest(num(r.Digest))
		if r.At != nil {
			line = say.StatusDigestOf(num(r.Digest), r.At.Format(time.RFC3339))
		}
	}
	if r.Checked != nil {
		line = say.StatusChecked(line, r.Checked.Format(time.RFC3339))
	}
	err := t.row(say.StatusRecord(), line)
	for _, f := range r.Faults {
		if err == nil {
			err = t.note(say.StatusFault(), f)
		}
	}
	if err == nil && r.Shipping != "" {
		err = t.note(say.StatusNotShipped(), r.Shipping)
	}
	return err
}
