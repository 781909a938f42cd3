#!/usr/bin/env bash
# Installs pinned PyPI packages into a Python of their own: of tests/requirements.txt into
# build/peers, or of tests/bench/requirements.txt, which are large, into build/peers-bench.
#   deploy/install_peers.sh [bench]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
  "") wanted=$root/tests/requirements.txt name=peers ;;
  bench) wanted=$root/tests/bench/requirements.txt name=peers-bench ;;
  *)
    echo "usage: deploy/install_peers.sh [bench]" >&2
    exit 2
    ;;
esac
peers=$root/build/$name
if cmp -s "$wanted" "$peers/installed.txt"; then
  echo "$name: all there"
  exit 0
fi
echo "$name: installing into build/$name"
rm -rf "$peers"
/usr/bin/python3 -m venv "$peers"
"$peers/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$wanted"
cp "$wanted" "$peers/installed.txt"
