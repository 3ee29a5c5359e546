//go:build linux

package failover

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/test/netns"
)

// examples are the files that docs/POSTGRES.md shows.
const examples = "../../examples/patroni"

const (
	databasePassword = "failover-liuma"
	// patience is how long anything may take on a machine that does much else.
	patience = 10 * time.Minute
)

// cluster is three nodes of a database, with a certificate for each.
type cluster struct {
	t     *testing.T
	net   *netns.Network
	nodes []*node
	ca    *issuer
	rest  *http.Client // of Patroni
	roots string       // file with the issuer's certificate

	healed map[step]int // how often an operator had to do what
	away   []*node      // that did not come back, whatever was done
}

// issuer signs the certificates of the trial.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "failover"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	c, err = x509.ParseCertificate(raw)
	must(t, err)
	return &issuer{c, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}
}

// issue makes a key, and a certificate for an address and a name.
func (i *issuer) issue(t *testing.T, serial int, name, address string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(int64(serial + 2)), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(48 * time.Hour), DNSNames: []string{name}, IPAddresses: []net.IP{net.ParseIP(address)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	raw, err := x509.CreateCertificate(rand.Reader, c, i.cert, k.Public(), i.key)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// newCluster starts three nodes and makes the role and the database of an authority.
func newCluster(t *testing.T, base string, network *netns.Network) *cluster {
	t.Helper()
	c := &cluster{t: t, net: network, ca: newIssuer(t), roots: filepath.Join(base, "ca.crt"), healed: map[step]int{}}
	must(t, os.WriteFile(c.roots, c.ca.pem, 0o644))
	for i := range 3 {
		c.nodes = append(c.nodes, newNode(t, base, network, i+1))
	}
	for _, n := range c.nodes {
		cert, key := c.ca.issue(t, n.number, n.name, n.address())
		n.give("/etc/patroni/ca.crt", c.ca.pem)
		n.give("/etc/patroni/node.crt", cert)
		n.give("/etc/patroni/node.key", key)
		n.give("/etc/patroni/etcd.yml", c.filled(n, "etcd.yml"))
		n.give("/etc/patroni/patroni.yml", c.filled(n, "patroni.yml"))
	}
	cert, key := c.ca.issue(t, 10, "trial", netns.Address(0))
	pair, err := tls.X509KeyPair(cert, key)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(c.ca.cert)
	c.rest = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
	for _, n := range c.nodes {
		n.on()
	}
	primary := c.awaitWhole()
	_, err = primary.psql(fmt.Sprintf(`CREATE ROLE liuma LOGIN PASSWORD '%s';
CREATE DATABASE liuma OWNER liuma ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
REVOKE ALL ON DATABASE liuma FROM PUBLIC;`, databasePassword))
	must(t, err)
	c.keepLess(primary)
	return c
}

// keepLess has PostgreSQL keep less of its log than Patroni asks for by itself (128 MB), and
// fewer files for later use, since pg_rewind copies all that there are, of all timelines,
// and rounds would wait for nothing else. What a standby still needs is kept by its slot.
func (c *cluster) keepLess(primary *node) {
	c.t.Helper()
	var out string
	var err error
	for range 5 { // Patroni refuses where etcd does not answer at once
		out, err = primary.sh("patronictl -c /etc/patroni/patroni.yml edit-config liuma --force -s postgresql.parameters.wal_keep_size=16MB -s postgresql.parameters.min_wal_size=32MB")
		if err == nil {
			return
		}
	}
	c.t.Fatalf("patronictl edit-config: %v %s", err, out)
}

// filled is one of the examples with a node's names put in. What is left open is refused.
func (c *cluster) filled(n *node, file string) []byte {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, file))
	must(c.t, err)
	values := map[string]string{"NAME": n.name, "ADDRESS": n.address(), "AUTHORITIES": netns.Network24, "SUPERUSER_PASSWORD": "failover-super",
		"REPLICATION_PASSWORD": "failover-replication", "REWIND_PASSWORD": "failover-rewind"}
	for _, o := range c.nodes {
		values[strings.ToUpper(o.name)] = o.address()
	}
	return []byte(os.Expand(string(text), func(k string) string {
		v, ok := values[k]
		if !ok {
			c.t.Fatalf("%s: nothing to put in for %s", file, k)
		}
		return v
	}))
}

