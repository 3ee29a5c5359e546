package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/liuma-pin/liuma/locale"
)

// Bounds are how much a door takes at once. A zero member of a Door stands for
// its default, which Config.Bounds fills in.
type Bounds struct {
	// Connections bounds the open connections of the door. Default: a share of the files
	// that the process may have open, at most 4096 (channel), 8192 (hosted), 256 (gateway),
	// 512 (console).
	Connections int `yaml:"max_connections,omitempty"`
	// ConnectionsPerSource bounds those from one address, or one /64 of IPv6; proxies are
	// exempt. Raise it at the channel door to what max_connections is if all channels come
	// from one address that is no proxy. Default: a quarter of them at the hosted door, a
	// half elsewhere.
	ConnectionsPerSource int `yaml:"max_connections_per_source,omitempty"`
	// Requests bounds the requests that the door works on at once.
	Requests int `yaml:"max_requests,omitempty"`
	// RequestsPerSource bounds those from one address before it is known which client asks;
	// holders' pages know none. A carrier has many holders behind one address.
	RequestsPerSource int `yaml:"max_requests_per_source,omitempty"`
	// RequestsPerClient bounds those of one channel, registry client or hotline.
	RequestsPerClient int `yaml:"max_requests_per_client,omitempty"`
}

// DoorBounds are the bounds of each door, with all defaults filled in. A door that is
// not configured has the zero Bounds.
type DoorBounds struct{ Channel, Hosted, Gateway, Console Bounds }

const (
	mostBound = 1 << 20 // largest value of any configured bound
	// fewestConnections is the smallest default share of a door: with fewer, a handful
	// of phones would block all others.
	fewestConnections = 8
)

// share describes how a door without max_connections shares the process's file
// descriptors with the others.
type share struct {
	door     *Bounds
	name     string
	bounds   Bounds // default requests; ConnectionsPerSource is a divisor: 4 means a quarter
	weight   int
	mostEver int // most connections, because each also takes memory
}

// reserved returns how many file descriptors the process needs for itself: databases, keepers'
// ledgers or connections to keepers, texts on their way to the gateway, and some for the
// administration socket, exports, and connections that are just being closed.
func (c Config) reserved() int {
	const itself, aKeeper, spare = 24, 4, 16
	n := itself + aKeeper*(len(c.Keepers.Directories)+len(c.Keepers.Remote)) + spare
	if c.Texts.Driver == DriverWebhook || c.Texts.Driver == DriverKannel {
		n += c.Texts.Codes.Concurrent + c.Texts.Notices.Concurrent
	}
	if c.Metrics.Listen != "" {
		n += MetricsConnections
	}
	return n
}

// MetricsConnections is how many connections the metrics listener may have open: a few
// collectors, and programs that check readiness.
const MetricsConnections = 16

// Bounds fills in the defaults for a process that may open the given number of files;
// zero means that the number is not known.
func (c Config) Bounds(files uint64) (DoorBounds, error) {
	var out DoorBounds
	shares := []share{{door: &out.Channel, name: "channel_door", weight: 2, mostEver: 4096,
		bounds: Bounds{ConnectionsPerSource: 2, Requests: 2048, RequestsPerSource: 128, RequestsPerClient: 256}}}
	out.Channel = c.Channel.Bounds
	if c.Hosted.Listen != "" {
		out.Hosted = c.Hosted.Bounds
		// A mobile network may have thousands of holders behind one address.
		shares = append(shares, share{door: &out.Hosted, name: "hosted_door", weight: 4, mostEver: 8192,
			bounds: Bounds{ConnectionsPerSource: 4, Requests: 4096, RequestsPerSource: 512, RequestsPerClient: 256}})
	}
	if c.Gateway.Listen != "" {
		out.Gateway = c.Gateway.Bounds
		shares = append(shares, share{door: &out.Gateway, name: "gateway_door", weight: 1, mostEver: 256,
			bounds: Bounds{ConnectionsPerSource: 2, Requests: 256, RequestsPerSource: 128, RequestsPerClient: 128}})
	}
	if c.ConsoleDoor.Listen != "" {
		out.Console = c.ConsoleDoor.Bounds
		// An office may be behind one address.
		shares = append(shares, share{door: &out.Console, name: "console_door", weight: 1, mostEver: 512,
			bounds: Bounds{ConnectionsPerSource: 2, Requests: 256, RequestsPerSource: 128, RequestsPerClient: 32}})
	}
	left, parts := c.filesForDoors(files, shares)
	for _, s := range shares {
		if s.door.Connections == 0 {
			s.door.Connections = min(s.mostEver, left*s.weight/max(parts, 1))
			if s.door.Connections < fewestConnections {
				return DoorBounds{}, locale.Refuse(func(w *locale.Words) string {
					return w.Refused.ConfigOpenFiles(fmt.Sprint(files), fmt.Sprint(c.reserved()), s.name)
				})
			}
		}
		s.fill()
		if err := s.check(); err != nil {
			return DoorBounds{}, err
		}
	}
	if all := out.Channel.Connections + out.Hosted.Connections + out.Gateway.Connections + out.Console.Connections; files > 0 && uint64(all+c.reserved()) > files {
		return DoorBounds{}, locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigAllConnections(fmt.Sprint(all), fmt.Sprint(c.reserved()), fmt.Sprint(files))
		})
	}
	return out, nil
}

