#!/bin/sh
# Makes v0.1.0.tar.gz: a data directory that 0.1.0 itself wrote (CHANGELOG, "0.1.0"), with
# three keepers, and expected.json, which says what is in it. Run it anew only if more has
# to be in it. Needs the history of this repository; leaves no worktree behind.
set -eu
release=6a6ecedb3a0b9a273178de9c78c2c351744e4e93 # "Date the release 0.1.0"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'git -C "$here" worktree remove --force "$work/tree" 2>/dev/null || true; rm -rf "$work"' EXIT
git -C "$here" worktree add --detach "$work/tree" "$release" >/dev/null
cp "$here/make-v0.1.0.go.txt" "$work/tree/internal/testkit/made_test.go"
mkdir "$work/made"
(cd "$work/tree" && LIUMA_MADE="$work/made" go test ./internal/testkit -count=1 -run '^TestMake$')
tar -C "$work/made" --sort=name --mtime=2026-11-29 --owner=0 --group=0 --numeric-owner -cf - data expected.json | gzip -9n >"$here/v0.1.0.tar.gz"
ls -l "$here/v0.1.0.tar.gz"
