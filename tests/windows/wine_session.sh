#!/bin/sh
# Runs a command in a network and mount namespace of its own, with the checkout mounted at its own
# path in the Wine root. Wine's http.sys listens on every address and lives in one helper process,
# hence one namespace for all that belongs together. Ends Wine's helpers afterwards.
# usage: wine_session.sh COMMAND [ARGUMENTS...]      (as root, after setup.sh wine)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
root=$here/build/windows/wine

if [ -z "${MOONLATCH_WINE-}" ]; then
    # Two sessions would share Wine's helpers, which live in one namespace only.
    MOONLATCH_WINE=$root exec flock "$here/build/windows/session.lock" \
        unshare --net --mount --pid --fork --kill-child --propagation private sh "$0" "$@"
fi

ip link set lo up
mkdir -p "$root$here" "$root/proc" "$root/dev" "$root/tmp"
mount --bind "$here" "$root$here"
mount -t proc proc "$root/proc"
mount -t proc proc /proc
mount --rbind /dev "$root/dev"
[ -d "$root/var/lib/wine/drive_c" ] || {
    mkdir -p "$root/var/lib/wine"
    sh "$here/tests/windows/wine.sh" wineboot -i >/dev/null 2>&1
    chroot "$root" env WINEPREFIX=/var/lib/wine /usr/lib/wine/wineserver64 -w
}
# Kept alive between programs: one that starts while its helpers are ending fails now and then.
chroot "$root" env WINEPREFIX=/var/lib/wine /usr/lib/wine/wineserver64 -p
# They keep the outputs of the first program open: none that anybody reads to the end.
sh "$here/tests/windows/wine.sh" cmd /c exit >/dev/null 2>&1 </dev/null
status=0
"$@" || status=$?
chroot "$root" env WINEPREFIX=/var/lib/wine /usr/lib/wine/wineserver64 -k || true
exit $status
