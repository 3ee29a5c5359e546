package store

import "time"

// Pool is a pool of connections to the database, and how often one was waited for.
type Pool struct {
	Name        string // readers or writers
	Open, InUse int
	Most        int
	Waited      int64         // connections that were waited for, since the start
	WaitedFor   time.Duration // how long, all together
}

// Pooled is a Store that has pools.
type Pooled interface{ Pools() []Pool }
