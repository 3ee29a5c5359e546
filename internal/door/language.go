package door

import "github.com/liuma-pin/liuma/locale"

// Lang is a language of pages and errors.
type Lang = locale.Lang

// The languages that every catalogue has. Chinese is the default.
const (
	Chinese = locale.Chinese
	English = locale.English
)

// Accepted returns the language that an Accept-Language header prefers.
func Accepted(header string) Lang { return locale.Own().Accepted(header) }
