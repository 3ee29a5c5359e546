package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

// PINCmd is "liuma pin".
type PINCmd struct {
	Check PINCheckCmd `cmd:""`
}

// PINCheckCmd is "liuma pin check". PINs come from standard input only:
// arguments end up in the shell's history and in the list of processes.
type PINCheckCmd struct {
	IDNumber   string `name:"id-number" placeholder:"NUMBER"`
	Name       string `name:"name" placeholder:"NAME"`
	Document   string `name:"document" placeholder:"TYPE:NUMBER"`
	Birthday   string `name:"birthday" placeholder:"YYYYMMDD"`
	Phone      string `name:"phone" placeholder:"NUMBER"`
	CardNo     string `name:"card-no" placeholder:"NUMBER"`
	Passphrase bool   `name:"passphrase"`
	JSON       bool   `name:"json"`
	Lang       string `name:"lang" enum:"zh,en,both" default:"both"`
}

// Run checks every line of the input.
func (c *PINCheckCmd) Run(ctx context.Context, t *terminal) error {
	in := t.in
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		in = &pinPrompt{ctx: ctx, fd: int(f.Fd()), out: t.err, asks: t.shown().PINPrompt() + " "}
	}
	return c.check(in, t)
}

// The statuses of pin check beside 0.
const (
	pinCheckRefused = 1
	pinCheckBad     = 2
)

// pinCheckError ends the command with a status.
type pinCheckError struct {
	status int
	cause  error
}

func (e *pinCheckError) Error() string { return e.cause.Error() }
func (e *pinCheckError) Unwrap() error { return e.cause }

// ExitCode is the exit status of the process.
func (e *pinCheckError) ExitCode() int { return e.status }

// Told is the error in a language.
func (e *pinCheckError) Told(w *locale.Words, _ func(error) string) string { return told(w, e.cause) }

func pinCheckFailed(status int, say func(*locale.Words) string) error {
	return &pinCheckError{status, refuse(say)}
}

func pinCheckFailedFor(status int, cause error, say func(w *locale.Words, why string) string) error {
	return &pinCheckError{status, refuseFor(cause, say)}
}

// pinCheckLine is the result for one line.
type pinCheckLine struct {
	Line     int               `json:"line"`
	Verdict  string            `json:"verdict"` // accepted, refused, malformed
	Findings []pinCheckFinding `json:"findings"`
}

type pinCheckFinding struct {
	Code string `json:"code"`
	ZH   string `json:"zh,omitempty"`
	EN   string `json:"en,omitempty"`
}

// pinCheckLongest is more than any PIN; a longer line is malformed.
const pinCheckLongest = 4096

func (c *PINCheckCmd) check(in io.Reader, t *terminal) error {
	facts, err := c.facts()
	if err != nil {
		return err
	}
	judge, err := pin.NewJudge(pin.NationalRules())
	if err != nil {
		return &pinCheckError{pinCheckBad, err}
	}
	lines := bufio.NewReaderSize(in, pinCheckLongest)
	count := make(map[string]int)
	for n := 1; ; n++ {
		typed, err := pinCheckRead(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return pinCheckFailedFor(pinCheckBad, err, func(w *locale.Words, why string) string { return w.Refused.PINInput(why) })
		}
		if n == 1 {
			typed = bytes.TrimPrefix(typed, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(typed)) > 0 {
			said := c.judge(judge, facts, typed)
			said.Line = n
			count[said.Verdict]++
			if err := c.print(t, said); err != nil {
				return pinCheckFailedFor(pinCheckBad, err, func(w *locale.Words, why string) string { return w.Refused.PINOutput(why) })
			}
		}
		if err != nil {
			return pinCheckStatus(count)
		}
	}
}

// pinCheckStatus turns the counts into the exit status.
func pinCheckStatus(count map[string]int) error {
	accepted, refused, malformed := count["accepted"], count["refused"], count["malformed"]
	switch all := accepted + refused + malformed; {
	case all == 0:
		return pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINNone() })
	case malformed > 0:
		return pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINMalformed(num(all), num(malformed), num(refused)) })
	case refused > 0:
		return pinCheckFailed(pinCheckRefused, func(w *locale.Words) string { return w.Refused.PINRefused(num(all), num(refused)) })
	}
	return nil
}

