package process

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// spoken are the sentences that these tests look at.
type spoken struct{ Sentences }

func (spoken) DoctorSyncFailed(why string) string { return why }
func (spoken) DoctorSyncNext() string             { return "another disk" }
func (spoken) DoctorDiskNext() string             { return "make room" }

// TestFullDiskIsNoDishonestOne: who has a full disk is told to make room on it, and not to
// look for another one.
func TestFullDiskIsNoDishonestOne(t *testing.T) {
	for want, err := range map[string]error{"make room": fmt.Errorf("write: %w", syscall.ENOSPC), "another disk": errors.New("input/output error")} {
		if f := notSynced(err, spoken{}, error.Error); f.State != Bad || f.Next != want {
			t.Errorf("%v: %+v, want %s", err, f, want)
		}
	}
}
