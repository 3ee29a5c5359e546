package audit

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// Archive takes the next archive, before the record itself. Its digests must follow
// the previous archive's from the first digest on, and its entries must follow the
// previous archive's entries in each stream. If the file is wrong, the error is a
// *Finding.
func (b *Book) Archive(number uint64, r io.Reader) error {
	want := uint64(len(b.archives)) + 1
	if number > want {
		return wrongArchive(want, Missing, "there is no file of it, and one of archive %d", number)
	}
	a := newReading(r, b.keys, b)
	err := a.run()
	switch f, ok := errors.AsType[*Finding](err); {
	case a.head.Number > 0 && a.head.Number != number:
		return wrongArchive(number, Added, "the file holds archive %d", a.head.Number)
	case number < want:
		return wrongArchive(number, Added, "there are two files of it")
	case len(b.archives) > 0 && a.head.Format != "" && a.head.Previous != b.archives[want-2].Hash():
		return wrongArchive(number, Altered, "it does not follow archive %d, or that one was altered", want-1)
	case ok:
		return wrongArchive(number, Altered, "%s", f.Error())
	case err != nil:
		return wrongArchive(number, Altered, "%v", err)
	}
	if s := a.missed(); s != "" {
		return wrongArchive(number, Missing, "the entries of stream %s", s)
	}
	b.archives = append(b.archives, a.signed)
	return nil
}

// missed names a stream that the archive's digests list but that the archive does
// not contain.
func (a *reading) missed() string {
	for s := range a.heads {
		return s.String()
	}
	return ""
}

// archived takes the part of a stream that is in an archive.
func (b *Book) archived(to Head, entries iter.Seq[Recorded]) error {
	k := b.stream(to.Stream)
	at, next := k.left.Number, 0
	err := Verify(k.left, to, func(yield func(Recorded) bool) {
		for e := range entries {
			b.remember(e)
			if e.Event == CardAdopted && e.Stream.Kind == OfCard {
				b.takenUp(k, e.Place)
			}
			for next < len(k.points) && k.points[next].Number < e.Number {
				next++
			}
			if next < len(k.points) && k.points[next].Number == e.Number && k.points[next].Hash != e.Hash() {
				at = e.Number
				return // End or the next archive finds what is missing
			}
			if !yield(e) {
				return
			}
		}
	})
	if err != nil {
		if at > k.left.Number {
			return &Finding{Place: Place{to.Stream, at}, What: fmt.Sprintf("%s: a digest has another hash for it", Altered)}
		}
		return err
	}
	k.left = to
	return nil
}

// Anchored begins the record after an archive: first comes the archive's last
// digest, with the cuts of all streams instead of the digest's changes. It is
// called after all archives. The digest's signed sum proves that the cuts are
// complete and unchanged.
func (b *Book) Anchored(archive, digest string, cuts []Head) error {
	a, err := ParseArchive(archive, b.keys)
	if err != nil {
		return wrongDigest(1, Missing, "the record does not begin with it, and the archive is not vouched for: %v", err)
	}
	d, err := ParseDigest(digest, b.keys)
	switch {
	case err != nil:
		return wrongDigest(a.Digest, Altered, "%v", err)
	case d.Number != a.Digest || d.Hash() != a.DigestHash || d.Issuer != a.Issuer:
		return wrongDigest(a.Digest, Altered, "archive %d ends with another one", a.Number)
	}
	if f := b.held(a); f != nil {
		return f
	}
	var sum Sum
	var entries uint64
	for i, c := range cuts {
		if i > 0 && cuts[i-1].Stream.Compare(c.Stream) >= 0 {
			return wrongDigest(d.Number, Altered, "the cuts of the streams are not in their order")
		}
		sum.Add(c)
		entries += c.Number
		k := b.stream(c.Stream)
		k.from = c
		if len(b.archives) == 0 {
			k.points = []point{{c, d.Number}}
		}
	}
	if sum != d.Sum || entries != d.Entries || uint64(len(cuts)) != d.Streams {
		return wrongDigest(d.Number, Altered, "the cuts of the streams are not those that it has")
	}
	if len(b.archives) == 0 {
		b.last, b.sum, b.entries, b.tokens[d.Number] = d, sum, entries, d.Hash()
	}
	b.anchor, b.next, b.Archived = a, d.Number+1, entries
	return nil
}

// held looks for the archive among the archives that were read.
func (b *Book) held(a SignedArchive) *Finding {
	switch n := uint64(len(b.archives)); {
	case n == 0:
		return nil
	case a.Number > n:
		return wrongArchive(n+1, Missing, "the record begins after archive %d", a.Number)
	case b.archives[a.Number-1].Token != a.Token:
		return wrongArchive(a.Number, Altered, "it is not the one that the record begins after")
	}
	return nil
}
