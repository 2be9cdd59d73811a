// The part of CUDA C++ that our kernels use, for a compiler of the processor: stands in for NVIDIA's header of this
// name when the kernels are built for the emulated device (build.sh).
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

struct uint3 {
  unsigned x, y, z;
};
// Of the thread that runs; blocks and the threads of a block take turns on one thread of the processor.
extern uint3 threadIdx, blockIdx, blockDim, gridDim;

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

// Waits until every thread of the block has come here.
void __syncthreads();
// A value of at most 32 bytes that the threads of a warp show each other; gives what the warp's first thread shows, the
// others' follow. All threads of a block must call it the same number of times, and wait for each other once more
// before they show the next.
struct Shown {
  alignas(16) char bytes[32];
};
const Shown *show(const void *own, size_t bytes);
template <class T> T __shfl_xor_sync(unsigned, T x, int mask) {
  T other;
  memcpy(&other, show(&x, sizeof x)[threadIdx.x % 32 ^ mask].bytes, sizeof x);
  __syncthreads();
  return other;
}

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
using std::isfinite;

struct __nv_bfloat16 {
  uint16_t bits;
};
inline float __bfloat162float(__nv_bfloat16 x) {
  const uint32_t bits = (uint32_t)x.bits << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
// To the nearest, ties to even.
inline __nv_bfloat16 __float2bfloat16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if (x != x) return {0x7fff};
  return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
