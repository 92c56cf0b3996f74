#!/bin/sh
# In the builder tree: a library in LLVM's place for radv, which is linked with LLVM and compiles by ACO (LLVM only with
# RADV_DEBUG=llvm). It has LLVM's names and nothing behind them: 40 MB less. Who calls one ends with SIGILL.
# usage: llvm-stub.sh TREE
set -eu
libraries=$1/usr/lib/x86_64-linux-gnu
radv=$libraries/libvulkan_radeon.so
[ -e "$radv" ] || exit 0
soname=$(readelf -d "$radv" | sed -n 's/.*NEEDED.*\[\(libLLVM[^]]*\)\].*/\1/p')
[ -n "$soname" ] || exit 0
mkdir -p /tmp/stub
nm -D --undefined-only "$radv" | sed -n 's/^ *[A-Za-z] \([^@]*\)@\(LLVM_[^ ]*\)$/\1 \2/p' | sort -u >/tmp/stub/names
version=$(cut -d' ' -f2 /tmp/stub/names | sort -u)
[ "$(echo "$version" | wc -l)" = 1 ]
{
    echo .text
    while read -r name _; do printf '.globl %s\n.type %s, @function\n%s:\n' "$name" "$name" "$name"; done </tmp/stub/names
    printf 'ud2\n.section .note.GNU-stack,"",@progbits\n'
} >/tmp/stub/stub.s
printf '%s { global: *; };\n' "$version" >/tmp/stub/version
gcc -shared -nostdlib -Wl,-soname,"$soname" -Wl,--version-script=/tmp/stub/version -Wl,--build-id=none \
    -o "$libraries/$soname" /tmp/stub/stub.s
echo "stub of $soname with $(wc -l </tmp/stub/names) names"
# No name is missing: the loader binds the whole driver, as vulkan's own loader would not
LD_LIBRARY_PATH=$libraries ldd "$radv" | grep 'not found' && exit 1
rm -r /tmp/stub
