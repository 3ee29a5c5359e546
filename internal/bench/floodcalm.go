package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

// hostedShare is how many verifications of the normal load come for each
// ceremony of the hosted door, which is a page, a PIN and a code redeemed.
const hostedShare = 50

// hostedCards is how many of the normal load's cards the ceremonies have for
// themselves: two requests for one card at once would refuse each other.
const hostedCards = calmCards / 5

// calm is the normal load of one row: verifications with the right PIN through
// known links, at an even pace whatever the answers, and ceremonies beside them.
type calm struct {
	stage    *stage
	client   *client.Client
	http     *http.Client
	rate     float64
	d        time.Duration
	requests []client.VerifyRequest // sealed beforehand
}

// newCalm seals the requests of the normal load, for a while of it.
func newCalm(ctx context.Context, s *stage, rate float64, d time.Duration) (*calm, error) {
	l := &calm{stage: s, http: httpClient(256), rate: rate, d: d}
	var err error
	if l.client, err = s.connect(calmID, l.http); err != nil {
		return nil, err
	}
	ch, err := l.client.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	l.requests = make([]client.VerifyRequest, int(d.Seconds()*rate)+1)
	run := rand.Text()
	return l, parallel(len(l.requests), func(i int) error {
		h := s.Calm[i%(len(s.Calm)-hostedCards)]
		d := client.DeviceRequest{Channel: calmID, Action: client.Verify, Subject: client.Subject{Card: h.Calm},
			BusinessNo: fmt.Sprintf("calm-%s-%d", run, i), Purpose: purpose, Challenge: ch}
		sealed, err := d.SealPIN([]byte(h.PIN))
		l.requests[i] = client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed}
		return err
	})
}

// run asks, once, and returns what both parts of the load noticed.
func (l *calm) run(ctx context.Context) (verify, hosted Noticed) {
	var natives, pages tally
	var wg sync.WaitGroup
	wg.Go(func() {
		paced(ctx, l.rate, l.d, 10_000, func(i int, due time.Time) {
			natives.add(due, l.verify(ctx, i))
		})
	})
	wg.Go(func() {
		paced(ctx, l.rate/hostedShare, l.d, 1000, func(i int, due time.Time) {
			pages.add(due, l.ceremony(ctx, i))
		})
	})
	wg.Wait()
	return natives.noticed(), pages.noticed()
}

// verify is one verification. Anything but a right PIN is an error.
func (l *calm) verify(ctx context.Context, i int) error {
	v, err := l.client.Verify(ctx, l.requests[i])
	if err == nil && !v.Right() {
		err = refused(strings.Join([]string{v.State, v.Verdict, v.Code}, " "))
	}
	return err
}

// ceremony is one verification by the hosted door, from the push until the
// browser is back at the channel with a code.
func (l *calm) ceremony(ctx context.Context, i int) error {
	h := l.stage.Calm[len(l.stage.Calm)-1-i%hostedCards]
	address, err := l.stage.push(ctx, l.http, calmID, pushed{action: liuma.ActionVerify, card: h.Calm})
	if err != nil {
		return err
	}
	v, err := newBrowser(l.http)
	if err != nil {
		return err
	}
	page, err := v.Enter(ctx, address)
	if err != nil {
		return err
	}
	if page, err = page.TypePIN(ctx, h.PIN); err != nil {
		return fmt.Errorf("%w on %q", err, page.Title())
	}
	if page.Has("return") {
		if page, err = page.Press(ctx, "return", nil); err != nil {
			return err
		}
	}
	if page.URL().Query().Get("code") == "" {
		return fmt.Errorf("no code, but %q %s", page.Title(), page.Code())
	}
	return nil
}

// home answers for the channel's own site, where browsers go back to; all else
// goes through.
type home struct{ http.RoundTripper }

func (t home) RoundTrip(r *http.Request) (*http.Response, error) {
	back, err := url.Parse(redirectURI)
	if err != nil || r.URL.Host != back.Host {
		return t.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}}, Body: http.NoBody, Request: r}, nil
}

// paced starts do(0), do(1), … evenly, each at its time whether those before it
// have ended or not, but never more than most at once; and returns when all have
// ended. It returns how many it started.
func paced(ctx context.Context, rate float64, d time.Duration, most int, do func(i int, due time.Time)) int {
	slots := make(chan struct{}, most)
	begun, n := time.Now(), 0
	var wg sync.WaitGroup
	for ; ctx.Err() == nil; n++ {
		at := time.Duration(float64(n) / rate * float64(time.Second))
		if at >= d {
			break
		}
		due := begun.Add(at)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		slots <- struct{}{}
		if time.Since(begun) >= d {
			break // slots were full until the end
		}
		i := n
		wg.Go(func() {
			defer func() { <-slots }()
			do(i, due)
		})
	}
	wg.Wait()
	return n
}

// tally collects the times and errors of one part of a load. Safe for
// concurrent use.
type tally struct {
	mu    sync.Mutex
	times []time.Duration // guarded by mu
	why   map[string]int  // guarded by mu
	wrong int             // guarded by mu
}

func (t *tally) add(due time.Time, err error) {
	took := time.Since(due)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times = append(t.times, took)
	if err == nil {
		return
	}
	if t.why == nil {
		t.why = map[string]int{}
	}
	t.wrong++
	t.why[labelOf(err)]++
}

func (t *tally) noticed() Noticed {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := Noticed{Sent: len(t.times), Errors: t.wrong, Why: t.why}
	if len(t.times) > 0 {
		slices.Sort(t.times)
		n.P50, n.P99, n.Worst = quantile(t.times, 0.5), quantile(t.times, 0.99), quantile(t.times, 1)
	}
	return n
}

// labelOf names an error of the client's in a few words: a problem by its status
// and code.
func labelOf(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return fmt.Sprintf("%d %s", p.Status, p.Code)
	}
	if _, ok := errors.AsType[*client.NoAnswerError](err); ok {
		return noAnswer
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return noAnswer
	}
	text, _, _ := strings.Cut(err.Error(), ":")
	return text
}
