package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxFaults is how many faults one refusal names: who mends them reads no more, and a
// file of nothing but faults must not become an answer of megabytes.
const MaxFaults = 50

// fault is one thing that is wrong with a layer.
type fault struct {
	file string
	line int // 0: the file as a whole
	err  error
}

// Faults are what is wrong with layers, sorted by file and line: the first MaxFaults that
// were found, and how many more there are.
type Faults struct {
	kind error // ErrFile or ErrLayers
	all  []fault
	more int
}

// Error names each fault with its file and line.
func (f *Faults) Error() string {
	lines := make([]string, 0, len(f.all)+1)
	for _, x := range f.all {
		at := x.file
		if x.line > 0 {
			at = fmt.Sprintf("%s:%d", x.file, x.line)
		}
		lines = append(lines, at+": "+x.err.Error())
	}
	if f.more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", f.more))
	}
	return f.kind.Error() + ": " + strings.Join(lines, "\n")
}

// Unwrap gives what kind of refusal it is, and what each fault wraps.
func (f *Faults) Unwrap() []error {
	out := []error{f.kind}
	for _, x := range f.all {
		out = append(out, x.err)
	}
	return out
}

// add notes a fault, or counts it where there are enough.
func (f *Faults) add(file string, line int, err error) {
	if len(f.all) == MaxFaults {
		f.more++
		return
	}
	f.all = append(f.all, fault{file, line, err})
}

// err is what was gathered, sorted; nil if nothing was.
func (f *Faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	slices.SortStableFunc(f.all, func(a, b fault) int {
		return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return f
}

// Gather makes one refusal of those of several files, with as many faults as one may name.
// Errors that name no faults of files stand before it as they are.
func Gather(errs ...error) error {
	all := Faults{kind: ErrFile}
	var others []error
	for _, err := range errs {
		var of *Faults
		switch {
		case err == nil:
		case !errors.As(err, &of):
			if others = append(others, err); len(others) > MaxFaults {
				others, all.more = others[:MaxFaults], all.more+1
			}
		default:
			for _, x := range of.all {
				all.add(x.file, x.line, x.err)
			}
			all.more += of.more
		}
	}
	if len(all.all) == 0 && all.more > 0 {
		others = append(others, fmt.Errorf("and %d more", all.more))
	}
	return errors.Join(append(others, all.err())...)
}
