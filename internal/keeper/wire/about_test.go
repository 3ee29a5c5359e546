package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// aboutOf is what member m of 2 of 3 says, with key sets of which each fingerprint is sum.
func aboutOf(m int, sum byte, sets ...uint32) keeper.About {
	shape := split.Shape{T: 2, N: 3}
	a := keeper.About{ID: keeper.IDOf(m), Member: m, Shape: shape, Wall: time.UnixMilli(1788000000123).UTC(), Machine: [16]byte{byte(m), 7}, Answer: ack()}
	for _, id := range sets {
		held := keeper.HeldKeySet{ID: id}
		for _, s := range shape.SubsetsOf(m) {
			held.Prints = append(held.Prints, keeper.Fingerprint{Member: m, Subset: s, Sum: [32]byte{sum, byte(id), byte(s)}})
		}
		a.KeySets = append(a.KeySets, held)
	}
	return a
}

func TestAbout(t *testing.T) {
	k := &stub{about: aboutOf(1, 7, 1, 2, 9)}
	p := serve(t, k, k, func(c *ServerConfig) { c.Release = "1.2.3" })
	want := k.about
	want.Release = "1.2.3"
	for _, role := range []string{"authority", "peer", "administrator"} {
		if got, err := p.client(role).About(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", role, got, err)
		}
	}
	if _, err := p.client("closer").About(t.Context()); !errors.Is(err, ErrRole) {
		t.Error(err)
	}
}

