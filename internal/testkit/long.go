package testkit

import "os"

// EveryStory reports whether LIUMA_EVERY_STORY asks for the long forms of stories that are
// played repeatedly: every shape of keepers with every way to die, all seeds of a random
// walk. make nightly and the mutants set it; the short form of make test plays each
// behaviour once.
func EveryStory() bool { return os.Getenv("LIUMA_EVERY_STORY") != "" }

// Death is a way in which a process dies at a durable step, over one shape of keepers.
type Death struct {
	Shape string
	After bool // the step takes effect, and its answer is lost
}

// Deaths are the ways in which the process dies in a story that is played over some shapes
// of keepers: all ways with EveryStory. Dying after a step leaves the same on disk as dying
// before the next one, so each way alone covers every state that a death can leave behind.
// So the short form uses one way for each shape: after the steps for the last shape, and
// before and after in turn for the others.
func Deaths(shapes ...string) (all []Death) {
	for i, shape := range shapes {
		short := (len(shapes)-i)%2 == 1 // the way of the short form
		for _, after := range []bool{false, true} {
			if EveryStory() || after == short {
				all = append(all, Death{Shape: shape, After: after})
			}
		}
	}
	return all
}
