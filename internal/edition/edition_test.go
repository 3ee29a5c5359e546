package edition_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// house is a database with two operators, an officer and an officer of a region.
type house struct {
	t        *testing.T
	store    store.Store
	now      atomic.Int64 // seconds after begin
	national policy.Policy
	files    map[string]string // of the configuration; nil: there are none
	// configure, if set, changes what a process is opened with.
	configure func(*edition.Config)
}

var begin = time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)

func newHouse(t *testing.T) *house {
	t.Helper()
	st, _ := testkit.OpenStore(t)
	h := &house{t: t, store: st, national: policy.National()}
	for id, role := range map[liuma.StaffID]liuma.StaffRole{"op": liuma.RoleOperator, "op2": liuma.RoleOperator, "off": liuma.RoleOfficer, "clerk": liuma.RoleClerk} {
		h.member(store.Member{ID: id, Name: string(id), Roles: []liuma.StaffRole{role}, State: store.MemberActive})
	}
	return h
}

func (h *house) member(m store.Member) {
	h.t.Helper()
	must(h.t, h.store.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		err := tx.InsertMember(m)
		if errors.Is(err, store.ErrExists) {
			err = tx.UpdateMember(m)
		}
		return audit.Entry{At: begin, Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}, err
	}))
}

func (h *house) clock() time.Time { return begin.Add(time.Duration(h.now.Load()) * time.Second) }

func (h *house) pass(d time.Duration) { h.now.Add(int64(d / time.Second)) }

// open starts a process.
func (h *house) open() *edition.Editions {
	h.t.Helper()
	two, err := proposal.New(proposal.Config{Store: h.store, Now: h.clock})
	must(h.t, err)
	c := edition.Config{Store: h.store, Proposals: two, Now: h.clock, National: h.national}
	if h.files != nil {
		c.Files = func() (files []policy.File, err error) {
			for name, text := range h.files {
				f, err := policy.ParseFile(name, []byte(text))
				if err != nil {
					return nil, err
				}
				files = append(files, f)
			}
			return files, nil
		}
	}
	if h.configure != nil {
		h.configure(&c)
	}
	e, err := edition.Open(h.t.Context(), c)
	must(h.t, err)
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got, err error) {
	t.Helper()
	if !errors.Is(got, err) {
		t.Errorf("%v, want %v", got, err)
	}
}

// set is a whole policy, of names and texts in turn.
func set(files ...string) edition.Draft {
	d := edition.Draft{Whole: true, Reason: "a trial"}
	for i := 0; i < len(files); i += 2 {
		d.Files = append(d.Files, edition.Text{Name: files[i], Text: files[i+1]})
	}
	return d
}

func some(files ...string) edition.Draft {
	d := set(files...)
	d.Whole = false
	return d
}

func (h *house) propose(e *edition.Editions, d edition.Draft) edition.Proposed {
	h.t.Helper()
	p, err := e.Propose(h.t.Context(), "op", d)
	must(h.t, err)
	return p
}

func approval(p edition.Proposed) edition.Approval {
	return edition.Approval{ID: p.ID, Digest: p.Digest}
}

// change lets two members change the policy.
func (h *house) change(e *edition.Editions, d edition.Draft) edition.Approved {
	h.t.Helper()
	done, err := e.Approve(h.t.Context(), "off", approval(h.propose(e, d)))
	must(h.t, err)
	return done
}

func running(t *testing.T, e *edition.Editions) *policy.Running {
	t.Helper()
	r, err := e.Running()
	must(t, err)
	return r
}

func attempts(t *testing.T, e *edition.Editions, region liuma.Region) int {
	t.Helper()
	return running(t, e).For(region, "").Limits.Attempts
}

func (h *house) approvals() (notes []string) {
	h.t.Helper()
	must(h.t, h.store.View(h.t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		notes = nil
		for _, e := range all {
			if e.Event == audit.ProposalApproved && strings.Contains(e.Note, "kind=policy.change") {
				notes = append(notes, e.Actor+" "+e.Note)
			}
		}
		return err
	}))
	return notes
}

