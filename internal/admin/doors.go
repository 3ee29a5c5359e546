package admin

// Doors are the doors of a running server.
type Doors interface {
	Doors() []DoorState
}

// DoorState says how full a door is.
type DoorState struct {
	Door        string          `json:"door"` // channel, hosted or gateway
	Connections DoorConnections `json:"connections"`
	Requests    DoorRequests    `json:"requests"`
}

// DoorConnections are the open connections of a door and their limits.
type DoorConnections struct {
	Open      int    `json:"open"`
	Most      int    `json:"most"`
	PerSource int    `json:"most_per_source"`
	Closed    uint64 `json:"closed_idle"` // to make room for new ones, since the start
	Refused   uint64 `json:"refused"`     // since the start
}

// DoorRequests are the requests that a door works on, and their limits.
type DoorRequests struct {
	InFlight  int    `json:"in_flight"`
	Most      int    `json:"most"`
	PerSource int    `json:"most_per_source"`
	PerClient int    `json:"most_per_client"`
	Refused   uint64 `json:"refused"` // since the start
}
