package bench

import (
	"errors"
	"math"
	"sort"
	"strings"

	"github.com/google/pprof/profile"
)

// Room is a part of the server that processor time is told apart by.
type Room string

// The rooms.
const (
	RoomCrypto Room = "cryptography"
	RoomStore  Room = "store"
	RoomLedger Room = "ledger"
	RoomHTTP   Room = "http_json"
	RoomGC     Room = "garbage_collection"
	RoomRest   Room = "rest"
)

// Rooms are all rooms, in the order in which they are shown.
func Rooms() []Room {
	return []Room{RoomCrypto, RoomStore, RoomLedger, RoomHTTP, RoomGC, RoomRest}
}

// Share is a room's part of the server's processor time.
type Share struct {
	Room    Room    `json:"room"`
	Percent float64 `json:"percent"` // all rooms together are 100.0
	Each    float64 `json:"us_per_verification"`
}

// house is the module's path, before the names of its packages.
const house = "github.com/liuma-pin/liuma/"

// named are the beginnings of functions' names that belong to a room. The longest that
// fits counts. A name that nobody has here (memory, system calls, SQLite) belongs to whoever called it, so both databases have their own part of SQLite.
func named() map[string]Room {
	return map[string]Room{
		house:                         RoomRest, // a room without a name here does not belong to its caller
		house + "internal/split":      RoomCrypto,
		house + "internal/envelope":   RoomCrypto,
		"crypto/":                     RoomCrypto,
		"crypto.":                     RoomCrypto,
		"golang.org/x/crypto":         RoomCrypto,
		"vendor/golang.org/x/crypto":  RoomCrypto,
		"filippo.io/":                 RoomCrypto,
		"github.com/cloudflare/circl": RoomCrypto,
		"math/big.":                   RoomCrypto,

		house + "internal/store":  RoomStore,
		"github.com/jackc/":       RoomStore,
		house + "internal/ledger": RoomLedger,

		house + "internal/door":          RoomHTTP,
		house + "internal/strictjson":    RoomHTTP,
		house + "internal/keeper/remote": RoomHTTP,
		house + "internal/keeper/wire":   RoomHTTP,
		"net/http":                       RoomHTTP,
		"net/textproto":                  RoomHTTP,
		"net/url":                        RoomHTTP,
		"mime/":                          RoomHTTP,
		"crypto/tls":                     RoomHTTP,
		"encoding/json":                  RoomHTTP,
		"github.com/go-json-experiment":  RoomHTTP,
		"github.com/go-jose":             RoomHTTP,
		"github.com/klauspost/compress":  RoomHTTP,
		"vendor/golang.org/x/net":        RoomHTTP,

		"runtime.gcBgMarkWorker":       RoomGC,
		"runtime.gcDrain":              RoomGC,
		"runtime.gcAssist":             RoomGC,
		"runtime.gcStart":              RoomGC,
		"runtime.gcMark":               RoomGC,
		"runtime.gcSweep":              RoomGC,
		"runtime.gcFlushBgCredit":      RoomGC,
		"runtime.gcWriteBarrier":       RoomGC,
		"runtime.wbBufFlush":           RoomGC,
		"runtime.scanObject":           RoomGC,
		"runtime.scanobject":           RoomGC,
		"runtime.markroot":             RoomGC,
		"runtime.greyobject":           RoomGC,
		"runtime.bgsweep":              RoomGC,
		"runtime.bgscavenge":           RoomGC,
		"runtime.sweepone":             RoomGC,
		"runtime.(*sweepLocked)":       RoomGC,
		"runtime.(*gcWork)":            RoomGC,
		"runtime.(*gcControllerState)": RoomGC,
	}
}

// sorter says to which room a sample belongs.
type sorter struct {
	rooms    map[string]Room
	prefixes []string        // the longest first
	known    map[string]Room // of functions that were looked up; empty: none
}

func newSorter() *sorter {
	s := &sorter{rooms: named(), known: map[string]Room{}}
	for p := range s.rooms {
		s.prefixes = append(s.prefixes, p)
	}
	sort.Slice(s.prefixes, func(i, j int) bool {
		a, b := s.prefixes[i], s.prefixes[j]
		return len(a) > len(b) || len(a) == len(b) && a < b
	})
	return s
}

// function is the room of a function, or none.
func (s *sorter) function(name string) Room {
	if r, ok := s.known[name]; ok {
		return r
	}
	var room Room
	for _, p := range s.prefixes {
		if strings.HasPrefix(name, p) {
			room = s.rooms[p]
			break
		}
	}
	s.known[name] = room
	return room
}

// sample is the room of the deepest frame that belongs to one.
func (s *sorter) sample(sample *profile.Sample) Room {
	for _, at := range sample.Location { // the deepest first
		for _, line := range at.Line { // inlined calls, the deepest first
			if line.Function == nil {
				continue
			}
			if r := s.function(line.Function.Name); r != "" {
				return r
			}
		}
	}
	return RoomRest
}

var errNoSamples = errors.New("bench: the profile has no samples; let the load last longer")

// sharesOf tells the processor time of profiles apart. each is that of a verification, in
// microseconds, from the process's clock.
func sharesOf(profiles []*profile.Profile, each float64) ([]Share, error) {
	s, nanoseconds, total := newSorter(), map[Room]int64{}, int64(0)
	for _, p := range profiles {
		at := len(p.SampleType) - 1 // the last is the time
		for _, sample := range p.Sample {
			nanoseconds[s.sample(sample)] += sample.Value[at]
			total += sample.Value[at]
		}
	}
	if total == 0 {
		return nil, errNoSamples
	}
	out, parts := make([]Share, len(Rooms())), make([]float64, len(Rooms()))
	for i, room := range Rooms() {
		parts[i] = float64(nanoseconds[room]) / float64(total)
		out[i] = Share{Room: room, Each: parts[i] * each}
	}
	for i, tenths := range wholeParts(parts, 1000) {
		out[i].Percent = float64(tenths) / 10
	}
	return out, nil
}

// wholeParts rounds parts of one to whole numbers that add up to a sum: those that lose
// most by rounding down get what is left.
func wholeParts(parts []float64, sum int) []int {
	out, order, left := make([]int, len(parts)), make([]int, len(parts)), sum
	for i, p := range parts {
		out[i], order[i] = int(p*float64(sum)), i
		left -= out[i]
	}
	lost := func(i int) float64 { _, f := math.Modf(parts[i] * float64(sum)); return f }
	sort.SliceStable(order, func(a, b int) bool { return lost(order[a]) > lost(order[b]) })
	for i := 0; left > 0; i, left = i+1, left-1 {
		out[order[i%len(order)]]++
	}
	return out
}
