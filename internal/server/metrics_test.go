package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// numbered is a served world whose numbers can be read.
type numbered struct {
	*testkit.Env
	at string
}

func newNumbered(t *testing.T) numbered {
	t.Helper()
	e := testkit.New(t, testkit.Options{Shape: "2/3", Listen: true, LookEvery: time.Nanosecond, Clock: testkit.RunningClock(0), Configure: func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" }})
	at, shut, err := e.System.ServeMetrics()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shut)
	e.Serve()
	return numbered{e, "http://" + at}
}

// scrape is every series by its name and labels, histograms by their counts.
func (n numbered) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get(n.at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", resp.StatusCode, err, raw)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			labels := []string{}
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.Counter != nil:
				out[key] = m.Counter.GetValue()
			case m.Gauge != nil:
				out[key] = m.Gauge.GetValue()
			case m.Histogram != nil:
				out[key] = float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return out
}

// verify asks for a verification as a channel's server does.
func (n numbered) verify(t *testing.T, p world.Party, card, pin string) *client.Verification {
	t.Helper()
	c, err := p.Connect(n.API(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := c.Challenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	purpose := client.PurposeIn("查询社保缴费年限", "See your years of contribution")
	d := client.DeviceRequest{Channel: p.ID, Action: client.Verify, BusinessNo: string(n.BusinessNo()), Purpose: purpose, Challenge: ch, Subject: client.Subject{Card: card}}
	sealed, err := d.SealPIN([]byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Verify(t.Context(), client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestMetrics: what a collector reads tells of a right and a wrong guess, of the keepers
// that counted them, of how the process stands, and of the connections between.
func TestMetrics(t *testing.T) {
	e := newNumbered(t)
	channel := e.AddParty(testkit.NationalChannel("zj"))
	card := string(e.Enroll(authority.Caller{Client: channel.Client}, e.People[0], "739104"))
	before := e.scrape(t)
	if v := e.verify(t, channel, card, "739104"); !v.Right() {
		t.Fatalf("%+v", v)
	}
	if v := e.verify(t, channel, card, "280931"); v.Verdict != "wrong" {
		t.Fatalf("%+v", v)
	}
	after := e.scrape(t)
	for key, least := range map[string]float64{
		"liuma_verdicts_total{door=channel,verdict=right}":                           1,
		"liuma_verdicts_total{door=channel,verdict=wrong}":                           1,
		"liuma_verdict_seconds{door=channel}":                                        2,
		"liuma_requests_total{door=channel,route=POST /v1/verifications,status=2xx}": 2,
		"liuma_request_seconds{door=channel,route=POST /v1/verifications}":           2,
		"liuma_events_total{event=attempt.decided}":                                  2,
		"liuma_store_seconds{act=update}":                                            4,
		"liuma_store_seconds{act=view}":                                              1,
		"liuma_guesses_total{}":                                                      0,
		"liuma_store_updates_per_commit{}":                                           1,
		"liuma_ledger_spends_per_write{}":                                            1,
	} {
		if rose := after[key] - before[key]; rose < least {
			t.Errorf("%s rose by %v, want at least %v", key, rose, least)
		}
	}
	for _, k := range []string{"k1", "k2", "k3"} {
		if _, ok := after["liuma_quorum_seconds{keeper="+k+",request=attempt}"]; !ok {
			t.Errorf("no time of %s", k)
		}
		if n := after["liuma_quorum_state{keeper="+k+",state=whole}"]; n != 1 {
			t.Errorf("%s is whole: %v", k, n)
		}
	}
	spent := 0.0
	for key, n := range after {
		if strings.HasPrefix(key, "liuma_quorum_spends_total{") {
			spent += n
		}
	}
	if spent < 4 { // two guesses at two keepers at least
		t.Errorf("%v spends", spent)
	}
	for key, want := range map[string]float64{
		"liuma_ready{}": 1, "liuma_look_failed{}": 0, "liuma_clock_behind{}": 0, "liuma_record_faults{}": 0, "liuma_alarms{kind=not_ready}": 0,
	} {
		if got, ok := after[key]; !ok || got != want {
			t.Errorf("%s is %v, %t", key, got, ok)
		}
	}
	for _, key := range []string{"liuma_seal_key_age_seconds{}", "liuma_clock_high_behind_seconds{}", "liuma_texts_waiting{queue=codes}", "liuma_door_requests_in_flight{door=channel}",
		"liuma_record_digest_number{}", "go_goroutines{}", "process_resident_memory_bytes{}"} {
		if _, ok := after[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
}

// TestMetricsHoldNothingOfRequests: whatever anybody sends, there is no series that was not
// there for the honest ones, and none names a channel, a business number or a card.
func TestMetricsHoldNothingOfRequests(t *testing.T) {
	e := newNumbered(t)
	channel := e.AddParty(testkit.NationalChannel("zj"))
	card := string(e.Enroll(authority.Caller{Client: channel.Client}, e.People[0], "739104"))
	e.verify(t, channel, card, "739104")
	odd := func(n int) {
		for i := range n {
			path := fmt.Sprintf("/v1/%x/%d", rand.Uint64(), i)
			for _, door := range []string{e.API(), e.Issuer()} {
				method := []string{"GET", "POST", "FROB", "DELETE"}[i%4]
				req, err := http.NewRequestWithContext(t.Context(), method, door+path+"?"+strings.Repeat("x", i), strings.NewReader(`{"business_no":"`+path+`"}`))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+path)
				req.Header.Set("X-Request-Id", path)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			for _, known := range []string{"/v1/verifications/", "/v1/cards/", "/v1/agencies/"} {
				resp, err := http.Get(fmt.Sprintf("%s%s%x", e.API(), known, rand.Uint64()))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
		}
	}
	odd(4)
	before := e.scrape(t)
	odd(60)
	after := e.scrape(t)
	for key := range after {
		// What the process does by itself meanwhile has events and calls to keepers of its own, such as
		// a late settlement; their labels are words of the program.
		if _, ok := before[key]; !ok && strings.HasPrefix(key, "liuma_") && !strings.HasPrefix(key, "liuma_events_total{") && !strings.HasPrefix(key, "liuma_quorum_") {
			t.Errorf("a request made the series %s", key)
		}
		for _, secret := range []string{"=zj", card, e.People[0].IDNumber, e.People[0].CardNo, e.People[0].Name} {
			if strings.Contains(key, secret) {
				t.Errorf("%s names %s", key, secret)
			}
		}
	}
	if len(after) > 2000 {
		t.Errorf("%d series", len(after))
	}
}

// TestMetricsListener: it answers its three paths, no door answers its path, and without a
// setting there is none.
func TestMetricsListener(t *testing.T) {
	e := newNumbered(t)
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/": 404, "/debug/pprof/": 404, "/v1/challenges": 404} {
		resp, err := http.Get(e.at + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	for _, door := range []string{e.API(), e.Issuer()} {
		resp, err := http.Get(door + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s/metrics: %d", door, resp.StatusCode)
		}
	}
	quiet := testkit.New(t, testkit.Options{})
	if at, shut, err := quiet.System.ServeMetrics(); err != nil || at != "" {
		t.Errorf("%q, %v", at, err)
	} else {
		shut()
	}
}

// away is a keeper that can be taken away.
type away struct {
	keeper.Keeper
	is *atomic.Bool
}

func (a away) Admit(ctx context.Context, h keeper.Header) error {
	if a.is.Load() {
		return errors.New("away")
	}
	return a.Keeper.Admit(ctx, h)
}

// TestMetricsTellOfTrouble: while too few keepers serve, the listener says that it is not
// ready and what there is to look after, and answers all the same.
func TestMetricsTellOfTrouble(t *testing.T) {
	var gone atomic.Bool
	e := testkit.New(t, testkit.Options{Shape: "2/3", Configure: func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" },
		Keeper: func(k keeper.Keeper) keeper.Keeper { return away{k, &gone} }, LookEvery: time.Nanosecond})
	at, shut, err := e.System.ServeMetrics()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shut)
	n := numbered{e, "http://" + at}
	for _, trouble := range []bool{false, true} {
		gone.Store(trouble)
		want, status := 1.0, http.StatusOK
		if trouble {
			want, status = 0, http.StatusServiceUnavailable
		}
		resp, err := http.Get(n.at + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != status || strings.Contains(string(body), "away") {
			t.Errorf("with keepers away %t: %d %s", trouble, resp.StatusCode, body)
		}
		all := n.scrape(t)
		if all["liuma_ready{}"] != want || all["liuma_alarms{kind=not_ready}"] != 1-want {
			t.Errorf("with keepers away %t: ready %v, alarms %v", trouble, all["liuma_ready{}"], all["liuma_alarms{kind=not_ready}"])
		}
	}
}
