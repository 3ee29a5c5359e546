package browser

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
)

// listed is on the strong list alone, and looks like nothing.
const listed = "753214"

// TestThePadHasTheList: a common PIN is refused in the pad, and nothing of it goes to the
// server; where the list does not come, the server refuses it.
func TestThePadHasTheList(t *testing.T) {
	t.Parallel()
	for _, comes := range []bool{true, false} {
		w := newWorld(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if !comes && strings.HasSuffix(r.URL.Path, ".list") {
					panic(http.ErrAbortHandler)
				}
				h.ServeHTTP(rw, r)
			})
		})
		b, _ := atWeakPIN(t, w)
		b.ready()
		if comes {
			b.waits(`performance.getEntriesByType("resource").some(e => e.name.endsWith(".list") && e.responseEnd > 0)`)
		}
		b.keypad(listed)
		b.sees("Many people choose such numbers", "Step 1 of 2")
		if asked := len(b.posts("/new-pin")); asked != map[bool]int{true: 0, false: 1}[comes] {
			t.Errorf("the list comes: %v; %d questions to the server", comes, asked)
		}
		b.clean(w.site, listed)
	}
}

// TestNoListWhereNoPINIsSet: a page that asks for a PIN fetches no list.
func TestNoListWhereNoPINIsSet(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	w := newWorld(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".list") {
				asked.Store(true)
			}
			h.ServeHTTP(rw, r)
		})
	})
	b := newTab(t, phone(), "en")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.keypad(rightPIN)
	b.sees("Back at the channel")
	if asked.Load() {
		t.Error("the list was asked for")
	}
}

// TestDrawnAfterTwoRefusals: after two refusals a PIN is offered, large and to be heard; it
// goes nowhere before it is taken, can be drawn anew or left, and when it is taken it is the
// PIN. On a small phone, in each language, and in care mode.
func TestDrawnAfterTwoRefusals(t *testing.T) {
	t.Parallel()
	for _, l := range []look{{"zh", "zh-CN", false, false}, {"en", "en", false, false}, {"care", "zh-CN", true, false}} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			person := w.person()
			says := map[string][7]string{
				"zh-CN": {"是我本人", "这六位是一个日期", "开头四位是一个年份", "为您随机挑了一个", "再挑一个", "就用这个", "完成设置"},
				"en":    {"It is me", "These six digits are a date", "The first four digits are a year", "We picked one for you", "Pick another", "Use this PIN", "Set the PIN"},
			}[l.language]
			b := newTab(t, small(), l.language)
			b.dress(l)
			b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
			if l.care {
				b.care(w.site)
				b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-2", &person)) // e-1 may have begun already
			}
			b.press(says[0])
			b.ready()
			b.keypad("850307")
			b.sees(says[1])
			if strings.Contains(b.text(), says[3]) {
				t.Error("a PIN is offered after one refusal")
			}
			b.keypad("199047")
			b.sees(says[2], says[3])
			b.shoot(filepath.Join(small().name, l.name), "drawn")
			first := b.drawn()
			b.large("drawn", map[bool]int{true: 60, false: 44}[l.care])
			if l.care {
				b.legible("drawn", 18)
			}
			b.violations("drawn")
			if bottom := evaluate[float64](b, `[...document.querySelectorAll(".pad-offer button")].pop().getBoundingClientRect().bottom + scrollY`); bottom > 640 {
				t.Errorf("the last button ends at %.0f px", bottom)
			}
			b.press(says[4])
			second := b.drawn()
			if first == second {
				t.Error("another is the same")
			}
			if n := len(b.posts("/new-pin")); n != 0 {
				t.Errorf("%d questions to the server before it is taken", n)
			}
			// A program's press takes nothing.
			evaluate[bool](b, `(document.querySelector(".pad-offer .btn-primary").click(), true)`)
			if n := len(b.posts("/new-pin")); n != 0 || b.drawn() != second {
				t.Error("a program took the PIN")
			}
			b.press(says[5])
			b.waits(`!document.querySelector(".pad-drawn") && !!document.querySelector(".pad-ready[aria-busy=false]")`)
			b.keypad(second)
			b.press(says[6])
			b.waits(`!!document.querySelector(".result-ok")`)
			b.clean(w.site, first, second)
		})
	}
}

// drawn is the PIN that is offered. It is read out digit by digit.
func (b *tab) drawn() string {
	b.t.Helper()
	heard := evaluate[string](b, `document.querySelector(".pad-drawn .sr-only").textContent`)
	shown := evaluate[string](b, `document.querySelector(".pad-drawn [aria-hidden]").textContent`)
	if !regexp.MustCompile(`^[0-9]{6}$`).MatchString(shown) || strings.ReplaceAll(heard, ", ", "") != shown || len(heard) != 16 {
		b.t.Fatalf("shown %q, heard %q", shown, heard)
	}
	if at := evaluate[string](b, `document.activeElement.className`); !strings.Contains(at, "pad-drawn-title") && !strings.Contains(at, "btn-primary") {
		b.t.Errorf("the focus is on %q", at)
	}
	return shown
}
