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
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/locale"
)

// AllPINs is how many PINs of six digits there are.
const AllPINs = 1_000_000

// minPeople leaves enough people with a card in use to cast the play from.
const minPeople = 20

// Config holds the settings of the play. Dir and Out are required.
type Config struct {
	// Dir is an empty or new directory: data, people, keys and loot go there.
	Dir string
	// Listen is a loopback address with a port, or 0 for any.
	Listen string
	People int    // in the registry; at least 20
	Seed   uint64 // of the registry; the same seed casts the same people
	// Candidates is how many PINs the sweep tries, up to AllPINs. Only tests use fewer;
	// the transcript gives the number.
	Candidates int
	// Guessing is how long guesses at the Argon2id hash go on.
	Guessing time.Duration
	// Once ends the play without serving afterwards.
	Once bool
	// Removed says that the caller removes Dir when the demo has ended.
	Removed bool
	// LAN, if not nil, serves window, channels and authority by TLS to other
	// devices on the network. Everybody on that network can see the demo
	// window, with its text messages.
	LAN *LAN
	// Keepers is 1, inside this process, or 3, each a process of its own, started from
	// Program; default 1.
	Keepers int
	// Program is this program; required with three keepers. If its first argument is
	// posts.Argument, it must call posts.Main.
	Program posts.Program
	// KeepersLog takes the logs of three keepers; nil: they are dropped.
	KeepersLog io.Writer
	// Beside, if not nil, opens more doors of the running system, whose data directory
	// is dir. They are closed before the system.
	Beside func(ctx context.Context, dir string, s *server.System) (shut func())

	Out      io.Writer   // transcript
	Lang     locale.Lang // the language that comes first, with the other one beside it; default: Chinese
	Terminal bool        // a person watches Out: some words are highlighted
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
	if c.Keepers == 0 {
		c.Keepers = 1
	}
	if c.Keepers != 1 && c.Keepers != 3 || c.Keepers == 3 && c.Program.Path == "" {
		return errors.New("demo: config: want one keeper, or three and the program that they are")
	}
	if c.Lang == "" {
		c.Lang = locale.Chinese
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

// scene is one part of the play. It returns an error as soon as a result is not the
// expected one.
type scene struct {
	title liuma.Text
	play  func(context.Context, *play) error
}

// scenes are the play; three says that there are three keepers.
func scenes(three bool) []scene {
	all := []scene{
		{both(words.SceneEnroll), sceneEnroll},
		{both(words.SceneVerify), sceneVerify},
		{both(words.SceneLink), sceneLink},
		{both(words.SceneLock), sceneLock},
		{both(words.SceneChange), sceneChange},
		{both(words.SceneReceipt), sceneReceipt},
		{both(words.SceneTheft), sceneTheft},
		{both(words.SceneHosted), sceneHosted},
		{both(words.SceneForgot), sceneForgot},
		{both(words.SceneSim), sceneSIM},
		{both(words.SceneFace), sceneFace},
		{both(words.SceneFreeze), sceneFreeze},
		{both(words.SceneRegions), sceneRegions},
		{both(words.SceneDesk), sceneDesk},
		{both(words.SceneCounter), sceneCounter},
	}
	if !three {
		return all
	}
	return slices.Insert(all, len(all)-8, scene{both(words.SceneKeepers), sceneKeepers}) // after the theft
}

// Run plays the demo, and then serves until ctx ends unless Once is set. It returns nil
// only if every step gave the expected result.
func Run(ctx context.Context, c Config) (err error) {
	if err := c.fill(); err != nil {
		return err
	}
	p := &play{Script: newScript(c.Out, c.Terminal, c.Lang), c: c}
	p.Title()
	if !c.Once {
		p.Note(both(words.PlayFirst))
	}
	p.Scene(both(words.SceneStage))
	if p.stage, err = build(ctx, p); err != nil {
		return fmt.Errorf("setting the stage: %w", err)
	}
	defer func() { err = errors.Join(err, p.stage.close()) }()
	if p.cast, err = p.stage.choose(); err != nil {
		return fmt.Errorf("choosing the cast: %w", err)
	}
	for i, s := range scenes(c.Keepers == 3) {
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
	if !c.Once {
		if err := p.deskFacts(ctx); err != nil {
			return fmt.Errorf("inviting to the desk: %w", err)
		}
		p.howToEnd()
		p.whereToLook()
	}
	if p.Err() != nil || c.Once {
		return p.Err()
	}
	return p.serveOn(ctx)
}

// curtain prints where everything is.
func (p *play) curtain() {
	s := p.stage
	p.Scene(both(words.SceneEnd))
	if p.c.Once {
		return
	}
	p.Fact(both(words.FactAPI), s.world.API())
	p.Fact(both(words.FactIssuer), s.world.Issuer())
	p.Fact(both(words.FactEvidence), s.doors.EvidenceURL())
	p.Fact(both(words.FactOpenapi), s.world.API()+"/openapi.json")
	p.Fact(both(words.FactReady), "curl "+s.world.API()+"/readyz")
	p.Fact(both(words.FactData), s.path("data"))
	p.Fact(both(words.FactPeople), s.path("people.csv"))
	for _, ch := range []*channel{s.national, s.regional} {
		p.Fact(both(words.FactKey), fmt.Sprintf("%s  (iss, sub: %s  kid: %s)", ch.keyFile, ch.id, ch.kid))
	}
	p.Note(both(func(w words) string { return w.HowToCall(door.NativeType, door.NativeAudience(s.world.Issuer())) }))
	p.Note(both(words.OwnChannel))
	p.howToReach()
}

// howToEnd prints how to end the demo.
func (p *play) howToEnd() {
	p.Note(both(words.CtrlC))
	if p.c.Removed {
		p.Note(both(words.Removed))
	}
}

// whereToLook prints the address last, because people look at the last line first.
func (p *play) whereToLook() {
	s := p.stage
	p.printf("\n")
	p.Fact(both(words.FactOpen), p.styled(bold, s.doors.Origin()))
	p.Note(both(words.FiveSteps))
}

// want is the error of a step whose result was not the expected one.
func want(what string, got any) error { return fmt.Errorf("expected %s, got %v", what, got) }
