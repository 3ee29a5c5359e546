//go:build race

package pin

// raceEnabled says that times mean nothing.
const raceEnabled = true