// TestAboutIsReadStrictly: a keeper that says what none can be is not believed.
func TestAboutIsReadStrictly(t *testing.T) {
	for name, change := range map[string]func(*keeper.About){
		"no id":                 func(a *keeper.About) { a.ID = "" },
		"no member":             func(a *keeper.About) { a.Member = 0 },
		"a member too many":     func(a *keeper.About) { a.Member = 4 },
		"no shape":              func(a *keeper.About) { a.Shape.T = 9 },
		"key set 0":             func(a *keeper.About) { a.KeySets[0].ID = 0 },
		"a key set twice":       func(a *keeper.About) { a.KeySets[1].ID = 1 },
		"a subset of others":    func(a *keeper.About) { a.KeySets[0].Prints[0].Subset = 6 },
		"a fingerprint missing": func(a *keeper.About) { a.KeySets[0].Prints = a.KeySets[0].Prints[:1] },
	} {
		k := &stub{about: aboutOf(1, 7, 1, 2)}
		change(&k.about)
		if got, err := serve(t, k, k).client("authority").About(t.Context()); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestOnThisMachine: what ends at this machine's own address is on this machine, and so is
// what has no address that could be compared.
func TestOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		local, remote string
		here          bool
	}{
		{"192.0.2.1:40000", "192.0.2.2:8551", false},
		{"[2001:db8::1]:40000", "[2001:db8::2]:8551", false},
		{"192.0.2.1:40000", "192.0.2.1:8551", true},
		{"[fe80::1%eth0]:40000", "[fe80::1%eth1]:8551", true},
		{"192.0.2.1:40000", "[::ffff:192.0.2.1]:8551", true},
		{"127.0.0.1:40000", "127.0.0.2:8551", true},
		{"127.0.0.1:40000", "[::ffff:127.0.0.2]:8551", true},
		{"[::1]:40000", "[::1]:8551", true},
		{"@", "@", true},
		{"192.0.2.1:40000", "keeper.example:8551", true},
	} {
		if got := sameMachine(address(c.local), address(c.remote)); got != c.here {
			t.Errorf("%s to %s: %t", c.local, c.remote, got)
		}
	}
	k := &stub{about: aboutOf(1, 7, 1)}
	a, here, err := serve(t, k, k).client("authority").AboutFrom(t.Context())
	if err != nil || !here || !reflect.DeepEqual(a, k.about) {
		t.Errorf("over the loopback: %+v, %t, %v", a, here, err)
	}
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// TestGreeting: nothing is asked of a keeper that is not welcome, on any connection, and
// it is greeted again on the next one.
func TestGreeting(t *testing.T) {
	k := &stub{about: aboutOf(1, 7, 1)}
	p := serve(t, k, k)
	refuse := true
	var heard []keeper.ID
	c := p.clientWith(func(c *ClientConfig) {
		c.Greet = func(a keeper.About) error {
			heard = append(heard, a.ID)
			if refuse {
				return keeper.ErrStranger
			}
			return nil
		}
	}, "authority")
	if err := c.Admit(t.Context(), header()); !errors.Is(err, keeper.ErrStranger) || !errors.Is(err, ErrDown) {
		t.Errorf("a stranger: %v", err)
	}
	if n := len(k.seen()); n != 0 {
		t.Errorf("%d requests reached a stranger", n)
	}
	refuse = false
	time.Sleep(redialAfter)
	if err := c.Admit(t.Context(), header()); err != nil {
		t.Errorf("who is welcome again: %v", err)
	}
	c.Drop(errors.New("look again"))
	if err := c.Admit(t.Context(), header()); err != nil || len(heard) != 3 {
		t.Errorf("greeted %d times, %v", len(heard), err)
	}
}

// TestCertificateFaults: whose certificate is not good is told apart from a keeper that
// is silent, and another party at the address from both.
func TestCertificateFaults(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k)
	other := newIssuer(t)
	for name, c := range map[string]struct {
		change func(*ClientConfig)
		roles  []string
		want   error
	}{
		"no role":            {func(*ClientConfig) {}, nil, keeper.ErrCertificate},
		"an unknown role":    {func(*ClientConfig) {}, []string{"root"}, keeper.ErrCertificate},
		"of another issuer":  {func(c *ClientConfig) { c.TLS.Certificates = []tls.Certificate{other.certificate("authority")} }, []string{"authority"}, keeper.ErrCertificate},
		"another keeper":     {func(c *ClientConfig) { c.TLS.RootCAs = other.pool }, []string{"authority"}, keeper.ErrStranger},
		"another name":       {func(c *ClientConfig) { c.TLS.ServerName = "k2" }, []string{"authority"}, keeper.ErrStranger},
		"its time is over":   {func(c *ClientConfig) { c.TLS.Time = func() time.Time { return time.Now().Add(9 * time.Hour) } }, []string{"authority"}, keeper.ErrCertificate},
		"the role is wanted": {func(*ClientConfig) {}, []string{"closer"}, keeper.ErrCertificate},
	} {
		err := p.clientWith(c.change, c.roles...).Admit(t.Context(), header())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	silent := p.clientWith(func(c *ClientConfig) { c.Address = "127.0.0.1:1" }, "authority")
	if err := silent.Admit(t.Context(), header()); !errors.Is(err, ErrDown) || errors.Is(err, keeper.ErrCertificate) || errors.Is(err, keeper.ErrStranger) {
		t.Errorf("nobody there: %v", err)
	}
}

// TestARenewedCertificateIsUsed at the next connection.
func TestARenewedCertificateIsUsed(t *testing.T) {
	k := &stub{}
	p := serve(t, k, k)
	roles := atomic.Pointer[string]{}
	set := func(r string) { roles.Store(&r) }
	set("peer")
	c := p.clientWith(func(c *ClientConfig) {
		was := c.TLS
		c.Renew = func() (*tls.Config, error) {
			t := was.Clone()
			t.Certificates = []tls.Certificate{p.ca.certificate(*roles.Load())}
			return t, nil
		}
	}, "peer")
	if err := c.Admit(t.Context(), header()); !errors.Is(err, ErrRole) {
		t.Fatal(err)
	}
	set("authority")
	c.Drop(errors.New("renewed"))
	if err := c.Admit(t.Context(), header()); err != nil {
		t.Error(err)
	}
}

// TestAKeeperThatIsAwayHoldsUpOneCall: while one call tries anew to reach it, all others
// fail at once; when it is back, the next one gets through.
func TestAKeeperThatIsAwayHoldsUpOneCall(t *testing.T) {
	k := &stub{forget: true}
	p := serve(t, k, k)
	var away atomic.Bool
	away.Store(true)
	dialled := make(chan struct{}, 100)
	c := p.clientWith(func(c *ClientConfig) {
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if !away.Load() {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
			dialled <- struct{}{}
			<-ctx.Done() // as packets that nobody answers do
			return nil, ctx.Err()
		}
	}, "authority")
	short := func(d time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), d)
	}
	ctx, cancel := short(50 * time.Millisecond)
	defer cancel()
	if err := c.Admit(ctx, header()); !errors.Is(err, ErrDown) {
		t.Fatal(err)
	}
	time.Sleep(redialAfter)
	<-dialled
	long, end := short(30 * time.Second)
	var first sync.WaitGroup
	first.Go(func() { _ = c.Admit(long, header()) })
	<-dialled
	began := time.Now()
	for range 2000 {
		if err := c.Admit(t.Context(), header()); !errors.Is(err, ErrDown) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("2,000 calls took %s", took)
	}
	away.Store(false)
	end()
	first.Wait()
	time.Sleep(redialAfter)
	if err := c.Admit(t.Context(), header()); err != nil {
		t.Error(err)
	}
}

// TestManyCallsAtOnce: 2,000 calls under way at once are all answered, each its own.
func TestManyCallsAtOnce(t *testing.T) {
	release := make(chan struct{})
	k := &stub{forget: true, answer: keeper.AttemptAnswer{Answer: ack(), Spend: 1, Left: 5}, slow: func(context.Context) { <-release }}
	c := serve(t, k, k).client("authority")
	q := keeper.AttemptRequest{Header: header(), Version: 1, Blinded: somePoint(t)}
	errs := make(chan error, 2000)
	for range cap(errs) {
		go func() {
			a, err := c.Attempt(t.Context(), q)
			if err == nil && a.Spend != 1 {
				err = fmt.Errorf("answered %+v", a)
			}
			errs <- err
		}()
	}
	time.Sleep(100 * time.Millisecond)
	close(release)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}
