#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by stack, demo and the test runners: packages of packages.txt, and a Python to go on with.
# Installs only when root or when sudo needs no password; otherwise it names what is missing and how to get it.

mf_local_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# mf_missing_packages run|test: names of the group's packages that are not installed (`test` includes `run`).
mf_missing_packages() {
    local name group
    command -v dpkg-query >/dev/null || return 0
    while read -r name group; do
        case $name in '' | '#'*) continue ;; esac
        [ "$group" = run ] || [ "$1" = test ] || continue
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed; then
            printf '%s\n' "$name"
        fi
    done <"$mf_local_dir/packages.txt"
}

# mf_as_root COMMAND...: as root, by sudo when that asks for nothing; 1 when neither is possible.
mf_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# PostgreSQL's package would start a server of its own when it is installed; ours is enough. The switch is
# there only while the packages are installed, and only when PostgreSQL was not there before.
mf_apt_install() {
    local own=/etc/postgresql-common/createcluster.d/marketflow-install.conf result=0
    if ! command -v dpkg-query >/dev/null || ! dpkg-query -W postgresql-common >/dev/null 2>&1; then
        mf_as_root mkdir -p "${own%/*}"
        printf 'create_main_cluster = false\n' | mf_as_root tee "$own" >/dev/null
    else
        own=
    fi
    mf_as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || true
    mf_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >&2 || result=$?
    [ -z "$own" ] || mf_as_root rm -f "$own"
    return "$result"
}

# mf_install_packages run|test
mf_install_packages() {
    local missing
    mapfile -t missing < <(mf_missing_packages "$1")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if ! mf_as_root true; then
        printf 'These packages are missing:\n  apt-get install %s\n' "${missing[*]}" >&2
        printf 'Install them, or run this as root or where sudo asks for no password.\n' >&2
        return 1
    fi
    printf 'installing %s\n' "${missing[*]}" >&2
    mf_apt_install "${missing[@]}"
}

# mf_find_python: sets mf_python to a Python of at least 3.11 that can make environments; 1 when there is none.
mf_find_python() {
    for mf_python in python3 /usr/bin/python3 python3.11 python3.12 python3.13; do
        "$mf_python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
    done
    mf_python=
    return 1
}

# mf_run_module MODULE ARGUMENTS...: replaces this shell by that module of mflocal.
mf_run_module() {
    if ! mf_find_python; then
        mf_install_packages run || true
        if ! mf_find_python; then
            printf 'Python 3.11 or later with the venv module is needed.\n' >&2
            exit 1
        fi
    fi
    local module=$1
    shift
    PYTHONPATH="$mf_local_dir${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1 \
        exec "$mf_python" -m "$module" "$@"
}
