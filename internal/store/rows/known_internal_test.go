package rows

import (
	"reflect"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestKnownValuesShareNothing: what is given out of memory can be changed by whoever got it.
func TestKnownValuesShareNothing(t *testing.T) {
	c := store.Client{ID: "zj", Kind: store.ClientChannel, Name: liuma.Text{ZH: "渠道", EN: "channel"}, Keys: []byte("[]"),
		Regions: []liuma.Region{"330500"}, Actions: []liuma.Action{liuma.ActionVerify}, RedirectURIs: []string{"https://a.example"},
		StandIn: true, Stopped: true, At: time.UnixMilli(1), StrictAudience: true, Parent: "zj-all"}
	k := &Known{}
	learn(k, c)
	got, ok := says[store.Client](k)
	if !ok || !reflect.DeepEqual(got, c) {
		t.Fatalf("%+v, %v", got, ok)
	}
	for v, i := reflect.ValueOf(got), 0; i < v.NumField(); i++ {
		name := v.Type().Field(i).Name
		switch f := v.Field(i); f.Kind() {
		case reflect.Slice:
			other, _ := says[store.Client](k)
			if f.Len() == 0 || f.Pointer() == reflect.ValueOf(c).Field(i).Pointer() ||
				f.Pointer() == reflect.ValueOf(other).Field(i).Pointer() {
				t.Errorf("%s is empty or shared", name)
			}
		case reflect.Map, reflect.Pointer, reflect.Interface:
			t.Errorf("%s may be shared", name)
		}
	}
	if _, ok := says[whole](&Known{}); ok {
		t.Error("nothing was learnt, and something is known")
	}
	cards := &Known{}
	learn(cards, whole{})
	if _, ok := says[whole](cards); ok || !cards.isSealed() {
		t.Error("of a card more is kept than that its seal is right")
	}
}
