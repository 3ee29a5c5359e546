package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestCodeIsCurrent: the look-up in the tree is what the files give.
func TestCodeIsCurrent(t *testing.T) {
	want, err := generate(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../" + out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the files give: run go generate ./locale", out)
	}
}

func files(zh, en string) fstest.MapFS {
	head := `{"_name": "x", "_dir": "ltr", `
	return fstest.MapFS{"zh-CN.json": {Data: []byte(head + zh + "}")}, "en.json": {Data: []byte(head + en + "}")}}
}

func TestMethods(t *testing.T) {
	code, err := generate(files(
		`"a.wrong_pin": "{when}，{by_id}，{when}", "a.left": "{count} 次", "b.x": "y", "error.x.what": "z"`,
		`"a.left": {"one": "1", "other": "{count}"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"func (w A) WrongPIN(when, byID string) string {\n\treturn w.say(\"a.wrong_pin\", \"{when}\", when, \"{by_id}\", byID)\n}",
		"func (w A) Left(n int, count string) string { return w.sayOf(\"a.left\", n, \"{count}\", count) }",
		"func (w B) X() string { return w.say(\"b.x\") }",
		"B:    B{l},",
	} {
		if !strings.Contains(string(code), want) {
			t.Errorf("no %s in %s", want, code)
		}
	}
	if strings.Contains(string(code), "error.") {
		t.Error("an area that is looked up by name has methods")
	}
}

func TestTwoKeysOfOneMethodAreRefused(t *testing.T) {
	if _, err := generate(files(`"a.b_c": "x", "a.b.c": "y"`, `"a.b": "x"`)); err == nil {
		t.Error("made")
	}
}
