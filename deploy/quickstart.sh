#!/usr/bin/env bash
# From a clone to a trained model that lost machines on the way: installs, builds, starts a local
# cluster, trains LeNet-5 on MNIST, takes workers and the scheduler away from it, and compares the
# model with an undisturbed run's.
#   deploy/quickstart.sh [--yes] [--data DIR]
#     --yes       install missing packages without asking
#     --data DIR  the four full MNIST files, instead of the small set that Baton ships
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agree=()
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --yes) agree=(--yes); shift ;;
    --data) arguments=(--data "$(realpath -e "${2:?--data needs a folder}")"); shift 2 ;;
    *) sed -n '2,7s/^# //p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
done
echo "[1/4] packages"
"$here/install_packages.sh" "${agree[@]}" build test
exec python3 "$here/demo.py" "${arguments[@]}"
