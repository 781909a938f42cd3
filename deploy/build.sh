#!/usr/bin/env bash
# Configures and builds one preset, with progress and time left.
#   deploy/build.sh [PRESET] [TARGET...]     default: release, everything
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
[ $# -eq 0 ] || shift

# A file that includes gRPC takes 0.6 GB to compile: no more jobs than memory has room for.
jobs=$(nproc)
room=$(awk '/^MemAvailable:/ { print int($2 / 700000) }' /proc/meminfo)
[ "$jobs" -le "$room" ] || jobs=$((room > 1 ? room : 1))

cmake --preset "$preset" >"/tmp/baton-configure.$$" 2>&1 || {
  cat "/tmp/baton-configure.$$"; rm -f "/tmp/baton-configure.$$"
  echo "Configure failed. Missing a package? deploy/install_packages.sh build test"
  exit 1
}
rm -f "/tmp/baton-configure.$$"
NINJA_STATUS='[%f/%t] ' ninja -C "build/$preset" -j "$jobs" "$@" |
  python3 deploy/build_progress.py "$preset"
