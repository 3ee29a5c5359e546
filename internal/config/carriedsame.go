package config

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// same is what of a shared configuration has to be the same everywhere. How much a machine takes
// on, what it logs, and how it reaches the database are its own.
func same(c Config) Config {
	c.Channel, c.Hosted, c.Gateway, c.ConsoleDoor, c.Metrics = Door{}, Door{}, Door{}, Door{}, Metrics{}
	c.Vault, c.Digests, c.HSM, c.Database, c.DatabasePassword = "", "", HSM{}, "", ""
	c.Proxies, c.Log, c.Drain, c.API = nil, "", 0, ""
	c.Texts.Codes, c.Texts.Notices = Quota{}, Quota{}
	slices.SortFunc(c.Keepers.Remote, func(a, b RemoteKeeper) int { return strings.Compare(a.ID, b.ID) })
	c.Keepers.Key, c.Keepers.Directories = "", nil
	return c
}

// differing names the members in which two configurations differ.
func differing(a, b Config) (names []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if name, _, _ := strings.Cut(x.Type().Field(i).Tag.Get("yaml"), ","); !alike(x.Field(i).Interface(), y.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}

// alike compares by what would be written: an empty list is none.
func alike(a, b any) bool {
	one, err1 := yaml.Marshal(a)
	two, err2 := yaml.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(one, two)
}
