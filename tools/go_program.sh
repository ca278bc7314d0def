#!/usr/bin/env bash
# Build a Go program that tests run beside SIMDES: go_program.sh FOLDER PACKAGE PROGRAM
# FOLDER/go.mod names its exact version, FOLDER/go.sum the digest of everything in it.
set -euo pipefail
folder=$1 package=$2 program=$3
name=$(basename "$program")
needed=$(awk '$1 == "go" {print $2}' "$folder/go.mod")

if ! command -v go >/dev/null; then
  echo "$name is built with Go $needed or later, and no Go is on the PATH." >&2
  exit 1
fi
# The version that go.mod asks for, or a newer one; Go from 1.21 on fetches it by itself.
found=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
oldest=$(printf '%s\n' "$needed" "$found" | sort -V | head -1)
if [ "$oldest" != "$needed" ]; then
  if [ "$(printf '%s\n' 1.21 "$found" | sort -V | head -1)" != 1.21 ]; then
    echo "$name is built with Go $needed or later; the Go on the PATH is $found." >&2
    exit 1
  fi
  export GOTOOLCHAIN=auto
fi
echo "Building $name with Go (once; minutes, more on a busy machine)." >&2
mkdir -p "$(dirname "$program")"
# Beside its place first, so that a build that is cut off leaves nothing that looks whole.
trap 'rm -f "$program.$$"' EXIT
go build -C "$folder" -mod=readonly -trimpath -ldflags="-s -w ${GO_LDFLAGS:-}" -o "$(realpath -m "$program.$$")" "$package"
mv "$program.$$" "$program"
