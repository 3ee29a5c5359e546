package written

import (
	"crypto/rand"
	"strings"
)

// CodeLetters are the characters of codes that people read aloud and type: freeze
// codes, ticket codes, pairing numbers. The look-alikes 0 O, 1 I L and U are left out.
const CodeLetters = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// longestCode is the longest text that is read as a code, in bytes.
const longestCode = 128

// NewCode draws a code of some characters. Random bytes that would make some
// characters more likely are skipped.
func NewCode(size int) string {
	code := make([]byte, 0, size)
	var b [32]byte
	for len(code) < size {
		rand.Read(b[:]) // never fails since Go 1.24
		for _, v := range b {
			if int(v) < 256/len(CodeLetters)*len(CodeLetters) && len(code) < size {
				code = append(code, CodeLetters[int(v)%len(CodeLetters)])
			}
		}
	}
	return string(code)
}

// Code brings a typed code to its canonical spelling: without blanks, dashes and
// invisible characters, in capitals of single width. Of the look-alikes that
// CodeLetters leaves out only U is read as another character, V. 0, O, 1, I and L look
// like several of the letters, or none. formed says that only CodeLetters are left;
// the caller checks how many there are.
func Code(typed string) (code string, formed bool) {
	if len(typed) > longestCode {
		return "", false
	}
	code = strings.ReplaceAll(Number(typed), "U", "V")
	return code, strings.Trim(code, CodeLetters) == ""
}

// FreezeCode writes a freeze code in groups of 3, 4 and 4, so that it is easy to read and
// type. A code of another length stays as it is.
func FreezeCode(code string) string {
	if len(code) != 11 {
		return code
	}
	return code[:3] + " " + code[3:7] + " " + code[7:]
}
