package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// How many digits are read aloud: for a key ceremony and for share keys that are given,
// and for requests and admissions.
const (
	keyDigits    = 40
	callerDigits = 32
)

// takes returns the command that takes in a file that was carried, and the sentence that
// says so; "" if the file is not one of this program's.
func takes(data []byte) (command string, say func(locale.KeeperCommand, string) string) {
	var head struct {
		Format string `json:"format"`
		Kind   string `json:"kind"`
	}
	if json.Unmarshal(data, &head) != nil {
		return "", nil
	}
	switch {
	case head.Format == "liuma-request/1":
		return "admit", locale.KeeperCommand.NoIsRequest
	case head.Format == "liuma-admission/1":
		return "accept", locale.KeeperCommand.NoIsAdmission
	case head.Format != "liuma-key-ceremony/1":
		return "", nil
	case head.Kind == "ask":
		return "give", locale.KeeperCommand.NoIsAsk
	case head.Kind == "gift":
		return "replace", locale.KeeperCommand.NoIsGift
	}
	return "ceremony", locale.KeeperCommand.NoIsCeremony
}

// carried reads a file that was carried here for a command. A file that belongs to
// another command is refused with the name of that command.
func carried(command, path string) ([]byte, error) {
	data, err := readCarried(path)
	if err != nil {
		return nil, err
	}
	if other, say := takes(data); other != "" && other != command {
		return nil, refuse(func(w locale.KeeperCommand) string { return say(w, path) })
	}
	return data, nil
}

// whole refuses a wrong number of digits: some were not heard, or they belong to another
// step.
func whole(heard string, want int) error {
	given := len([]rune(written.Number(heard)))
	if heard == "" || given == want {
		return nil
	}
	return refuse(func(w locale.KeeperCommand) string { return w.NoDigits(fmt.Sprint(given), fmt.Sprint(want)) })
}

// joinHeard joins groups of digits after --heard that were typed without quotes around
// them. A file with such a name must be given as ./1234.
func joinHeard(f *flags, rest []string) []string {
	heard := f.set.Lookup("heard")
	if heard == nil || heard.Value.String() == "" {
		return rest
	}
	var files []string
	for _, arg := range rest {
		if strings.Trim(written.Number(arg), "0123456789") != "" || written.Number(arg) == "" {
			files = append(files, arg)
			continue
		}
		_ = f.set.Set("heard", heard.Value.String()+" "+arg) // any text is valid
	}
	return files
}

// freeName returns the name of a file that does not exist yet: base.json, or base-2.json
// and so on.
func freeName(base string) string {
	for i := 1; ; i++ {
		name := base + ".json"
		if i > 1 {
			name = fmt.Sprintf("%s-%d.json", base, i)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) || err != nil {
			return name
		}
	}
}
