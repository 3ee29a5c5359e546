package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxFaults is how many faults one refusal names: nobody reads more before mending
// them, and a file full of faults must not cause an answer of megabytes.
const MaxFaults = 50

// fault is one thing that is wrong with a layer.
type fault struct {
	file string
	line int // 0: the file as a whole
	err  error
}

// Faults are the faults of layers, sorted by file and line: the first MaxFaults that were
// found, and how many more there are.
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

// Unwrap returns the kind of refusal, and the error that each fault wraps.
func (f *Faults) Unwrap() []error {
	out := []error{f.kind}
	for _, x := range f.all {
		out = append(out, x.err)
	}
	return out
}

// add records a fault, or only counts it if there are enough.
func (f *Faults) add(file string, line int, err error) {
	if len(f.all) == MaxFaults {
		f.more++
		return
	}
	f.all = append(f.all, fault{file, line, err})
}

// err returns the recorded faults, sorted; nil if there are none.
func (f *Faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	slices.SortStableFunc(f.all, func(a, b fault) int {
		return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return f
}

// Gather joins the refusals of several files into one, with at most MaxFaults faults.
// Errors that are not faults of files come first, unchanged.
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
