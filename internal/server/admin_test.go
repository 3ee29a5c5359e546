package server_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func administering(t *testing.T, e *testkit.Env) server.AdministerConfig {
	t.Helper()
	c, err := config.Load(e.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return server.AdministerConfig{Dir: e.Dir, Config: c, Machine: e.Clock, Patience: time.Millisecond}
}

func administer(t *testing.T, e *testkit.Env) *server.Administration {
	t.Helper()
	a, err := server.Administer(t.Context(), administering(t, e))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func added(t *testing.T, id string) admin.Client {
	t.Helper()
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	return admin.Client{ID: id, Kind: store.ClientChannel, Name: liuma.Text{ZH: "甲", EN: "A"}, Key: pair.Public,
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionVerify}}
}

// A running system reports its status; without it the same directory reports
// only the parts that need no server.
func TestStatus(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	shut := e.System.ServeAdmin(t.Context(), e.Dir)
	e.Clock.Advance(time.Hour)
	a := administer(t, e)
	s, err := a.Status(t.Context())
	if err = errors.Join(err, a.Close()); err != nil || s.Serving == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if !s.Serving.Ready || !s.Serving.Since.Equal(testkit.Start) || s.Serving.Signs == "" || !s.At.Equal(e.Clock.Now()) || s.Restart {
		t.Errorf("serving %+v at %v", s.Serving, s.At)
	}
	if s.People != 20 || s.Cards != 0 || s.OpenIntents != 0 || s.Shape != "1/1" || len(s.Keepers) != 1 || s.Keepers[0].ID != "k1" {
		t.Errorf("%+v", s)
	}
	if s.SealKey == nil || s.SealKey.ID == "" || s.At.Sub(s.SealKey.MadeAt) != time.Hour {
		t.Errorf("seal key %+v", s.SealKey)
	}
	shut()
	e.Close()
	a = administer(t, e)
	quiet, err := a.Status(t.Context())
	if err = errors.Join(err, a.Close()); err != nil || quiet.Serving != nil || quiet.People != 20 || *quiet.SealKey != *s.SealKey {
		t.Errorf("%+v, %v", quiet, err)
	}
	e.Open()
}

// A directory that another process holds without answering gives an error; one
// that is released a moment later does not.
func TestAdministerInUse(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	c := administering(t, e)
	if _, err := server.Administer(t.Context(), c); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("got %v", err)
	}
	c.Patience = time.Minute
	waiting := make(chan error, 1)
	client := added(t, "late")
	go func() {
		a, err := server.Administer(t.Context(), c)
		if err == nil {
			err = a.AddClient(t.Context(), client)
			err = errors.Join(err, a.Close())
		}
		waiting <- err
	}()
	shut := e.System.ServeAdmin(t.Context(), e.Dir) // the server has started
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	shut()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.Administer(ctx, c); !errors.Is(err, context.Canceled) && !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("got %v", err)
	}
	if _, err := server.Administer(t.Context(), server.AdministerConfig{}); err == nil {
		t.Error("opened nothing")
	}
}

// The messages of the inbox are shown by the server that has it, unredacted.
func TestInboxIsShown(t *testing.T) {
	e := testkit.New(t, testkit.Options{Configure: func(c *config.Config) { c.Texts.Driver = config.DriverInbox }})
	defer e.System.ServeAdmin(t.Context(), e.Dir)()
	_, err := e.System.Inbox.Send(context.Background(), notify.Text{ID: "aaaaaaaaaaaaaaaaaaaaaaaaab", Phone: "13812345678", Template: notify.CodeBind, Body: "【电子社保卡】验证码048213"})
	if err != nil {
		t.Fatal(err)
	}
	a := administer(t, e)
	texts, err := a.Inbox(t.Context())
	want := []admin.InboxText{{At: e.Clock.Now(), Phone: "13812345678", Template: "code_bind", Text: "【电子社保卡】验证码048213"}}
	if diff := cmp.Diff(want, texts); diff != "" || err != nil {
		t.Error(diff, err)
	}
	s, err := a.Status(t.Context())
	if err = errors.Join(err, a.Close()); err != nil || s.Texts.Driver != config.DriverInbox || s.Texts.Codes.Since == nil {
		t.Errorf("%+v, %v", s.Texts, err)
	}
}

// A server runs without an administration door where none can be opened, and
// closing the door leaves nothing behind.
func TestServeAdmin(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	shut := e.System.ServeAdmin(t.Context(), e.Dir)
	e.System.ServeAdmin(t.Context(), e.Dir)() // another server's door is not removed
	if err := administer(t, e).Close(); err != nil {
		t.Error(err)
	}
	shut()
	socket := filepath.Join(e.Dir, admindoor.SocketName)
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := os.Chmod(e.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e.System.ServeAdmin(t.Context(), e.Dir)()
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a socket in a directory that others can enter: %v", err)
	}
}
