package strictjson

import "encoding/json"

// AppendText appends a string as encoding/json writes it, byte for byte, but without its
// reflection. Strings that need an escape or are not ASCII are left to it; they are rare in
// what is written often. The error is encoding/json's.
func AppendText(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, err := json.Marshal(s)
			return append(b, escaped...), err
		}
	}
	return append(append(append(b, '"'), s...), '"'), nil
}
