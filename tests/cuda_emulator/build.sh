#!/usr/bin/env bash
# build.sh DIR   Builds the emulated device into DIR: libcuda.so and libcublasLt.so, with the kernels compiled for the
# processor. A program of the feature `cuda` that finds them first (LD_LIBRARY_PATH=DIR) runs on it as on a card,
# slowly: what is tested is the arithmetic, the indices and the order of the launches, not the speed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernels=$here/../../src/cuda/kernels
mkdir -p "$1"
out=$(cd "$1" && pwd)
sed -n 's/^KERNEL(\([a-z_0-9]*\)).*/ENTRY(\1)/p' "$kernels"/*.cu > "$out/entries.inc"
flags=(-std=c++17 -O3 -fPIC -Wall -Wno-unknown-pragmas -I"$here" -I"$kernels" -I"$out")
for element in float:_f32 bf16:_bf16; do
  c++ "${flags[@]}" -c -DREAL="${element%:*}" -DSUFFIX="${element#*:}" -o "$out/kernels${element#*:}.o" "$here/kernels.cpp"
done
c++ "${flags[@]}" -shared -o "$out/libcuda.so" "$here/driver.cpp" "$out"/kernels_f32.o "$out"/kernels_bf16.o
c++ "${flags[@]}" -shared -o "$out/libcublasLt.so" "$here/cublaslt.cpp"
rm "$out"/kernels_*.o "$out/entries.inc"
