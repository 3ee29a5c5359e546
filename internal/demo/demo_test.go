package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/locale"
)

func small(t *testing.T, out *bytes.Buffer) Config {
	t.Helper()
	return Config{
		Dir: filepath.Join(t.TempDir(), "play"), People: 300, Seed: 1,
		Candidates: 4000, Guessing: 200 * time.Millisecond, Once: true, Out: out,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// The whole play, through the real door. The transcript must have every act.
func TestPlay(t *testing.T) {
	var out bytes.Buffer
	c := small(t, &out)
	if err := Run(t.Context(), c); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text := out.String()
	for _, line := range []string{
		"【0】搭台", "300 人",
		"weak_pin/birthday", "weak_pin/phone", "✗ 123456", "✗ 112233",
		"不正确，还可再试 5 次", "right 正确，附回执",
		"refused。没有关联过的渠道不知道原因",
		"次数用完，锁定", "locked 已锁定", "the right PIN is refused too",
		"【5】修改密码", "所有渠道同时生效",
		"receipt_spent", "用途不符",
		"【7】数据库被偷了", "tried 4,000 PINs with 3 stolen keys: 12,000 key pairs",
		"none is the card’s", "Argon2id", "keepers/ directory. With it the same 2000 PINs give",
		"申领成功", "关联成功", "一分钟后", "密码已锁定", "密码找回来了", "太好猜", "旧密码", "锁定马上解除",
		"到此为止", "直接提交新密码：不收", "他放弃了", "不用登录", "谁的密码也不收", "已解冻",
		"两个地区，两套规则", "输错 3 次即锁定", "输错 5 次即锁定", "停用 3 天", "停用 7 天",
		"提议邀请赵敏", "停用赵敏", "【16】全部步骤都如预期",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the transcript lacks %q", line)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("escape sequences where nobody watches")
	}
	if n := strings.Count(text, "locked 已锁定"); n != 2 {
		t.Errorf("the right PIN was refused %d times, want in both channels", n)
	}
	private(t, c.Dir)
}

// This test's program is the keepers' as well.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == posts.Argument {
		os.Exit(posts.Main(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// The whole play with three keepers, of which some fail in it.
func TestPlayWithThreeKeepers(t *testing.T) {
	var out bytes.Buffer
	c := small(t, &out)
	c.Keepers = 3
	var err error
	if c.Program, err = posts.Itself(); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), c); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text := out.String()
	for _, line := range []string{
		"密钥仪式：三家互换文件", "key is missing", "a second keeper’s directory", "【8】三家保管方", "its process is killed", "Two of three",
		"the PIN that was set meanwhile has reached it", "its line is cut", "unavailable：只剩一家", "all three are back", "【17】全部步骤都如预期",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the transcript lacks %q", line)
		}
	}
	if strings.Contains(text, "单进程形态") {
		t.Error("the transcript speaks of one process")
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "data", "keepers", "k1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a keeper within the authority's directory: %v", err)
	}
	private(t, c.Dir)
}

// private fails if another account could read the files that the play left.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == "carry" { // made to be handed over
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// It goes on serving until the context ends, and then ends well. No step hangs on the
// language: this play is in English.
func TestServesOn(t *testing.T) {
	var out bytes.Buffer
	c := small(t, &out)
	c.Once, c.Lang = false, locale.English
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	var beside []string
	c.Beside = func(_ context.Context, dir string, s *server.System) (shut func()) {
		look := func() {
			err := s.Store.View(context.Background(), func(r store.Reader) error { _, err := r.CountPersons(); return err })
			beside = append(beside, fmt.Sprint(dir == filepath.Join(c.Dir, "data"), " ", err))
		}
		look()
		return look
	}
	watch := &watcher{w: &out, word: "open this", seen: cancel}
	c.Out = watch
	go func() { served <- Run(ctx, c) }()
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("got %v", err)
		}
	case <-time.After(3 * patience.Limit): // a whole play
		t.Fatal("still playing")
	}
	for _, want := range []string{"【16】Every step went as it should\n", "/openapi.json", "issuer", standin.EvidencePath, "docs/CHANNELS.md"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the end says nothing of %s", want)
		}
	}
	if want := []string{"true <nil>", "true <nil>"}; !slices.Equal(beside, want) {
		t.Errorf("the doors beside were opened and shut in %q, want on the running system", beside)
	}
}

// watcher calls seen when word is written.
type watcher struct {
	w    *bytes.Buffer
	word string
	seen func()
}

func (w *watcher) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.word)) {
		w.seen()
	}
	return w.w.Write(b)
}

