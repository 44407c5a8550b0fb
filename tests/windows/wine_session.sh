#!/bin/sh
# Runs a command in a network and mount namespace of its own, with the checkout mounted at its own
# path in the Wine root. Wine's http.sys listens on every address and lives in one helper process,
# hence one namespace for all that belongs together. Ends Wine's helpers afterwards.
# usage: wine_session.sh COMMAND [ARGUMENTS...]      (as root, after setup.sh wine)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
root=$here/build/windows/wine

if [ -z "${MOONLATCH_WINE-}" ]; then
    [ -x "$root/usr/lib/wine/wine64" ] || {
        echo "wine_session: no Wine in $root; tests/windows/setup.sh wine makes it" >&2
        exit 1
    }
    # Two sessions would share Wine's helpers, which live in one namespace only.
    MOONLATCH_WINE=$root exec flock "$here/build/windows/session.lock" \
        unshare --net --mount --pid --fork --kill-child --propagation unchanged sh "$0" "$@"
fi

# Nothing that is mounted here may be seen outside. That needs a mount point at `/`, which the root
# of a plain chroot is not: there the rest goes on in a copy of the tree, which is one.
if ! mount --make-rprivate / 2>/dev/null; then
    tree=$here/build/windows/tree
    mkdir -p "$tree"
    mount --rbind / "$tree"
    mount --make-rprivate "$tree"
    # shellcheck disable=SC2016 # the inner shell expands it
    exec chroot "$tree" /bin/sh -c 'cd "$1" && shift && exec sh "$@"' sh "$PWD" "$0" "$@"
fi

ip link set lo up
mkdir -p "$root$here" "$root/proc" "$root/dev" "$root/tmp"
mount --bind "$here" "$root$here"
mount -t proc proc "$root/proc"
mount -t proc proc /proc
mount --rbind /dev "$root/dev"
# The registry is written when Wine's server ends: only a whole prefix has one.
prefix=$root/var/lib/wine
tries=2
until [ -f "$prefix/system.reg" ]; do
    [ $tries -gt 0 ] || {
        echo "wine_session: wineboot makes no prefix in $prefix" >&2
        exit 1
    }
    tries=$((tries - 1))
    rm -rf "$prefix"
    mkdir -p "$prefix"
    timeout 180 sh "$here/tests/windows/wine.sh" wineboot -i >/dev/null 2>&1 </dev/null || true
    timeout 60 chroot "$root" env WINEPREFIX=/var/lib/wine /usr/lib/wine/wineserver64 -w || true
done
# Kept alive between programs: one that starts while its helpers are ending fails now and then.
chroot "$root" env WINEPREFIX=/var/lib/wine /usr/lib/wine/wineserver64 -p
# They keep the outputs of the first program open: none that anybody reads to the end.
sh "$here/tests/windows/wine.sh" cmd /c exit >/dev/null 2>&1 </dev/null
# Its http.sys loses a signal now and then, until the next one comes.
pulse=$here/build/windows/out/tests/bin/pulse.exe
[ ! -f "$pulse" ] || sh "$here/tests/windows/wine.sh" "$pulse" >/dev/null 2>&1 </dev/null &
status=0
"$@" || status=$?
chroot "$root" env WINEPREFIX=/var/lib/wine /usr/lib/wine/wineserver64 -k || true
exit $status
