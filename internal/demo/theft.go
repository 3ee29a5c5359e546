package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// loot is the thief's copy of the database and the key file, and the data that
// can be read out of them.
type loot struct {
	keys   [][]byte   // secret keys of the key file
	card   store.Card // of the victim
	facts  registry.Facts
	people int64
}

// sceneTheft copies the authority's database and keys, without the keepers'
// directory, and tries every PIN on the copy.
func sceneTheft(ctx context.Context, p *play) error {
	l, err := p.stage.steal(ctx, p.cast.second)
	if err != nil {
		return err
	}
	p.Say(thiefWho(), authorityWho(), both(words.Steals))
	p.Note(both(func(w words) string {
		return w.ThiefReads(grouped(l.people), l.facts.MaskedName(), l.facts.MaskedIDNumber(), l.facts.MaskedPhone())
	}))
	p.Note(both(words.ThiefReadsNoPIN))
	if err := p.sweepLoot(ctx, l); err != nil {
		return err
	}
	return p.withKeeper(ctx, l)
}

// sweepLoot tries every PIN with every stolen key, beside a guesser of the
// same PIN kept as an Argon2id hash.
func (p *play) sweepLoot(ctx context.Context, l loot) error {
	h := p.cast.second
	s := newSweep(l, h.pin, p.c.Candidates)
	bar := progress.Count(p.c.Progress, p.label(both(words.Sweeping)), int64(p.c.Candidates), p.c.ProgressTerminal)
	guessing := newArgonGuess(h.pin, p.c.Guessing)
	start := time.Now()
	err := s.run(ctx, guessing, bar)
	bar.Done()
	if err != nil {
		return err
	}
	took := time.Since(start)
	if s.found.Load() != 0 {
		return want("no PIN found with the loot", fmt.Sprintf("%d", s.found.Load()))
	}
	if s.control.Load() == 0 {
		return errors.New("the sweep missed its control, so its finding nothing proves nothing")
	}
	tried, pairs := grouped(s.tried.Load()), grouped(s.tried.Load()*int64(len(l.keys)))
	p.Do(thiefWho(), both(func(w words) string {
		return w.Swept(tried, strconv.Itoa(len(l.keys)), pairs, fmt.Sprintf("%.0f", took.Seconds()))
	}))
	p.Note(both(func(w words) string { return w.Control(h.pin) }))
	if err := p.trueFunction(ctx, l); err != nil {
		return err
	}
	p.argonResult(guessing)
	return nil
}

// sampled is how many PINs the whole function is tried with. The right one is among them;
// otherwise finding nothing would mean nothing.
const sampled = 2000

// trueFunction tries a sample with the program's own split check, using a
// stolen key in place of the share keys.
func (p *play) trueFunction(ctx context.Context, l loot) error {
	for _, key := range l.keys {
		hit, _, err := trySample(ctx, l.card, p.filled(nil, key), sample(p.cast.second.pin, sampled))
		if err != nil {
			return err
		}
		if hit != "" {
			return want("no PIN found with a stolen key as the share key", hit)
		}
	}
	p.Do(thiefWho(), both(func(w words) string { return w.WholeFunction(strconv.Itoa(sampled)) }))
	return nil
}

func (p *play) argonResult(g *argonGuess) {
	cores := runtime.GOMAXPROCS(0)
	whole := time.Duration(float64(AllPINs) / g.rate() / float64(cores) * float64(time.Second))
	p.Do(thiefWho(), both(func(w words) string {
		result := w.Argon(strconv.Itoa(g.tried), fmt.Sprintf("%.1f", g.took.Seconds()), fmt.Sprintf("%.0f", g.rate()), grouped(AllPINs),
			strconv.Itoa(cores), fmt.Sprintf("%.1f", whole.Hours()))
		if g.found {
			result = w.ArgonFound(result)
		}
		return result
	}))
}

// withKeeper shows that the PIN is found with the keeper's share key.
func (p *play) withKeeper(ctx context.Context, l loot) error {
	if p.stage.house != nil {
		return p.withKeepers(ctx, l)
	}
	minutes, err := p.foundWith(ctx, l, p.stage.path(filepath.Join("data", "keepers", "k1")))
	if err != nil {
		return err
	}
	p.Note(both(func(w words) string { return w.WithKeeper(strconv.Itoa(sampled), p.cast.second.pin, minutes) }))
	p.Note(both(words.ThreeKeepers))
	return nil
}

// withKeepers shows that the share keys of one keeper of three are of no use, even together
// with everything that the authority has, and that those of two are enough.
func (p *play) withKeepers(ctx context.Context, l loot) error {
	posts := p.stage.house.Posts()
	held, err := readShareKeys(filepath.Join(posts[0].Dir, "keeper.json"), l.card.KeySet)
	if err != nil {
		return err
	}
	for _, key := range l.keys {
		hit, _, err := trySample(ctx, l.card, p.filled(held, key), sample(p.cast.second.pin, sampled))
		if err != nil {
			return err
		}
		if hit != "" {
			return want("no PIN found with the share keys of one keeper", hit)
		}
	}
	p.Do(thiefWho(), both(func(w words) string { return w.WithOneKeeper(string(posts[0].ID), strconv.Itoa(sampled)) }))
	minutes, err := p.foundWith(ctx, l, posts[0].Dir, posts[1].Dir)
	if err != nil {
		return err
	}
	p.Note(both(func(w words) string { return w.WithTwoKeepers(strconv.Itoa(sampled), p.cast.second.pin, minutes) }))
	return nil
}

