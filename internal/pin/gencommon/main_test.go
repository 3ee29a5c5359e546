package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBuildRefusesWhatIsMalformed(t *testing.T) {
	good, err := build(strings.NewReader("000009\t2\n999999\t1\n"))
	if err != nil || good[1] != 2 || good[len(good)-1] != 0x80 {
		t.Fatalf("two rows: %v", err)
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

func TestGeneratedFileIsTheCommittedOne(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join("..", dir, out))
	if err != nil {
		t.Fatal(err)
	}
	counts, err := os.Open(filepath.Join("..", dir, list))
	if err != nil {
		t.Fatal(err)
	}
	defer counts.Close()
	made, err := build(counts)
	if err != nil || !bytes.Equal(made, committed) {
		t.Errorf("run go generate ./internal/pin (%v)", err)
	}
}
