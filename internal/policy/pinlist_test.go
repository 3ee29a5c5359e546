package policy

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/pin"
)

// TestTheListOnlyTightens: the nation's layer picks either list; a layer under it may pick
// the stronger one, never go back.
func TestTheListOnlyTightens(t *testing.T) {
	const basic, strong = "pin.list: basic\n", "pin.list: strong\n"
	for _, c := range []struct {
		name, nation, region, channel string
		fault                         string
		want                          pin.List // in the region, through the channel
	}{
		{"no layer says", "", "", "", "", pin.ListStrong},
		{"the nation picks basic", basic, "", "", "", pin.ListBasic},
		{"a region is stronger", basic, strong, "", "", pin.ListStrong},
		{"a channel is stronger", basic, "", strong, "", pin.ListStrong},
		{"a channel is looser", "", "", basic, "", pin.ListStrong},
		{"a region is looser", "", basic, "", "pin.list: basic is looser than the layer above it, which has strong; only a layer of the nation may pick", ""},
		{"a region under strong", strong, basic, "", "pin.list: basic is looser", ""},
		{"no such list", "pin.list: none\n", "", "", "want one of [basic strong]", ""},
		{"a switch of old", "pin.common: false\n", "", "", "looser", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []File
			var err error
			for scope, text := range map[string]string{"national": c.nation, "region 33": c.region, "channel app": c.channel} {
				f, fault := ParseFile(strings.Fields(scope)[0], []byte("layer: "+scope+"\n"+text))
				if fault != nil {
					err = fault
				}
				all = append(all, f)
			}
			var l *Layers
			if err == nil {
				l, err = NewLayers(National(), all...)
			}
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v, want %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if is := l.For("3305", "app").PIN.List; is != c.want {
				t.Errorf("%s, want %s", is, c.want)
			}
		})
	}
	loose, tight := National(), National()
	loose.PIN.List = pin.ListBasic
	if loose.Stricter(tight).PIN.List != pin.ListStrong || tight.Stricter(loose).PIN.List != pin.ListStrong || loose.Under(tight).PIN.List != pin.ListStrong {
		t.Error("of two lists the looser one won")
	}
}

// TestPolicyOfValues: what an explanation writes can be read back.
func TestPolicyOfValues(t *testing.T) {
	l, err := layered(t, province())
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, o := range l.Explain("3305", "zj-app") {
		texts[o.Value] = o.Is
	}
	if p, err := FromValues(texts); err != nil || p != l.For("3305", "zj-app") {
		t.Errorf("%+v, %v", p, err)
	}
	texts["limits.attempts"] = "six"
	if _, err := FromValues(texts); err == nil {
		t.Error("a value that cannot be read was taken")
	}
}
