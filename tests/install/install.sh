#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the built library into an empty folder and builds programs against it, as other people's projects do:
# pkg-config (shared, static), CMake (shared, static), C++, and the tree moved elsewhere.
#
#   install.sh BUILD SOURCE
set -eu
build=$1 source=$2
unset LD_LIBRARY_PATH # the build folder must not stand in for the installed library
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=0 failed=0

check() { # check NAME COMMAND…: one TAP line, the output shown only on failure
    local name=$1
    shift
    tests=$((tests + 1))
    if ("$@") >"$work/log" 2>&1; then
        echo "ok $tests - $name"
    else
        failed=1
        echo "not ok $tests - $name"
        sed 's/^/# /' "$work/log"
    fi
}

DESTDIR=$work/stage meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
pc=$(find "$work/stage" -name membrane.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
root=$work/stage$prefix
lib=$(dirname "$(dirname "$pc")")
# The staged tree stands somewhere else than it says: that is what --define-prefix and CMake's relative paths are for.
mv "$root" "$work/moved"
lib=$work/moved${lib#"$root"}
export PKG_CONFIG_PATH=$lib/pkgconfig

# The prefix as it is seen from here; each function below is a chain of &&, since "if" switches set -e off in them.
# shellcheck disable=SC2317 # all of them are called by check
flags() { pkg-config --define-variable=prefix="$work/moved" "$@" membrane; }

# shellcheck disable=SC2317
field() { sed -n "s/^$1: //p" "$lib/pkgconfig/membrane.pc" | tr -d ,; }

# shellcheck disable=SC2046,SC2317 # flags are words
use_shared() {
    cc -std=c11 -Wall -Wextra -Werror "$source/examples/embed/c/provider.c" $(flags --cflags --libs) -o "$work/shared" &&
        LD_LIBRARY_PATH=$lib "$work/shared" | grep 'Polly' && readelf -d "$work/shared" | grep 'libmembrane.so.0'
}

# Our archive, the others as shared libraries: Debian has no static libcurl without half of the world.
# shellcheck disable=SC2046,SC2317 # flags are words
use_static() {
    cc -std=c11 "$source/examples/embed/c/provider.c" $(flags --cflags) "$lib/libmembrane.a" \
        $(pkg-config --libs $(field Requires.private)) $(field Libs.private) -o "$work/static" &&
        "$work/static" | grep 'Polly' && [ "$(readelf -d "$work/static" | grep -c libmembrane)" = 0 ]
}

# shellcheck disable=SC2046,SC2317 # flags are words
use_cpp() {
    c++ -std=c++17 -Wall -Wextra -Werror "$source/examples/embed/cpp/provider.cpp" $(flags --cflags --libs) -o "$work/cpp" &&
        LD_LIBRARY_PATH=$lib "$work/cpp" | grep 'Hello'
}

# shellcheck disable=SC2317
use_cmake() { # use_cmake TARGET COMPONENTS…
    local target=$1 at=$work/cmake-$1
    shift
    mkdir -p "$at"
    cat >"$at/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(consumer C)
find_package(membrane 0.1 REQUIRED $*)
add_executable(consumer $source/examples/embed/c/provider.c)
target_link_libraries(consumer membrane::$target)
END
    cmake -S "$at" -B "$at/build" -DCMAKE_PREFIX_PATH="$work/moved" -Dmembrane_DIR="$lib/cmake/membrane" &&
        cmake --build "$at/build" && "$at/build/consumer" | grep 'Polly'
}

# shellcheck disable=SC2317
refuses_newer() {
    mkdir -p "$work/newer"
    printf 'cmake_minimum_required(VERSION 3.16)\nproject(p C)\nfind_package(membrane 99 REQUIRED)\n' >"$work/newer/CMakeLists.txt"
    if cmake -S "$work/newer" -B "$work/newer/b" -Dmembrane_DIR="$lib/cmake/membrane"; then return 1; fi
}

# shellcheck disable=SC2317
no_private_header() {
    local others
    others=$(find "$work/moved/include" -type f -not -path '*/include/membrane/*')
    [ -z "$others" ] && [ -f "$work/moved/include/membrane/membrane.hpp" ]
}

# Without the private libraries on the command line: they are the shared library's own affair.
# shellcheck disable=SC2317
shared_names_one_library() { [ "$(flags --libs | tr ' ' '\n' | grep -c '^-l')" = 1 ]; }

check 'a program links the shared library by pkg-config' use_shared
check 'pkg-config names one library for a shared link' shared_names_one_library
check 'a program links the archive by pkg-config' use_static
check 'a C++ program uses the installed membrane.hpp' use_cpp
if command -v cmake >/dev/null; then
    check 'CMake finds the shared library in a moved tree' use_cmake membrane
    check 'CMake finds the archive as component static' use_cmake static COMPONENTS static
    check 'CMake refuses a version that is newer' refuses_newer
fi
check 'only public headers are installed' no_private_header
if [ -x "$work/moved/bin/membrane" ]; then
    check 'the installed program starts' env LD_LIBRARY_PATH="$lib" "$work/moved/bin/membrane" version
    check 'manual pages are installed' test -f "$work/moved/share/man/man1/membrane-run.1"
    check 'completions are installed' test -f "$work/moved/share/bash-completion/completions/membrane.bash"
fi
echo "1..$tests"
exit $failed
