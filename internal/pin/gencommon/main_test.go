package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBuildRefusesWhatIsMalformed(t *testing.T) {
	good, err := read(strings.NewReader("000009\t2\n907352\t1\n123098\t3\n"))
	if err != nil || !slices.Equal(good, []chosen{{123098, 3}, {9, 2}, {907352, 1}}) {
		t.Fatalf("three rows: %v, %v", good, err)
	}
	for _, bad := range []string{
		"12345\t1\n", "1234567\t1\n", "12345x\t1\n", "+12345\t1\n", "123456 1\n", "123456\n", "123456\tx\n",
		"123456\t0\n", "123456\t-1\n", "123456\t1\n123456\t1\n", "\n",
	} {
		if _, err := build(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestWesternDatesEarnTheirPlace: a date with the year last stands in the lists only if it
// is one of the most frequent PINs.
func TestWesternDatesEarnTheirPlace(t *testing.T) {
	var rows []chosen
	for i := range frequent {
		rows = append(rows, chosen{pin: 700_000 + i, count: 9})
	}
	rows[5].pin = 101088 // frequent
	rows = append(rows, chosen{101089, 1}, chosen{310189, 1}, chosen{123589, 1})
	basic, strong := lists(rows)
	for n, want := range map[int][2]bool{101088: {true, true}, 101089: {}, 310189: {}, 123589: {false, true}, 111111: {true, true}} {
		if basic[n] != want[0] || strong[n] != want[1] {
			t.Errorf("%d: basic %v, strong %v", n, basic[n], strong[n])
		}
	}
}

func TestGeneratedFileIsTheCommittedOne(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join("..", dir, out))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.Open(filepath.Join("..", dir, counts))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	made, err := build(rows)
	if err != nil || !bytes.Equal(made, committed) {
		t.Errorf("run go generate ./internal/pin (%v)", err)
	}
}
