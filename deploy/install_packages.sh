#!/usr/bin/env bash
# Installs the Debian packages of deploy/packages.txt that are missing.
#   deploy/install_packages.sh [--yes] [SECTION...]     sections: build test ci; default build
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ask=1
sections=()
for word in "$@"; do
  case $word in
    --yes) ask=0 ;;
    build | test | ci) sections+=("$word") ;;
    *) sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
done
[ ${#sections[@]} -gt 0 ] || sections=(build)

# Prints the packages of one section.
packages_of() {
  awk -v wanted="[$1]" '/^\[/ { inside = ($1 == wanted); next }
                        inside && $1 !~ /^#/ && NF { print $1 }' "$here/packages.txt"
}

missing=()
for section in "${sections[@]}"; do
  for package in $(packages_of "$section"); do
    if ! dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
      missing+=("$package")
    fi
  done
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "packages: all there (${sections[*]})"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
  if ! command -v sudo >/dev/null; then
    echo "Missing: ${missing[*]}"
    echo "Run as root, or install sudo: apt-get install ${missing[*]}"
    exit 1
  fi
fi

echo "Debian packages to install (deploy/packages.txt says why each):"
printf '  %s\n' "${missing[@]}" | pr -3 -t -w 100
if [ $ask -eq 1 ]; then
  read -r -p "Install them now? [y/N] " answer || answer=no
  case $answer in
    y | Y | yes) ;;
    *) echo "Nothing installed. Run again with --yes to agree without being asked."; exit 1 ;;
  esac
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
# --no-install-recommends: the build needs what it names and no more.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
