// Package web holds the scripts and the stylesheets of the holder pages and the
// console, as built from the TypeScript and CSS beside it, and the icons that the pages
// use. It guarantees that every asset is served under a name that changes with
// its content, and that each file is whole: Load refuses one whose bytes do not
// have the hash in its name. It trusts nothing at run time; a test rebuilds
// dist from the sources and compares.
//
// Start here: README.md, the contract between the pages' markup, the scripts
// and the stylesheet; then Load.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// embedded is read only; the compiler fills it.
//
//go:embed dist icons
var embedded embed.FS

// The logical names of the assets.
const (
	Pad      = "pad.js"      // the PIN pad, countdowns, second presses
	Ceremony = "ceremony.js" // begins a ceremony, offers more time, waits for codes
	Guide    = "guide.js"    // the guide's page: read aloud, printed
	DeskPad  = "deskpad.js"  // a device on the desk of a counter: its key, and what it shows
	Style    = "page.css"
	Licenses = "licenses.txt"
	Lists    = "common.list" // PINs that may not be set, for the pad

	// Of the staff console.
	Console      = "console.js" // asks the browser for a passkey
	ConsoleStyle = "console.css"
)

// Asset is one built file.
type Asset struct {
	Name      string // logical, such as "pad.js"
	File      string // with its hash, such as "pad.0123456789abcdef.js"
	Type      string // Content-Type
	Integrity string // for the integrity attribute: "sha384-…"
	Bytes     []byte
	Gzip      []byte // Bytes, compressed once
}

// Assets is the set of built files and icons. It does not change after Load
// and may be shared.
type Assets struct {
	byName map[string]Asset
	byFile map[string]Asset
	icons  map[string]template.HTML
}

// Load reads what is embedded. An error means that the build is broken.
func Load() (*Assets, error) { return load(embedded) }

func load(files fs.FS) (*Assets, error) {
	raw, err := fs.ReadFile(files, "dist/manifest.json")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	var manifest map[string]string
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, fmt.Errorf("web: manifest: %w", err)
	}
	a := &Assets{byName: map[string]Asset{}, byFile: map[string]Asset{}, icons: map[string]template.HTML{}}
	for name, file := range manifest {
		asset, err := loadAsset(files, name, file)
		if err != nil {
			return nil, err
		}
		a.byName[name], a.byFile[file] = asset, asset
	}
	for _, name := range []string{Pad, Ceremony, DeskPad, Guide, Style, Licenses, Lists, Console, ConsoleStyle} {
		if _, ok := a.byName[name]; !ok {
			return nil, fmt.Errorf("web: manifest: %s is missing", name)
		}
	}
	return a, a.loadIcons(files)
}

func loadAsset(files fs.FS, name, file string) (Asset, error) {
	content, err := fs.ReadFile(files, path.Join("dist", file))
	if err != nil {
		return Asset{}, fmt.Errorf("web: %w", err)
	}
	sum := sha256.Sum256(content)
	stem, ext, _ := strings.Cut(name, ".")
	if want := stem + "." + hex.EncodeToString(sum[:8]) + "." + ext; file != want {
		return Asset{}, fmt.Errorf("web: %s has other content than its name says", file)
	}
	types := map[string]string{
		"js":   "text/javascript; charset=utf-8",
		"css":  "text/css; charset=utf-8",
		"txt":  "text/plain; charset=utf-8",
		"list": "application/octet-stream",
	}
	if types[ext] == "" {
		return Asset{}, fmt.Errorf("web: %s: no content type", file)
	}
	zipped, err := compress(content)
	if err != nil {
		return Asset{}, fmt.Errorf("web: %s: %w", file, err)
	}
	integrity := sha512.Sum384(content)
	return Asset{
		Name:      name,
		File:      file,
		Type:      types[ext],
		Integrity: "sha384-" + base64.StdEncoding.EncodeToString(integrity[:]),
		Bytes:     content,
		Gzip:      zipped,
	}, nil
}

func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (a *Assets) loadIcons(files fs.FS) error {
	names, err := fs.Glob(files, "icons/*.svg")
	if err != nil {
		return fmt.Errorf("web: icons: %w", err)
	}
	for _, name := range names {
		svg, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("web: icons: %w", err)
		}
		// The compiler embedded it from our own sources, so it is markup we trust.
		a.icons[strings.TrimSuffix(path.Base(name), ".svg")] = template.HTML(bytes.TrimSpace(svg))
	}
	return nil
}

// Asset returns a built file by its logical name.
func (a *Assets) Asset(name string) (Asset, error) {
	asset, ok := a.byName[name]
	if !ok {
		return Asset{}, fmt.Errorf("web: no asset %q", name)
	}
	return asset, nil
}

// Icon returns an inline SVG for a template. It is hidden from screen readers;
// the words beside it say the same. Names are those of the files in icons.
func (a *Assets) Icon(name string) (template.HTML, error) {
	icon, ok := a.icons[name]
	if !ok {
		return "", fmt.Errorf("web: no icon %q", name)
	}
	return icon, nil
}

// ServeHTTP serves the files by the last element of the path. Mount it under
// a prefix of the pages' own origin. A name is its content, so a browser may
// keep it for a year and never ask again.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	asset, ok := a.byFile[path.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", asset.Type)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	body := asset.Bytes
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = asset.Gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// The client may have gone; there is nobody left to tell.
	_, _ = w.Write(body)
}

func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(header, ",") {
			coding, parameters, _ := strings.Cut(part, ";")
			if strings.TrimSpace(coding) != "gzip" {
				continue
			}
			q, found := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
			value, err := strconv.ParseFloat(q, 64)
			return !found || (err == nil && value > 0)
		}
	}
	return false
}
