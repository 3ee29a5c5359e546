package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteThenLoad(t *testing.T) {
	dir := t.TempDir()
	want := Default()
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.at(dir), got); diff != "" {
		t.Error(diff)
	}
	if fi, _ := os.Stat(filepath.Join(dir, FileName)); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
	if err := Write(dir, want); err == nil {
		t.Error("a second Write replaced the file")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"unknown member", "isuer: http://x", "isuer"},
		{"doubled member", "log: info\nlog: debug", "log"},
		{"issuer without scheme", "issuer: example.org", "issuer"},
		{"issuer with query", "issuer: http://x/?a=b", "issuer"},
		{"shape", "keepers: {shape: 2/2}", "keepers.shape"},
		{"directories do not fit", "keepers: {shape: 2/3, directories: [a]}", "needs 3"},
		{"log", "log: loud", "log"},
		{"drain", "drain: 9h", "drain"},
		{"drain is no duration", "drain: soon", "duration"},
		{"open door without TLS", "channel_door: {listen: '0.0.0.0:8600'}", "not loopback"},
		{"certificate alone", "channel_door: {listen: '127.0.0.1:1', certificate: a.pem}", "go together"},
		{"open hosted door", "hosted_door: {listen: '0.0.0.0:1'}", "hosted_door"},
		{"hosted door that listens nowhere", "hosted_door: {behind_proxy: true}", "hosted_door.listen"},
		{"domain checks without a hosted door", "domain_checks: checks", "hosted_door.listen"},
		{"one client may take the door", "channel_door: {listen: '127.0.0.1:1', max_requests: 10, max_requests_per_client: 10}", "max_requests"},
		{"one source may have more than the door", "channel_door: {listen: '127.0.0.1:1', max_connections: 10, max_connections_per_source: 11}", "max_connections_per_source"},
		{"negative bound", "channel_door: {listen: '127.0.0.1:1', max_requests: -1}", "max_requests: want 2"},
		{"proxy that is no address", "hosted_door: {listen: '127.0.0.1:1'}\nproxies: [proxy.example.cn]", "want an address or a network"},
		{"hotline that is none", "hosted_door: {listen: '127.0.0.1:1'}\nhotline: call us", "hotline"},
		{"issuer with a path and a hosted door", "issuer: https://x/pin\nhosted_door: {listen: '127.0.0.1:1'}", "nothing after it"},
		{"issuer with a slash and a hosted door", "issuer: https://x/\nhosted_door: {listen: '127.0.0.1:1'}", "nothing after it"},
		{"plain issuer and a hosted door", "issuer: http://pin.example.cn\nhosted_door: {listen: '127.0.0.1:1'}", "want https"},
		{"api with a path", "api: https://x/v1", "nothing after it"},
		{"api without scheme", "api: x.example.cn", "nothing after it"},
		{"plain api", "api: http://api.example.cn", "want https"},
		{"no port", "channel_door: {listen: localhost}", "host:port"},
		{"too long", "# " + strings.Repeat("x", maxFile), "longer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.yaml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error naming %q", err, tt.want)
			}
		})
	}
}

func TestDefaultsFollowTheShape(t *testing.T) {
	c, err := Parse([]byte("keepers: {shape: 3/5}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Keepers.Directories); got != 5 {
		t.Errorf("%d directories", got)
	}
}

func TestProxies(t *testing.T) {
	for yaml, want := range map[string]string{
		"hosted_door: {listen: '127.0.0.1:1'}":                                                  "[]",
		"hosted_door: {listen: '127.0.0.1:1', behind_proxy: true}":                              "[127.0.0.0/8 ::1/128]",
		"hosted_door: {listen: '127.0.0.1:1'}\nproxies: [10.0.0.1, 10.1.0.0/16, '2001:db8::1']": "[10.0.0.1/32 10.1.0.0/16 2001:db8::1/128]",
	} {
		c, err := Parse([]byte(yaml))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.ProxyNetworks(c.Hosted)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v", yaml, got, err)
		}
	}
}