const (
	five    = "layer: region 33\nlimits.attempts: 5\n"
	four    = "layer: region 33\nlimits.attempts: 4\n"
	strict  = "layer: region 3305\nlimits.attempts: 3\nrecovery.card_number: true\n"
	channel = "layer: channel zj-app\nlimits.attempts: 2\n"
)

// Two members change the policy beside a running process: what the one proposed is
// what the other sees and what holds, and the record has it before.
func TestTwoChangeThePolicy(t *testing.T) {
	h := newHouse(t)
	h.files = map[string]string{"33.yaml": five}
	e := h.open()
	p := h.propose(e, some("city.yaml", strict, "app.yaml", channel))
	if got := attempts(t, e, "3305"); got != 5 {
		t.Errorf("a proposal holds already: %d", got)
	}
	seen, err := e.Of(t.Context(), p.ID)
	must(t, err)
	if seen.Digest != p.Digest || seen.State != "open" || seen.Moved || len(seen.Files) != 3 || len(seen.Digest) != 64 {
		t.Errorf("%+v", seen)
	}
	changes := []edition.Change{
		{Layer: "region 3305", Value: "limits.attempts", Now: "3", File: "city.yaml", Line: 2},
		{Layer: "region 3305", Value: "recovery.card_number", Now: "true", File: "city.yaml", Line: 3},
		{Layer: "channel zj-app", Value: "limits.attempts", Now: "2", File: "app.yaml", Line: 2},
	}
	if len(seen.Diff.Changes) != 3 || seen.Diff.Changes[0] != changes[0] || seen.Diff.Changes[1] != changes[1] || seen.Diff.Changes[2] != changes[2] {
		t.Errorf("%+v", seen.Diff.Changes)
	}
	effects := map[string]string{}
	for _, x := range seen.Diff.Effects {
		for _, at := range x.Places {
			effects[string(at.Region)+"/"+string(at.Channel)+" "+x.Value] = x.Before + ">" + x.Now + " " + x.Layer
			if x.Looser != (x.Value == "recovery.card_number") {
				t.Errorf("%s: looser: %v", x.Value, x.Looser)
			}
		}
	}
	for place, is := range map[string]string{
		"3305/ limits.attempts":       "5>3 region 3305",
		"3305/ recovery.card_number":  "false>true region 3305",
		"/zj-app limits.attempts":     "6>2 channel zj-app",
		"33/zj-app limits.attempts":   "5>2 channel zj-app",
		"3305/zj-app limits.attempts": "5>2 channel zj-app",
	} {
		if effects[place] != is {
			t.Errorf("%s: %q, want %q", place, effects[place], is)
		}
		delete(effects, place)
	}
	if len(effects) > 0 {
		t.Errorf("effects too many: %v", effects)
	}
	done, err := e.Approve(t.Context(), "off", approval(p))
	must(t, err)
	if done.Edition != 2 || done.Sum != seen.Diff.Sum || !done.Runs {
		t.Errorf("%+v", done)
	}
	if got := attempts(t, e, "3305"); got != 3 {
		t.Errorf("the approved policy does not hold: %d", got)
	}
	notes := h.approvals()
	if len(notes) != 1 || !strings.Contains(notes[0], "staff:off proposal="+string(p.ID)) || !strings.Contains(notes[0], "proposed_by=op edition=2 policy="+done.Sum+" was="+seen.Diff.BaseSum+" reason=a trial") {
		t.Error(notes)
	}
	state, err := e.State(t.Context())
	must(t, err)
	if state.Edition != 2 || state.Approver != "off" || state.By != "op" || state.Sum != done.Sum || !state.FilesDiffer || len(state.Layers) != 3 {
		t.Errorf("%+v", state)
	}
}

