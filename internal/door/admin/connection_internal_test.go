package admin

import (
	"errors"
	"os"
	"testing"
)

func opened(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func isClosed(f *os.File) bool {
	_, err := f.Stat()
	return errors.Is(err, os.ErrClosed)
}

// One descriptor is handed out, once; where more came than could be received,
// or after the connection was closed, none is, and none stays open.
func TestConnectionKeepsOne(t *testing.T) {
	c := &connection{}
	if _, err := c.take(); !errors.Is(err, errNoFile) {
		t.Errorf("nothing came: %v", err)
	}
	one := opened(t)
	c.keep([]*os.File{one}, false)
	if got, err := c.take(); got != one || err != nil || isClosed(one) {
		t.Errorf("one came: %v, %v", got, err)
	}
	if _, err := c.take(); !errors.Is(err, errNoFile) {
		t.Errorf("it was taken twice: %v", err)
	}
	first, second := opened(t), opened(t)
	c.keep([]*os.File{first}, false)
	c.keep([]*os.File{second}, false)
	if got, err := c.take(); !errors.Is(err, errManyFiles) || got != nil || !isClosed(first) || !isClosed(second) {
		t.Errorf("two came: %v, %v", got, err)
	}
	cut := opened(t)
	c.keep([]*os.File{cut}, true)
	if got, err := c.take(); !errors.Is(err, errManyFiles) || got != nil || !isClosed(cut) {
		t.Errorf("more came than were received: %v, %v", got, err)
	}
	c.keep(nil, true)
	if _, err := c.take(); !errors.Is(err, errManyFiles) {
		t.Errorf("none of those that came was received: %v", err)
	}
	c.closed = true
	late := opened(t)
	c.keep([]*os.File{late}, false)
	if !isClosed(late) {
		t.Error("one that came after the connection was closed stays open")
	}
}