// TestChannelDoorBehindAProxy: it needs no hosted door to have proxies.
func TestChannelDoorBehindAProxy(t *testing.T) {
	c, err := Parse([]byte("channel_door: {listen: '127.0.0.1:1', behind_proxy: true}"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.ProxyNetworks(c.Channel); err != nil || fmt.Sprint(got) != "[127.0.0.0/8 ::1/128]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestConnectionsAreSharesOfTheFiles(t *testing.T) {
	const three = "hosted_door: {listen: '127.0.0.1:1'}\ngateway_door: {listen: '127.0.0.1:2'}\ntexts: {driver: kannel, kannel: {url: 'http://127.0.0.1:3', username: a, password_file: b, receipt_url: 'http://127.0.0.1:2/receipts'}}\n"
	for _, tt := range []struct {
		name, yaml string
		files      uint64
		want       [3]int // connections of each door
		err        string
	}{
		{"few files", "hosted_door: {listen: '127.0.0.1:1'}\n", 128, [3]int{28, 56, 0}, ""},
		{"three doors, and texts on their way", three, 1024, [3]int{270, 541, 135}, ""},
		{"plenty", three, 1 << 30, [3]int{4096, 8192, 256}, ""},
		{"no limit", three, 0, [3]int{4096, 8192, 256}, ""},
		{"one is configured", "channel_door: {max_connections: 30}\nhosted_door: {listen: '127.0.0.1:1'}\n", 128, [3]int{30, 54, 0}, ""},
		{"more than there are", "channel_door: {max_connections: 1000}\n", 1024, [3]int{}, "raise the limit"},
		{"too few for one that shares", "channel_door: {max_connections: 80}\nhosted_door: {listen: '127.0.0.1:1'}\n", 128, [3]int{}, "hosted_door"},
		{"hardly any", "log: info", 40, [3]int{}, "channel_door"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.yaml))
			if err != nil {
				t.Fatal(err)
			}
			b, err := c.Bounds(tt.files)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v", err)
				}
				return
			}
			if got := [3]int{b.Channel.Connections, b.Hosted.Connections, b.Gateway.Connections}; err != nil || got != tt.want {
				t.Errorf("%v, %v", got, err)
			}
			if b.Hosted.ConnectionsPerSource >= b.Hosted.Connections {
				t.Errorf("one source may take the door: %+v", b.Hosted)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("issuer: http://127.0.0.1:1\n"))
	f.Add([]byte("keepers: {shape: 2/3}\nchannel_door: {listen: '[::1]:8600'}\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err == nil && c.Validate() != nil {
			t.Error("Parse passed what Validate refuses")
		}
	})
}

// TestAPIAddress: what clients are told is written down, or is where the door
// listens; behind a proxy it is not guessed.
func TestAPIAddress(t *testing.T) {
	for want, yaml := range map[string]string{
		"http://127.0.0.1:8600":  "",
		"http://localhost:1":     "channel_door: {listen: 'localhost:1'}",
		"https://127.0.0.1:1":    "channel_door: {listen: '127.0.0.1:1', certificate: a.pem, key: b.pem}",
		"https://api.example.cn": "api: https://api.example.cn\nchannel_door: {listen: '0.0.0.0:1', behind_proxy: true}",
		"":                       "channel_door: {listen: '127.0.0.1:1', behind_proxy: true}",
	} {
		c, err := Parse([]byte(yaml + "\nlog: info"))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.APIAddress(); got != want {
			t.Errorf("%s: %q, want %q", yaml, got, want)
		}
	}
	for _, yaml := range []string{"channel_door: {listen: '0.0.0.0:1', certificate: a.pem, key: b.pem}", "channel_door: {listen: '127.0.0.1:0'}"} {
		if c, err := Parse([]byte(yaml)); err != nil || c.APIAddress() != "" {
			t.Errorf("%s: %q, %v", yaml, c.APIAddress(), err)
		}
	}
}
