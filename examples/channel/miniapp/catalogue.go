package miniapp

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

// The sentences of this app, one file a language with the same keys. They are the
// app's own and not the authority's: a copy of this sample is changed here, and no
// release of the authority changes what it says.
//
//go:embed zh-CN.json en.json
var sentences embed.FS // read only; the compiler fills it

// text is a sentence in both languages.
type text = liuma.Text

// catalogue is what the app says. Immutable.
type catalogue struct {
	all     map[string]text
	hotline text // fills {hotline}
}

// readCatalogue reads both files. A key that one of them lacks is refused, so that
// no page is without its words.
func readCatalogue(hotline string) (*catalogue, error) {
	zh, err := readSentences("zh-CN.json")
	if err != nil {
		return nil, err
	}
	en, err := readSentences("en.json")
	if err != nil {
		return nil, err
	}
	c := &catalogue{all: map[string]text{}, hotline: text{ZH: hotline, EN: hotline}}
	for key, sentence := range zh {
		c.all[key] = text{ZH: sentence, EN: en[key]}
		if sentence == "" || en[key] == "" {
			return nil, fmt.Errorf("miniapp: the sentence %s is missing", key)
		}
	}
	if len(en) != len(zh) {
		return nil, errors.New("miniapp: en.json has a key that zh-CN.json does not have")
	}
	return c, nil
}

func readSentences(name string) (map[string]string, error) {
	raw, err := sentences.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var all map[string]string
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("miniapp: %s: %w", name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("miniapp: %s: something follows the object", name)
	}
	return all, nil
}

func (c *catalogue) has(key string) bool { return c.all[key] != text{} }

// put is a value for a placeholder: {name}. What stands in it is never read as a
// placeholder.
type put struct {
	name  string
	value text
}

// with is a value that is the same in both languages, such as a number.
func with(name, value string) put { return put{name: name, value: text{ZH: value, EN: value}} }

// say is a sentence with its placeholders filled. The tests hold that every key
// that is asked for is there.
func (c *catalogue) say(key string, puts ...put) text {
	zh, en := []string{"{hotline}", c.hotline.ZH}, []string{"{hotline}", c.hotline.EN}
	for _, p := range puts {
		zh, en = append(zh, "{"+p.name+"}", p.value.ZH), append(en, "{"+p.name+"}", p.value.EN)
	}
	s := c.all[key]
	return text{ZH: strings.NewReplacer(zh...).Replace(s.ZH), EN: strings.NewReplacer(en...).Replace(s.EN)}
}

// purpose is shown on the authority's page, in the reader's language; the ID
// token's hash is checked against the same words.
func (c *catalogue) purpose(action string) client.Purpose {
	s := c.say("purpose." + action)
	return client.PurposeIn(s.ZH, s.EN)
}

// clock is a time of about now.
func (c *catalogue) clock(t time.Time) text {
	t = t.In(beijing())
	month := put{name: "month", value: text{ZH: t.Format("1"), EN: t.Format("January")}}
	return c.say("page.clock", month, with("day", t.Format("2")), with("time", t.Format("15:04")))
}
