// What Ampere's cards and later ones have beyond plain CUDA C++: products of a warp's fragments, and copies to shared
// memory that pass no register. Layouts of the fragments: "mma.m16n8k16" in NVIDIA's PTX manual.
#pragma once
#include "number.cuh"

#ifdef __CUDACC__
// d += a b of a warp: a is 16 x 16, b is 16 x 8, both bf16, d is 16 x 8.
__device__ inline void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Begins to copy 16 bytes, zeros where they are not wanted (`from` must be readable all the same).
__device__ inline void begin_copy(uint4 *to, const uint4 *from, bool wanted) {
  const unsigned at = (unsigned)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(wanted ? 16 : 0) : "memory");
}

// Waits for this thread's copies.
__device__ inline void finish_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#else
#include "emulated_tensor_core.h"
#endif

// Two values as bf16, the first in the lower half.
__device__ inline unsigned pair(float low, float high) {
  const bf16 values[2] = {__float2bfloat16(low), __float2bfloat16(high)};
  unsigned bits;
  memcpy(&bits, values, sizeof bits);
  return bits;
}

// The upper (or lower) halves of two words.
__device__ inline unsigned halves(unsigned low, unsigned high, bool upper) {
  return upper ? low >> 16 | (high & 0xffff0000u) : (low & 0xffffu) | high << 16;
}
