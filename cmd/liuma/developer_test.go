package main

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma/internal/visitor"
)

// sampleChannel FILE builds the sample channel as a developer would.
func sampleChannel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: samplechannel FILE")
	}
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", ts.MkAbs(args[0]), "../../examples/channel").CombinedOutput()
	if err != nil {
		ts.Fatalf("go build: %v\n%s", err, out)
	}
}

// copied FILE [OLD NEW]… writes the command that the last one told to copy: on
// standard error, from "curl" to the first line without a backslash at its end.
func copied(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args)%2 == 0 {
		ts.Fatalf("usage: copied FILE [OLD NEW]…")
	}
	_, from, ok := strings.Cut(ts.ReadFile("stderr"), "\ncurl ")
	if !ok {
		ts.Fatalf("no line to copy")
	}
	command := "curl "
	for line := range strings.Lines(from) {
		command += line
		if !strings.HasSuffix(line, "\\\n") {
			break
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.NewReplacer(args[1:]...).Replace(command)), 0o600))
}

// applies ORIGIN PERSON PIN FILE has a person apply for the card in the sample
// channel, and open the years by the PIN. The pages are the real ones, the code
// comes out of 'liuma texts inbox'. What the last page says is in the file.
func applies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: applies ORIGIN PERSON PIN FILE")
	}
	v, err := visitor.New(visitor.Config{Transport: http.DefaultTransport})
	ts.Check(err)
	h := &holderOf{ts: ts, browser: v, app: args[0]}
	h.open(args[0] + "/")
	h.press("person", "person", args[1])
	h.start("enroll")
	h.press("evidence")
	if h.page.Has("who") { // the stand-in's own page
		h.press("who", "who", "me")
	}
	h.begin()
	h.press("agree")
	before := len(h.codes())
	h.press("send-code")
	h.press("code", "code", h.codeAfter(before))
	h.types(args[2])
	h.back()
	h.start("verify")
	h.types(args[2])
	h.back()
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(h.page.Title()+" "+h.page.Text()), 0o600))
}

// presses ADDRESS WHO FILE presses a button of the stand-in's page. Where that
// leads is in the file: nobody listens at the way back.
func presses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: presses ADDRESS WHO FILE")
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.PostForm(args[0]+"/who", url.Values{"who": {args[1]}})
	ts.Check(err)
	ts.Check(resp.Body.Close())
	resp, err = stay.Get(args[0])
	ts.Check(err)
	page, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	_, rest, _ := strings.Cut(html.UnescapeString(string(page)), `http-equiv="refresh" content="0;url=`)
	address, _, _ := strings.Cut(rest, `"`)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(address+"\n"), 0o600))
}

// member VARIABLE NAME sets a variable to a member of the JSON on standard output.
func member(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: member VARIABLE NAME")
	}
	var all map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &all))
	value, ok := all[args[1]].(string)
	if !ok {
		ts.Fatalf("no %s in %v", args[1], all)
	}
	ts.Setenv(args[0], value)
}

// fromTree FILE PATH copies a file of the tree.
func fromTree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fromtree FILE PATH")
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(args[1])))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), raw, 0o600))
}

// holderOf is a holder at a browser without a screen. A page that does not offer
// what is pressed ends the script.
type holderOf struct {
	ts      *testscript.TestScript
	browser *visitor.Visitor
	app     string
	page    *visitor.Page
}

func (h *holderOf) open(address string) {
	p, err := h.browser.Open(context.Background(), address)
	h.ts.Check(err)
	h.page = p
}

func (h *holderOf) press(verb string, pairs ...string) {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	p, err := h.page.Press(context.Background(), verb, values)
	if err != nil {
		h.ts.Fatalf("%s on the page “%s”: %v\n%s", verb, h.page.Title(), err, h.page.Text())
	}
	h.page = p
}

func (h *holderOf) start(action string) {
	h.open(h.app + "/")
	h.press("start", "action", action)
	h.begin()
}

func (h *holderOf) begin() {
	if h.page.Has("begin") {
		h.press("begin")
	}
}

func (h *holderOf) types(pin string) {
	p, err := h.page.TypePIN(context.Background(), pin)
	if err != nil {
		h.ts.Fatalf("pad on the page “%s”: %v\n%s", h.page.Title(), err, h.page.Text())
	}
	h.page = p
}

func (h *holderOf) back() {
	if !strings.HasPrefix(h.page.URL().String(), h.app+"/") {
		h.press("return")
	}
}

// codes are the codes to bind a phone in the server's inbox, oldest first.
func (h *holderOf) codes() (codes []string) {
	h.ts.Check(h.ts.Exec("liuma", "texts", "inbox", "--json"))
	for line := range strings.Lines(h.ts.ReadFile("stdout")) {
		var text struct {
			Template string `json:"template"`
			Text     string `json:"text"`
		}
		h.ts.Check(json.Unmarshal([]byte(line), &text))
		if code := sixDigits(text.Text); text.Template == "code_bind" && code != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

// codeAfter waits for another code than the first n.
func (h *holderOf) codeAfter(n int) string {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if codes := h.codes(); len(codes) > n {
			return codes[len(codes)-1]
		}
		time.Sleep(100 * time.Millisecond)
	}
	h.ts.Fatalf("no code came")
	return ""
}

func sixDigits(s string) string {
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return c < '0' || c > '9' }) {
		if len(word) == 6 {
			return word
		}
	}
	return ""
}
