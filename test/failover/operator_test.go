//go:build linux

package failover

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// What an operator does about a node that does not come back by itself, in this order
// (docs/POSTGRES.md, "A node that does not come back"). Patroni 3.0.2 never changes whom a
// standby follows while that is `starting`: one that was started in a moment without a
// leader has nobody to follow, and waits for ever for the log that it needs.
const (
	patroniAgain step = "Patroni was started again"
	copiedAnew   step = "patronictl reinit"
	emptied      step = "its data directory was emptied"
	// programAgain is not an operator's, but what a service manager does by itself.
	programAgain step = "a program that had ended was started again"
)

// step is one that an operator takes.
type step string

// steps are what is done about a node that has been unwell for so long without a break
// while another one led.
var steps = []struct {
	after time.Duration
	do    step
}{
	{90 * time.Second, patroniAgain},
	{180 * time.Second, copiedAnew},
	{330 * time.Second, emptied},
}

// operator watches over nodes until the database is whole, and heals those that do not come
// back. It begins anew for each time that is waited for.
type operator struct {
	c     *cluster
	since map[*node]time.Time // when a node began to be unwell
	taken map[*node]int       // how many of the steps
}

// look does what is due.
func (o *operator) look() {
	o.restartEnded()
	leader, list := o.c.leading()
	if leader == nil {
		clear(o.since) // who waits for a leader is not stuck
		return
	}
	for _, n := range o.c.nodes {
		why := ""
		if n != leader {
			why = o.c.unwell(n, list)
		}
		if why == "" {
			delete(o.since, n)
			delete(o.taken, n)
			continue
		}
		if o.since[n].IsZero() || n.copying() {
			o.since[n] = time.Now()
		}
		taken := o.taken[n]
		if taken < len(steps) && time.Since(o.since[n]) > steps[taken].after {
			o.taken[n] = taken + 1
			o.take(n, leader, steps[taken].do, why)
			return // what the leader says is old by now
		}
	}
}

// copying reports whether a node gets its data from another one just now. To break that off
// leaves it with half of them.
func (n *node) copying() bool {
	if n.machine == nil {
		return false
	}
	_, err := n.sh("pgrep -x 'pg_rewind|pg_basebackup'")
	return err == nil
}

// restartEnded is what a service manager does: it starts a program that has ended.
func (o *operator) restartEnded() {
	for _, n := range o.c.nodes {
		for _, name := range []string{"etcd", "patroni"} {
			if n.machine != nil && n.run(name) {
				o.c.t.Logf("%s: %s on %s had ended, and was started again", clockOf(time.Now()), name, n.name)
				o.c.healed[programAgain]++
			}
		}
	}
}

// take takes a step. What a stuck node said before it is kept with the logs.
func (o *operator) take(n, leader *node, s step, why string) {
	t := o.c.t
	t.Helper()
	t.Logf("%s: %s does not come back (%s): %s", clockOf(time.Now()), n.name, why, s)
	t.Log(o.c.evidence(n))
	o.c.healed[s]++
	var err error
	switch s {
	case patroniAgain:
		err = n.restartPatroni(nil)
	case copiedAnew:
		var out string
		out, err = leader.sh("patronictl -c /etc/patroni/patroni.yml reinit liuma " + n.name + " --force")
		t.Logf("patronictl said: %s", strings.TrimSpace(out))
	case emptied:
		err = n.restartPatroni(func() error { return os.RemoveAll(n.file("/var/lib/postgresql/15/liuma")) })
	}
	if err != nil { // the next step is there for that
		t.Logf("%s: %v", s, err)
	}
}

// restartPatroni ends Patroni in an orderly way, and PostgreSQL with it, by force where that
// takes long, and starts it again.
func (n *node) restartPatroni(meanwhile func() error) error {
	n.mu.Lock()
	p := n.running["patroni"]
	n.mu.Unlock()
	n.signal("TERM", "patroni")
	if p != nil {
		select {
		case <-p.ended:
		case <-time.After(30 * time.Second): // as systemd does with Debian's unit
		}
	}
	n.signal("KILL", "patroni|postgres")
	if p != nil {
		<-p.ended
	}
	var err error
	if meanwhile != nil {
		err = meanwhile()
	}
	n.run("patroni")
	return err
}