// filesForDoors returns how many file descriptors are left for the doors that share
// them, and how many parts they are divided into.
func (c Config) filesForDoors(files uint64, shares []share) (left, parts int) {
	left = mostBound
	if files > 0 && files < mostBound {
		left = int(files)
	}
	left -= c.reserved()
	for _, s := range shares {
		left -= s.door.Connections
		if s.door.Connections == 0 {
			parts += s.weight
		}
	}
	return max(left, 0), parts
}

// fill fills in the defaults of bounds that are not configured. A default must fit the
// configured bounds: a door of ten requests allows at most nine of one client.
func (s share) fill() {
	b := s.door
	if b.ConnectionsPerSource == 0 {
		b.ConnectionsPerSource = max(1, b.Connections/s.bounds.ConnectionsPerSource)
	}
	if b.Requests == 0 {
		b.Requests = max(s.bounds.Requests, 2*b.RequestsPerSource, 2*b.RequestsPerClient)
	}
	if b.RequestsPerSource == 0 {
		b.RequestsPerSource = min(s.bounds.RequestsPerSource, b.Requests-1)
	}
	if b.RequestsPerClient == 0 {
		b.RequestsPerClient = min(s.bounds.RequestsPerClient, b.Requests-1)
	}
}

func (s share) check() error {
	b := s.door
	if b.ConnectionsPerSource > b.Connections {
		return locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigPerSource(s.name, fmt.Sprint(b.ConnectionsPerSource), fmt.Sprint(b.Connections))
		})
	}
	if b.RequestsPerSource >= b.Requests || b.RequestsPerClient >= b.Requests {
		return locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigRequests(s.name, fmt.Sprint(b.Requests), fmt.Sprint(b.RequestsPerSource), fmt.Sprint(b.RequestsPerClient))
		})
	}
	return nil
}

// validate checks each bound on its own; whether they fit together is checked when the
// number of files is known.
func (b Bounds) validate(name string) error {
	var errs []error
	for _, m := range []struct {
		name        string
		n, smallest int
	}{
		{"max_connections", b.Connections, 2}, {"max_connections_per_source", b.ConnectionsPerSource, 1},
		{"max_requests", b.Requests, 2}, {"max_requests_per_source", b.RequestsPerSource, 1}, {"max_requests_per_client", b.RequestsPerClient, 1},
	} {
		if m.n != 0 && (m.n < m.smallest || m.n > mostBound) {
			errs = append(errs, locale.Refuse(func(w *locale.Words) string {
				return w.Refused.ConfigBound(name, m.name, fmt.Sprint(m.smallest), fmt.Sprint(mostBound))
			}))
		}
	}
	return errors.Join(errs...)
}

// ProxyNetworks reads Proxies for one door. If none are configured and the door is
// behind a proxy, the default is the loopback.
func (c Config) ProxyNetworks(d Door) ([]netip.Prefix, error) {
	given := c.Proxies
	if len(given) == 0 && d.BehindProxy {
		given = []string{"127.0.0.0/8", "::1"}
	}
	var out []netip.Prefix
	for _, s := range given {
		network, err := netip.ParsePrefix(s)
		if err != nil {
			one, oneErr := netip.ParseAddr(s)
			if oneErr != nil || one.Zone() != "" {
				return nil, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigProxies(strconv.Quote(s)) })
			}
			network = netip.PrefixFrom(one, one.BitLen())
		}
		out = append(out, network)
	}
	return out, nil
}
