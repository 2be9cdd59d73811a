// What every kernel starts from: the element type, conversions, sums over a block.
//
// Every file here is compiled twice, with REAL (float or bf16) as the type of weights and activations and SUFFIX ending
// the kernels' names. Arithmetic is f32 always; gradients of weights and the residual stream are f32. Kernels use no
// atomic operations: a sum has one order, so the same input gives the same bits.
#pragma once
#include <cuda_bf16.h>

typedef __nv_bfloat16 bf16;
typedef REAL real;

#define PASTE_TOKENS(name, suffix) name##suffix
#define PASTE(name, suffix) PASTE_TOKENS(name, suffix)
#define KERNEL(name) extern "C" __global__ void PASTE(name, SUFFIX)
// A kernel whose blocks have `threads` threads, with registers for at least `blocks` of them on a multiprocessor.
#define BOUNDS(threads, blocks, name) extern "C" __global__ void __launch_bounds__(threads, blocks) PASTE(name, SUFFIX)

__device__ inline float number(float x) { return x; }
__device__ inline float number(bf16 x) { return __bfloat162float(x); }
__device__ inline void put(float *at, float x) { *at = x; }
__device__ inline void put(bf16 *at, float x) { *at = __float2bfloat16(x); }

// Index of this thread and number of threads of the whole grid, for loops over elements.
__device__ inline size_t thread_index() { return (size_t)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline size_t thread_count() { return (size_t)gridDim.x * blockDim.x; }

struct Sum {
  template <class T> __device__ static T of(T a, T b) { return a + b; }
};
struct Largest {
  template <class T> __device__ static T of(T a, T b) { return a > b ? a : b; }
};

// Combines x over all threads of a block of at most 1,024 (a multiple of 32); every thread gets the result.
template <class Combine, class T> __device__ inline T block_reduce(T x, T neutral) {
  __shared__ T warps[32];
  for (int offset = 16; offset > 0; offset /= 2) x = Combine::of(x, __shfl_xor_sync(0xffffffffu, x, offset));
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, count = blockDim.x / 32;
  __syncthreads();  // The previous reduction has been read by all.
  if (lane == 0) warps[warp] = x;
  __syncthreads();
  x = lane < count ? warps[lane] : neutral;
  for (int offset = 16; offset > 0; offset /= 2) x = Combine::of(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}
template <class T> __device__ inline T block_sum(T x) { return block_reduce<Sum, T>(x, T(0)); }
__device__ inline float block_max(float x) { return block_reduce<Largest, float>(x, -INFINITY); }
