// Package demo plays the main job for a newcomer: it makes a data directory
// with a registry of made-up people, serves it on loopback, and goes through
// enrolment, verification, linking, locking, change and receipt by the real
// HTTP door, as a channel would, with the public client package. Then it lets a
// thief work on a copy of the authority's database and keys. It guarantees that
// every line that it prints is true: each step checks its result, and an
// unexpected result ends the play with an error. It trusts no other part of the
// program; its people, PINs and evidence provider are made up.
//
// The stage (stage.go) is a world of package testkit/world with two native
// channels and the channels of the story; a scene is a function on it. The
// browser page is in package window.
//
// Start here: Run, and scenes, which lists the play.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/server"
)

// AllPINs is how many PINs of six digits there are.
const AllPINs = 1_000_000

// minPeople leaves enough people with a card in use to cast the play from.
const minPeople = 20

// Config says how the play is staged. Dir and Out are required.
type Config struct {
	// Dir is an empty or new directory: data, people, keys and loot go there.
	Dir string
	// Listen is a loopback address with a port, or 0 for any.
	Listen string
	People int    // in the registry; at least 20
	Seed   uint64 // of the registry; the same seed casts the same people
	// Candidates is how many PINs the sweep tries, up to AllPINs. Only tests
	// take fewer; the transcript says how many they were.
	Candidates int
	// Guessing is how long the Argon2id hash is guessed at.
	Guessing time.Duration
	// Once ends the play without serving on.
	Once bool
	// Removed says that the caller removes Dir when the demo has ended.
	Removed bool
	// LAN, if not nil, serves window, channels and authority by TLS to other
	// devices on the network. Everybody on that network can see the demo
	// window, with its text messages.
	LAN *LAN
	// Beside, if not nil, opens further doors of the running system, whose
	// data directory is dir. They are shut before the system is closed.
	Beside func(ctx context.Context, dir string, s *server.System) (shut func())

	Out      io.Writer // transcript
	Terminal bool      // Out is watched by a person: some words stand out
	// Progress takes bars, or plain lines where ProgressTerminal is false.
	Progress         io.Writer
	ProgressTerminal bool
	Logger           *slog.Logger // of the server; default: discard
}

// LAN says how other devices reach the demo.
type LAN struct {
	Host string // an IP address of this machine; default: the first private one
	Port int    // the first of four in a row; 0 for any free ones
}

