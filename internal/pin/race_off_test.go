//go:build !race

package pin

// raceEnabled says that the race detector makes measured times useless.
const raceEnabled = false
