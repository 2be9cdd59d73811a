// tensor_core.cuh for the emulated device: fragments lie in the lanes as NVIDIA's PTX manual says for mma.m16n8k16.
#pragma once
#include "cuda_bf16.h"

inline void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  struct Factors {
    unsigned a[4], b[2];
  } own = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
  const Shown *warp = show(&own, sizeof own);
  const int lane = threadIdx.x % 32;
  const auto value = [](unsigned word, int k) {
    return __bfloat162float({(uint16_t)(k % 2 ? word >> 16 : word)});
  };
  for (int c = 0; c < 4; c++) {
    const int row = lane / 4 + c / 2 * 8, column = lane % 4 * 2 + c % 2;
    for (int k = 0; k < 16; k++) {
      const auto *of_a = (const Factors *)warp[row % 8 * 4 + k % 8 / 2].bytes;
      const auto *of_b = (const Factors *)warp[column * 4 + k % 8 / 2].bytes;
      d[c] += value(of_a->a[row / 8 + k / 8 * 2], k) * value(of_b->b[k / 8], k);
    }
  }
  __syncthreads();
}

inline void begin_copy(uint4 *to, const uint4 *from, bool wanted) { *to = wanted ? *from : uint4{0, 0, 0, 0}; }
inline void finish_copies() {}
