package rehearsal

import (
	"flag"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/admin"
)

// TestMain lets more tests run at once than there are processors: two of them wait a
// minute each for the next code to a phone, and would hold the others up.
func TestMain(m *testing.M) {
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	m.Run()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// described is the description that comes with the sample, at another address.
func described(t *testing.T, origin string) Description {
	t.Helper()
	raw, err := os.ReadFile("../../examples/channel/check.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDescription([]byte(strings.ReplaceAll(string(raw), "http://127.0.0.1:8090", origin)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rehearse plays a channel that an app makes of the addresses, through some cases
// or, without a list, all.
func rehearse(t *testing.T, only []string, app func(c Config, origin string, key admin.KeyPair) http.Handler) []Result {
	t.Helper()
	key, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Dir: t.TempDir() + "/data", Native: listen(t), Hosted: listen(t), Provider: listen(t), Key: key.Public}
	if only != nil {
		c.Only = func(id string) bool { return slices.Contains(only, id) }
	}
	ln := listen(t)
	origin := "http://" + ln.Addr().String()
	c.Channel = described(t, origin)
	server := &http.Server{Handler: app(c, origin, key)}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	results, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func sample(t *testing.T, c Config, origin string, key admin.KeyPair) *miniapp.App {
	t.Helper()
	people, err := miniapp.SamplePeople()
	if err != nil {
		t.Fatal(err)
	}
	issuer, api, provider := c.Places()
	app, err := miniapp.New(miniapp.Config{Issuer: issuer, API: api, ClientID: c.Channel.ClientID, KeyID: key.Public.KeyID, Key: key.Private,
		Origin: origin, Name: "我的应用", NameEN: "My app", Theme: "jade", EvidencePage: provider, People: people})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// TestTheSamplePasses: every case is played, and the sample channel passes all.
func TestTheSamplePasses(t *testing.T) {
	t.Parallel() // it waits for a second code to a phone
	results := rehearse(t, nil, func(c Config, origin string, key admin.KeyPair) http.Handler { return sample(t, c, origin, key) })
	if len(results) != len(Cases()) {
		t.Errorf("%d of %d cases", len(results), len(Cases()))
	}
	for _, r := range results {
		if r.Fault != "" || r.Lacks != "" {
			t.Errorf("%s: %s%s", r.ID, r.Fault, r.Lacks)
		}
	}
}

// TestDescriptionsAreChecked: what would make a case meaningless is refused.
func TestDescriptionsAreChecked(t *testing.T) {
	good, err := os.ReadFile("../../examples/channel/check.json")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"an unknown member": {`"client_id"`, `"clientid"`}, "no origin": {`"http://127.0.0.1:8090",`, `"127.0.0.1",`},
		"one account twice": {`"name": "li"`, `"name": "wang"`}, "one person twice": {"33050319780825173X", "330502195603120626"},
		"a newcomer of an account": {`"chen"`, `"wang"`}, "no way to freeze": {`{"post": "/freeze"}`, `{}`},
		"nothing behind": {`"/years"`, `""`}, "no way to begin": {`"verify": {"post": "/start", `, `"verify": {`}, "two objects": {"{\n  \"origin\"", "{} {\n  \"origin\""},
	} {
		if _, err := ParseDescription([]byte(strings.Replace(string(good), change[0], change[1], 1))); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// TestWhatIsNotDescribedIsNotPlayed: a case about an act that the channel does not
// have is not played, and says which member is missing.
func TestWhatIsNotDescribedIsNotPlayed(t *testing.T) {
	d := described(t, "http://127.0.0.1:1")
	d.Enroll, d.Reset = nil, nil
	want := map[string]string{"enroll": "enroll", "enrolled": "enroll", "reset": "reset", "forgotten": "reset", "recovered": "reset", "reset-too-soon": "reset"}
	s := &stage{c: Config{Channel: d}}
	for _, one := range Cases() {
		lacks := want[one.ID]
		if (one.needs == nil || one.needs(d) == "") != (lacks == "") {
			t.Errorf("%s is played or not, against the description", one.ID)
		} else if lacks != "" {
			if r := s.play(t.Context(), one); r.Lacks != lacks || r.Fault != "" {
				t.Errorf("%s: %+v", one.ID, r)
			}
		}
	}
}
