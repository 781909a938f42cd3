#!/usr/bin/env bash
# Installs the PyPI packages of tests/requirements.txt into a Python of their own, build/peers.
#   deploy/install_peers.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wanted=$root/tests/requirements.txt
peers=$root/build/peers
if cmp -s "$wanted" "$peers/installed.txt"; then
  echo "peers: all there"
  exit 0
fi
echo "peers: installing into build/peers"
rm -rf "$peers"
/usr/bin/python3 -m venv "$peers"
"$peers/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$wanted"
cp "$wanted" "$peers/installed.txt"
