#!/bin/sh
# Makes what the Windows build and its tests stand on, below build/windows/:
#   sysroot   Lua and LuaFileSystem, cross-compiled from Debian's source packages
#   wine      a Debian trixie root with Wine 10 (bookworm's Wine 8 lacks the call that streams)
# Each is made once; remove the folder to make it anew. Mirror and key are those of the system.
# usage: setup.sh sysroot | wine      (as root; the compiler and mmdebstrap are installed already)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
base=$here/build/windows
wine_suite=trixie
compiler=x86_64-w64-mingw32-gcc
archiver=x86_64-w64-mingw32-ar

say() { printf '%s\n' "windows: $*" >&2; }
die() { say "$*"; exit 1; }

# Sets $mirror, $suite and $key from the system's apt sources, whatever their format.
find_mirror() {
    suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt-get expands it
    mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(RELEASE)' 'Created-By: Packages' |
        awk -v suite="$suite" '$2 == suite || $3 == suite { print $1; exit }')
    [ -n "$mirror" ] || die "the apt sources name no mirror of $suite (run apt-get update)"
    key=$(sed -n 's/^Signed-By: *\(\/.*debian.*\)$/\1/p' /etc/apt/sources.list.d/*.sources \
        2>/dev/null | head -n 1)
    [ -n "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f "$key" ] || die "no key of the Debian archive at $key"
}

make_sysroot() {
    find_mirror
    work=$base/sysroot.work
    root=$base/sysroot.new
    rm -rf "$work" "$root"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/objects" \
        "$root/include" "$root/lib"
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$mirror" "$suite" "$key" >"$work/parts/source.sources"
    set -- -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        -o Acquire::Retries=3
    apt-get "$@" update
    (cd "$work" && apt-get "$@" source lua5.4 lua-filesystem >/dev/null)
    # The unpacked makefiles want libtool; the patched sources alone are enough.
    for source in "$work"/lua5.4-*/src/*.c; do
        name=$(basename "$source" .c)
        case $name in lua | luac) continue ;; esac
        $compiler -std=gnu99 -O2 -c "$source" -o "$work/objects/$name.o"
    done
    $archiver rcs "$root/lib/liblua.a" "$work"/objects/*.o
    for name in lua luaconf lualib lauxlib; do
        cp "$work"/lua5.4-*/src/$name.h "$root/include/"
    done
    $compiler -std=gnu99 -O2 -I"$root/include" -c "$work"/lua-filesystem-*/src/lfs.c \
        -o "$work/lfs.o"
    $archiver rcs "$root/lib/liblfs.a" "$work/lfs.o"
    cp "$work"/lua-filesystem-*/src/lfs.h "$root/include/"
    rm -rf "$base/sysroot" "$work"
    mv "$root" "$base/sysroot"
}

make_wine() {
    find_mirror
    root=$base/wine.new
    rm -rf "$root"
    mkdir -p "$root"
    mmdebstrap --quiet --variant=apt --mode=root --keyring="$key" \
        --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=wine64,wine "$wine_suite" "$root" "$mirror"
    [ -x "$root/usr/lib/wine/wine64" ] || die "the new root has no Wine loader"
    rm -rf "$base/wine"
    mv "$root" "$base/wine"
}

mkdir -p "$base"
started=$(date +%s)
case ${1-} in
sysroot) [ -f "$base/sysroot/lib/liblfs.a" ] || make_sysroot ;;
wine) [ -x "$base/wine/usr/lib/wine/wine64" ] || make_wine ;;
*) die "usage: setup.sh sysroot | wine" ;;
esac
say "$1 is there ($(($(date +%s) - started)) s)"
