package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

// inDirectory opens a data directory that no server has.
func inDirectory(ts *testscript.TestScript, dir string, f func(*server.Data) error) {
	c, err := config.Load(ts.MkAbs(dir))
	ts.Check(err)
	data, err := server.OpenData(context.Background(), c, server.Options{})
	ts.Check(err)
	defer func() { ts.Check(data.Close()) }()
	ts.Check(f(data))
}

// refusing is a gateway that takes nothing.
type refusing struct{}

func (refusing) Send(context.Context, notify.Text) (string, error) {
	return "", &notify.Failure{Kind: notify.Permanent, Word: "refused"}
}

// letters DIR leaves a dead one-time code and two dead notices in an outbox,
// and a notice that has waited for an hour.
func letters(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: letters DIR")
	}
	inDirectory(ts, args[0], func(data *server.Data) error {
		templates, err := notify.NewTemplates(liuma.Text{}, "", nil)
		if err != nil {
			return err
		}
		outbox := func(now func() time.Time) *notify.Outbox {
			o, err := notify.New(notify.Config{Store: data.Store, Vault: data.Vault, Driver: refusing{}, Templates: templates, Now: now, Poll: 10 * time.Millisecond})
			ts.Check(err)
			return o
		}
		err = data.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
			c := store.Card{ID: liuma.CardID{7}, Holder: vault.Index{7}}
			return audit.Entry{At: time.Now(), Actor: "test", Event: audit.CardEnrolled, Outcome: "ok"}, tx.InsertCard(c)
		})
		ts.Check(err)
		queue := func(o *notify.Outbox, n notify.Message) error {
			n.Card, n.Phone, n.Language = liuma.CardID{7}, "13812345678", notify.Chinese
			return data.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
				return audit.Entry{At: time.Now(), Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, o.Queue(tx, n)
			})
		}
		notice := notify.Message{Template: notify.PINReset, Params: map[string]string{"holder": "王*奶", "channel": "浙里办", "freeze": "AB23CD45"}}
		o := outbox(time.Now)
		err = errors.Join(queue(o, notice), queue(o, notice), queue(o, notify.Message{Template: notify.CodeReset,
			Params: map[string]string{"holder": "王*奶", "code": "048213"}, Expires: time.Now().Add(10 * time.Minute)}))
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- o.Run(ctx) }()
		for until := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
			s, err := o.Stats(ctx)
			ts.Check(err)
			if s.Codes.Letters+s.Notices.Letters == 3 {
				break
			}
			if time.Now().After(until) {
				ts.Fatalf("the letters do not die: %+v", s)
			}
		}
		stop()
		ts.Check(<-ended)
		return queue(outbox(func() time.Time { return time.Now().Add(-time.Hour) }), notice)
	})
}

// letter VARIABLE DIR TEMPLATE sets a variable to the ID of the first dead
// message of a template, as the command lists them.
func deadText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: letter VARIABLE DIR TEMPLATE")
	}
	for line := range strings.Lines(listTexts(ts, args[1], "dead")) {
		if f := strings.Fields(line); len(f) > 3 && f[2] == args[2] {
			ts.Setenv(args[0], f[0])
			return
		}
	}
	ts.Fatalf("no %s is dead", args[2])
}

func listTexts(ts *testscript.TestScript, dir, state string) string {
	program, err := exec.LookPath("liuma")
	ts.Check(err)
	var out bytes.Buffer
	cmd := exec.Command(program, "--data", ts.MkAbs(dir), "texts", "list", "--state", state)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		ts.Fatalf("%v: %s", err, out.String())
	}
	return out.String()
}

// awaittexts STATE COUNT waits until at least COUNT messages of the data
// directory LIUMA_DATA are in a state.
func awaitTexts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaittexts STATE COUNT")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := ""
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		got = listTexts(ts, ts.Getenv("LIUMA_DATA"), args[0])
		if strings.Count(got, "  "+args[0]+" ") >= want {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	ts.Fatalf("want %d %s, have:\n%s", want, args[0], got)
}

// gateway ADDRESS SECRETFILE accepts every text that is signed with the secret,
// until the script ends.
func gateway(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gateway ADDRESS SECRETFILE")
	}
	secret, err := config.ReadSecret(ts.MkAbs(args[1]))
	ts.Check(err)
	ln, err := net.Listen("tcp", args[0])
	ts.Check(err)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, err := body.ReadFrom(r.Body)
		if err != nil || r.Header.Get(notify.HeaderSignature) != notify.Signature(secret, r.Header.Get(notify.HeaderTimestamp), body.Bytes()) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	ts.Defer(func() {
		ts.Check(server.Close())
		<-ended
	})
}

// audited DIR EVENT ACTOR NOTE COUNT counts entries of the audit record.
func audited(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: audited DIR EVENT ACTOR NOTE COUNT")
	}
	n := 0
	inDirectory(ts, args[0], func(data *server.Data) error {
		return data.Store.View(context.Background(), func(r store.Reader) error {
			list, err := storetest.Record(r)
			for _, e := range list {
				if string(e.Event) == args[1] && e.Actor == args[2] && e.Note == args[3] {
					n++
				}
			}
			return err
		})
	})
	if strconv.Itoa(n) != args[4] {
		ts.Fatalf("%d entries of %s", n, args[1])
	}
}
