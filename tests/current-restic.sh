#!/bin/sh
# A current restic beside Debian 12's: the package of the next Debian, unpacked, never installed.
# $1: where to put the program. Never fails: what lacks is a named skip (tests/allowed_skips.txt).
set -u

[ -x "$1" ] && exit 0
command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || exit 0
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$key" ] || exit 0
place=$(mktemp -d) || exit 0
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/lists/partial" "$place/cache/archives/partial"
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | grep -v security | head -n 1)
[ -n "$mirror" ] || {
    echo "les sources de Debian ne se lisent pas ici : les essais d'un restic récent seront sautés" >&2
    exit 0
}
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "$mirror" "$key" >"$place/trixie.sources"
apt() {
    apt-get -q -o "Dir::Etc::sourcelist=$place/trixie.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::Lists=$place/lists" -o "Dir::Cache=$place/cache" "$@" >/dev/null 2>&1
}
cd "$place" && apt update && apt download restic && dpkg -x restic_*.deb unpacked || {
    echo "pas de restic récent : les essais qui en dépendent seront sautés" >&2
    exit 0
}
cd - >/dev/null && cp "$place/unpacked/usr/bin/restic" "$1"
