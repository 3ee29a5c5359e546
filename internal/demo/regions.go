package demo

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	samples "github.com/liuma-pin/liuma/examples/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
	"github.com/liuma-pin/liuma/locale"
)

// The demo uses the sample regions of examples/policy. None of the people of the play lives
// in one, so the story follows the national rule.
const (
	strictRegion = liuma.Region("310101") // three tries, three days
	middleRegion = liuma.Region("440106") // five tries, seven days
	regionsSeed  = 4_401_310_101          // of the two people who live there

	regionWords = "river kettle, morning tea" // passphrase of the one in middleRegion
)

// writePolicy copies the sample regions into the demo's directory, and returns the path.
func (s *stage) writePolicy() (string, error) {
	dir := s.path("policy")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	names, err := fs.Glob(samples.Files, "*.yaml")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		text, err := samples.Files.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := writePrivate(filepath.Join(dir, name), text); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// inSampleRegion reports whether the rules of a region are not the nation's.
func inSampleRegion(r liuma.Region) bool {
	return slices.ContainsFunc([]string{"1101", "3101", "4401", "5101", "6501"}, func(p string) bool { return strings.HasPrefix(string(r), p) })
}

// neighbours are a person in each of two sample regions, new in the registry.
func (s *stage) neighbours(ctx context.Context) (two [2]*holder, err error) {
	file, _, err := world.Sample(minPeople, regionsSeed)
	if err != nil {
		return two, err
	}
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		return two, err
	}
	picked := rows[:1]
	for _, r := range rows[1:] {
		if r[5] != string(liuma.PhysicalNormal) || len(r[0]) != 18 || len(r[2]) != 11 || len(picked) == 3 {
			continue
		}
		region := []liuma.Region{strictRegion, middleRegion}[len(picked)-1]
		r[4] = string(region)
		h := &holder{facts: registry.Facts{IDNumber: r[0], Name: r[1], Phone: r[2], CardNo: r[3], Region: region}, handles: map[*channel]string{}}
		if h.pin, err = goodPIN(h, uint64(len(picked)), ""); err != nil {
			return two, err
		}
		two[len(picked)-1] = h
		picked = append(picked, r)
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(picked); err != nil {
		return two, err
	}
	if kept, err := s.world.Import(ctx, &out, nil); err != nil || kept != 2 {
		return two, want("two people in two regions", fmt.Sprint(kept, err))
	}
	return two, nil
}

// sceneRegions shows two regions side by side, through the doors: after how many wrong PINs
// a card is locked, how long a loss reported by phone stops it, and whether an agent may
// come to a counter.
func sceneRegions(ctx context.Context, p *play) error {
	s := p.stage
	two, err := s.neighbours(ctx)
	if err != nil {
		return err
	}
	hotline, err := s.newChannel(ctx, store.Client{ID: "hotline-demo", Kind: store.ClientHotline, Name: both(words.HotlineName)},
		who(both(words.WhoHotline)))
	if err != nil {
		return err
	}
	tries := [2]int{3, 5}
	days := [2]time.Duration{3 * 24 * time.Hour, 7 * 24 * time.Hour}
	for i, h := range two {
		a, err := s.apply(ctx, s.national, h)
		if err != nil {
			return err
		}
		secret := h.pin
		if i == 1 {
			secret = regionWords
		}
		v, err := s.national.enroll(ctx, h, a, secret)
		if err != nil {
			return err
		}
		h.handles[s.national] = v.Card
		if i == 1 {
			if err := p.passphrase(ctx, h); err != nil {
				return err
			}
		}
		for n := 1; n <= tries[i]; n++ {
			if v, err = s.national.verify(ctx, h, "000001", purposeYears()); err != nil {
				return err
			}
			if locked := v.Code == string(liuma.CodeLocked); locked != (n == tries[i]) {
				return want(fmt.Sprintf("a lock at wrong PIN %d of %d", tries[i], n), describe(v))
			}
		}
		p.Say(s.national.name, authorityWho(), both(func(w words) string {
			return w.RegionLocks(string(h.facts.Region), strconv.Itoa(tries[i]), strconv.Itoa(attemptsBeforeLock))
		}))
		r, err := hotline.client.ReportLoss(ctx, client.HotlineFreezeRequest{BusinessNo: hotline.businessNo(), IDNumber: h.facts.IDNumber})
		if err != nil {
			return err
		}
		if left := r.Until.Sub(r.At); left.Round(time.Minute) != days[i] {
			return want(fmt.Sprintf("a report that ends after %v", days[i]), left)
		}
		p.Say(hotline.name, authorityWho(), both(func(w words) string {
			return w.RegionLoss(string(h.facts.Region), strconv.Itoa(int(days[i].Hours()/24)))
		}))
		if err := p.regionPage(ctx, h.facts.Region); err != nil {
			return err
		}
	}
	return nil
}

// regionPage reads on the official page whether an agent may come to a counter for a holder
// of a region, and what for.
func (p *play) regionPage(ctx context.Context, region liuma.Region) error {
	rule, said := func(w *locale.Words) string { return w.Page.RuleAgentsFreeze() }, both(func(w words) string { return w.RegionFreeze(string(region)) })
	if region == middleRegion {
		rule, said = func(w *locale.Words) string { return w.Page.RuleAgentsBoth() }, both(func(w words) string { return w.RegionBoth(string(region)) })
	}
	g, err := p.stage.newGuest(p.stage.world.Issuer())
	if err != nil {
		return err
	}
	if err := g.open(ctx, p.stage.world.Issuer()+"/region?code="+string(region)); err != nil {
		return err
	}
	if text := locale.Both(rule); !strings.Contains(g.page.Text(), text.ZH) && !strings.Contains(g.page.Text(), text.EN) {
		return want(text.EN, g.page.Text())
	}
	p.Say(pageWho(), holderWho(), said)
	return nil
}

// fullWidth is ASCII text as a full-width keyboard types it.
func fullWidth(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r == ' ' {
			out[i] = 0x3000
		} else {
			out[i] = r + 0xFEE0
		}
	}
	return string(out)
}

// passphrase proves a holder's passphrase, typed on a full-width keyboard.
func (p *play) passphrase(ctx context.Context, h *holder) error {
	s := p.stage
	v, err := s.national.verify(ctx, h, fullWidth(regionWords), purposeYears())
	if err != nil {
		return err
	}
	if v.Verdict != string(liuma.Right) {
		return want("the right passphrase", describe(v))
	}
	p.Say(s.national.name, authorityWho(), both(func(w words) string { return w.RegionPassphrase(string(h.facts.Region)) }))
	return nil
}