// An edition goes before the files from then on, in every process and after each
// start; earlier ones stay readable, the files of the first start too.
func TestTheLastEditionRuns(t *testing.T) {
	h := newHouse(t)
	h.files = map[string]string{"33.yaml": five}
	one, other := h.open(), h.open()
	h.change(one, set("33.yaml", four))
	h.pass(time.Minute)
	second := h.change(one, set("33.yaml", four, "city.yaml", strict))
	if got := attempts(t, other, "3305"); got != 5 {
		t.Fatal(got)
	}
	must(t, other.Look(t.Context()))
	if got := attempts(t, h.open(), "3305"); got != 3 {
		t.Errorf("a start with the files of before: %d", got)
	}
	h.files = map[string]string{"33.yaml": "layer: region 33\nno.such: 1\n"}
	for name, e := range map[string]*edition.Editions{"another process": other, "a start": h.open()} {
		if got := attempts(t, e, "3305"); got != 3 {
			t.Errorf("%s: %d", name, got)
		}
	}
	state, err := h.open().State(t.Context())
	must(t, err)
	if state.Edition != 3 || state.Sum != second.Sum || !strings.Contains(state.FilesFault, "33.yaml:2") {
		t.Errorf("%+v", state)
	}
	all, err := one.History(t.Context(), 0)
	must(t, err)
	if len(all) != 3 || all[0].Edition != 3 || all[0].Approver != "off" || all[2].Approver != "" || all[2].Layers != 1 {
		t.Errorf("%+v", all)
	}
	before, err := one.History(t.Context(), 2)
	must(t, err)
	if len(before) != 1 || before[0].Edition != 1 {
		t.Errorf("%+v", before)
	}
	first, err := one.Edition(t.Context(), 1)
	must(t, err)
	if len(first.Files) != 1 || first.Files[0].Text != five {
		t.Errorf("%+v", first)
	}
	_, err = one.Edition(t.Context(), 4)
	want(t, err, edition.ErrUnknown)
}

// Every value says who let it: the edition since which its layer sets it so.
func TestExplainSaysWhoLetIt(t *testing.T) {
	h := newHouse(t)
	h.files = map[string]string{"33.yaml": five}
	e := h.open()
	value := func(name string, channel liuma.ChannelID) edition.Value {
		t.Helper()
		a, err := e.Explain(t.Context(), edition.Question{Region: "330502", Channel: channel})
		must(t, err)
		for _, v := range a.Values {
			if v.Value == name {
				return v
			}
		}
		t.Fatal("no such value:", name)
		return edition.Value{}
	}
	if v := value("limits.attempts", ""); v.Is != "5" || v.Of != "33" || v.Edition != 0 || v.Approver != "" {
		t.Errorf("%+v", v)
	}
	h.change(e, some("more.yaml", "layer: region 3305\nremind_after: 100d\n"))
	if v := value("limits.attempts", ""); v.Is != "5" || v.Edition != 1 || v.Approver != "" {
		t.Errorf("of the files at the start: %+v", v)
	}
	h.pass(time.Hour)
	h.change(e, some("more.yaml", "layer: region 3305\nremind_after: 100d\nlimits.attempts: 4\n"))
	if v := value("remind_after", "zj-app"); v.Is != "100d" || v.Edition != 2 || v.By != "op" || v.Approver != "off" || v.Line != 2 {
		t.Errorf("%+v", v)
	}
	if v := value("limits.attempts", ""); v.Is != "4" || v.Edition != 3 || !v.At.Equal(h.clock()) {
		t.Errorf("%+v", v)
	}
	h.change(e, some("more.yaml", "layer: region 3305\nremind_after: 90d\nlimits.attempts: 4\n"))
	h.change(e, some("more.yaml", "layer: region 3305\nremind_after: 100d\nlimits.attempts: 4\n"))
	if v := value("remind_after", ""); v.Edition != 5 {
		t.Errorf("it was another meanwhile: %+v", v)
	}
	if v := value("limits.window", ""); v.File != "" || v.Edition != 0 {
		t.Errorf("%+v", v)
	}
}

