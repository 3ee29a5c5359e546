package vault

import (
	"encoding/base32"
	"strings"
)

// Home says where rows are in a database that is spread over machines: with the card of
// that id, which may not exist yet. Zero: not known.
type Home [16]byte

// routeMark separates the random part of a token from its route. A token without a
// route never has it there: base32 has no such digit.
const routeMark = "1"

// routeLength is how many characters of base32 a home has.
const routeLength = 26

// Routed appends to a random text the home of the rows that the token leads to. The text
// must be fresh. The home is masked by a keyed hash of the text: without the vault's key
// nobody can tell a route from random characters, nor whether two tokens lead to one card.
// A route proves nothing: whoever alters it is sent to a place where the rest of the token
// is unknown. With a zero home the text is returned unchanged.
func (v *Vault) Routed(random string, home Home) string {
	if home == (Home{}) {
		return random
	}
	masked := v.masked(random, home)
	return random + routeMark + routeEncoding().EncodeToString(masked[:])
}

// RouteOf returns the home that a token leads to; false if the token has no route.
func (v *Vault) RouteOf(token string) (Home, bool) {
	at := len(token) - routeLength - len(routeMark)
	if at < 1 || !strings.HasPrefix(token[at:], routeMark) {
		return Home{}, false
	}
	route, err := routeEncoding().DecodeString(token[at+len(routeMark):])
	if err != nil || len(route) != len(Home{}) {
		return Home{}, false
	}
	return v.masked(token[:at], Home(route)), true
}

// masked masks a home, and also unmasks it.
func (v *Vault) masked(random string, home Home) Home {
	mask := v.Index(IndexRoute, random)
	for i := range home {
		home[i] ^= mask[i]
	}
	return home
}

func routeEncoding() *base32.Encoding { return handleEncoding() }
