// Command genpassphrases makes the fingerprints of common passphrases from the two
// lists that data/README.md names. It guarantees that it writes nothing unless both
// lists are, byte for byte, those that it was written for. It trusts that they hold
// texts that many people chose. The lists are not in the repository; if they are not in
// data/lists either, the committed fingerprints stay as they are.
//
// Run it with go generate ./internal/pin.
//
// Start here: main.go.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	dir  = "data"
	from = "data/lists"
	out  = "common-passphrases.prints"

	printSize = 5 // bytes of each entry's SHA-256
	// Words from four letters on are kept, because people add digits to them; whole
	// passphrases from eight characters on.
	leastWord, leastWhole, most = 4, 8, 64
)

// lists are the sources: each has the most frequent passwords of a leak, one a line.
var lists = []struct{ name, sum string }{
	{"ignis-100K.txt", "07f876a616f08fb2cc5c3e0ce04e4a6d1123380580472b0997baebc4e8226977"},
	{"Chinese-common-password-list-top-100000.txt", "5acd0862c3b6efccc12f7f94f96ba5e45ab4d455d7e63b55c59a2510dfea2fae"},
}

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("genpassphrases: %v", err)
	}
}

func run() error {
	var all [][]byte
	for _, l := range lists {
		content, err := os.ReadFile(filepath.Join(from, l.name))
		if errors.Is(err, fs.ErrNotExist) {
			log.Printf("genpassphrases: no %s in %s: %s stays as it is (data/README.md)", l.name, from, out)
			return nil
		}
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != l.sum {
			return fmt.Errorf("%s: SHA-256 is %s, want %s", l.name, got, l.sum)
		}
		all = append(all, content)
	}
	prints, n := build(all)
	log.Printf("genpassphrases: %d entries", n)
	return os.WriteFile(filepath.Join(dir, out), prints, 0o644)
}

// build returns the sorted fingerprints of all entries of the lists, and how many there
// are.
func build(lists [][]byte) (prints []byte, n int) {
	seen := map[[printSize]byte]bool{}
	for _, list := range lists {
		for line := range bytes.Lines(list) {
			text, ok := entry(string(bytes.TrimRight(line, "\r\n")))
			if !ok {
				continue
			}
			sum := sha256.Sum256([]byte(text))
			seen[[printSize]byte(sum[:])] = true
		}
	}
	sorted := make([]string, 0, len(seen))
	for p := range seen {
		sorted = append(sorted, string(p[:]))
	}
	slices.Sort(sorted)
	return []byte(strings.Join(sorted, "")), len(sorted)
}

// entry folds a line in the way in which package pin folds a passphrase, and reports
// whether it is kept: a whole passphrase, or a shorter word of letters alone. Lines
// that are no valid text are left out.
func entry(line string) (string, bool) {
	if !utf8.ValidString(line) || strings.ContainsRune(line, utf8.RuneError) {
		return "", false
	}
	text := strings.Trim(strings.Map(unicode.ToLower, norm.NFKC.String(line)), " ")
	n := utf8.RuneCountInString(text)
	if n > most || strings.ContainsFunc(text, unicode.IsControl) {
		return "", false
	}
	word := !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	return text, n >= leastWhole || n >= leastWord && word
}