func (c *Config) fill() error {
	if c.Dir == "" || c.Out == nil {
		return errors.New("demo: config: want Dir and Out")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.People < minPeople {
		return fmt.Errorf("demo: %d people are too few for the play; want at least %d", c.People, minPeople)
	}
	if c.Candidates == 0 {
		c.Candidates = AllPINs
	}
	if c.Candidates < 1 || c.Candidates > AllPINs || c.Guessing <= 0 {
		return errors.New("demo: config: candidates or guessing time out of bounds")
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// play is a running demo. Scenes use it one after the other, in one goroutine.
type play struct {
	*Script
	c     Config
	stage *stage
	cast  cast
}

// scene is one part of the play. It returns an error as soon as something is
// not as it should be.
type scene struct {
	title liuma.Text
	play  func(context.Context, *play) error
}

func scenes() []scene {
	return []scene{
		{liuma.Text{ZH: "申领电子社保卡，设置第一个密码", EN: "Apply for the card, and set its first PIN"}, sceneEnroll},
		{liuma.Text{ZH: "核验密码", EN: "Verify the PIN"}, sceneVerify},
		{liuma.Text{ZH: "在第二个渠道关联：同一个密码", EN: "Link a second channel: one PIN everywhere"}, sceneLink},
		{liuma.Text{ZH: "连续输错六次：锁定", EN: "Six wrong PINs: locked"}, sceneLock},
		{liuma.Text{ZH: "修改密码（换一位持卡人：锁定的密码不能改）", EN: "Change the PIN (another holder: a locked PIN cannot be changed)"}, sceneChange},
		{liuma.Text{ZH: "回执：离线核对，只兑付一次", EN: "The receipt: checked offline, redeemed once"}, sceneReceipt},
		{liuma.Text{ZH: "数据库被偷了", EN: "The database is stolen"}, sceneTheft},
		{liuma.Text{ZH: "王奶奶在官方页面申领，绑定手机", EN: "Granny Wang applies on the hosted page, and her phone is bound"}, sceneHosted},
		{liuma.Text{ZH: "王奶奶忘了密码，自己找回来", EN: "She forgets her PIN, and gets it back"}, sceneForgot},
		{liuma.Text{ZH: "小偷有她的手机卡，没有她的脸", EN: "A thief with her SIM card, but not her face"}, sceneSIM},
		{liuma.Text{ZH: "骗子有她的人脸视频，没有她的手机", EN: "A fraudster with a video of her face, but not her phone"}, sceneFace},
		{liuma.Text{ZH: "凭短信里的冻结码停用，再解冻", EN: "Frozen by the code in a text, and unfrozen"}, sceneFreeze},
	}
}

// Run plays the demo, and then serves until ctx ends unless Once is set. It
// returns nil only if every step went as it should.
func Run(ctx context.Context, c Config) (err error) {
	if err := c.fill(); err != nil {
		return err
	}
	p := &play{Script: newScript(c.Out, c.Terminal), c: c}
	p.Title()
	if !c.Once {
		p.Note(liuma.Text{ZH: "先演一遍，一分钟左右；最后给出一个网址，您自己来试。", EN: "First the play, about a minute; then the address of a page where you try it yourself."})
	}
	p.Scene(liuma.Text{ZH: "搭台：数据目录、样例名册、服务", EN: "The stage: a data directory, a made-up registry, a server"})
	if p.stage, err = build(ctx, p); err != nil {
		return fmt.Errorf("setting the stage: %w", err)
	}
	defer func() { err = errors.Join(err, p.stage.close()) }()
	if p.cast, err = p.stage.choose(); err != nil {
		return fmt.Errorf("choosing the cast: %w", err)
	}
	for i, s := range scenes() {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.Scene(s.title)
		if err := s.play(ctx, p); err != nil {
			return fmt.Errorf("scene %d (%s): %w", i+1, s.title.EN, err)
		}
	}
	if !p.stage.clock.CatchUp() {
		return want("the play behind the world's time", p.stage.clock.Now())
	}
	if !c.Once {
		if err := p.stage.show(ctx, p); err != nil {
			return fmt.Errorf("opening the window: %w", err)
		}
	}
	p.curtain()
	if p.Err() != nil || c.Once {
		return p.Err()
	}
	return p.stage.world.Wait(ctx)
}

// curtain says where everything is.
func (p *play) curtain() {
	s := p.stage
	p.Scene(liuma.Text{ZH: "全部步骤都如预期", EN: "Every step went as it should"})
	if p.c.Once {
		return
	}
	p.Fact(liuma.Text{ZH: "服务", EN: "API"}, s.world.API())
	p.Fact(liuma.Text{ZH: "官方页面", EN: "issuer"}, s.world.Issuer())
	p.Fact(liuma.Text{ZH: "替代认证", EN: "evidence"}, s.doors.EvidenceURL())
	p.Fact(liuma.Text{ZH: "接口文档", EN: "OpenAPI 3.1"}, s.world.API()+"/openapi.json")
	p.Fact(liuma.Text{ZH: "就绪", EN: "ready?"}, "curl "+s.world.API()+"/readyz")
	p.Fact(liuma.Text{ZH: "数据目录", EN: "data"}, s.path("data"))
	p.Fact(liuma.Text{ZH: "样例名册", EN: "people"}, s.path("people.csv"))
	for _, ch := range []*channel{s.national, s.regional} {
		p.Fact(liuma.Text{ZH: "渠道密钥", EN: "channel key"}, fmt.Sprintf("%s  (iss, sub: %s  kid: %s)", ch.keyFile, ch.id, ch.kid))
	}
	p.Note(liuma.Text{
		ZH: "调用方法：用渠道密钥签一个五分钟内有效的 ES256 JWT（typ 为 " + door.NativeType + "，aud 为 " + door.NativeAudience(s.world.Issuer()) + "），再 POST /v1/challenges；Go 程序可直接用 client 包。",
		EN: "To call it, sign an ES256 JWT with a channel key (typ " + door.NativeType + ", aud " + door.NativeAudience(s.world.Issuer()) + ", at most five minutes), then POST /v1/challenges; Go programs use package client.",
	})
	p.Note(liuma.Text{
		ZH: "接入自己的渠道：另开一个终端，照 docs/CHANNELS.md 登记到上面的数据目录，不用重启。",
		EN: "A channel of your own: register it in that data directory from another terminal, as docs/CHANNELS.md says; nothing has to be restarted.",
	})
	p.howToReach()
	p.Note(liuma.Text{ZH: "按 Ctrl-C 结束。", EN: "Ctrl-C ends it."})
	if p.c.Removed {
		p.Note(liuma.Text{ZH: "结束时上面的目录会删除；要保留，请加 --keep。", EN: "The directory above is removed then; --keep leaves it."})
	}
	// Last, where one looks first.
	p.printf("\n")
	p.Fact(liuma.Text{ZH: "用浏览器打开", EN: "open this"}, p.styled(bold, s.doors.Origin()))
	p.Note(liuma.Text{ZH: "五步，五分钟：手机、短信，和各方看到了什么。", EN: "Five steps in five minutes: the phone, its texts, and what each party saw."})
}

// want is the error of a step whose result was not the expected one.
func want(what string, got any) error { return fmt.Errorf("expected %s, got %v", what, got) }
