package holder

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// element is one element of a page.
type element struct {
	name string
	attr map[string]string
	text string // directly within it
}

// elements reads a page. The pages quote every attribute and close every
// element that HTML does not close itself, so that this reader is enough.
func elements(t *testing.T, body string) []*element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all, open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		}
	}
}

// visible is all text and every attribute, except the attributes of the pad,
// which have a check of their own.
func visible(all []*element) string {
	var out strings.Builder
	for _, e := range all {
		out.WriteString(e.text + " ")
		for name, value := range e.attr {
			if !strings.HasPrefix(name, "data-") && name != "integrity" {
				out.WriteString(value + " ")
			}
		}
	}
	return out.String()
}

type inspected struct {
	h1, next int
	title    string
}

// ours are the addresses that a form on a page of a ceremony may post to.
func ours(id, action string) bool {
	return strings.HasPrefix(action, "/c/"+id+"/") || strings.HasPrefix(action, "/c/"+id+"?ask=") ||
		action == "/c/"+id || action == "/preferences" || action == "/freeze" || action == counterPath || action == deskClearPath
}

// labelled checks that every field has a label of its own, and that its
// description exists.
func labelled(t *testing.T, all []*element) {
	t.Helper()
	ids, labels := map[string]bool{}, map[string]int{}
	for _, e := range all {
		ids[e.attr["id"]] = true
		if e.name == "label" && e.text != "" {
			labels[e.attr["for"]]++
		}
	}
	for _, e := range all {
		for id := range strings.FieldsSeq(e.attr["aria-describedby"] + " " + e.attr["aria-labelledby"] + " " + e.attr["form"]) {
			if !ids[id] {
				t.Errorf("%s refers to %q, which is not there", e.name, id)
			}
		}
		kind := e.attr["type"]
		if e.name != "input" || kind == "hidden" || kind == "checkbox" {
			continue
		}
		if id := e.attr["id"]; id == "" || labels[id] != 1 || e.attr["inputmode"] == "" || e.attr["autocomplete"] == "" || e.attr["value"] != "" && id != "q" {
			t.Errorf("field %v", e.attr)
		}
	}
}

// inspect counts the elements that a page must have, and refuses those that it
// must not have.
func inspect(t *testing.T, id string, all []*element) inspected {
	t.Helper()
	labelled(t, all)
	var in inspected
	ids := map[string]bool{}
	for _, e := range all {
		if own := e.attr["id"]; own != "" {
			if ids[own] {
				t.Errorf("id %q twice", own)
			}
			ids[own] = true
		}
		class, href := e.attr["class"], e.attr["href"]
		switch e.name {
		case "h1":
			in.h1++
		case "title":
			in.title = e.text
		case "form":
			if a := e.attr["action"]; e.attr["method"] == "get" && (a == genuinePath || a == wherePath && e.attr["role"] == "search") {
				continue // it changes nothing
			} else if e.attr["method"] != "post" || !ours(id, a) {
				t.Errorf("form posts to %q by %q", a, e.attr["method"])
			}
		case "a":
			if strings.Contains(class, "btn") && !strings.HasPrefix(href, "/c/"+id) && !strings.HasPrefix(href, "tel:") && href != freezePath && href != counterPath && href != deskPath && href != regionPath && href != guidePath && href != genuinePath && !strings.HasPrefix(href, regionPath+"?code=") && href != wherePath && !strings.HasPrefix(href, wherePath+"?") {
				t.Errorf("button to %q", href)
			}
		}
		_, pad := e.attr["data-pad"]
		_, waits := e.attr["data-waits"] // it goes on by itself
		if pad || waits || strings.Contains(class, "btn-primary") || strings.Contains(class, "btn-danger") || strings.Contains(class, "btn") && strings.HasPrefix(href, "tel:") {
			in.next++
		}
	}
	for _, e := range all {
		for id := range strings.FieldsSeq(e.attr["data-describedby"]) {
			if !ids[id] {
				t.Errorf("described by %q, which is not there", id)
			}
		}
	}
	return in
}
