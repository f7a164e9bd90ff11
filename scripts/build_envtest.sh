#!/usr/bin/env bash
# Builds a real API server, its store, controller manager and service proxy from their published
# sources, once: build_envtest.sh [DIRECTORY]. What is there already and of these versions is kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/envtest
target=${1:-${FERROLB_ENVTEST_DIR:-$HOME/.cache/ferrolb/envtest}}
say() { printf '%s\n' "$*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  say "using the binaries in $KUBEBUILDER_ASSETS (KUBEBUILDER_ASSETS)"
  exit 0
fi
command -v go >/dev/null || {
  say "error: building the real API server needs Go 1.24 or newer"
  say "  install it, or name a folder of ready binaries: KUBEBUILDER_ASSETS=/usr/local/kubebuilder/bin"
  exit 1
}

kubernetes=$(sed -n 's/^require k8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' "$here/kubernetes/go.mod")
wanted=$(cat "$0" "$here"/*/go.mod "$here"/*/go.sum | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/.built" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

mkdir -p "$target"
exec 9>"$target/.lock"
flock 9 # two builds at once would only be slower
[ "$(cat "$target/.built" 2>/dev/null)" = "$wanted" ] && exit 0

number=${kubernetes#v}
version=k8s.io/component-base/version
flags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=${number%%.*}"
flags="$flags -X $version.gitMinor=$(cut -d. -f2 <<<"$number") -X $version.gitTreeState=clean"
export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local

build() { # MODULE NAME PACKAGE
  local began=$SECONDS
  say "building $2 ..."
  (cd "$here/$1" && go build -trimpath -ldflags "$flags" -o "$target/$2.new" "$3")
  mv "$target/$2.new" "$target/$2"
  say "  $((SECONDS - began)) s, $(($(stat -c %s "$target/$2") / 1000000)) MB"
}

say "building Kubernetes $kubernetes into $target (5 to 15 minutes on two cores, once)"
build etcd etcd go.etcd.io/etcd/server/v3
for name in kube-apiserver kube-controller-manager kube-proxy; do
  build kubernetes "$name" "k8s.io/kubernetes/cmd/$name"
done
printf '%s\n' "$wanted" >"$target/.built"
