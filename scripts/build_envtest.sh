#!/usr/bin/env bash
# Builds a real API server, its store, controller manager and service proxy from their published
# sources, once: build_envtest.sh [DIRECTORY]. What is there already and of these versions is kept.
# Broken off, it goes on where it was: Go keeps what it has fetched and compiled.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/envtest
target=${1:-${FERROLB_ENVTEST_DIR:-$HOME/.cache/ferrolb/envtest}}
needed_mb=4500 # sources 700, Go's build cache 3100, the binaries 300, and some room
names=(etcd kube-apiserver kube-controller-manager kube-proxy)
say() { printf '%s\n' "$*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  say "using the binaries in $KUBEBUILDER_ASSETS (KUBEBUILDER_ASSETS)"
  exit 0
fi

kubernetes=$(sed -n 's/^require k8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' "$here/kubernetes/go.mod")
number=${kubernetes#v}
version=k8s.io/component-base/version
flags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=${number%%.*}"
flags="$flags -X $version.gitMinor=$(cut -d. -f2 <<<"$number") -X $version.gitTreeState=clean"
wanted=$({ printf '%s\n' "$flags" "${names[@]}" && cat "$here"/*/go.mod "$here"/*/go.sum; } |
  sha256sum | cut -d' ' -f1)

is_built() {
  [ "$(cat "$target/.built" 2>/dev/null)" = "$wanted" ] || return 1
  for name in "${names[@]}"; do [ -x "$target/$name" ] || return 1; done
}
if is_built; then exit 0; fi

command -v go >/dev/null || {
  say "error: building the real API server needs Go 1.24 or newer"
  say "  install it, or name a folder of ready binaries: KUBEBUILDER_ASSETS=/usr/local/kubebuilder/bin"
  exit 1
}
export CGO_ENABLED=0 GOFLAGS="-mod=readonly ${GOFLAGS:-}" GOTOOLCHAIN=local
mkdir -p "$target"
exec 9>"$target/.lock"
flock -n 9 || {
  say "another build into $target is running, waiting for it"
  flock 9
}
if is_built; then exit 0; fi

has_room() { # DIRECTORY
  mkdir -p "$1"
  local free_mb
  free_mb=$(($(df -Pk "$1" | awk 'NR == 2 {print $4}') / 1024))
  if [ "$free_mb" -lt "$needed_mb" ] && [ -z "${FERROLB_ENVTEST_IGNORE_SPACE:-}" ]; then
    say "error: $free_mb MB are free at $1, a first build needs up to $needed_mb MB"
    say "  free some, name other directories (GOCACHE, GOMODCACHE, FERROLB_ENVTEST_DIR), or try"
    say "  nevertheless: FERROLB_ENVTEST_IGNORE_SPACE=1"
    exit 1
  fi
}
has_room "$target"
has_room "$(go env GOCACHE)"
has_room "$(go env GOMODCACHE)"

fetch() { # MODULE PACKAGE...
  say "fetching the sources of $1 ..."
  (cd "$here/$1" && go list -deps "${@:2}" >/dev/null) || { # which needs them, and no others
    say "error: not all sources of $1 could be fetched; is the network there, is GOPROXY right?"
    say "  what has been fetched is kept: running this again goes on from there"
    exit 1
  }
}

count=0
build() { # MODULE NAME PACKAGE
  local began=$SECONDS
  count=$((count + 1))
  say "building $2 ($count of ${#names[@]}) ..."
  (cd "$here/$1" && go build -trimpath -ldflags "$flags" -o "$target/$2.new" "$3") || {
    rm -f "$target/$2.new"
    say "error: $2 was not built; if memory ran out, compile less at a time: GOFLAGS=-p=1"
    exit 1
  }
  mv "$target/$2.new" "$target/$2"
  say "  $((SECONDS - began)) s, $(($(stat -c %s "$target/$2") / 1000000)) MB"
}

say "building Kubernetes $kubernetes into $target (5 to 15 minutes on two cores, once)"
rm -f "$target/.built" "$target"/*.new
store=go.etcd.io/etcd/server/v3
programs=k8s.io/kubernetes/cmd
fetch etcd "$store"
fetch kubernetes $programs/kube-{apiserver,controller-manager,proxy}
build etcd etcd "$store"
for name in "${names[@]:1}"; do build kubernetes "$name" "$programs/$name"; done
printf '%s\n' "$wanted" >"$target/.built.new"
mv "$target/.built.new" "$target/.built"
