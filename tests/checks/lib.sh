# Shared by the checks: sourced first. A check prints `file:line: what is wrong` for each finding
# and ends with 1 when there was one. CHECK_ROOT names another tree to look at (the self-test).
# shellcheck shell=sh
set -eu
export LC_ALL=C.UTF-8
checks_dir=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "${CHECK_ROOT:-$checks_dir/../..}"
findings=$(mktemp)
trap 'rm -rf "$findings" "$findings".*' EXIT

# Files below the given folders (those that exist) whose names match one of the patterns after `--`.
files() {
    folders=
    while [ "$1" != -- ]; do
        [ ! -e "$1" ] || folders="$folders $1"
        shift
    done
    shift
    [ -n "$folders" ] || return 0
    expression="-name $1"
    shift
    for pattern in "$@"; do expression="$expression -o -name $pattern"; done
    set -f
    # shellcheck disable=SC2086 # lists of words on purpose; no name here has a blank
    find $folders \( -name build -o -name .git \) -prune -o -type f \( $expression \) -print | sort
    set +f
}

# C code with comments, strings and character constants blanked; lines keep their numbers.
stripped() {
    awk -f "$checks_dir/strip.awk" "$1"
}

# Runs `command... FILE` over the list on stdin in as many processes as there are cores.
each() {
    xargs -r -n 1 -P "$(nproc)" "$@"
}

# Ends the check: shows the findings, if any. $1: what to do about them.
finish() {
    if [ -s "$findings" ]; then
        sort -u "$findings" >&2
        printf '%s\n' "-> $1" >&2
        exit 1
    fi
    exit 0
}

# The compiler flags of the presets.
c_flags() {
    echo "-std=c17 -D_GNU_SOURCE -Ihost -Itests -Wall -Wextra -Wpedantic -Wconversion -Wshadow" \
        "-Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror" \
        "$(pkg-config --cflags lua5.4 lua5.4-filesystem)"
}
