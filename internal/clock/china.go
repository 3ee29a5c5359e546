package clock

import "time"

// China is the time zone in which days and times are shown: all of China has one
// zone, without summer time.
func China() *time.Location { return time.FixedZone("CST", 8*60*60) }