// TestExplainNamesTheChannelAbove: what a sub-channel goes by because of the channel that it
// works under is said to be of that channel's layer.
func TestExplainNamesTheChannelAbove(t *testing.T) {
	h := newHouse(t)
	must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: begin, Actor: "test", Event: audit.ChannelRegistered, Outcome: "ok"},
			tx.InsertClient(store.Client{ID: "huzhou-app", Kind: store.ClientChannel, Parent: "zj-app"})
	}))
	e := h.open()
	h.change(e, set("app.yaml", channel, "sub.yaml", "layer: channel huzhou-app\nlimits.attempts: 3\nlimits.lock_for: 2d\n"))
	a, err := e.Explain(t.Context(), edition.Question{Region: "3305", Channel: "huzhou-app"})
	must(t, err)
	for _, v := range a.Values {
		switch v.Value {
		case "limits.attempts":
			if v.Is != "2" || v.Of != "zj-app" || v.File != "app.yaml" || v.Edition != 2 || v.Approver != "off" {
				t.Errorf("%+v", v)
			}
		case "limits.lock_for":
			if v.Is != "2d" || v.Of != "huzhou-app" {
				t.Errorf("%+v", v)
			}
		}
	}
}

// What cannot be the policy is refused as a whole before anybody is asked, with file
// and line.
func TestLayersThatAreRefused(t *testing.T) {
	h := newHouse(t)
	e := h.open()
	for name, c := range map[string]struct {
		draft edition.Draft
		says  string
	}{
		"unknown":        {set("33.yaml", five, "x.yaml", "layer: region 3305\nlimits:\n  atempts: 3\n"), "x.yaml:3: limits.atempts: no such value"},
		"looser":         {set("x.yaml", "layer: region 33\nlimits.attempts: 7\n"), "x.yaml:2: limits.attempts: 7 is looser"},
		"looser beside":  {some("x.yaml", "layer: region 33\nrecovery.hold: 1h\n"), "x.yaml:2"},
		"twice":          {set("a.yaml", five, "b.yaml", four), "are both for region 33"},
		"one name":       {set("a.yaml", five, "a.yaml", strict), "a.yaml: two files have this name"},
		"a directory":    {set("../a.yaml", five), "want the name of a file"},
		"no name":        {set("", five), "want the name of a file"},
		"too long":       {set("a.yaml", five+strings.Repeat("#"+strings.Repeat("x", 99)+"\n", 5300)), "bytes"},
		"too few proofs": {set("a.yaml", "layer: region 33\nsteps.reset: code\n"), "a.yaml:2: steps.reset"},
	} {
		for act, err := range map[string]error{"check": second(e.Check(t.Context(), c.draft)), "propose": second(e.Propose(t.Context(), "op", c.draft))} {
			if !errors.Is(err, edition.ErrSet) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s %s: %v", act, name, err)
			}
		}
	}
	nothing := set()
	want(t, second(e.Propose(t.Context(), "op", nothing)), edition.ErrSame)
	without := set("33.yaml", five)
	without.Reason = " "
	want(t, second(e.Propose(t.Context(), "op", without)), audit.ErrReason)
	want(t, second(e.Propose(t.Context(), "clerk", set("33.yaml", five))), proposal.ErrRole)
	if n := len(h.approvals()); n != 0 || attempts(t, e, "33") != 6 {
		t.Error("something was changed")
	}
}

func second[T any](_ T, err error) error { return err }

