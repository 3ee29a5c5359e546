package attack

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// wrongCodes are n one-time codes that differ from the right one.
func wrongCodes(right string, n int) []string {
	var all []string
	for i := 0; len(all) < n; i++ {
		if c := fmt.Sprintf("%06d", 111111+i); c != right {
			all = append(all, c)
		}
	}
	return all
}

// thousandCodes: a thousand guesses in forty ceremonies at once have five
// between them, and resending gains nothing.
func thousandCodes(t *testing.T, w *world) {
	type open struct {
		v  *visitor.Visitor
		id string
	}
	var all []open
	for n := range 40 {
		v := w.browser()
		p := w.do(w.opened(v, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree")
		if n < 8 {
			w.Clock.Advance(time.Minute)
			w.do(p, "send-code")
		}
		all = append(all, open{v, ceremony(p)})
	}
	guesses := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	past := 0
	wrong := wrongCodes(w.LastCode(w.who.Phone), 1000)
	for range 8 {
		wg.Go(func() {
			for n := range guesses {
				o := all[n%len(all)]
				p, err := o.v.Post(context.Background(), hosted+"/c/"+o.id+"/code", values("code", wrong[n]))
				mu.Lock()
				if err != nil {
					t.Error(err)
				} else if p.Pad() != "" || p.Has("return") && !p.Has("code") {
					past++
				}
				mu.Unlock()
			}
		})
	}
	for n := range 1000 {
		guesses <- n
	}
	close(guesses)
	wg.Wait()
	if past != 0 {
		t.Errorf("%d guesses led on", past)
	}
	if ticks := w.ticks("code_wrong"); ticks != 5 {
		t.Errorf("%d wrong codes were judged, want 5", ticks)
	}
	w.Clock.Advance(time.Minute)
	texts := len(w.Inbox.Texts(w.who.Phone))
	w.post(all[0].v, all[0].id, "send-code", nil)
	if w.Sent(); len(w.Inbox.Texts(w.who.Phone)) != texts {
		t.Error("a new code was sent although none is taken any more")
	}
}
