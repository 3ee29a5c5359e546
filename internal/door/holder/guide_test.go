package holder

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/genuine"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/gallery"
)

// TestTheGuideSaysWhatHolds: what the guide says of tries and letters is what the policy
// of the region says, and every chapter can be jumped to.
func TestTheGuideSaysWhatHolds(t *testing.T) {
	handler := galleryDoor(t)
	page := func(path string) string {
		return html.UnescapeString(drawn(t, handler, gallery.Scene{Path: path}, door.Chinese, false))
	}
	saysAll(t, page("/guide"), "输错 "+strconv.Itoa(policy.National().Limits.Attempts)+" 次密码", "全国通用的规定")
	saysAll(t, page("/guide?code=3101"), "3 次密码", "3101")
	if strings.Contains(page("/guide"), locale.Own().In(door.Chinese).Guide.GoodLetters()) {
		t.Error("the national guide tells of letters")
	}
	saysAll(t, page("/guide?code=5101"), locale.Own().In(door.Chinese).Guide.GoodLetters())
	saysAll(t, page("/guide?code=nowhere"), "全国通用的规定")
	body := page("/guide")
	for _, jump := range regexp.MustCompile(`href="#([a-z]+)"`).FindAllStringSubmatch(body, -1) {
		if jump[1] != "main" && !strings.Contains(body, `<h2 class="guide-title" id="`+jump[1]+`"`) {
			t.Errorf("there is no chapter %s", jump[1])
		}
	}
}

// desk answers by what is typed.
type desk struct{ got []string }

func (a *desk) Ask(_ context.Context, typed string) genuine.Answer {
	a.got = append(a.got, typed)
	return gallery.Genuine{}.Ask(context.Background(), typed)
}

// TestWhatIsGenuine: the page asks for what was typed, shows it again but for what may
// be a secret, and names the addresses that begin with https.
func TestWhatIsGenuine(t *testing.T) {
	var a desk
	s := newSite(t, sample(liuma.ActionVerify, "confirm"), func(c *Config) { c.Genuine = &a })
	reads := func(path string) string { return s.do("GET", path, nil).Body.String() }
	if page := reads("/genuine"); len(a.got) != 0 || !strings.Contains(page, `name="q"`) {
		t.Errorf("asked %v; %s", a.got, page)
	}
	page := reads("/genuine?q=app_page")
	saysAll(t, html.UnescapeString(page), `value="app_page"`, "https://app.example.cn", origin+"/", "notice-good")
	saysAll(t, reads("/genuine?q=no_page"), "notice-refuse", `href="/freeze"`)
	page = reads("/genuine?q=code")
	if strings.Contains(page, `value="code"`) {
		t.Error("a PIN stands on the page again")
	}
	page = reads("/genuine?q=stopped")
	if strings.Contains(page, "app.example.cn") || strings.Contains(page, "notice-good") {
		t.Error("a stopped app looks genuine")
	}
	if page := reads("/genuine?q=%3Cscript%3E"); strings.Contains(page, "<script>") {
		t.Error("what was typed is markup")
	}
}

// unknown answers everything with one kind.
type unknown genuine.Kind

func (u unknown) Ask(context.Context, string) genuine.Answer {
	return genuine.Answer{Kind: genuine.Kind(u)}
}

// TestNoSentenceInTheField: a link to the page puts no sentence and no number of a
// stranger's into its field; a name or an address that is not registered stands there again.
func TestNoSentenceInTheField(t *testing.T) {
	for _, tt := range []struct {
		kind  genuine.Kind
		typed string
		again bool
	}{
		{genuine.NoApp, "湖州社保", true},
		{genuine.NoApp, "请拨打13800138000", false},
		{genuine.NoApp, "您的社保卡已经被冻结，请联系李警官核实身份", false},
		{genuine.Away, "您的社保卡已经被冻结，请联系李警官核实身份", false},
		{genuine.NoPage, "https://pin.example.cn.evil.shop/a?b=c", true},
		{genuine.NoPage, "https://请拨打13800138000", false},
		{genuine.Plain, "http://a.example 请回电", false},
		{genuine.AppPage, "app．example．cn", true},
	} {
		s := newSite(t, sample(liuma.ActionVerify, "confirm"), func(c *Config) { c.Genuine = unknown(tt.kind) })
		page := html.UnescapeString(s.do("GET", "/genuine?q="+url.QueryEscape(tt.typed), nil).Body.String())
		if strings.Contains(page, `value="`+tt.typed+`"`) != tt.again {
			t.Errorf("%s, %q: want again %v", tt.kind, tt.typed, tt.again)
		}
	}
}

// TestEveryAnswerHasAPage: no kind of answer falls to the sentence of another.
func TestEveryAnswerHasAPage(t *testing.T) {
	handler := galleryDoor(t)
	seen := map[string]genuine.Kind{}
	for _, k := range genuine.Kinds() {
		page := drawn(t, handler, gallery.Scene{Path: "/genuine?q=" + string(k)}, door.English, false)
		m := regexp.MustCompile(`id="answer"><h2[^>]*>([^<]*)`).FindStringSubmatch(page)
		if m == nil {
			t.Errorf("%s: no answer", k)
			continue
		}
		if other, ok := seen[m[1]]; ok {
			t.Errorf("%s and %s are both answered with %q", k, other, m[1])
		}
		seen[m[1]] = k
	}
}

// TestEveryPointOfTheGuide: docs/GUIDE.md says where each point has its place; each of
// those pages is there, with that chapter.
func TestEveryPointOfTheGuide(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	handler := galleryDoor(t)
	places := regexp.MustCompile("`(/[a-z?=0-9]*)(?:#([a-z]+))?`").FindAllStringSubmatch(string(doc), -1)
	if len(places) < 20 {
		t.Errorf("%d places", len(places))
	}
	for _, p := range places {
		s := &site{t: t, handler: handler, jar: map[string]string{"__Host-lang": "zh-CN"}, header: http.Header{}}
		w := s.do("GET", p[1], nil)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", p[0], w.Code)
		}
		if p[2] != "" && !strings.Contains(w.Body.String(), `id="`+p[2]+`"`) {
			t.Errorf("%s: no such chapter", p[0])
		}
	}
}
