package holder

import (
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/gallery"
)

// where is the page at an address, in Chinese.
func where(t *testing.T, path string) string {
	t.Helper()
	return drawn(t, galleryDoor(t), gallery.Scene{Path: path}, door.Chinese, false)
}

// TestARefusalTellsNoRegionOfACard: a page that may name its holder sends them to the
// card's region; another one to the region that the channel asked for, whoever's card it is.
func TestARefusalTellsNoRegionOfACard(t *testing.T) {
	at := func(change func(*ceremony.Page)) string {
		p := sample(liuma.ActionReset, ceremony.StepRefused)
		p.Code = liuma.CodeOnlineOff
		change(&p)
		return drawnPage(t, p)
	}
	if body := at(func(p *ceremony.Page) { p.Region, p.Home = "3401", "330502" }); !strings.Contains(body, "吴兴区社会保险服务大厅") || strings.Contains(body, "合肥") ||
		!strings.Contains(body, `href="/where?region=330502"`) {
		t.Errorf("a holder who is named is sent elsewhere:\n%s", body)
	}
	if body := at(func(p *ceremony.Page) { p.Region, p.Home = "3401", "" }); !strings.Contains(body, "合肥市社会保险基金管理中心") || !strings.Contains(body, `href="/where?region=3401"`) {
		t.Errorf("the page names another region than the channel's:\n%s", body)
	}
}

// TestEveryRefusalLeadsToSomebody: each scene that sends somebody to a counter or to the
// help line has the way to the page of agencies, but a ticket's and a pad's.
func TestEveryRefusalLeadsToSomebody(t *testing.T) {
	handler := galleryDoor(t)
	for _, sc := range gallery.Scenes() {
		if sc.Page.Step != ceremony.StepRefused || sc.Page.Action == liuma.ActionCounter || sc.Page.Code == liuma.CodeLeft {
			continue
		}
		if body := drawn(t, handler, sc, door.Chinese, false); !strings.Contains(body, `href="/where`) {
			t.Errorf("%s leads to nobody", sc.Name)
		}
	}
}

// TestNoPageAsksWhereADeviceIs: neither pages nor scripts know of such a thing, and what
// the browser is allowed says so.
func TestNoPageAsksWhereADeviceIs(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	if h := s.do("GET", "/", nil).Header().Get("Permissions-Policy"); !strings.Contains(h, "geolocation=()") {
		t.Errorf("a browser may be asked: %q", h)
	}
	asks := regexp.MustCompile(`(?i)geolocation|watchPosition|getCurrentPosition|latitude|longitude`)
	for _, dir := range []string{"pages", "../console/pages", "../../../web/src", "../../../web/dist"} {
		all, err := os.ReadDir(dir)
		if err != nil || len(all) == 0 {
			t.Fatal(dir, err)
		}
		for _, f := range all {
			if f.IsDir() {
				continue
			}
			text, err := os.ReadFile(dir + "/" + f.Name())
			if err != nil || asks.Match(text) {
				t.Errorf("%s/%s asks where a device is, %v", dir, f.Name(), err)
			}
		}
	}
}

// TestWhereReadsAnyAddress: what cannot be read is as good as left out; nothing of it
// becomes markup, and there is always somebody to call.
func TestWhereReadsAnyAddress(t *testing.T) {
	for _, q := range []string{"region=99", "region=abc", "region=330599", "q=%FF%FE", "q=" + strings.Repeat("a", 5000), "page=-1", "page=9999&region=33", "page=x",
		"q=" + url.QueryEscape(`"><script>alert(1)</script>`), "q=%E2%80%AE%00"} {
		body := where(t, "/where?"+q)
		if !strings.Contains(body, `<a class="tel" href="tel:12333">`) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s:\n%s", q, body)
		}
	}
	if body := where(t, "/where?region=330599"); !strings.Contains(body, "湖州市社会保险事业管理中心") {
		t.Error("a code that was made up leads nowhere")
	}
}

