package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/locale"
)

// TestBackupWithoutRoom: a disk that is full is told with what to do, in both languages; another
// error stays what it is.
func TestBackupWithoutRoom(t *testing.T) {
	t.Parallel()
	err := notBackedUp("d", "b", fmt.Errorf("backup: snapshot: %w", syscall.ENOSPC))
	for lang, want := range map[locale.Lang]string{locale.English: "no room for the backup b, or for the database's log in d: ", locale.Chinese: "腾出空间，或换到另一块磁盘上的目录"} {
		if said := told(locale.In(lang), err); !strings.Contains(said, want) {
			t.Errorf("%s: %s", lang, said)
		}
	}
	other := errors.New("backup: it exists")
	if err := notBackedUp("d", "b", other); !errors.Is(err, other) || err.Error() != other.Error() {
		t.Errorf("another error: %v", err)
	}
}

// TestListenerThatDoesNotOpen: each cause has its own next step, and an unknown one its cause.
func TestListenerThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]string{
		syscall.EADDRINUSE:    "another program listens at 127.0.0.1:1 already. 'ss -ltnp' names it: stop it, or choose another port (d/liuma.yaml: metrics.listen)",
		syscall.EADDRNOTAVAIL: "does not have the address 127.0.0.1:1 now",
		syscall.EACCES:        "Choose a higher one (d/liuma.yaml: metrics.listen)",
		errors.New("strange"): "no listener at 127.0.0.1:1: strange. Put d/liuma.yaml: metrics.listen right",
	} {
		e := &process.ListenError{Setting: "metrics.listen", Address: "127.0.0.1:1", Err: cause}
		if said := (&serveCmd{Listen: "127.0.0.1:0"}).explainListen("d", e).Error(); !strings.Contains(said, want) {
			t.Errorf("%v: %s", cause, said)
		}
	}
	e := &process.ListenError{Setting: "channel_door.listen", Address: "127.0.0.1:1", Err: syscall.EADDRINUSE}
	if said := (&serveCmd{Listen: "127.0.0.1:1"}).explainListen("d", e).Error(); !strings.Contains(said, "(--listen)") {
		t.Errorf("an address from the command line: %s", said)
	}
}

// TestDoctorBesideOtherAuthorities: one authority of several is down. What the doctor names
// next must not be a command that is refused for the same reason.
func TestDoctorBesideOtherAuthorities(t *testing.T) {
	t.Parallel()
	err := explainOpen("d", fmt.Errorf("open store: %w: authority-b on db, process 7", postgres.ErrInUse))
	if said := err.Error(); !strings.Contains(said, "authority-b on db") || !strings.Contains(said, "start the server") {
		t.Errorf("a command while only others serve: %s", said)
	}
	if next := serviceNext(err, locale.In(locale.English).Shown); strings.Contains(next, "status") || !strings.Contains(next, "liuma serve") {
		t.Errorf("the next step: %s", next)
	}
}
