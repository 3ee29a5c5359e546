package api_test

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/door/api/apitest"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestDoorOfTheWholeSystem runs everything that TestDoor runs, with the real
// authority, store, keepers and evidence behind the door.
func TestDoorOfTheWholeSystem(t *testing.T) { apitest.Run(t, openSystem) }

func openSystem(t testing.TB) *apitest.Env {
	t.Helper()
	e, _ := openWith(t, testkit.Options{People: 150})
	return e
}

func openWith(t testing.TB, o testkit.Options) (*apitest.Env, *testkit.Env) {
	t.Helper()
	sys := testkit.New(t, o)
	issuer := sys.System.Config.Issuer
	door, err := api.New(api.Config{Authority: sys.Authority(), Issuer: issuer, Agencies: sys.System.Agencies, Now: sys.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	party := func(id string, kind store.ClientKind) apitest.Client {
		c := store.Client{ID: id, Kind: kind}
		if kind == store.ClientChannel {
			c = testkit.NationalChannel(id)
		}
		p := sys.AddParty(c)
		return apitest.Client{ID: id, KeyID: p.KeyID, Key: p.Key}
	}
	used := 0
	return &apitest.Env{
		URL: server.URL, Issuer: issuer, Now: sys.Clock.Now, Advance: sys.Clock.Advance,
		A: party("zj-hrss", store.ClientChannel), B: party("hz-app", store.ClientChannel),
		Registry: party("mohrss", store.ClientRegistry), Provider: party("face", store.ClientProvider), Hotline: party("h12333", store.ClientHotline),
		Person: func(t testing.TB) apitest.Person {
			if used == len(sys.People) {
				t.Fatal("the registry has no more people")
			}
			f := sys.People[used]
			used++
			return person(f.IDNumber, f.Name, f.Phone)
		},
		Stranger: func(testing.TB) apitest.Person { return person("11010519491231002X", "无此人", "13900000000") },
		Evidence: func(_ testing.TB, challenge, id, name string) string {
			return sys.Evidence(registry.Facts{IDNumber: id, Name: name}, challenge)
		},
	}, sys
}

func person(id, name, phone string) apitest.Person {
	return apitest.Person{IDNumber: id, Name: name, Phone: phone, PIN: "407193", OtherPIN: "815206", Wrong: "629374"}
}
