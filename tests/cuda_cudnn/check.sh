#!/usr/bin/env bash
# check.sh DIR   Builds the program's fused attention (feature `cudnn`) and compiles its plans with cuDNN for a described
# H200, without a GPU. Into DIR come, from PyPI, the front end's headers, a cuDNN that compiles its kernels when they are
# met, and NVRTC; and a driver without a device, which cuDNN wants to be there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
packages=$dir/packages
if [ ! -e "$packages/include/cudnn_frontend.h" ]; then
  python3 -m pip install -q --root-user-action=ignore --no-deps --only-binary=:all: --no-compile --target "$packages" \
    nvidia-cudnn-frontend==1.32.0 nvidia-cudnn-jit-cu13==9.19.0.56 nvidia-cuda-nvrtc==13.0.88
fi
# Every function of the driver: contexts and loaded kernels are fine, everything else answers that there is no device.
sed -n 's/^CUresult CUDAAPI \(cu[A-Za-z0-9_]*\)(.*/\1\n\1_v2/p' "$CUDA_HOME/include/cuda.h" | sort -u |
  while read -r name; do
    case $name in
      cuFuncGetAttribute | cuKernelGetAttribute) echo "int $name(int *value) { return *value = 0; }" ;;
      cuOccupancyMaxActiveBlocksPerMultiprocessor) echo "int $name(int *count) { return *count = 1, 0; }" ;;
      cuLibraryLoadData | cuLibraryGet* | cuModuleLoadData | cuModuleGetFunction | cuKernelGetFunction)
        echo "int $name(void **handle) { return *handle = handle, 0; }" ;;
      cuCtx* | cuFunc* | cuModule* | cuLibrary* | cuKernel*) echo "int $name(void) { return 0; }" ;;
      *) echo "int $name(void) { return 100; }" ;;
    esac
  done >"$dir/driver.c"
cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$dir/libcuda.so.1" "$dir/driver.c"
runtime=$(dirname "$(find "$CUDA_HOME/lib" "$CUDA_HOME/lib64" -name 'libcudart.so.1[23]' 2>/dev/null | head -1)")
cd "$here/../.."
LD_LIBRARY_PATH=$dir:$packages/nvidia/cudnn_jit/lib:$packages/nvidia/cu13/lib:$runtime \
  CUDNN_FRONTEND_PATH=$packages cargo test --release -p attending --locked --features cudnn --test cuda_cudnn -- --nocapture