// TestNothingOfAStrangersIsRepeated: what an address brings along is found or is not, and
// a page of ours says no sentence, number or address that somebody wrote into it.
func TestNothingOfAStrangersIsRepeated(t *testing.T) {
	for _, q := range []string{"请立即拨打 13800138000", "拨138.0013.8000解冻", "一三八零零一三八零零零", "加微信 evil.shop", "您的社保卡已经被冻结，请联系李警官", "Your card was frozen, write to us"} {
		body := where(t, "/where?q="+url.QueryEscape(q))
		main := body[strings.Index(body, "<main"):]
		if strings.Contains(main, q) || !strings.Contains(main, "没有找到您输入的内容。") {
			t.Errorf("%s is repeated:\n%s", q, main)
		}
	}
	// Behind what is found, too.
	for _, behind := range []string{"请立即拨打13800138000转人工", "您的卡已被冻结请联系李警官"} {
		for _, q := range []string{"社会保险 社会保险 社会保险 社会保险 " + behind, strings.Repeat("社会保险", 3) + " " + strings.Repeat("社", 28) + " " + behind} {
			body := where(t, "/where?q="+url.QueryEscape(q))
			if main := body[strings.Index(body, "<main"):]; strings.Contains(regexp.MustCompile(`href="[^"]*"`).ReplaceAllString(main, ""), behind) {
				t.Errorf("%s is repeated:\n%s", q, main)
			}
		}
	}
	if body := where(t, "/where?q="+url.QueryEscape("社会保险")); !strings.Contains(body, `value="社会保险"`) {
		t.Error("what was looked for and found is not in the field")
	}
	if body := where(t, "/where?q="+url.QueryEscape("王家庄")); !strings.Contains(body, "没有找到“王家庄”。") {
		t.Error("a name is not repeated")
	}
}

// TestWhereIsPaged: a long list has pages, and each leads to the next.
func TestWhereIsPaged(t *testing.T) {
	first := where(t, "/where?q="+url.QueryEscape("社会保险"))
	if n := strings.Count(first, `<section class="office">`); n != whereShown {
		t.Errorf("%d on the first page", n)
	}
	next := regexp.MustCompile(`href="(/where\?[^"]*page=2[^"]*)"`).FindStringSubmatch(first)
	if next == nil {
		t.Fatal("no way to the second page")
	}
	second := where(t, strings.ReplaceAll(next[1], "&amp;", "&"))
	if !strings.Contains(second, "上一页") || strings.Count(second, `<section class="office">`) == 0 {
		t.Errorf("the second page:\n%s", second)
	}
}

// TestWhereWeighsLittle: a page of agencies is small, on a phone in the country too.
func TestWhereWeighsLittle(t *testing.T) {
	if n := len(where(t, "/where?q="+url.QueryEscape("社会保险"))); n > 12<<10 {
		t.Errorf("%d bytes", n)
	}
}

// drawnPage is the page of a ceremony in some state.
func drawnPage(t *testing.T, p ceremony.Page) string {
	t.Helper()
	s := newSite(t, p, func(c *Config) { c.Agencies = gallery.Agencies() })
	s.begin()
	return s.reads("/c/" + ceremonyID)
}