// One member alone, two of one role, another digest, and a proposal that was made
// against another policy change nothing.
func TestApprovalsThatAreRefused(t *testing.T) {
	h := newHouse(t)
	e := h.open()
	p := h.propose(e, set("33.yaml", five))
	refused := func(by liuma.StaffID, a edition.Approval, err error) {
		t.Helper()
		want(t, second(e.Approve(t.Context(), by, a)), err)
		if got := attempts(t, e, "33"); got != 6 {
			t.Fatalf("%d: it holds", got)
		}
	}
	refused("op", approval(p), proposal.ErrSame)
	refused("op2", approval(p), proposal.ErrPair)
	refused("clerk", approval(p), proposal.ErrRole)
	refused("off", edition.Approval{ID: p.ID, Digest: strings.Repeat("0", 64)}, edition.ErrDigest)
	refused("off", edition.Approval{ID: p.ID}, edition.ErrDigest)
	refused("off", edition.Approval{ID: "none", Digest: p.Digest}, proposal.ErrUnknown)
	h.member(store.Member{ID: "op", Name: "op", Roles: []liuma.StaffRole{liuma.RoleOperator}, State: store.MemberActive, Region: "33"})
	refused("off", approval(p), edition.ErrBounds)
	h.member(store.Member{ID: "op", Name: "op", Roles: []liuma.StaffRole{liuma.RoleOperator}, State: store.MemberActive})
	// An upgrade of the program: the same layers mean something else.
	h.national.Limits.Attempts = 5
	want(t, second(h.open().Approve(t.Context(), "off", approval(p))), edition.ErrMoved)
	h.national = policy.National()
	h.pass(proposal.Lifetime)
	refused("off", approval(p), proposal.ErrLate)
	if seen, err := e.Of(t.Context(), p.ID); err != nil || seen.State != "late" {
		t.Error(seen.State, err)
	}
	one, two := h.propose(e, set("33.yaml", five)), h.propose(e, set("33.yaml", four))
	must(t, second(e.Approve(t.Context(), "off", approval(one))))
	want(t, second(e.Approve(t.Context(), "off", approval(two))), edition.ErrMoved)
	want(t, second(e.Approve(t.Context(), "off", approval(one))), proposal.ErrEnded)
	if seen, err := e.Of(t.Context(), two.ID); err != nil || !seen.Moved {
		t.Error(seen.Moved, err)
	}
	if got := attempts(t, e, "33"); got != 5 {
		t.Error(got)
	}
	// The files of the first start were changed before anything was approved.
	fresh := newHouse(t)
	p = fresh.propose(fresh.open(), set("33.yaml", five))
	fresh.files = map[string]string{"11.yaml": "layer: region 11\nlimits.attempts: 3\n"}
	want(t, second(fresh.open().Approve(t.Context(), "off", approval(p))), edition.ErrMoved)
}

// outside is a store that knows whether a transaction is under way.
type outside struct {
	store.Store
	in atomic.Int64
}

func (s *outside) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	return s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		s.in.Add(1)
		defer s.in.Add(-1)
		return f(tx)
	})
}

// TestNothingIsComparedWhileOthersWait: files are read and sets compared before the
// transaction of an approval and not in it, and what was approved meanwhile is noticed.
func TestNothingIsComparedWhileOthersWait(t *testing.T) {
	h := newHouse(t)
	st := &outside{Store: h.store}
	h.store = st
	looks := 0
	h.configure = func(c *edition.Config) {
		read := c.Files
		c.Files = func() ([]policy.File, error) {
			if looks++; st.in.Load() > 0 {
				t.Error("files are read in a transaction")
			}
			return read()
		}
		c.Regions = func() (*directory.Regions, error) {
			if looks++; st.in.Load() > 0 {
				t.Error("sets are compared in a transaction")
			}
			return directory.Published()
		}
	}
	h.files = map[string]string{"33.yaml": five}
	e := h.open()
	h.change(e, set("33.yaml", four))
	h.change(e, set("33.yaml", five))
	if looks < 5 {
		t.Errorf("%d looks: nothing was compared", looks)
	}
	// Between the comparison and the transaction somebody else approves.
	p := h.propose(e, set("33.yaml", four))
	other := h.propose(e, set("33.yaml", strict))
	h.configure = nil
	second := h.open()
	once := false
	h.configure = func(c *edition.Config) {
		c.Regions = func() (*directory.Regions, error) {
			if !once {
				once = true
				if _, err := second.Approve(t.Context(), "off", approval(other)); err != nil {
					t.Error(err)
				}
			}
			return directory.Published()
		}
	}
	if _, err := h.open().Approve(t.Context(), "off", approval(p)); !errors.Is(err, edition.ErrMoved) || !once {
		t.Errorf("approved over another one: %v", err)
	}
}

