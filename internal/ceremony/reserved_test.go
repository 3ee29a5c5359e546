package ceremony_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestAChannelThatHasTheCountersName: a release before the counter registered a channel
// "counter". The service starts and says what to do, the counter serves, and the channel
// goes on as it was.
func TestAChannelThatHasTheCountersName(t *testing.T) {
	var log bytes.Buffer
	x, d := atDesk(t, testkit.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c := x.ch.Client
		c.ID = store.ReservedClient
		return audit.Entry{At: x.System.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.InsertClient(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "reserved") {
		t.Error("it is said of a directory without such a channel")
	}
	x.Close()
	x.Open()
	if said := log.String(); !strings.Contains(said, "reserved") || !strings.Contains(said, "another identifier") {
		t.Errorf("the log says nothing of it: %s", said)
	}
	p := d.Served(x.who, liuma.TicketReset, "", otherPIN)
	x.want(p, ceremony.StepDone, "")
	if c := x.row(p.ID); string(c.Channel) != store.CounterClient {
		t.Errorf("the act is of %s", c.Channel)
	}
	old := x.ch
	old.Client.ID = store.ReservedClient
	if v := x.Verify(old, x.card, otherPIN); v.State != "decided" {
		t.Errorf("%+v", v)
	}
}