func (n *node) psql(statements string) (string, error) {
	return n.sh("psql -X -q -t -A -v ON_ERROR_STOP=1 -h /var/run/postgresql -U postgres -d postgres <<'END'\n" + statements + "\nEND")
}

// member is what Patroni says of a node.
type member struct {
	Name     string
	Role     string // leader, sync_standby, replica
	State    string
	Timeline int
	Lag      any // a number, or "unknown"
}

// members is what a node's Patroni says of all.
func (c *cluster) members(n *node) ([]member, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+n.address()+":8008/cluster", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.rest.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct{ Members []member }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.Members, err
}

// isSync reports whether a node's Patroni says that another one is the synchronous standby.
func (c *cluster) isSync(n, of *node) bool {
	list, err := c.members(n)
	return err == nil && slices.ContainsFunc(list, func(m member) bool { return m.Role == "sync_standby" && m.Name == of.name })
}

// leadsEtcd reports whether a node's etcd says that it leads.
func (c *cluster) leadsEtcd(n *node) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+n.address()+":2379/v2/stats/self", nil)
	if err != nil {
		return false
	}
	resp, err := c.rest.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var answer struct{ State string }
	return json.NewDecoder(resp.Body).Decode(&answer) == nil && answer.State == "StateLeader"
}

// whole is the primary where all three nodes are there: a leader, its synchronous standby
// and another standby, on one timeline. Otherwise why says what is missing.
func (c *cluster) whole() (primary *node, why string) {
	for _, n := range c.nodes { // each must see it, so that none is about to change it
		list, err := c.members(n)
		if err != nil {
			return nil, fmt.Sprintf("%s: %v", n.name, err)
		}
		roles, timelines := map[string]int{}, map[int]bool{}
		var leader string
		for _, m := range list {
			if m.State != "running" && m.State != "streaming" {
				return nil, fmt.Sprintf("%s is %s", m.Name, m.State)
			}
			if lag, ok := m.Lag.(float64); m.Role != "leader" && (!ok || lag > 1<<20) {
				return nil, fmt.Sprintf("%s is behind: %v", m.Name, m.Lag)
			}
			if m.Role == "leader" {
				leader = m.Name
			}
			roles[m.Role]++
			timelines[m.Timeline] = true
		}
		if roles["leader"] != 1 || roles["sync_standby"] != 1 || roles["replica"] != 1 || len(timelines) != 1 {
			return nil, fmt.Sprintf("%s sees %+v", n.name, list)
		}
		for _, o := range c.nodes {
			if o.name == leader {
				if primary != nil && primary != o {
					return nil, "they see different leaders"
				}
				primary = o
			}
		}
	}
	return primary, ""
}

// awaitWhole waits until all three nodes are there, and returns the primary. An operator
// heals those that do not come back by themselves. Where one does not in the end, and a
// majority stands without it, it is away, and the trial goes on.
func (c *cluster) awaitWhole() *node {
	c.t.Helper()
	o := &operator{c: c, since: map[*node]time.Time{}, taken: map[*node]int{}}
	var why string
	for start := time.Now(); time.Since(start) < patience; time.Sleep(500 * time.Millisecond) {
		var primary *node
		if primary, why = c.whole(); why == "" {
			c.away = nil
			return primary
		}
		if len(c.away) == 0 {
			o.look()
		} else if time.Since(start) > time.Minute { // everything has been tried before
			if primary := c.without(why); primary != nil {
				return primary
			}
		}
	}
	if primary := c.without(why); primary != nil {
		return primary
	}
	for _, n := range c.nodes {
		c.t.Logf("%s said, at last:\n%s", n.name, n.lastSaid())
	}
	c.t.Fatalf("the database does not get whole: %s", why)
	return nil
}

// without is the primary where a majority stands without a node, which is away then.
func (c *cluster) without(why string) *node {
	c.t.Helper()
	primary, away := c.standing()
	if primary == nil {
		return nil
	}
	c.away = away
	for _, n := range away {
		c.t.Logf("%s does not come back, and the others go on without it: %s", n.name, why)
	}
	return primary
}
