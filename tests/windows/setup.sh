#!/bin/sh
# Makes what the Windows build and its tests stand on, below build/windows/:
#   sysroot   Lua, LuaFileSystem and cmocka, cross-compiled from Debian's source packages
#   wine      a Debian trixie root with Wine 10 (bookworm's Wine 8 lacks the call that streams)
# Each is made once; remove the folder to make it anew. Mirror and key are those of the system.
# A download that stalls is given up after 30 s and tried again, three times for a file.
# usage: setup.sh sysroot | wine      (wine: as root; compiler and mmdebstrap are installed already)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
base=$here/build/windows
wine_suite=trixie
download_s=1200
compiler=x86_64-w64-mingw32-gcc
archiver=x86_64-w64-mingw32-ar

say() { printf '%s\n' "windows: $*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command that downloads: a mirror that only just moves must not hold up everything.
limited() { timeout --kill-after=10 "$download_s" "$@"; }

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
        -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30
    limited apt-get "$@" update
    (cd "$work" && limited apt-get "$@" source lua5.4 lua-filesystem cmocka >/dev/null)
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
    (cd "$work"/cmocka-*/ && $compiler -std=gnu99 -O2 -Iinclude -DHAVE_SIGNAL_H -DHAVE_MALLOC_H \
        -DHAVE_INTTYPES_H -DHAVE_GCC_THREAD_LOCAL_STORAGE -DHAVE_CLOCK_REALTIME \
        -DHAVE_STRUCT_TIMESPEC -D_WIN32_WINNT=0x0A00 -D__USE_MINGW_ANSI_STDIO=1 \
        -c src/cmocka.c -o "$work/cmocka.o")
    $archiver rcs "$root/lib/libcmocka.a" "$work/cmocka.o"
    cp "$work"/cmocka-*/include/cmocka.h "$root/include/"
    rm -rf "$base/sysroot" "$work"
    mv "$root" "$base/sysroot"
}

make_wine() {
    find_mirror
    root=$base/wine.new
    rm -rf "$root"
    mkdir -p "$root"
    limited mmdebstrap --quiet --variant=apt --mode=root --keyring="$key" \
        --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --aptopt='Acquire::http::Timeout "30"' --aptopt='Acquire::https::Timeout "30"' \
        --include=wine64,wine "$wine_suite" "$root" "$mirror" ||
        die "mmdebstrap cannot make a $wine_suite root from $mirror"
    [ -x "$root/usr/lib/wine/wine64" ] || die "the new root has no Wine loader"
    rm -rf "$base/wine"
    mv "$root" "$base/wine"
}

mkdir -p "$base"
started=$(date +%s)
case ${1-} in
sysroot) [ -f "$base/sysroot/lib/libcmocka.a" ] || make_sysroot ;;
wine) [ -x "$base/wine/usr/lib/wine/wine64" ] || make_wine ;;
*) die "usage: setup.sh sysroot | wine" ;;
esac
say "$1 is there ($(($(date +%s) - started)) s)"
