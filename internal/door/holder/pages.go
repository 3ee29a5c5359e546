package holder

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"

	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/web"
)

// embedded is read only; the compiler fills it.
//
//go:embed pages/*.html script/ceremony.js
var embedded embed.FS

// The pages, each a template of its own over the same layout.
const (
	pageLanding = "landing"
	pageConfirm = "confirm"
	pagePIN     = "pin"
	pageResult  = "result"
	pageStep    = "step"
)

// script is the pages' own script under a name that is its content.
type script struct {
	file    string
	content []byte
}

// pages are the parsed templates and what they link to. Immutable.
type pages struct {
	templates map[string]*template.Template
	texts     map[door.Lang]*texts
	script    script
	pad       web.Asset
	style     web.Asset
}

func newPages(assets *web.Assets) (*pages, error) {
	p := &pages{
		templates: map[string]*template.Template{},
		texts:     map[door.Lang]*texts{door.Chinese: newTexts(door.Chinese), door.English: newTexts(door.English)},
	}
	content, err := embedded.ReadFile("script/ceremony.js")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	p.script = script{file: "ceremony." + hex.EncodeToString(sum[:8]) + ".js", content: content}
	if p.pad, err = assets.Asset(web.Script); err != nil {
		return nil, err
	}
	if p.style, err = assets.Asset(web.Style); err != nil {
		return nil, err
	}
	funcs := template.FuncMap{"icon": assets.Icon}
	for _, name := range []string{pageLanding, pageConfirm, pagePIN, pageResult, pageStep} {
		t, err := template.New("layout.html").Funcs(funcs).Option("missingkey=error").
			ParseFS(embedded, "pages/layout.html", "pages/parts.html", "pages/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.templates[name] = t
	}
	return p, nil
}

// render draws a page whole, so that a template that fails leaves no half page.
func (p *pages) render(v *view) ([]byte, error) {
	t, ok := p.templates[v.Page]
	if !ok {
		return nil, fmt.Errorf("no page %q", v.Page)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// show writes a page.
func (h *handler) show(w http.ResponseWriter, r *http.Request, status int, v *view) {
	html, err := h.pages.render(v)
	if err != nil {
		h.log.Error("page not drawn", "page", v.Page, "request", door.RequestID(r.Context()), "err", err)
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Language", string(v.Lang))
	head.Set("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(html) // an error here means that nobody is listening
}