// An act that is open goes by the stricter of what holds and what has held since it
// began, through restarts; one that begins now by what holds.
func TestOpenActsFollowTheStricter(t *testing.T) {
	h := newHouse(t)
	h.files = map[string]string{"33.yaml": "layer: region 33\nlimits.attempts: 4\npassphrase: true\nremind_after: 100d\n"}
	e := h.open()
	began := h.clock()
	h.pass(5 * time.Minute)
	h.change(e, set("33.yaml", "layer: region 33\nlimits.attempts: 5\nlimits.lock_for: 2d\nremind_after: 200d\nsteps.reset: code-card-evidence\n"))
	h.pass(time.Minute)
	for name, e := range map[string]*edition.Editions{"running": e, "started again": h.open()} {
		r := running(t, e)
		if p := r.For("33", ""); p.Limits.Attempts != 5 || p.Passphrase {
			t.Errorf("%s: what begins now goes by %+v", name, p.Limits)
		}
		p := r.ForAct("33", "", began)
		if p.Limits.Attempts != 4 || p.Limits.LockFor != 48*time.Hour || p.Passphrase || p.RemindAfter != 100*24*time.Hour || p.Steps.Reset != "code-card-evidence" {
			t.Errorf("%s: what is open goes by %d tries, %s, passphrase %v, %s, %s", name, p.Limits.Attempts, p.Limits.LockFor, p.Passphrase, p.RemindAfter, p.Steps.Reset)
		}
		if !p.Began.Equal(began) {
			t.Error("it is not known any more when the act began")
		}
		if p := r.ForAct("33", "", h.clock()); p.Limits.Attempts != 5 {
			t.Errorf("%s: what begins now goes by %d tries", name, p.Limits.Attempts)
		}
	}
}

// Readers see one whole policy or the other while it is replaced again and again.
func TestReadersWhileSwapping(t *testing.T) {
	h := newHouse(t)
	e := h.open()
	texts := []string{"layer: region 33\nlimits.attempts: 5\nlimits.lock_for: 5d\n", "layer: region 33\nlimits.attempts: 4\nlimits.lock_for: 4d\n"}
	r := running(t, e)
	h.change(e, set("33.yaml", texts[1]))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if p := r.For("330502", "any"); p.Limits.LockFor != time.Duration(p.Limits.Attempts)*24*time.Hour {
					t.Errorf("half of each: %d tries, locked for %s", p.Limits.Attempts, p.Limits.LockFor)
					return
				}
				if p := r.ForAct("3305", "", begin); p.Limits.Attempts > 5 {
					t.Error("no layer holds")
					return
				}
				if _, err := e.Explain(t.Context(), edition.Question{Region: "33"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 20 {
		h.change(e, set("33.yaml", texts[i%2]))
	}
	close(stop)
	readers.Wait()
}

// Layers that hold nowhere are no policy: nothing runs, and two members may still
// approve another one.
func TestWithoutAPolicyNothingRuns(t *testing.T) {
	h := newHouse(t)
	h.files = map[string]string{"33.yaml": "layer: region 33\nlimits.attempts: 7\n"}
	e := h.open()
	if r, err := e.Running(); r != nil || !strings.Contains(err.Error(), "33.yaml:2") {
		t.Error(r, err)
	}
	want(t, second(e.Explain(t.Context(), edition.Question{})), policy.ErrLayers)
	if s, err := e.State(t.Context()); err != nil || s.Fault == "" {
		t.Error(s, err)
	}
	h.files = nil
	h.change(h.open(), set("33.yaml", five))
	h.national.Limits.Attempts = 4 // a release that allows less
	e = h.open()
	if r, err := e.Running(); r != nil || !strings.Contains(err.Error(), "edition 2") {
		t.Error(r, err)
	}
	h.change(e, set("33.yaml", four))
	if got := attempts(t, h.open(), "33"); got != 4 {
		t.Error(got)
	}
}
