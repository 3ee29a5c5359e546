package process

import (
	"errors"
	"fmt"
	"syscall"
)

// State is how serious a finding is.
type State string

// The states of a finding.
const (
	Fine State = "fine"
	Look State = "look" // unknown, or worth a look
	Bad  State = "bad"
)

// Finding is the result of one check: a sentence, and what to do about it.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	What  string `json:"what"`
	Next  string `json:"next,omitempty"`
}

// Sentences are a program's words in the reader's language.
type Sentences interface {
	DoctorFine() string
	DoctorLook() string
	DoctorBad() string
	DoctorDisk(dir, free, total string) string // in GiB
	DoctorDiskUnknown() string
	DoctorDiskNext() string
	DoctorSync(us string) string
	DoctorSyncFailed(why string) string
	DoctorSyncNext() string
	DoctorCore() string
	DoctorCoreFine() string
	DoctorCoreUnknown() string
	DoctorCoreNext() string
}

// Word returns a state's word for the reader.
func Word(s State, say Sentences) string {
	switch s {
	case Fine:
		return say.DoctorFine()
	case Look:
		return say.DoctorLook()
	default:
		return say.DoctorBad()
	}
}

// CountBad returns how many findings are bad.
func CountBad(found []Finding) (bad int) {
	for _, f := range found {
		if f.State == Bad {
			bad++
		}
	}
	return bad
}

const gib = 1 << 30

// Machine checks what every machine of the service needs, whichever program runs there: room
// on the disk of a directory, writes that last, and no memory in core dumps. It changes
// nothing, except for a file that it removes again. A check that cannot be made says so.
// told puts an error into the reader's language.
func Machine(dir string, say Sentences, told func(error) string) []Finding {
	return []Finding{disk(dir, say), synced(dir, say, told), core(say)}
}

// disk checks that a tenth of the disk is free, and at least a gibibyte.
func disk(dir string, say Sentences) Finding {
	free, total, err := Space(dir)
	if err != nil {
		return Finding{"disk", Look, say.DoctorDiskUnknown(), ""}
	}
	f := Finding{"disk", Fine, say.DoctorDisk(dir, fmt.Sprintf("%.1f", float64(free)/gib), fmt.Sprintf("%.1f", float64(total)/gib)), ""}
	if free < gib || free < total/10 {
		f.State, f.Next = Bad, say.DoctorDiskNext()
	}
	return f
}

// notSynced says why nothing could be written: a full disk is not a disk that only
// pretends to sync.
func notSynced(err error, say Sentences, told func(error) string) Finding {
	next := say.DoctorSyncNext()
	if errors.Is(err, syscall.ENOSPC) {
		next = say.DoctorDiskNext()
	}
	return Finding{"sync", Bad, say.DoctorSyncFailed(told(err)), next}
}

// synced measures a synced write in a directory. If it is faster than any disk, the data was
// only kept in memory.
func synced(dir string, say Sentences, told func(error) string) Finding {
	took, err := SyncTime(dir)
	if err != nil {
		return notSynced(err, say, told)
	}
	f := Finding{"sync", Fine, say.DoctorSync(fmt.Sprint(took.Microseconds())), ""}
	if took < FastestSync {
		f.State, f.Next = Bad, say.DoctorSyncNext()
	}
	return f
}

// core checks the core dump limit of programs that are started in the same way as this
// one. This process writes no core dump, whatever the limit is.
func core(say Sentences) Finding {
	most, err := CoreLimit()
	switch {
	case err != nil:
		return Finding{"core", Look, say.DoctorCoreUnknown(), ""}
	case most != 0:
		return Finding{"core", Look, say.DoctorCore(), say.DoctorCoreNext()}
	}
	return Finding{"core", Fine, say.DoctorCoreFine(), ""}
}
