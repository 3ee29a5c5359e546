//go:build race

package guard

// raceEnabled says that everything takes ten times as long.
const raceEnabled = true