// leading is the node that leads by what it says itself and another one says as well, and
// what it says of all.
func (c *cluster) leading() (*node, []member) {
	votes, says := map[string]int{}, map[string][]member{}
	for _, n := range c.nodes {
		list, err := c.members(n)
		if err != nil {
			continue
		}
		says[n.name] = list
		for _, m := range list {
			if m.Role == "leader" && m.State == "running" {
				votes[m.Name]++
			}
		}
	}
	for _, n := range c.nodes {
		if votes[n.name] > 1 && says[n.name] != nil {
			return n, says[n.name]
		}
	}
	return nil, nil
}

// unwell is what is wrong with a standby by what the leader says and by its own Patroni;
// empty: nothing.
func (c *cluster) unwell(n *node, list []member) string {
	if _, err := c.members(n); err != nil {
		return fmt.Sprintf("its Patroni does not answer: %v", err)
	}
	lead := 0
	for _, m := range list {
		if m.Role == "leader" {
			lead = m.Timeline
		}
	}
	for _, m := range list {
		lag, known := m.Lag.(float64)
		switch {
		case m.Name != n.name:
		case m.State != "running" && m.State != "streaming":
			return "it is " + m.State
		case !known || lag > 1<<20:
			return fmt.Sprintf("it is behind: %v", m.Lag)
		case m.Timeline != lead:
			return fmt.Sprintf("it is on timeline %d, and the leader on %d", m.Timeline, lead)
		default:
			return ""
		}
	}
	return "it is not a member"
}

// standing is the primary where a majority stands: a leader with a synchronous standby that
// is well; and those that are not.
func (c *cluster) standing() (primary *node, away []*node) {
	leader, list := c.leading()
	if leader == nil {
		return nil, nil
	}
	sync := false
	for _, n := range c.nodes {
		switch {
		case n == leader:
		case c.unwell(n, list) != "":
			away = append(away, n)
		default:
			sync = sync || slices.ContainsFunc(list, func(m member) bool { return m.Name == n.name && m.Role == "sync_standby" })
		}
	}
	if !sync {
		return nil, nil
	}
	return leader, away
}

// evidence is how a stuck node stands, and the end of what its programs said.
func (c *cluster) evidence(n *node) string {
	var said []string
	for _, line := range []string{
		"patronictl -c /etc/patroni/patroni.yml list",
		"grep -E 'primary_(conninfo|slot_name)' /var/lib/postgresql/15/liuma/postgresql.conf | sed 's/password=[^ ]*//'; ls -l /var/lib/postgresql/15/liuma/*.signal",
		"ps -eo pid,stat,args | grep -E '[p]ostgres|[p]atroni|[e]tcd' | cut -c1-150",
		"/usr/lib/postgresql/15/bin/pg_controldata /var/lib/postgresql/15/liuma | grep -E 'state|TimeLineID|inimum|checkpoint location'",
	} {
		out, err := n.sh(line)
		said = append(said, "$ "+line, out)
		if err != nil {
			said = append(said, err.Error())
		}
	}
	return strings.Join(append(said, "and said at last:", n.lastSaid()), "\n")
}

// checkpoint has every node throw away log that is not needed any more (see keepLess). By
// itself a primary does so each five minutes, and none lasts for as long here.
func (c *cluster) checkpoint() {
	for _, n := range c.nodes {
		if n.machine == nil {
			continue
		}
		if out, err := n.psql("CHECKPOINT"); err != nil { // a node that is away
			c.t.Logf("checkpoint on %s: %v %s", n.name, err, out)
		}
	}
}

// tellHealed is how often an operator had to do what.
func (c *cluster) tellHealed() string {
	if len(c.healed) == 0 {
		return "every node came back by itself"
	}
	var said []string
	for _, s := range slices.Sorted(maps.Keys(c.healed)) {
		said = append(said, fmt.Sprintf("%s: %d times", s, c.healed[s]))
	}
	return strings.Join(said, "; ")
}
