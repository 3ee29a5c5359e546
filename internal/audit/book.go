package audit

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Finding is the first fault of a record: an entry that is missing, altered or
// added, or a fault of a digest or an archive.
type Finding struct {
	Place          // of the entry; zero if a digest or an archive is at fault
	Digest  uint64 // the digest's number; zero if no digest is at fault
	Archive uint64 // the archive's number; zero if no archive is at fault
	What    string // begins with a Fault
}

func (f *Finding) Error() string {
	if f.Archive > 0 {
		return fmt.Sprintf("archive %d: %s", f.Archive, f.What)
	}
	if f.Digest > 0 {
		return fmt.Sprintf("digest %d: %s", f.Digest, f.What)
	}
	return fmt.Sprintf("stream %s, entry %d: %s", f.Stream, f.Number, f.What)
}

// point is a head that a digest lists.
type point struct {
	Head
	digest uint64
}

// known is what a Book knows about one stream.
type known struct {
	points []point // ascending by number
	seen   bool    // the record has the stream
	// from is the cut: the last entry that is archived and no longer in the
	// record.
	from Head
	// left is the last entry of the stream in the archives that were read.
	left Head
}

// Book compares a whole record with its digests: first every digest of the
// record in order (Digest), then the digests that were shipped earlier, if
// there are any (Shipped), then every stream (Stream), then End. Each method
// returns a *Finding for the first fault. A Book keeps some 100 bytes for each
// stream of the record and for each change that a digest lists.
type Book struct {
	keys    *jose.JSONWebKeySet // nil: signatures are not checked
	last    SignedDigest
	sum     Sum
	entries uint64 // number of entries that the digests count
	tokens  map[uint64]Hash
	streams map[Stream]*known
	fork    *Finding // a shipped digest that the record does not have
	next    uint64   // the number of the record's next digest
	// archives are the archives that were read, from the first on. anchor is the
	// archive after which the record begins; zero if the record has everything.
	archives []SignedArchive
	anchor   SignedArchive
	ends     map[Place]Hash // hashes of all entries of process starts
	starts   []Recorded     // first entries that name an earlier start
	// TakenUp are streams of cards whose rows were lost. It says which entries
	// before the card's adoption no digest covers.
	TakenUp []TakenUp
	// Archived counts the entries that are only in archives.
	Archived uint64
	// Uncovered counts entries that no digest covers yet.
	Uncovered uint64
}

// TakenUp says that the end of a stream was lost with its card's row, and that the
// stream continues after the entries that existed when the card was adopted
// (CardAdopted). Whoever deleted the row could have removed, added or rewritten
// entries before that, back to the last entry that a digest covers.
type TakenUp struct {
	Adopted Place  // the entry that records the adoption
	From    uint64 // the first entry that only the chain protects
}

// NewBook makes an empty Book. Without keys (nil) the digests' signatures are
// not checked.
func NewBook(keys *jose.JSONWebKeySet) *Book {
	return &Book{keys: keys, next: 1, tokens: map[uint64]Hash{}, streams: map[Stream]*known{}, ends: map[Place]Hash{}}
}

// Last returns the latest digest of the record; its Number is zero if there is
// none.
func (b *Book) Last() Digest { return b.last.Digest }

func (b *Book) stream(s Stream) *known {
	k := b.streams[s]
	if k == nil {
		k = &known{}
		b.streams[s] = k
	}
	return k
}

func wrongDigest(number uint64, f Fault, format string, args ...any) *Finding {
	return &Finding{Digest: number, What: string(f) + ": " + fmt.Sprintf(format, args...)}
}

// Digest takes the record's next digest with its changes. If an archive also
// holds it, it must be the same.
func (b *Book) Digest(token string, changes []Head) error {
	d, err := ParseDigest(token, b.keys)
	switch {
	case err != nil:
		return wrongDigest(b.next, Altered, "%v", err)
	case d.Number > b.next:
		return wrongDigest(b.next, Missing, "the record goes on with digest %d", d.Number)
	case d.Number < b.next:
		return wrongDigest(d.Number, Added, "it stands after digest %d", b.next-1)
	}
	if f := listed(d, changes); f != nil {
		return f
	}
	if own, there := b.tokens[d.Number]; there && own != d.Hash() {
		return wrongDigest(d.Number, Altered, "the archives have another one")
	}
	if d.Number > b.last.Number {
		if f := b.grow(d, changes); f != nil {
			return f
		}
	}
	b.next++
	return nil
}

