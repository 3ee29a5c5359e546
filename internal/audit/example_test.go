package audit_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// An auditor examines an export with a program of their own, which needs
// nothing but JSON and SHA-256: it computes the hash of every entry anew, and
// compares it with what the next entry, the stream and the digests say.
func Example() {
	type head struct {
		Stream string
		Number uint64
		Hash   string
	}
	type entry struct {
		Stream                                    string
		Number, At                                uint64
		ID, Previous, Actor, Event, Outcome, Note string
		BusinessNo                                string `json:"business_no"`
		After                                     *head
	}
	file, err := os.Open("testdata/export.jsonl")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()

	unhex := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	hashOf := func(e entry) string {
		var b []byte
		field := func(value []byte) {
			b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
			b = append(b, value...)
		}
		number := func(n uint64) { field(binary.BigEndian.AppendUint64(nil, n)) }
		kind, id, _ := strings.Cut(e.Stream, ":")
		field([]byte("liuma/1/audit"))
		field([]byte(kind))
		field(unhex(id))
		number(e.Number)
		field(unhex(e.ID))
		field(unhex(e.Previous))
		if e.After == nil {
			field(nil)
			field(nil)
		} else {
			_, id, _ := strings.Cut(e.After.Stream, ":")
			field(unhex(id))
			number(e.After.Number)
		}
		number(e.At)
		for _, text := range []string{e.Actor, e.Event, e.BusinessNo, e.Outcome, e.Note} {
			field([]byte(text))
		}
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:])
	}

	digested := map[string]map[uint64]string{} // by stream and number: what digests say
	var current, before head                   // the stream that is read, and its entry before
	ended := func() {
		if before != current {
			fmt.Printf("%s does not end with entry %d as it should\n", current.Stream, current.Number)
		}
	}
	entries := 0
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			Change, Stream *head
			Entry          *entry
			End            *struct{ Entries int }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Println(err)
			return
		}
		switch {
		case line.Change != nil:
			if digested[line.Change.Stream] == nil {
				digested[line.Change.Stream] = map[uint64]string{}
			}
			digested[line.Change.Stream][line.Change.Number] = line.Change.Hash
		case line.Stream != nil:
			ended()
			current, before = *line.Stream, head{Stream: line.Stream.Stream}
		case line.Entry != nil:
			e, hash := *line.Entry, hashOf(*line.Entry)
			entries++
			if e.Number != before.Number+1 || e.Number > 1 && e.Previous != before.Hash {
				fmt.Printf("entry %d of %s does not follow entry %d\n", e.Number, e.Stream, before.Number)
			}
			if want, there := digested[e.Stream][e.Number]; there && want != hash {
				fmt.Printf("entry %d of %s is not the one that was digested\n", e.Number, e.Stream)
			}
			delete(digested[e.Stream], e.Number)
			before = head{e.Stream, e.Number, hash}
		case line.End != nil:
			ended()
			fmt.Println("entries:", entries, "of", line.End.Entries)
		}
	}
	for stream, left := range digested {
		for number := range left {
			fmt.Printf("entry %d of %s is missing\n", number, stream)
		}
	}
	// Output: entries: 9 of 9
}
