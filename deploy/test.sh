#!/usr/bin/env bash
# Installs the packages that are missing, builds the release preset and runs all tests.
#   deploy/test.sh [--ci]     --ci adds clang-tidy and the address, undefined-behaviour and thread
#                             sanitizers (tests/sanitizers.txt)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1-} in
  "") sections=(build test) ;;
  --ci) sections=(build test ci) ;;
  *) sed -n '2,5s/^# //p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
"$here/install_packages.sh" --yes "${sections[@]}"
"$here/install_peers.sh"
exec python3 "$here/run_tests.py" "$@"