// grow adds the digest that follows the last one.
func (b *Book) grow(d SignedDigest, changes []Head) *Finding {
	switch next := d.Number; {
	case next > 1 && d.Previous != b.last.Hash():
		return wrongDigest(next, Altered, "it does not follow digest %d, or that one was altered", b.last.Number)
	case next > 1 && d.Issuer != b.last.Issuer:
		return wrongDigest(next, Altered, "it is another issuer's")
	}
	for _, c := range changes {
		k := b.stream(c.Stream)
		if n := len(k.points); n > 0 {
			before := k.points[n-1].Head
			if c.Number <= before.Number {
				return wrongDigest(d.Number, Altered, "stream %s did not grow", c.Stream)
			}
			b.sum.Remove(before)
			b.entries -= before.Number
		}
		b.sum.Add(c)
		b.entries += c.Number
		k.points = append(k.points, point{c, d.Number})
	}
	if d.Sum != b.sum || d.Streams != uint64(len(b.streams)) || d.Entries != b.entries {
		return wrongDigest(d.Number, Altered, "its sum is not that of its changes and those before")
	}
	b.last, b.tokens[d.Number] = d, d.Hash()
	return nil
}

// listed checks a digest's list of changes against the digest.
func listed(d SignedDigest, changes []Head) *Finding {
	sorted := slices.IsSortedFunc(changes, func(x, y Head) int { return x.Stream.Compare(y.Stream) })
	if uint64(len(changes)) != d.Changed || ChangesHash(changes) != d.Changes || !sorted {
		return wrongDigest(d.Number, Altered, "the list of its changes is not the one that was signed")
	}
	return nil
}

// Shipped takes a digest that was shipped to another place, after all of the
// record's own digests. at is when the record was read: a later digest need not
// be in the record (newer), any other must be. If it is missing or different,
// End reports it, unless Stream first finds an entry that shows the fault.
func (b *Book) Shipped(token string, changes []Head, at time.Time) (newer bool, err error) {
	d, err := ParseDigest(token, b.keys)
	if err != nil {
		return false, fmt.Errorf("shipped digest: %w", err)
	}
	if f := listed(d, changes); f != nil {
		return false, fmt.Errorf("shipped %w", f)
	}
	own, there := b.tokens[d.Number]
	switch {
	case !there && d.Number < b.anchor.Digest:
		return false, nil // it is in an archive that was not given
	case there && own == d.Hash():
		return false, nil
	case there:
		b.forked(wrongDigest(d.Number, Altered, "it is not the one that was shipped: the record was rewritten, or put back to an earlier state, before it"))
	case d.At.After(at) && (d.Number > b.last.Number+1 || d.Number == 1 || d.Previous == b.last.Hash()):
		return true, nil
	default:
		b.forked(wrongDigest(b.last.Number+1, Missing, "digest %d was shipped, and the record ends with digest %d: it was put back to an earlier state, or cut off", d.Number, b.last.Number))
	}
	for _, c := range changes {
		k := b.stream(c.Stream)
		k.points = append(k.points, point{c, d.Number})
		slices.SortStableFunc(k.points, func(x, y point) int { return int(min(max(int64(x.Number)-int64(y.Number), -1), 1)) })
	}
	return false, nil
}

func (b *Book) forked(f *Finding) {
	if b.fork == nil || f.Digest < b.fork.Digest {
		b.fork = f
	}
}

