package holder

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/gallery"
)

// pseudo is the program's catalogue with one more language, which is written from
// right to left and has one sentence.
func pseudo(t *testing.T) *locale.Catalogue {
	t.Helper()
	files := fstest.MapFS{"ug.json": {Data: []byte(`{"_name": "ئۇيغۇرچە", "_dir": "rtl", "page.wrong_title": "پارول خاتا", "error.locked.what": "قۇلۇپلاندى"}`)}}
	for _, name := range []string{"zh-CN.json", "en.json"} {
		text, err := os.ReadFile("../../../locale/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	c, err := locale.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRightToLeft: every page of a language that is written from right to left
// says so, offers the other languages in their own names and directions, and has
// its own sentences where the language has them.
func TestRightToLeft(t *testing.T) {
	h, err := New(Config{Authority: gallery.NewAuthority(), Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Rules: gallery.Rules(), Assets: mustAssets(t), Origin: origin, Now: gallery.Now, Logger: discard(), Words: pseudo(t)})
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, sc := range gallery.Scenes() {
		r := httptest.NewRequest("GET", sc.Path, nil)
		r.Header.Set("Accept-Language", "ug, zh;q=0.5")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 303 {
			continue
		}
		body := w.Body.String()
		if !strings.Contains(body, `<html lang="ug" dir="rtl"`) || w.Header().Get("Content-Language") != "ug" {
			t.Errorf("%s: not in the language, or its direction is not told\n%.300s", sc.Name, body)
		}
		if strings.Contains(body, "/preferences") &&
			(!strings.Contains(body, `value="zh-CN" lang="zh-CN" dir="ltr">中文<`) || !strings.Contains(body, `value="en" lang="en" dir="ltr">English<`)) {
			t.Errorf("%s: the other languages are not offered", sc.Name)
		}
		if strings.Contains(body, "پارول خاتا") {
			own++
		}
	}
	if own == 0 {
		t.Error("no page says the language's own sentence")
	}
}
