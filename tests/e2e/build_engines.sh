#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the real engines and the tiny models that the end-to-end tests talk to, once a machine, into a cache folder
# outside the tree. Each part has a stamp: a second call does nothing twice. A part that cannot be built says why in
# PART.failed and the tests that need it are skipped by that name.
#
#   build_engines.sh [llama] [ollama] [models] [litellm]      default: llama ollama models
set -u
here=$(cd "$(dirname "$0")" && pwd)
E=${MEMBRANE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/membrane-engines}
llama_version=0.3.36
ollama_version=0.17.4
gguf_version=0.19.0
mkdir -p "$E/src" "$E/bin" "$E/models" "$E/log"

say() { printf 'engines: %s\n' "$*" >&2; }

part() { # part NAME STAMP FUNCTION: runs it unless its stamp says that this very version is there
    local name=$1 stamp=$2 work=$3
    if [ "$(cat "$E/$name.stamp" 2>/dev/null)" = "$stamp" ]; then
        say "$name: already there"
        return 0
    fi
    say "$name: building, log in $E/log/$name.log"
    if (set -e; "$work") >"$E/log/$name.log" 2>&1; then
        printf '%s\n' "$stamp" >"$E/$name.stamp"
        rm -f "$E/$name.failed"
        say "$name: done"
    else
        tail -n 3 "$E/log/$name.log" >"$E/$name.failed"
        say "$name: not built: $(tail -n 1 "$E/log/$name.log")"
        return 1
    fi
}

fetch_source() {
    local sdist=$E/src/llama_cpp_python-$llama_version.tar.gz
    [ -f "$sdist" ] || python3 -m pip download -q --no-deps --no-binary llama-cpp-python --no-build-isolation \
        "llama-cpp-python==$llama_version" -d "$E/src" || python3 -m pip download -q --no-deps \
        --no-binary llama-cpp-python "llama-cpp-python==$llama_version" -d "$E/src"
    [ -f "$sdist" ]
}

build_llama() {
    fetch_source
    tar xzf "$E/src/llama_cpp_python-$llama_version.tar.gz" -C "$E/src"
    cmake -S "$E/src/llama_cpp_python-$llama_version/vendor/llama.cpp" -B "$E/llama" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_UI=OFF \
        -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
    ninja -C "$E/llama" llama-server
    cp "$E/llama/bin/llama-server" "$E/bin/llama-server"
    "$E/bin/llama-server" --version
    rm -rf "$E/llama" "$E/src/llama_cpp_python-$llama_version"
}

# A Go module archive has no vendor folders: three header libraries are taken from the other source.
build_ollama() {
    fetch_source
    mkdir -p "$E/hdr"
    tar xzf "$E/src/llama_cpp_python-$llama_version.tar.gz" -C "$E/hdr" --strip-components=4 --wildcards \
        '*/vendor/llama.cpp/vendor/nlohmann/*' '*/vendor/llama.cpp/vendor/miniaudio/*' '*/vendor/llama.cpp/vendor/stb/*'
    CPLUS_INCLUDE_PATH=$E/hdr GOBIN=$E/bin GOFLAGS=-mod=mod go install \
        -ldflags "-s -w -X=github.com/ollama/ollama/version.Version=$ollama_version" \
        "github.com/ollama/ollama@v$ollama_version"
    HOME=$E/home "$E/bin/ollama" --version
}

build_models() {
    [ -x "$E/venv/bin/python" ] || python3 -m venv "$E/venv"
    "$E/venv/bin/pip" -q install "gguf==$gguf_version" numpy
    local make="$E/venv/bin/python $here/make_tiny_gguf.py" M=$E/models
    $make chat "$M/tiny-chat.gguf"
    $make embed "$M/tiny-embed.gguf"
    $make chat "$M/tiny-tool.gguf" --say '<tool_call>' \
        $'\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n' '</tool_call>' --then 'It is ' 'sunny ' 'in Paris.'
    $make chat "$M/tiny-think.gguf" --say '<think>' 'Let me ' 'see.' '</think>' 'It is ' 'sunny.'
    $make chat "$M/tiny-say.gguf" --say 'The ' 'quick ' 'brown ' 'fox.'
    $make chat "$M/tiny-other.gguf" --say 'A ' 'lazy ' 'dog ' 'sleeps.'
    local slow=(--hidden 1024 --layers 4 --heads 8 --kv-heads 8 --ff 4096)
    $make chat "$M/tiny-slow.gguf" "${slow[@]}"
    $make chat "$M/tiny-count.gguf" "${slow[@]}" --say One ' two' ' three' ' four' ' five' ' six' ' seven' ' eight' \
        ' nine' ' ten' ' eleven' ' twelve' ' thirteen' ' fourteen' ' fifteen' ' sixteen' ' seventeen' ' eighteen' \
        ' nineteen' ' twenty.'
}

build_litellm() {
    python3 -m venv "$E/litellm"
    "$E/litellm/bin/pip" -q install 'litellm[proxy]!=1.82.7,!=1.82.8' prisma
    "$E/litellm/bin/litellm" --version
}

status=0
for name in "${@:-}"; do
    [ -n "$name" ] || set -- llama ollama models
done
for name in "$@"; do
    case $name in
        llama) part llama "$llama_version" build_llama || status=1 ;;
        ollama) part ollama "$ollama_version" build_ollama || status=1 ;;
        models) part models "$gguf_version-$(cksum <"$here/make_tiny_gguf.py")-2" build_models || status=1 ;;
        litellm) part litellm 1 build_litellm || status=1 ;;
        *) say "unknown part $name (llama, ollama, models, litellm)"; exit 2 ;;
    esac
done
exit $status
