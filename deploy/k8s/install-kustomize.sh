#!/bin/sh
# Makes sure that kustomize 5 or later is here: in kubectl, on the PATH, or built from one pinned version with Go into a
# cache folder. Does nothing when there is one. Prints what is used.
set -eu

version=v5.8.1
folder=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}/kustomize/$version

is_recent() { # the words of a version command
    echo "$1" | grep -Eq '(^|[^0-9.])v([5-9]|[1-9][0-9]+)\.[0-9]'
}

if [ -x "$folder/kustomize" ]; then
    echo "$folder/kustomize"
    exit 0
fi
if command -v kustomize >/dev/null && is_recent "$(kustomize version)"; then
    command -v kustomize
    exit 0
fi
if command -v kubectl >/dev/null && is_recent "$(kubectl version --client 2>/dev/null | grep Kustomize)"; then
    command -v kubectl
    exit 0
fi
command -v go >/dev/null || {
    echo "install-kustomize.sh: no kustomize 5 here and no Go to build it; install Go, or kubectl 1.27 or later" >&2
    exit 1
}
mkdir -p "$folder"
# Built beside its place and moved, so that two runs at once or an interrupted one leave no half of it.
build=$(mktemp -d "$folder/build.XXXXXX")
trap 'rm -rf "$build"' EXIT INT TERM
GOBIN=$build go install "sigs.k8s.io/kustomize/kustomize/v5@$version"
mv "$build/kustomize" "$folder/kustomize"
echo "$folder/kustomize"
