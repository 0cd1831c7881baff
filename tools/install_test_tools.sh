#!/usr/bin/env bash
# Installs the client programs the conformance tests drive. Does nothing when all are there; run by `make test`.
#   from the distribution   restic, rclone, node and npm
#   from npm                the AWS SDK for JavaScript, into the user's cache, never into this tree
#   from PyPI               aws, s3cmd: with the test extra (requirements-test.lock), checked here
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
wanted="$here/tests/conformance/javascript/package.json"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/atoll/javascript"

declare -A package=([restic]=restic [rclone]=rclone [node]=nodejs [npm]=npm)
missing=()
for program in restic rclone node npm; do
  PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${package[$program]}")
done

if ((${#missing[@]})); then
  become=()
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      become=(sudo)
    else
      echo "Missing test programs: ${missing[*]}" >&2
      echo "Install them as root, for example: sudo apt-get install -y ${missing[*]}" >&2
      exit 1
    fi
  fi
  if ! command -v apt-get >/dev/null; then
    echo "Missing test programs: ${missing[*]}. There is no apt-get here: install them your system's way." >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
    || { "${become[@]}" apt-get update -qq \
      && "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }
fi

if ! cmp -s "$wanted" "$cache/installed.json"; then
  echo "Installing the AWS SDK for JavaScript into $cache"
  mkdir -p "$cache"
  cp "$wanted" "$cache/package.json"
  (cd "$cache" && npm install --no-audit --no-fund --loglevel=error >/dev/null)
  cp "$wanted" "$cache/installed.json"  # Last, so that an install cut short is done again.
fi

for program in aws s3cmd; do
  command -v "$program" >/dev/null || { echo "$program is missing: pip install '.[test]'" >&2; exit 1; }
done