// filled is a share key for every subset of the shape: those that are held, and key for the
// others.
func (p *play) filled(held map[split.Subset][]byte, key []byte) map[split.Subset][]byte {
	shape := split.Shape{T: 1, N: 1}
	if p.stage.house != nil {
		shape = split.Shape{T: 2, N: 3}
	}
	all := maps.Clone(held)
	if all == nil {
		all = map[split.Subset][]byte{}
	}
	for _, s := range shape.Subsets() {
		if all[s] == nil {
			all[s] = key
		}
	}
	return all
}

// foundWith finds the PIN with the share keys of some keepers' directories, and returns how
// many minutes all PINs would take.
func (p *play) foundWith(ctx context.Context, l loot, dirs ...string) (minutes string, err error) {
	shares := map[split.Subset][]byte{}
	for _, dir := range dirs {
		held, err := readShareKeys(filepath.Join(dir, "keeper.json"), l.card.KeySet)
		if err != nil {
			return "", err
		}
		maps.Copy(shares, held)
	}
	hit, perTry, err := trySample(ctx, l.card, shares, sample(p.cast.second.pin, sampled))
	if err != nil {
		return "", err
	}
	if hit != p.cast.second.pin {
		return "", want("the PIN found with the keeper's share key", hit)
	}
	whole := perTry * AllPINs / time.Duration(runtime.GOMAXPROCS(0))
	return fmt.Sprintf("%.0f", whole.Minutes()), nil
}

// steal copies the database and the key file, and reads them with the program
// itself, which is public.
func (s *stage) steal(ctx context.Context, victim *holder) (l loot, err error) {
	if err := os.MkdirAll(s.path("stolen"), 0o700); err != nil {
		return l, err
	}
	database, keyFile := s.path(filepath.Join("stolen", "liuma.db")), s.path(filepath.Join("stolen", "vault.key"))
	if err := s.world.System.Backup(ctx, database); err != nil {
		return l, err
	}
	if err := copyFile(s.world.System.Config.Vault, keyFile); err != nil {
		return l, err
	}
	if l.keys, err = readKeyFile(keyFile); err != nil {
		return l, err
	}
	v, err := vault.Open(keyFile)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	stolen, err := sqlite.OpenCopy(database, sqlite.Config{Seal: v})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, stolen.Close()) }()
	var person store.Person
	err = stolen.View(ctx, func(r store.Reader) error {
		if l.people, err = r.CountPersons(); err != nil {
			return err
		}
		if l.card, err = r.CardByHolder(v.Index(vault.IndexIDNumber, victim.facts.IDNumber)); err != nil {
			return err
		}
		person, err = r.Person(l.card.Holder)
		return err
	})
	if err != nil {
		return l, err
	}
	plain, err := v.Unseal(vault.PersonFacts, person.Holder[:], person.Sealed)
	if err != nil {
		return l, err
	}
	l.facts, err = registry.ParseFacts(plain)
	return l, err
}

// The layout of vault.key, which a thief reads in the source of package vault.
// After magic and version come the index root, how many root keys there are, the
// root keys with id and time, how many signing keys there are and which one
// signs, and the signing keys with the time each was made.
const (
	keyFileMagic = "liuma-vault\x03"
	keySize      = 32
	idSize       = 4
	madeSize     = 8
	sumSize      = 8
)

// readKeyFile takes the secret keys out of a key file.
func readKeyFile(path string) ([][]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	other := want("a vault key file of version 3", fmt.Sprintf("%d bytes", len(raw)))
	rest, ok := bytes.CutPrefix(raw, []byte(keyFileMagic))
	if !ok || len(rest) < keySize+1+sumSize {
		return nil, other
	}
	keys := [][]byte{rest[:keySize]}
	count, rest := int(rest[keySize]), rest[keySize+1:len(rest)-sumSize]
	for ; count > 0 && len(rest) >= idSize+madeSize+keySize; count-- {
		keys = append(keys, rest[idSize+madeSize:][:keySize])
		rest = rest[idSize+madeSize+keySize:]
	}
	if count > 0 || len(rest) < 2 || len(rest) != 2+int(rest[0])*(keySize+madeSize) {
		return nil, other
	}
	for rest = rest[2:]; len(rest) > 0; rest = rest[keySize+madeSize:] {
		keys = append(keys, rest[:keySize])
	}
	return keys, nil
}

// readShareKeys takes the share keys of a key set out of a keeper's file.
func readShareKeys(path string, keySet uint32) (map[split.Subset][]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		KeySets []struct {
			ID   uint32 `json:"id"`
			Keys []struct {
				Subset split.Subset `json:"subset"`
				Key    []byte       `json:"key"`
			} `json:"share_keys"`
		} `json:"key_sets"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	keys := map[split.Subset][]byte{}
	for _, set := range file.KeySets {
		for _, k := range set.Keys {
			if set.ID == keySet {
				keys[k.Subset] = k.Key
			}
		}
	}
	if len(keys) == 0 {
		return nil, want("share keys of the card's key set", "none")
	}
	return keys, nil
}
