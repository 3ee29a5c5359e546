package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/operator"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// house is a data directory with a server whose operator's door is open.
type house struct {
	*testkit.Env
	stop func() // stops the door and waits for it
}

func serve(t *testing.T) *house {
	t.Helper()
	h := &house{Env: testkit.New(t, testkit.Options{})}
	h.open(t)
	return h
}

func (h *house) open(t *testing.T) {
	t.Helper()
	door, err := operator.OpenDoor(t.Context(), operator.DoorConfig{Dir: h.Dir, System: h.System, Now: h.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- door.Serve(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error("door:", err)
		}
	})
	t.Cleanup(h.stop)
}

func (h *house) dial(t *testing.T) operator.Office {
	t.Helper()
	o, err := operator.Dial(t.Context(), h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func (h *house) config(t *testing.T) operator.Config {
	t.Helper()
	c, err := config.Load(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return operator.Config{Dir: h.Dir, Directory: c, Now: h.Clock.Now, Patience: time.Millisecond}
}

// entries are the audit entries by their times, without times, but for those
// that are known.
func entries(t *testing.T, s store.Store, known map[audit.EntryID]bool) (out []audit.Entry) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		out = nil
		for _, e := range all {
			e.At = time.Time{}
			if !known[e.ID] {
				out = append(out, e.Entry)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// recorded names the audit entries that are there.
func recorded(t *testing.T, s store.Store) map[audit.EntryID]bool {
	t.Helper()
	known := map[audit.EntryID]bool{}
	err := s.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			known[e.ID] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func people(t *testing.T, s store.Store) (n int64) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) (err error) {
		n, err = r.CountPersons()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func pair(t *testing.T) parties.Pair {
	t.Helper()
	p, err := parties.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func channel(t *testing.T, id string) parties.Party {
	t.Helper()
	return parties.Party{
		ID: id, Kind: store.ClientChannel, Name: liuma.Text{ZH: "浙江人社", EN: "<Zhejiang> & co"}, Key: pair(t).Public,
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify},
	}
}

// script is what an operator may do in a day; it returns what came of it.
func script(t *testing.T, o operator.Office, first, second parties.Party) []string {
	t.Helper()
	ctx := t.Context()
	var out []string
	note := func(what string, err error) {
		word := "ok"
		for _, sentinel := range []error{parties.ErrTaken, parties.ErrUnknown, parties.ErrKey, parties.ErrLastKey, parties.ErrParty} {
			if errors.Is(err, sentinel) {
				word = sentinel.Error() + " | " + err.Error()
			}
		}
		if err != nil && word == "ok" {
			word = "other: " + err.Error()
		}
		out = append(out, what+": "+word)
	}
	const kind = store.ClientChannel
	note("add", o.Add(ctx, first))
	note("add twice", o.Add(ctx, first))
	bad := first
	bad.ID = "Bad"
	note("add bad", o.Add(ctx, bad))
	bad = first
	bad.ID, bad.Key.Key = "private", pair(t).Private
	note("add private key", o.Add(ctx, bad))
	note("stop", o.Stop(ctx, kind, first.ID))
	note("resume", o.Resume(ctx, kind, first.ID))
	note("stop nobody", o.Stop(ctx, kind, "nobody"))
	note("stop ..", o.Stop(ctx, kind, "../../x?y"))
	note("resume another kind", o.Resume(ctx, store.ClientProvider, first.ID))
	note("add key", o.AddKey(ctx, kind, first.ID, second.Key))
	note("add key twice", o.AddKey(ctx, kind, first.ID, second.Key))
	note("remove key", o.RemoveKey(ctx, kind, first.ID, first.Key.KeyID))
	note("remove last", o.RemoveKey(ctx, kind, first.ID, second.Key.KeyID))
	note("remove none", o.RemoveKey(ctx, kind, first.ID, ""))
	list, err := o.List(ctx, kind)
	note("list", err)
	for _, c := range list {
		keys, err := parties.KeyIDs(c)
		note(fmt.Sprintf("%s %s %+v %v %v %v %v", c.ID, c.Kind, c.Name, c.Regions, c.Actions, c.Stopped, keys), err)
	}
	list, err = o.List(ctx, "no such kind")
	note(fmt.Sprint("no such kind ", len(list)), err)
	return out
}

// Everything is the same beside a running server as without one: what is
// done, what is refused and why, and what the record says.
func TestSameBehindTheSocket(t *testing.T) {
	h := serve(t)
	first, second := channel(t, "zj"), channel(t, "zj")
	before := recorded(t, h.System.Store)
	remote := script(t, h.dial(t), first, second)
	remoteEntries := entries(t, h.System.Store, before)

	other := testkit.New(t, testkit.Options{})
	before = recorded(t, other.System.Store)
	other.Close()
	h.Env = other
	o, err := operator.Open(t.Context(), h.config(t))
	if err != nil {
		t.Fatal(err)
	}
	local := script(t, o, first, second)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	other.Open()
	localEntries := entries(t, other.System.Store, before)
	if diff := cmp.Diff(local, remote); diff != "" {
		t.Error("what came of it (-without, +with a server):", diff)
	}
	if diff := cmp.Diff(changes(localEntries), changes(remoteEntries)); diff != "" {
		t.Error("audit entries (-without, +with a server):", diff)
	}
	if n := len(changes(remoteEntries)); n != 5 {
		t.Errorf("%d changes were recorded, want 5", n)
	}
}

// changes are the entries of operators: a server writes others as it starts.
func changes(all []audit.Entry) (out []audit.Entry) {
	for _, e := range all {
		if e.Actor == operator.Actor {
			out = append(out, e)
		}
	}
	return out
}

// filled sets every member of a struct, so that one which gets lost shows.
func filled(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(testkit.Start))
			return
		}
		for i := range v.NumField() {
			filled(t, v.Field(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(t, v.Index(0))
	default:
		t.Fatalf("a member of type %s is not tried here", v.Type())
	}
}

// A member that is added to a client later goes over the socket as well.
func TestNothingOfAPartyIsLost(t *testing.T) {
	var c store.Client
	filled(t, reflect.ValueOf(&c).Elem())
	if diff := cmp.Diff(c, operator.OverTheWire(t, c)); diff != "" {
		t.Error(diff)
	}
	p := channel(t, "zj")
	key := p.Key
	v := reflect.ValueOf(&p).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Name != "Key" {
			filled(t, v.Field(i))
		}
	}
	got := operator.OverTheWire(t, p)
	if got.Key.KeyID != key.KeyID || !pairEqual(got.Key.Key, key.Key) {
		t.Error("the key was changed")
	}
	got.Key, p.Key = key, key
	if !reflect.DeepEqual(p, got) {
		t.Errorf("got %+v, want %+v", got, p)
	}
}

func pairEqual(x, y any) bool {
	k, ok := x.(interface{ Equal(x interface{ any }) bool })
	if ok {
		return k.Equal(y)
	}
	return reflect.DeepEqual(x, y)
}

// sample is a registry file of n people, with a bad row after every 100th.
func sample(t *testing.T, n int) []byte {
	t.Helper()
	var raw bytes.Buffer
	if err := registry.Sample(&raw, n, 9); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for i, line := range strings.SplitAfter(raw.String(), "\n") {
		out.WriteString(line)
		if i > 0 && i%100 == 0 && line != "" {
			out.WriteString("not,a,row\n")
		}
	}
	return out.Bytes()
}

type told struct {
	Read    []int64
	Rejects []string
}

func (w *told) config() operator.ImportConfig {
	return operator.ImportConfig{
		Progress: func(n int64) { w.Read = append(w.Read, n) },
		Reject:   func(line int, reason string) { w.Rejects = append(w.Rejects, fmt.Sprint(line, " ", reason)) },
	}
}

// An import beside a server tells the same, row for row, and as it goes.
func TestImport(t *testing.T) {
	h := serve(t)
	file := sample(t, 2300)
	before := people(t, h.System.Store)
	known := recorded(t, h.System.Store)
	var remote, local told
	sum, err := h.dial(t).Import(t.Context(), bytes.NewReader(file), remote.config())
	if err != nil || sum.Kept != 2300 || sum.Rejected != 23 || sum.Read != 2323 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if got := people(t, h.System.Store) - before; got != 2300 {
		t.Errorf("%d people more", got)
	}
	chunks := changes(entries(t, h.System.Store, known))
	if len(chunks) != 5 {
		t.Errorf("%d chunks are an operator's, want 5", len(chunks))
	}
	for _, e := range chunks {
		if e.Event != audit.RegistryImported || e.Outcome != "ok" {
			t.Errorf("entry %+v", e)
		}
	}
	h.stop()
	h.Close()
	o, err := operator.Open(t.Context(), h.config(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.Import(t.Context(), bytes.NewReader(file), local.config())
	if err != nil || again != sum {
		t.Errorf("%+v, %v", again, err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	h.Open()
	if diff := cmp.Diff(local, remote); diff != "" || len(remote.Read) < 5 {
		t.Errorf("told %d times; -without, +with a server: %s", len(remote.Read), diff)
	}
}

// What is not a registry file, or is none at all, is refused in the same words.
func TestImportRefuses(t *testing.T) {
	h := serve(t)
	o := h.dial(t)
	for name, in := range map[string]io.Reader{
		"another header": strings.NewReader("name,id\n"),
		"nothing":        strings.NewReader(""),
		// The rest must be taken off the caller's hands, or it never reads why.
		"long": io.MultiReader(strings.NewReader("name,id\n"), io.LimitReader(zeros{}, 8<<20)),
	} {
		sum, err := o.Import(t.Context(), in, operator.ImportConfig{})
		if sum != (registry.Summary{}) || err == nil || !strings.Contains(err.Error(), "first line must be") {
			t.Errorf("%s: %+v, %v", name, sum, err)
		}
	}
	broken := errors.New("the disk is on fire")
	sum, err := o.Import(t.Context(), io.MultiReader(bytes.NewReader(sample(t, 700)), failing{broken}), operator.ImportConfig{})
	if !errors.Is(err, broken) || sum.Kept != 500 {
		t.Errorf("a file that cannot be read: %+v, %v", sum, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// endless gives a file, and does not end until it is told to.
type endless struct {
	file io.Reader
	more chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	n, err := e.file.Read(p)
	if err != io.EOF {
		return n, err
	}
	<-e.more
	return 0, io.EOF
}

// A command that is interrupted hears how much was kept, and that is whole
// chunks.
func TestImportInterrupted(t *testing.T) {
	h := serve(t)
	before := people(t, h.System.Store)
	ctx, cancel := context.WithCancel(t.Context())
	config := operator.ImportConfig{Progress: func(int64) { cancel() }}
	sum, err := h.dial(t).Import(ctx, bytes.NewReader(sample(t, 60_000)), config)
	if !errors.Is(err, context.Canceled) || sum.Kept == 0 || sum.Kept >= 60_000 || sum.Kept%500 != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if got := people(t, h.System.Store) - before; got != sum.Kept {
		t.Errorf("%d people more, %d said", got, sum.Kept)
	}
	// The door is free for the next.
	if sum, err := h.dial(t).Import(t.Context(), bytes.NewReader(sample(t, 10)), operator.ImportConfig{}); err != nil || sum.Kept != 10 {
		t.Errorf("afterwards: %+v, %v", sum, err)
	}
}

// A server that is stopped stops an import after the chunk it is at, and says so.
func TestImportWhileStopping(t *testing.T) {
	h := serve(t)
	before := people(t, h.System.Store)
	stopped := make(chan struct{})
	once := sync.OnceFunc(func() { go func() { h.stop(); close(stopped) }() })
	config := operator.ImportConfig{Progress: func(int64) { once() }}
	sum, err := h.dial(t).Import(t.Context(), bytes.NewReader(sample(t, 60_000)), config)
	r, ok := errors.AsType[*operator.Refusal](err)
	if !ok || r.Code != operator.CodeStopping || sum.Kept == 0 || sum.Kept >= 60_000 || sum.Kept%500 != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	<-stopped
	if got := people(t, h.System.Store) - before; got != sum.Kept {
		t.Errorf("%d people more, %d said", got, sum.Kept)
	}
	if _, err := os.Lstat(filepath.Join(h.Dir, operator.SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// One import at a time: each holds memory for every row.
func TestOneImportAtATime(t *testing.T) {
	h := serve(t)
	o := h.dial(t)
	in := &endless{file: bytes.NewReader(sample(t, 1200)), more: make(chan struct{})}
	began := make(chan struct{})
	config := operator.ImportConfig{Progress: func() func(int64) {
		once := sync.OnceFunc(func() { close(began) })
		return func(int64) { once() }
	}()}
	first := make(chan error, 1)
	go func() {
		_, err := o.Import(t.Context(), in, config)
		first <- err
	}()
	<-began
	_, err := o.Import(t.Context(), bytes.NewReader(sample(t, 10)), operator.ImportConfig{})
	if r, ok := errors.AsType[*operator.Refusal](err); !ok || r.Code != operator.CodeBusy {
		t.Errorf("a second import: %v", err)
	}
	// Other work goes on.
	if err := o.Add(t.Context(), channel(t, "zj")); err != nil {
		t.Error(err)
	}
	close(in.more)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// Many commands at once.
func TestConcurrent(t *testing.T) {
	h := serve(t)
	var wg sync.WaitGroup
	for i := range 8 {
		id, key := fmt.Sprint("c", i), pair(t).Public
		p := channel(t, id)
		wg.Go(func() {
			o, err := operator.Dial(t.Context(), h.Dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer o.Close()
			_, err = o.Status(t.Context())
			err = errors.Join(err, o.Add(t.Context(), p), o.Stop(t.Context(), p.Kind, id), o.AddKey(t.Context(), p.Kind, id, key),
				o.RemoveKey(t.Context(), p.Kind, id, p.Key.KeyID), o.Resume(t.Context(), p.Kind, id))
			if err != nil {
				t.Error(id, err)
			}
		})
	}
	wg.Go(func() {
		if sum, err := h.dial(t).Import(t.Context(), bytes.NewReader(sample(t, 1500)), operator.ImportConfig{}); err != nil || sum.Kept != 1500 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
	wg.Wait()
	list, err := h.dial(t).List(t.Context(), store.ClientChannel)
	if err != nil || len(list) < 8 {
		t.Errorf("%d channels, %v", len(list), err)
	}
}

func TestStatus(t *testing.T) {
	h := serve(t)
	h.Clock.Advance(time.Hour)
	s, err := h.dial(t).Status(t.Context())
	if err != nil || s.Serving == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if !s.Serving.Ready || !s.Serving.Since.Equal(testkit.Start) || s.Serving.Signs == "" || !s.At.Equal(h.Clock.Now()) {
		t.Errorf("serving %+v at %v", s.Serving, s.At)
	}
	if s.People != 20 || s.Cards != 0 || s.OpenIntents != 0 || s.Shape != "1/1" || len(s.Keepers) != 1 || s.Keepers[0].ID != "k1" {
		t.Errorf("%+v", s)
	}
	if s.SealKey == nil || s.SealKey.ID == "" || s.At.Sub(s.SealKey.MadeAt) != time.Hour {
		t.Errorf("seal key %+v", s.SealKey)
	}
	h.stop()
	h.Close()
	o, err := operator.Open(t.Context(), h.config(t))
	if err != nil {
		t.Fatal(err)
	}
	quiet, err := o.Status(t.Context())
	if err = errors.Join(err, o.Close()); err != nil || quiet.Serving != nil || quiet.People != 20 || *quiet.SealKey != *s.SealKey {
		t.Errorf("%+v, %v", quiet, err)
	}
	h.Open()
}

// A directory that another process holds without answering is told apart from
// one that is free a moment later.
func TestOpenInUse(t *testing.T) {
	h := &house{Env: testkit.New(t, testkit.Options{})}
	c := h.config(t)
	if _, err := operator.Open(t.Context(), c); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("got %v", err)
	}
	c.Patience = time.Minute
	waiting := make(chan error, 1)
	go func() {
		o, err := operator.Open(t.Context(), c)
		if err == nil {
			err = o.Add(t.Context(), channel(t, "late"))
			err = errors.Join(err, o.Close())
		}
		waiting <- err
	}()
	h.open(t) // the server has started
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.stop()
	cancel()
	if _, err := operator.Open(ctx, c); !errors.Is(err, context.Canceled) && !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("got %v", err)
	}
	if _, err := operator.Open(t.Context(), operator.Config{}); err == nil {
		t.Error("opened nothing")
	}
}
