package door

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses of the proxies in front of a door. X-Forwarded-For is
// believed only from them.
type Proxies []netip.Prefix

// Has reports whether an address is a proxy's.
func (p Proxies) Has(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// Source is the address that a request is counted for: the address that it came from
// or, if that is a proxy's, the last address of X-Forwarded-For that is not a
// proxy's. A household has a /64 of IPv6, so a whole /64 is one source.
func (p Proxies) Source(r *http.Request) string {
	from, _ := p.from(r)
	return sourceOf(from)
}

// from is the address that a request came from; proxy says that only the last proxy's
// own address is known.
func (p Proxies) from(r *http.Request) (from netip.Addr, proxy bool) {
	from = AddressOf(r.RemoteAddr)
	if !p.Has(from) {
		return from, false
	}
	way := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(way) - 1; i >= 0 && p.Has(from); i-- {
		before := AddressOf(strings.TrimSpace(way[i]))
		if !before.IsValid() {
			break
		}
		from = before
	}
	return from, p.Has(from)
}

func sourceOf(a netip.Addr) string {
	if a.Is6() {
		if household, err := a.Prefix(64); err == nil {
			return household.String()
		}
	}
	return a.String()
}

// AddressOf reads an address, with or without a port. It returns the zero Addr if it
// cannot.
func AddressOf(s string) netip.Addr {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
