#!/bin/sh
# The platform is chosen by file name (x_posix.c, x_linux.c, ...), not by #if inside shared files.
# The contract header is one for all platforms and the only exception.
. "$(dirname -- "$0")/lib.sh"

files host -- '*.c' '*.h' |
    grep -vE '^host/windows/|^host/api/httpapi\.h$|_(posix|linux|windows|epoll|uring)\.[ch]$' |
    while read -r file; do
        stripped "$file" | awk -v file="$file" '
            BEGIN {
                platforms = "_WIN32|_WIN64|_MSC_VER|__MINGW|__CYGWIN__|__linux|__unix|__APPLE__"
                platforms = platforms "|__FreeBSD|__OpenBSD|__NetBSD|__ANDROID__"
            }
            /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)/ && $0 ~ platforms {
                printf "%s:%d: platform test in a shared file\n", file, FNR
            }'
    done >"$findings" || true
finish "split the file by platform; CMake picks it by its name"
