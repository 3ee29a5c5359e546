package server

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/process"
)

// bounded holds the limits of one door: how many requests and connections it
// takes at once.
type bounded struct {
	name        string
	inFlight    *door.InFlight
	connections *door.Connections
}

// openBounds works out the limits of each configured door, before the doors are
// made.
func (s *System) openBounds() error {
	files, err := process.Files()
	if err != nil {
		return err
	}
	bounds, err := s.Config.Bounds(files)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		into   *bounded
		name   string
		config config.Door
		bounds config.Bounds
		body   int64
	}{
		{&s.channelBounds, "channel", s.Config.Channel, bounds.Channel, 0}, // reads a body only after it knows the client
		{&s.hostedBounds, "hosted", s.Config.Hosted, bounds.Hosted, hostedBody},
		{&s.gatewayBounds, "gateway", s.Config.Gateway, bounds.Gateway, hostedBody},
		{&s.consoleBounds, "console", s.Config.ConsoleDoor, bounds.Console, consoleBody},
	} {
		if d.bounds == (config.Bounds{}) {
			continue
		}
		if *d.into, err = s.bound(d.name, d.config, d.bounds, d.body); err != nil {
			return err
		}
		s.options.Logger.Info("bounds of a door", "door", d.name, "files", files,
			"connections", d.bounds.Connections, "connections_per_source", d.bounds.ConnectionsPerSource,
			"requests", d.bounds.Requests, "requests_per_source", d.bounds.RequestsPerSource, "requests_per_client", d.bounds.RequestsPerClient)
	}
	return nil
}

// hostedBody is more than the longest body that the hosted door and the gateway
// door take, in bytes.
const hostedBody = 64 << 10

// consoleBody is more than the longest form of the console, in bytes.
const consoleBody = 2 << 20

func (s *System) bound(name string, d config.Door, b config.Bounds, body int64) (out bounded, err error) {
	proxies, err := s.Config.ProxyNetworks(d)
	if err != nil {
		return bounded{}, err
	}
	out.name = name
	out.inFlight, err = door.NewInFlight(door.InFlightConfig{Door: name, Total: b.Requests, PerSource: b.RequestsPerSource,
		PerClient: b.RequestsPerClient, Body: body, Proxies: proxies, Now: s.Clock.Wall, Logger: s.options.Logger, Finished: s.options.finished()})
	if err != nil {
		return bounded{}, err
	}
	out.connections, err = door.NewConnections(door.ConnectionsConfig{Door: name, Most: b.Connections, PerSource: b.ConnectionsPerSource,
		Proxies: proxies, Logger: s.options.Logger})
	return out, err
}

// guard bounds the connections of the doors that were made.
func (s *System) guard() {
	for server, b := range map[*http.Server]bounded{s.Door: s.channelBounds, s.Hosted: s.hostedBounds, s.Gateway: s.gatewayBounds, s.Console: s.consoleBounds} {
		if server != nil {
			b.connections.Guard(server)
		}
	}
}

// Doors reports how full the doors are.
func (s *System) Doors() []admin.DoorState {
	var out []admin.DoorState
	for _, b := range []bounded{s.channelBounds, s.hostedBounds, s.gatewayBounds, s.consoleBounds} {
		if b.inFlight == nil {
			continue
		}
		crowd, open := b.inFlight.Crowd(), b.connections.Open()
		out = append(out, admin.DoorState{Door: b.name,
			Connections: admin.DoorConnections{Open: open.Connections, Most: open.Most, PerSource: open.PerSource, Closed: open.Closed, Refused: open.Refused},
			Requests:    admin.DoorRequests{InFlight: crowd.InFlight, Most: crowd.Total, PerSource: crowd.PerSource, PerClient: crowd.PerClient, Refused: crowd.Refused}})
	}
	return out
}