// facts reads the flags in any spelling.
func (c *PINCheckCmd) facts() (pin.Facts, error) {
	var f pin.Facts
	if c.IDNumber != "" {
		id, err := registry.ParseIDNumber(c.IDNumber)
		if err != nil {
			return f, pinCheckFailed(pinCheckBad, func(*locale.Words) string {
				return "--id-number: " + c.text(locale.Explain(liuma.CodeOf(err), "").What)
			})
		}
		f.IDNumber = id.Canonical()
	}
	if c.Name != "" {
		name, err := registry.ParseName(c.Name)
		if err != nil {
			return f, pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINName() })
		}
		f.Name = name
	}
	if c.Document != "" {
		id, err := registry.ParseIDNumber(c.Document)
		if err != nil || c.IDNumber != "" {
			return f, pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINDocument() })
		}
		f.IDNumber, f.Birthday = id.Canonical(), id.Born()
	}
	if c.Birthday != "" {
		if _, err := time.Parse("20060102", c.Birthday); err != nil {
			return f, pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINBirthday() })
		}
		f.Birthday = c.Birthday
	}
	var err error
	if c.Phone != "" {
		if f.Phone, err = registry.ParsePhone(c.Phone); err != nil {
			return f, pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINPhone() })
		}
	}
	if c.CardNo != "" {
		if f.CardNo, err = registry.ParseCardNo(c.CardNo); err != nil {
			return f, pinCheckFailed(pinCheckBad, func(w *locale.Words) string { return w.Refused.PINCardNo() })
		}
	}
	return f, nil
}

// judge checks one line, and wipes it.
func (c *PINCheckCmd) judge(j *pin.Judge, f pin.Facts, typed []byte) pinCheckLine {
	p, err := pin.Parse(typed, c.Passphrase)
	if err != nil {
		reason := pin.ReasonNotSixDigits
		if e, ok := errors.AsType[*liuma.Error](err); ok {
			reason = e.Reason
		}
		return pinCheckLine{Verdict: "malformed", Findings: []pinCheckFinding{c.finding(reason, pin.FormatSentence(reason))}}
	}
	defer p.Wipe()
	said := pinCheckLine{Verdict: "accepted", Findings: []pinCheckFinding{}}
	for _, found := range j.Check(p, f, nil) {
		said.Verdict = "refused"
		said.Findings = append(said.Findings, c.finding(string(found.Rule), found.Sentence))
	}
	return said
}

func (c *PINCheckCmd) finding(code string, t liuma.Text) pinCheckFinding {
	f := pinCheckFinding{Code: code, ZH: t.ZH, EN: t.EN}
	switch c.Lang {
	case "zh":
		f.EN = ""
	case "en":
		f.ZH = ""
	}
	return f
}

func (c *PINCheckCmd) text(t liuma.Text) string {
	f := c.finding("", t)
	return strings.TrimSpace(f.ZH + " " + f.EN)
}

func (c *PINCheckCmd) print(t *terminal, said pinCheckLine) error {
	if c.JSON {
		return json.NewEncoder(t.out).Encode(said)
	}
	var b strings.Builder
	say := t.shown()
	verdict := map[string]string{"accepted": say.PINAccepted(), "refused": say.PINRefused(), "malformed": say.PINMalformed()}[said.Verdict]
	fmt.Fprintln(&b, say.PINLine(num(said.Line), verdict))
	for _, f := range said.Findings {
		fmt.Fprintf(&b, "  %s\n", f.Code)
		for _, sentence := range []string{f.ZH, f.EN} {
			if sentence != "" {
				fmt.Fprintf(&b, "    %s\n", sentence)
			}
		}
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

// pinCheckRead returns the next line without its end. A line that is too long
// is cut, but stays long enough to be refused. It returns io.EOF with the last
// line.
func pinCheckRead(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		clear(line)
	}
	return bytes.Repeat([]byte("x"), pinCheckLongest), err
}

// pinPrompt reads lines from a terminal without echo.
type pinPrompt struct {
	ctx  context.Context // of the command: an interrupt ends the wait for a line
	fd   int
	asks string
	out  io.Writer
	rest []byte // typed and not yet read
}

// Read asks for one line at a time. An empty line ends the list, because a terminal's
// end of file (Ctrl-D) does not get through ReadPassword.
func (p *pinPrompt) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		line, err := p.ask()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			return 0, io.EOF
		}
		p.rest = append(append(make([]byte, 0, len(line)+1), line...), '\n')
		clear(line)
	}
	n := copy(b, p.rest)
	clear(p.rest[:n])
	p.rest = p.rest[n:]
	return n, nil
}

// ask reads one line. On an interrupt it turns the terminal's echo on again
// itself, because the read cannot be ended.
func (p *pinPrompt) ask() ([]byte, error) {
	shown, err := term.GetState(p.fd)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(p.out, p.asks); err != nil {
		return nil, err
	}
	type answer struct {
		line []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(p.fd)
		answered <- answer{line, err}
	}()
	select {
	case <-p.ctx.Done():
		return nil, errors.Join(p.ctx.Err(), term.Restore(p.fd, shown))
	case a := <-answered:
		_, err := io.WriteString(p.out, "\n")
		return a.line, errors.Join(a.err, err)
	}
}
