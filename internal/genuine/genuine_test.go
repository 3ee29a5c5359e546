package genuine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/written"
)

// shelf is a store of clients that counts how often it is read. It has nothing else.
type shelf struct {
	store.Store
	clients []store.Client
	err     error
	reads   int
	hold    chan struct{} // a read waits for it; nil: it does not
	begun   chan context.Context
}

type shelfReader struct {
	store.Reader
	*shelf
}

func (r shelfReader) Clients() ([]store.Client, error) { return r.clients, r.err }

func (s *shelf) View(ctx context.Context, look func(store.Reader) error) error {
	s.reads++
	if s.hold != nil {
		s.begun <- ctx
		<-s.hold
	}
	return look(shelfReader{shelf: s})
}

func channel(id, zh, en, parent string, stopped bool, uris ...string) store.Client {
	return store.Client{ID: id, Kind: store.ClientChannel, Name: liuma.Text{ZH: zh, EN: en}, Parent: parent, Stopped: stopped, RedirectURIs: uris, Regions: []liuma.Region{"33"}}
}

// desk is one with some channels, at a time that can be moved.
func desk(t *testing.T) (*Desk, *shelf, *time.Time) {
	t.Helper()
	now := time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)
	s := &shelf{clients: []store.Client{
		channel("zheli", "浙里社保", "Zheli Social Security", "", false, "https://app.example.cn/back", "https://app.example.cn/other", "https://app.example.cn:8443/back"),
		channel("huzhou", "湖州社保", "Huzhou", "zheli", false, "https://huzhou.example.cn/back"),
		channel("old", "旧社保", "Old Card", "", true, "https://old.example.cn/back"),
		channel("below", "旧社保县版", "Old County", "old", false, "https://county.example.cn/back"),
		channel("dotted", "社保.公益", "Dotted", "", false, "https://dotted.example.cn/back"),
		{ID: "counter", Kind: store.ClientCounter, Name: liuma.Text{ZH: "柜台", EN: "Counter"}},
		{ID: "cam", Kind: store.ClientProvider, Name: liuma.Text{ZH: "人脸核验", EN: "Face Check"}},
	}}
	d, err := New(Config{Store: s, Origin: "https://pin.example.cn", Senders: []string{"1069 0000 12333"}, Lines: func() []string { return []string{"12333", "0571-88001234", "962218"} },
		Listed: func(number string) bool { return number == "05720000004" || number == "962219" }, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return d, s, &now
}

func TestAsk(t *testing.T) {
	d, _, _ := desk(t)
	for typed, want := range map[string]Kind{
		"https://pin.example.cn/c/abc": Own, "pin.example.cn": Own, "ＰＩＮ．example．cn": Own, "pin。example。cn": Own, "HTTPS://PIN.EXAMPLE.CN:443/": Own, "pin.example.cn.": Own,
		"http://pin.example.cn/": Plain, "http://app.example.cn": Plain,
		"https://app.example.cn/anything": AppPage, "app.example.cn:8443": AppPage, "huzhou.example.cn": AppPage,
		"old.example.cn": Stopped, "county.example.cn": Stopped,
		"pin.example.cn.evil.example": NoPage, "https://pin.example.cn@evil.example/": NoPage, `https://evil.example\@pin.example.cn`: NoPage, `https:\\pin.example.cn`: NoPage,
		"example.cn": NoPage, "xpin.example.cn": NoPage, "рin.example.cn": NoPage, "pin.example.cn:8443": NoPage, "app.example.cn:444": NoPage, "javascript://pin.example.cn/%0aalert(1)": NoPage,
		"pin.exam\u200bple.cn": NoPage, "https://evil.example/https://pin.example.cn": NoPage, "https://": NoPage, "https://%zz": NoPage, "https://[::1": NoPage, "ftp://pin.example.cn": NoPage,
		"浙里社保": App, " 浙 里 社 保 ": App, "zheli social security": App, "ZheliSocialSecurity": App,
		"浙里社保官方版": NoApp, "浙里社宝": NoApp, "社保": Similar, "Huz": Similar, "旧社保": Stopped, "旧社保县版": Stopped, "人脸核验": NoApp, "柜台": NoApp,
		// A host ends where every program says that it ends.
		"https://app.example.cn／.evil.example": NoPage, "https://app.example.cn⁇.evil.example": NoPage, "https://pin.example.cn＃.evil.example": NoPage, "https://pin.example.cn：443.evil.example": NoPage, "pin.example.cn／a。evil。example": NoPage,
		"https：／／pin.example.cn／a": Own, "pin.example.cn：443": Own, "ｈｔｔｐｓ：//ｐｉｎ.example.cn/路径？a=1": Own, "https://pin.example.cn/a／b：c": Own,
		// What reads as an address is a name only to the mark.
		"zheli-social.security": NoPage, "zheli.social-security": NoPage, "hu.zhou": NoPage, "浙.里社保": NoPage, "Zheli-Social-Security": App, "社保.公益": App, "社.保公益": NoPage,
		"1069000012333": Sender, "+86 1069 0000 12333": Sender, "12333": Line, "057188001234": Line, "962218": Line, "962219": Line, "0572-0000004": Line, "+86 0572 0000004": Line, "0572-000000": NoSender, "572-0000004": NoSender, "13800000000": NoSender, "10690000": NoSender,
		"135790": Code, "１３５７９０": Code, "": Short, "保": Short, "  ": Short, "--": Short, strings.Repeat("长", 201): Short,
	} {
		if got := d.Ask(t.Context(), typed); got.Kind != want {
			t.Errorf("%q: %s, want %s", typed, got.Kind, want)
		}
	}
}

// TestListed: an app is listed with its addresses once, its regions and the app above it;
// and only ten are.
func TestListed(t *testing.T) {
	d, s, now := desk(t)
	a := d.Ask(t.Context(), "浙里社保")
	if len(a.Apps) != 1 || !slices.Equal(a.Apps[0].Origins, []string{"https://app.example.cn", "https://app.example.cn:8443"}) || a.More {
		t.Errorf("%+v", a)
	}
	if up := d.Ask(t.Context(), "湖州社保").Apps[0].Under; up.ZH != "浙里社保" {
		t.Errorf("under %v", up)
	}
	for range 30 {
		s.clients = append(s.clients, channel(liuma.NewTicketID().String(), "山里社保", "Hills", "", false))
	}
	*now = now.Add(time.Minute)
	if a := d.Ask(t.Context(), "山里"); a.Kind != Similar || len(a.Apps) != most || !a.More {
		t.Errorf("%s with %d, more %v", a.Kind, len(a.Apps), a.More)
	}
}

// TestStoppedSoon: a channel is called genuine for fresh after it was stopped, and not
// longer, also where the clock goes back; the store is not read for each question.
func TestStoppedSoon(t *testing.T) {
	d, s, now := desk(t)
	for range 5 {
		d.Ask(t.Context(), "浙里社保")
	}
	if s.reads != 1 {
		t.Errorf("%d reads", s.reads)
	}
	s.clients[0].Stopped = true
	*now = now.Add(fresh)
	if got := d.Ask(t.Context(), "浙里社保"); got.Kind != Stopped {
		t.Error(got.Kind)
	}
	if got := d.Ask(t.Context(), "湖州社保"); got.Kind != Stopped {
		t.Errorf("below a stopped one: %s", got.Kind)
	}
	s.clients[0].Stopped = false
	*now = now.Add(-time.Hour)
	if got := d.Ask(t.Context(), "浙里社保"); got.Kind != App {
		t.Errorf("after the clock went back: %s", got.Kind)
	}
}

// TestAway: an error is no answer, and the next question asks again.
func TestAway(t *testing.T) {
	d, s, _ := desk(t)
	s.err = errors.New("disk")
	for _, typed := range []string{"浙里社保", "app.example.cn", "pin.example.cn"} {
		if got := d.Ask(t.Context(), typed); got.Kind != Away || got.Apps != nil {
			t.Errorf("%s: %+v", typed, got)
		}
	}
	s.err = nil
	if got := d.Ask(t.Context(), "浙里社保"); got.Kind != App {
		t.Error(got.Kind)
	}
}

// TestAStoreThatHangs: who waits while one question reads in vain does not read again, one
// behind the other; and who asked first and left takes the answer from nobody.
func TestAStoreThatHangs(t *testing.T) {
	d, s, _ := desk(t)
	s.err, s.hold, s.begun = errors.New("disk"), make(chan struct{}), make(chan context.Context, 60)
	left, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var asking atomic.Int32
	ask := func(ctx context.Context) {
		all.Go(func() {
			asking.Add(1)
			if got := d.Ask(ctx, "浙里社保"); got.Kind != Away {
				t.Error(got.Kind)
			}
		})
	}
	ask(left)
	read := <-s.begun
	leave()
	for range 50 {
		ask(t.Context())
	}
	patience.Until(t, "all ask", func() bool { return asking.Load() == 51 })
	time.Sleep(100 * time.Millisecond) // from there to where they wait
	if err := read.Err(); err != nil {
		t.Errorf("the read ended with the one who asked: %v", err)
	}
	close(s.hold)
	all.Wait()
	if s.reads > 10 {
		t.Errorf("%d reads for 51 questions", s.reads)
	}
}

// TestNoSenders: where no number is configured, none is called false.
func TestNoSenders(t *testing.T) {
	d, _, _ := desk(t)
	d.c.Senders = nil
	if got := d.Ask(t.Context(), "10690000"); got.Kind != NoList {
		t.Error(got.Kind)
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{"nothing": {}, "no clock": {Store: &shelf{}, Origin: "https://a.example"}, "no origin": {Store: &shelf{}, Now: time.Now}} {
		if _, err := New(c); err == nil {
			t.Error(name)
		}
	}
}

// FuzzAsk: nothing that is typed is called ours unless a browser would go to our host
// with it.
func FuzzAsk(f *testing.F) {
	for _, s := range []string{"pin.example.cn", "https://pin.example.cn", "https://pin.example.cn@x", `https:\\pin.example.cn`, "pin.example.cn.x", "浙里社保", "12333", "135790", "http://[::1]:80"} {
		f.Add(s)
	}
	s := &shelf{clients: []store.Client{channel("a", "浙里社保", "Zheli", "", false, "https://app.example.cn/b")}}
	d, err := New(Config{Store: s, Origin: "https://pin.example.cn", Now: func() time.Time { return time.Unix(1e9, 0) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		a := d.Ask(t.Context(), typed)
		if !slices.Contains(Kinds(), a.Kind) {
			t.Errorf("%q: kind %q", typed, a.Kind)
		}
		if plain, _ := written.PageAddress(typed); a.Kind == Own && !strings.Contains(strings.ToLower(plain), "pin.example.cn") {
			t.Errorf("%q is called ours", typed)
		}
		if a.Kind == Own && strings.ContainsAny(typed, "@\\") {
			t.Errorf("%q is called ours", typed)
		}
	})
}