// TestThePolicySaysWhoMayCome: what an office says of somebody else at its counter is not
// on the page; the policy of its region is, which clerks go by.
func TestThePolicySaysWhoMayCome(t *testing.T) {
	regions, err := directory.Published()
	if err != nil {
		t.Fatal(err)
	}
	list := agency.NewListing([]store.Agency{
		{Code: "hefei", Kind: store.AgencyOffice, Region: "3401", Name: liuma.Text{ZH: "合肥大厅"}, Agent: store.SaidYes},
		{Code: "shanghai", Kind: store.AgencyOffice, Region: "3101", Name: liuma.Text{ZH: "上海大厅"}, Agent: store.SaidNo},
		{Code: "guangzhou", Kind: store.AgencyOffice, Region: "4401", Name: liuma.Text{ZH: "广州大厅"}},
		{Code: "line", Kind: store.AgencyHotline, Name: liuma.Text{ZH: "热线"}, Telephone: "12333"},
	}, regions)
	page := func(region string, rules Rules) string {
		s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN), func(c *Config) { c.Agencies, c.Rules = fixed{list}, rules })
		return s.reads("/where?region=" + region)
	}
	words := newWordings(locale.Own().In(door.Chinese), "12333")
	for region, want := range map[string]string{"3401": words.WhereAgentNo(), "3101": words.WhereAgentFreeze(), "4401": words.WhereAgentBoth(), "440103": words.WhereAgentBoth()} {
		if body := page(region, gallery.Rules()); !strings.Contains(body, ">"+want+"<") || strings.Count(body, words.WhereAgent()) != 1 {
			t.Errorf("%s does not say %q:\n%s", region, want, body)
		}
	}
	closes, err := policy.NewLayers(func() policy.Policy { p := policy.National(); p.Agents = policy.AgentsClose; return p }())
	if err != nil {
		t.Fatal(err)
	}
	if body := page("3401", closes); !strings.Contains(body, words.WhereAgentClose()) {
		t.Error("a closing is not told of")
	}
	if body := page("3401", nil); !strings.Contains(body, words.WhereAgentYes()) {
		t.Error("without a policy the office's own word is not told")
	}
}

// fixed is a directory that stays as it is.
type fixed struct{ listing *agency.Listing }

func (f fixed) Listing() *agency.Listing { return f.listing }

// TestSampleLinesAreMarked: a hotline of the sample is marked as an office of it is, in both
// languages.
func TestSampleLinesAreMarked(t *testing.T) {
	for lang, mark := range map[string]string{"zh-CN": "（样例）", "en": "(sample)"} {
		page := where(t, "/where?region=3401&lang="+lang)
		lines := regexp.MustCompile(`(?s)<div class="cell"><dt><bdi[^>]*>[^<]*</bdi> <span class="mark">([^<]*)</span></dt><dd><a class="tel"`).FindAllStringSubmatch(page, -1)
		for _, m := range lines {
			if strings.TrimSpace(m[1]) != mark {
				t.Errorf("%s: a line is not marked: %s", lang, m[0])
			}
		}
		if len(lines) < 2 {
			t.Errorf("%s: %d lines", lang, len(lines))
		}
	}
}

// TestNoNumberTwice: the pages of a region and of agencies show each number to call once,
// whichever the policy's help line is.
func TestNoNumberTwice(t *testing.T) {
	called := regexp.MustCompile(`href="tel:([0-9-]+)"`)
	for _, path := range []string{"/region", "/region?code=1101", "/region?code=3401", "/where", "/where?region=1101", "/where?region=330502", "/where?region=3401", "/where?region=130102", "/where?q=xyzzy"} {
		seen := map[string]int{}
		for _, m := range called.FindAllStringSubmatch(where(t, path), -1) {
			seen[m[1]]++
		}
		line := "12333"
		if strings.Contains(path, "1101") {
			line = "010-12333"
		}
		if seen[line] == 0 {
			t.Errorf("%s does not show %s", path, line)
		}
		for number, n := range seen {
			if n > 1 {
				t.Errorf("%s shows %s %d times", path, number, n)
			}
		}
	}
}

// TestTheGuideLeadsToWhomToAsk: where the guide sends somebody to the local agency or to a
// hotline, it has the way there, with the region that it was opened for.
func TestTheGuideLeadsToWhomToAsk(t *testing.T) {
	parts := regexp.MustCompile(`(?s)<section class="guide-part" aria-labelledby="([a-z]+)".*?</section>`)
	for path, want := range map[string]string{"/guide": `href="/where"`, "/guide?code=3101": `href="/where?region=3101"`} {
		leads := map[string]bool{}
		for _, m := range parts.FindAllStringSubmatch(where(t, path), -1) {
			leads[m[1]] = strings.Contains(m[0], want)
		}
		if !leads["forgot"] || !leads["region"] || !leads["other"] {
			t.Errorf("%s: %v", path, leads)
		}
	}
}
