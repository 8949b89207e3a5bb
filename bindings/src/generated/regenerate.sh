#!/bin/sh
# Generates the Java bindings in src/generated/java from the two C headers in native/include.
#
#   JEXTRACT=/path/to/jextract bindings/src/generated/regenerate.sh
#
# jextract must be the revision before its change 7903735 (the last one whose output runs on JDK 22;
# later ones call SymbolLookup.findOrThrow, which JDK 23 added). It needs libclang 13 or newer.
# Every function of a header is listed by name, so that nothing of the C library slips in; the file
# headers.sha256 records which headers the output was generated from, and a test compares it.
set -eu
cd "$(dirname "$0")/../../.."
out=bindings/src/generated/java
rm -rf "$out"
functions() { # the names of the functions that a header declares
  sed -e 's@/\*.*\*/@@' -e '/^\/\*/,/\*\//d' -e '/^ *\*/d' "$1" |
    grep -oE '\b(aoti_torch|torch|gammanet)_[a-z0-9A-Z_]+ *\(' | tr -d ' (' | sort -u
}
constants() { # the names of the numbers that a header defines, itself or through gammanet_cell.def
  sed -nE 's/^#define (GAMMANET_[A-Z0-9_]+) +[0-9]+$/\1/p; s/^ +(GAMMANET_[A-Z0-9_]+)$/\1/p' "$1"
  if grep -q '#include "gammanet_cell.def"' "$1"; then
    sed -nE 's/^CELL_(PARAMETER|OPTION|FLAG)\(([A-Z0-9_]+),.*/GAMMANET_CELL_\2/p
      s/^CELL_VALUE\(([A-Z0-9_]+), ([A-Z0-9_]+),.*/GAMMANET_\1_\2/p' native/include/gammanet_cell.def
  fi
}
generate() { # header, class
  header=native/include/$1
  # shellcheck disable=SC2046
  ${JEXTRACT:-jextract} --target-package org.gammanet.torch.gen --header-class-name "$2" \
    --output "$out" $(functions "$header" | sed 's/^/--include-function /') \
    $(constants "$header" | sed 's/^/--include-constant /') "$header"
}
generate libtorch_stable.h LibTorchStable
generate gammanet_native.h GammanetNative
sha256sum native/include/libtorch_stable.h native/include/gammanet_native.h \
  native/include/gammanet_cell.def |
  sed 's@native/include/@@' > bindings/src/generated/headers.sha256
