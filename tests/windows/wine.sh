#!/bin/sh
# Runs a Windows program in the Wine root, in the caller's folder: CTest's emulator, and the hand's.
# Inside the namespace that wine_session.sh makes. MOONLATCH_WINE is that root.
# usage: wine.sh PROGRAM.exe [ARGUMENTS...]
set -eu
root=${MOONLATCH_WINE:?run this inside tests/windows/wine_session.sh}
WINEPREFIX=/var/lib/wine WINEDEBUG=${WINEDEBUG:--all}
WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe=d'
export WINEPREFIX WINEDEBUG WINEDLLOVERRIDES
# shellcheck disable=SC2016 # the inner shell expands it
exec chroot "$root" /bin/sh -c 'cd "$1" && shift && exec /usr/lib/wine/wine64 "$@"' sh "$PWD" "$@"
