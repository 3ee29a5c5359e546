//go:build pkcs11

package vault

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

// TestDayKeysInSoftHSM: a real token makes the day key, opens the seal key with it
// after a restart, and has forgotten it once it is destroyed; an authority with a file
// and one with the token give one another the key.
func TestDayKeysInSoftHSM(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	path := newFile(t)
	inFile := beside(t, open(t, path))
	f := KeyFile{Path: path, Token: hsm.Open("one")}
	_, err := f.Enclose(nil, now())
	must(t, err)
	v := openAt(t, f)
	k := made(t, v)
	must(t, again(t, v).Opens(k))
	to, err := inFile.DayKey(k.ID)
	must(t, err)
	given, err := v.WrapFor(k, to)
	must(t, err)
	k.Wraps = append(k.Wraps, Wrap{To: to, Given: given})
	must(t, inFile.Opens(k))
	k.Wraps[0].Given, err = inFile.WrapFor(k, k.Wraps[0].To)
	must(t, err)
	must(t, again(t, v).Opens(k))
	day, err := v.readDayKey(k.ID)
	must(t, err)
	must(t, v.DestroySealKey(k.ID))
	// Who put the file aside has a name of nothing.
	_, err = day.unwrap(f.Token, k, k.Wraps[0])
	wantError(t, "with the file put aside", err, token.ErrNoKey)
	wantError(t, "destroyed", again(t, v).Opens(k), ErrNoDayKey)
}
