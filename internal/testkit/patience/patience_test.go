package patience_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// failing is a test that keeps what it was ended with.
type failing struct {
	testing.TB
	said string
}

func (*failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// ended runs f as a test of its own and returns what ended it.
func ended(f func(testing.TB)) string {
	var in failing
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(&in)
	}()
	<-done
	return in.said
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		patience.Until(t, "the third look", func() bool { looks++; return looks == 3 })
		if took := time.Since(began); looks != 3 || took >= time.Second {
			t.Errorf("%d looks in %s", looks, took)
		}
		if said := ended(func(t testing.TB) { patience.Until(t, "it comes", func() bool { return false }) }); said != "never: it comes" {
			t.Errorf("ended with %q", said)
		}
		if took := time.Since(began); took < patience.Limit {
			t.Errorf("gave up after %s", took)
		}
	})
}

func TestGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int, 1)
		go func() {
			time.Sleep(patience.Limit / 2)
			c <- 7
		}()
		if got := patience.Get(t, "a number", c); got != 7 {
			t.Errorf("got %d", got)
		}
		if said := ended(func(t testing.TB) { patience.Get(t, "another", c) }); said != "never: another" {
			t.Errorf("ended with %q", said)
		}
	})
}
