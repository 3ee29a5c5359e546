package bench

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/pprof/profile"
)

// stack is a sample with its frames, the deepest first.
func stack(nanoseconds int64, frames ...string) *profile.Sample {
	s := &profile.Sample{Value: []int64{1, nanoseconds}}
	for _, f := range frames {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: f}}}})
	}
	return s
}

const serving = "net/http.(*conn).serve"

// TestDeepestRoomHasTheTime: what nobody names belongs to its caller, and a named room
// inside another has its own time.
func TestDeepestRoomHasTheTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames []string
		want   Room
	}{
		{"hashing for a seal", []string{"crypto/internal/fips140/sha256.block", "crypto/hmac.New", house + "internal/vault.(*Vault).SealRow", house + "internal/store/rows.(*Tx).Finish"}, RoomCrypto},
		{"SQLite of the store", []string{"modernc.org/sqlite/lib._sqlite3VdbeExec", "modernc.org/sqlite.(*stmt).exec", house + "internal/store/sqlite.(*conn).exec"}, RoomStore},
		{"SQLite of the ledger", []string{"modernc.org/sqlite/lib._sqlite3VdbeExec", "database/sql.(*Stmt).ExecContext", house + "internal/ledger/sqlite.(*writer).put", house + "internal/ledger.(*Ledger).Spend"}, RoomLedger},
		{"memory for JSON", []string{"runtime.mallocgc", "encoding/json.Unmarshal", house + "internal/door/api.(*API).verify", serving}, RoomHTTP},
		{"a system call of HTTP", []string{"syscall.Syscall", "internal/poll.(*FD).Write", "net.(*conn).Write", "net/http.checkConnErrorWriter.Write", serving}, RoomHTTP},
		{"a system call of the driver", []string{"syscall.Syscall", "internal/poll.(*FD).Write", "net.(*conn).Write", "github.com/jackc/pgx/v5/pgconn.(*PgConn).flush"}, RoomStore},
		{"a room in between", []string{"runtime.mapaccess1", house + "internal/ceremony.(*Engine).Verify", house + "internal/door/api.(*API).verify", serving}, RoomRest},
		{"collecting beside others", []string{"runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker"}, RoomGC},
		{"collecting for an allocation", []string{"runtime.gcDrainN", "runtime.gcAssistAlloc1", "runtime.mallocgc", house + "internal/store/rows.encode"}, RoomGC},
		{"the scheduler", []string{"runtime.futex", "runtime.findRunnable", "runtime.schedule", "runtime.mcall"}, RoomRest},
		{"no frame at all", nil, RoomRest},
		{"TLS to a keeper", []string{"crypto/tls.(*Conn).Write", house + "internal/keeper/remote.(*Node).call"}, RoomHTTP},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := newSorter().sample(stack(1, c.frames...)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestInlinedCallsAreFrames: of the calls at one address the deepest is first.
func TestInlinedCallsAreFrames(t *testing.T) {
	s := &profile.Sample{Location: []*profile.Location{{Line: []profile.Line{
		{Function: &profile.Function{Name: "crypto/subtle.xorBytes"}}, {Function: &profile.Function{Name: house + "internal/ledger.AppendRow"}}}}}}
	if got := newSorter().sample(s); got != RoomCrypto {
		t.Errorf("%q, want the inlined call's", got)
	}
}

// TestSharesAddUp to 100 %, of profiles of different lengths.
func TestSharesAddUp(t *testing.T) {
	of := func(samples ...*profile.Sample) *profile.Profile {
		return &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples"}, {Type: "cpu"}}, Sample: samples}
	}
	got, err := sharesOf([]*profile.Profile{
		of(stack(1, "crypto/sha256.Sum256"), stack(1, house+"internal/ledger.(*Ledger).Spend")),
		of(stack(1, serving)),
	}, 900)
	if err != nil {
		t.Fatal(err)
	}
	sum, tenths := 0.0, 0
	for _, s := range got {
		sum += s.Each
		tenths += int(math.Round(s.Percent * 10))
	}
	if tenths != 1000 {
		t.Errorf("%d tenths of a per cent", tenths)
	}
	if math.Abs(sum-900) > 1e-6 {
		t.Errorf("%v µs of 900", sum)
	}
	if got[0].Room != RoomCrypto || math.Abs(got[0].Each-300) > 1e-6 {
		t.Errorf("first %+v, want a third for the cryptography", got[0])
	}
}

// TestNoSamples is an error, not a split of nothing.
func TestNoSamples(t *testing.T) {
	if _, err := sharesOf([]*profile.Profile{{SampleType: []*profile.ValueType{{Type: "cpu"}}}}, 1); err == nil {
		t.Error("no error")
	}
}

// TestProfilesAreWrittenAsOne: what is written is one profile with the samples of all.
func TestProfilesAreWrittenAsOne(t *testing.T) {
	one := func(nanoseconds int64) *profile.Profile {
		f := &profile.Function{ID: 1, Name: "work"}
		at := &profile.Location{ID: 1, Address: 1, Line: []profile.Line{{Function: f}}}
		return &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
			PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1, Function: []*profile.Function{f}, Location: []*profile.Location{at},
			Sample: []*profile.Sample{{Location: []*profile.Location{at}, Value: []int64{1, nanoseconds}}}}
	}
	var b bytes.Buffer
	if err := writeProfile(&b, []*profile.Profile{one(2), one(5)}); err != nil {
		t.Fatal(err)
	}
	whole, err := profile.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Sample) != 1 || whole.Sample[0].Value[1] != 7 || whole.Function[0].Name != "work" {
		t.Errorf("%v, want one sample of 7 ns in work", whole)
	}
}
