#!/usr/bin/env bash
# check.sh DIR TEST   Runs the test `cuda_cudnn`, a program built with the feature `cudnn`, without a GPU: cuDNN compiles the
# plans of the fused attention for a described H200. Into DIR comes a driver without a device, which cuDNN wants to be
# there; CUDA_HOME and CUDNN_FRONTEND_PATH are those that scripts/cuda-toolkit sets.
set -euo pipefail
mkdir -p "$1"
dir=$(cd "$1" && pwd)
# Every function of the driver: contexts and loaded kernels are fine, everything else answers that there is no device.
grep -oE '\bcu[A-Z][A-Za-z0-9_]*' "$CUDA_HOME/include/cuda.h" | sed 'p; s/$/_v2/' | sort -u |
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
packages=$CUDNN_FRONTEND_PATH/nvidia
LD_LIBRARY_PATH=$dir:$packages/cudnn_jit/lib:$packages/cu13/lib:$runtime "$2" --show-output