// Stream takes a stream: its head and its entries, from the first entry on or from
// the first after its cut.
func (b *Book) Stream(head Head, entries iter.Seq[Recorded]) error {
	k := b.stream(head.Stream)
	if k.seen {
		return &Finding{Place: Place{head.Stream, 1}, What: string(Added) + ": the stream is there twice"}
	}
	k.seen = true
	if head.Number == 0 {
		return &Finding{Place: Place{head.Stream, 1}, What: string(Missing) + ": the end of the stream, and with it whatever was cut off"}
	}
	var off *Finding // the first point that the entries contradict
	met := 0         // points before this one were compared
	watched := func(yield func(Recorded) bool) {
		for e := range entries {
			b.remember(e)
			if e.Event == CardAdopted && e.Stream.Kind == OfCard {
				b.takenUp(k, e.Place)
			}
			for e.Stream == head.Stream && met < len(k.points) && k.points[met].Number <= e.Number {
				if p := k.points[met]; off == nil && p.Number == e.Number && p.Hash != e.Hash() {
					off = rewritten(k.points, met)
				}
				met++
			}
			if !yield(e) {
				return
			}
		}
	}
	for met < len(k.points) && k.points[met].Number <= k.from.Number {
		met++
	}
	err := Verify(k.from, head, watched)
	if broken, ok := errors.AsType[*Break](err); ok {
		if off != nil && off.Number < broken.Number {
			return off
		}
		return &Finding{Place: broken.Place, What: string(broken.Fault)}
	}
	switch {
	case err != nil:
		return err
	case off != nil:
		return off
	}
	covered := uint64(0)
	if n := len(k.points); n > 0 {
		end := k.points[n-1]
		if end.Number > head.Number {
			return &Finding{Place: Place{head.Stream, head.Number + 1}, What: fmt.Sprintf("%s: digest %d has %d entries of the stream", Missing, end.digest, end.Number)}
		}
		covered = end.Number
	}
	b.Uncovered += head.Number - max(covered, k.from.Number)
	return nil
}

// takenUp records the adoption of a stream's card. A digest made before the
// adoption proves the entries up to its point.
func (b *Book) takenUp(k *known, adopted Place) {
	from := uint64(1)
	for _, p := range k.points {
		if p.Number < adopted.Number {
			from = p.Number + 1
		}
	}
	b.TakenUp = append(b.TakenUp, TakenUp{adopted, from})
}

// rewritten returns the finding that an entry was altered although the chain is
// whole. It is only known that the entry is after the previous point.
func rewritten(points []point, at int) *Finding {
	p, first := points[at], uint64(1)
	for _, before := range points[:at] {
		if before.Number < p.Number {
			first = before.Number + 1
		}
	}
	what := fmt.Sprintf("%s: digest %d has another hash for it", Altered, p.digest)
	if first < p.Number {
		what = fmt.Sprintf("%s: digest %d has another hash for it; the first altered entry is one of %d to %d", Altered, p.digest, first, p.Number)
	}
	return &Finding{Place: p.Place, What: what}
}

func (b *Book) remember(e Recorded) {
	if e.Stream.Kind != OfProcess {
		return
	}
	b.ends[e.Place] = e.Hash()
	if e.Number == 1 && !e.After.IsZero() {
		b.starts = append(b.starts, e)
	}
}

// End is called at the end of the record: every stream in a digest must have
// come, and every process start must follow the start that it names.
func (b *Book) End() error {
	var gone *Finding
	if last := b.last.Number; b.next <= last {
		return wrongDigest(b.next, Missing, "the archives hold digests up to %d", last)
	}
	for s, k := range b.streams {
		if k.seen || gone != nil && gone.Stream.Compare(s) < 0 {
			continue
		}
		gone = &Finding{Place: Place{s, 1}, What: fmt.Sprintf("%s, with the whole stream: digest %d has it", Missing, k.points[0].digest)}
	}
	if gone != nil {
		return gone
	}
	for _, e := range b.starts {
		switch hash, there := b.ends[e.After]; {
		case !there && b.streams[e.After.Stream] != nil && b.streams[e.After.Stream].from.Number >= e.After.Number && len(b.archives) == 0:
			// The earlier start is in an archive that was not given.
		case !there:
			return &Finding{Place: e.After, What: fmt.Sprintf("%s: the start %s follows it", Missing, e.Stream)}
		case hash != e.Previous:
			return &Finding{Place: e.After, What: fmt.Sprintf("%s: the start %s has another hash for it", Altered, e.Stream)}
		}
	}
	if b.fork != nil {
		return b.fork
	}
	return nil
}