// A step with an unexpected result ends the play with an error that names the
// expected one: here everything is played twice on one stage.
func TestScenesNotice(t *testing.T) {
	var out bytes.Buffer
	c := small(t, &out)
	if err := c.fill(); err != nil {
		t.Fatal(err)
	}
	p := &play{Script: newScript(&out, false, locale.Chinese), c: c}
	var err error
	if p.stage, err = build(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stage.close(); err != nil {
			t.Error(err)
		}
	}()
	if p.cast, err = p.stage.choose(); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes(false)[:4] {
		if err := s.play(t.Context(), p); err != nil {
			t.Fatalf("%s: %v", s.title.EN, err)
		}
	}
	for _, i := range []int{0, 1, 2, 3} { // enrolled already, and locked
		if err := scenes(false)[i].play(t.Context(), p); err == nil {
			t.Errorf("%s went well on a locked card", scenes(false)[i].title.EN)
		}
	}
	p.cast.second = p.cast.first
	for _, i := range []int{4, 5} {
		if err := scenes(false)[i].play(t.Context(), p); err == nil {
			t.Errorf("%s went well for a locked holder", scenes(false)[i].title.EN)
		}
	}
	p.cast.first.pin = "000000" // not the PIN of the card, so the keeper must not open it
	if err := sceneTheft(t.Context(), p); err == nil || !strings.Contains(err.Error(), "share key") {
		t.Errorf("theft with the wrong PIN: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"dir":        func(c *Config) { c.Dir = "" },
		"out":        func(c *Config) { c.Out = nil },
		"people":     func(c *Config) { c.People = minPeople - 1 },
		"candidates": func(c *Config) { c.Candidates = AllPINs + 1 },
		"keepers":    func(c *Config) { c.Keepers = 2 },
		"no program": func(c *Config) { c.Keepers = 3 },
		"guessing":   func(c *Config) { c.Guessing = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := small(t, &out)
			spoil(&c)
			if err := Run(t.Context(), c); err == nil {
				t.Error("played")
			}
			if out.Len() > 0 {
				t.Error("began to play")
			}
		})
	}
	var out bytes.Buffer
	c := small(t, &out)
	c.Listen = "127.0.0.1:99999"
	if err := Run(t.Context(), c); err == nil {
		t.Error("listened at port 99999")
	}
}

func TestEndsWhenAsked(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, small(t, &out)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A sweep finds a PIN that a stolen key gives, and only that.
func TestSweepFinds(t *testing.T) {
	l := loot{keys: [][]byte{bytes.Repeat([]byte{1}, keySize), bytes.Repeat([]byte{2}, keySize)},
		card: store.Card{ID: liuma.NewCardID(), Version: 3, Verifier: liuma.Verifier{1}}}
	for _, tt := range []struct {
		name  string
		plant int // key whose pair the card has; -1 for none
		pin   string
	}{{"none", -1, "493817"}, {"first key", 0, "000007"}, {"second key", 1, "999998"}} {
		t.Run(tt.name, func(t *testing.T) {
			victim := l
			if tt.plant >= 0 {
				g := newSweep(l, tt.pin, 1000).guesser()
				g.digits(tt.pin)
				victim.card.Verifier = g.pair(tt.plant)
			}
			s := newSweep(victim, tt.pin, 1000)
			s.work(t.Context(), nil)
			if got := s.found.Load() != 0; got != (tt.plant >= 0) {
				t.Errorf("found: %v", got)
			}
			if s.control.Load() == 0 || s.tried.Load() != 1000 {
				t.Errorf("control %d after %d tries", s.control.Load(), s.tried.Load())
			}
		})
	}
}

func TestArgonGuessFinds(t *testing.T) {
	g := newArgonGuess("000003", time.Minute)
	g.run(t.Context())
	if !g.found || g.tried != 4 {
		t.Errorf("found %v after %d tries", g.found, g.tried)
	}
}

func TestSampleHasTheRightOne(t *testing.T) {
	for range 100 {
		if !slices.Contains(sample("000042", 5), "000042") {
			t.Fatal("the right PIN is missing")
		}
	}
}

func TestReadKeyFileRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := os.WriteFile(path, []byte("liuma-vault\x02"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readKeyFile(path); err == nil {
		t.Error("read another version")
	}
}

func TestColumns(t *testing.T) {
	for s, n := range map[string]int{"六码 → 国家平台": 15, "Liuma": 5, "": 0, "【7】": 5} {
		if cells(s) != n {
			t.Errorf("%q takes %d cells, want %d", s, cells(s), n)
		}
	}
	if grouped(1000000) != "1,000,000" || grouped(999) != "999" {
		t.Error("numbers")
	}
}

func TestStandsOutForPeopleOnly(t *testing.T) {
	var out bytes.Buffer
	s := newScript(&out, true, locale.Chinese)
	s.Title()
	if !strings.Contains(out.String(), bold) {
		t.Error("nothing stands out")
	}
}

// TestLanguageThatWasAskedFor comes first, in every kind of line, and the other
// beneath or beside it.
func TestLanguageThatWasAskedFor(t *testing.T) {
	for lang, want := range map[locale.Lang][]string{
		locale.Chinese: {"六码 Liuma · 电子社保卡密码服务演示\nLiuma · a demo", "都是编的。 People, numbers", "【0】核验密码\n     Verify the PIN\n",
			"小偷 → 六码              带走", "\n  thief → Liuma            takes", "  · 按 Ctrl-C 结束。\n    Ctrl-C ends it.\n", "  数据目录 data            /d\n"},
		locale.English: {"Liuma · a demo of the PIN service for electronic social-security cards\n六码 Liuma", "are made up. 人物", "【0】Verify the PIN\n     核验密码\n",
			"  thief → Liuma            takes", "\n  小偷 → 六码              带走", "  · Ctrl-C ends it.\n    按 Ctrl-C 结束。\n", "  data 数据目录            /d\n"},
	} {
		var out bytes.Buffer
		s := newScript(&out, false, lang)
		s.Title()
		s.Scene(both(words.SceneVerify))
		s.Say(thiefWho(), authorityWho(), both(words.Steals))
		s.Note(both(words.CtrlC))
		s.Fact(both(words.FactData), "/d")
		for _, line := range want {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s lacks %q:\n%s", lang, line, out.String())
			}
		}
	}
}
