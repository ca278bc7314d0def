#!/usr/bin/env bash
# in_memory.sh COMMAND: runs pytest with its folders in memory, where there are 8 GiB for them.
#
# What tests kill are processes, never the machine: what they write need not reach a disk, and a
# commit need not wait for it. Without that room, or without /dev/shm, it runs as it always does.
set -euo pipefail

least=$((8 << 20)) # KiB
room=$(df -Pk /dev/shm 2>/dev/null | awk 'END {print $4}')
free=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo 2>/dev/null)
if [ ! -w /dev/shm ] || [ "${room:-0}" -lt "$least" ] || [ "${free:-0}" -lt "$least" ]; then
  exec "$@"
fi
place=$(mktemp -d /dev/shm/simdes-tests-XXXXXX)
trap 'rm -rf "$place"' EXIT
"$@" --basetemp "$place/tests"
