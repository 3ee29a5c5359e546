package admission

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

// FuzzFiles: whatever is read comes back as it was, but for blanks; nothing panics.
func FuzzFiles(f *testing.F) {
	now := time.Now().UTC().Truncate(time.Second)
	r := aRequest(f, "authority", wire.Authority|wire.Closer, aKey(f))
	var list Callers
	a, err := list.Admit(anIssuer(f, now), k1(), r, heard(r, wire.Authority), now)
	if err != nil {
		f.Fatal(err)
	}
	dismissed := list
	if err := dismissed.Dismiss("authority", now); err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{r.Encode(), a.Encode(), list.Encode(), dismissed.Encode(), Callers{}.Encode(), []byte("{}"), []byte(`{"format":"liuma-request/1"}`), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		same := func(again []byte) {
			t.Helper()
			var was, is bytes.Buffer
			if json.Compact(&was, data) != nil || json.Compact(&is, again) != nil || !bytes.Equal(was.Bytes(), is.Bytes()) {
				t.Errorf("read %q, wrote %q", data, again)
			}
		}
		if r, err := ParseRequest(data); err == nil {
			same(r.Encode())
		}
		if a, err := ParseAdmission(data); err == nil {
			same(a.Encode())
		}
		if c, err := ParseCallers(data); err == nil {
			same(c.Encode())
		}
	})
}
