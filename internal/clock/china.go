package clock

import "time"

// China is the zone that days and times are shown in: all of China has one, without
// summer time.
func China() *time.Location { return time.FixedZone("CST", 8*60*60) }
