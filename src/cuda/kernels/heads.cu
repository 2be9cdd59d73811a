// Rotary positions, and the two orders of attention rows.
//
// Token-major is [rows, kv_heads, group, dim], as the projections write it. Folded is [kv_heads, rows, group, dim]: the
// query heads that share a key head then are rows of one matrix, and grouped-query attention is plain products.
#include "number.cuh"

// in -> out, each folded or token-major; with a table (cos and sin, [positions, dim / 2]) each head is rotated by its
// row's position, back where `sign` is -1. A block a row.
template <class In, class Out>
__device__ inline void arrange(const In *in, Out *out, int kv_heads, int group, int dim, int in_folded, int out_folded,
                               const unsigned *positions, const float *cos, const float *sin, float sign) {
  const int half = dim / 2, heads = kv_heads * group;
  const size_t row = blockIdx.x, rows = gridDim.x;
  const size_t table = positions ? (size_t)positions[row] * half : 0;
  for (int i = threadIdx.x; i < heads * half; i += blockDim.x) {
    const int head = i / half, j = i % half, h = head / group, g = head % group;
    const size_t folded = ((h * rows + row) * group + g) * dim + j, plain = (row * heads + head) * dim + j;
    const size_t from = in_folded ? folded : plain, to = out_folded ? folded : plain;
    const float a = number(in[from]), b = number(in[from + half]);
    float c = 1.f, s = 0.f;
    if (positions) c = cos[table + j], s = sign * sin[table + j];
    put(&out[to], a * c - b * s);
    put(&out[to + half], b * c + a * s);
  }
}

KERNEL(arrange_heads)(const real *in, real *out, int kv_heads, int group, int dim, int in_folded, int out_folded,
                      const unsigned *positions, const float *cos, const float *sin, float sign) {
  arrange(in, out, kv_heads, group, dim, in_folded, out_folded, positions, cos, sin, sign);
}

// As arrange_heads, of sums in f32.
KERNEL(arrange_sums)(const float *in, real *out, int kv_heads, int group, int dim, int in_folded, int out_folded,
                     const unsigned *positions, const float *cos, const float *sin, float sign) {
  arrange(in, out, kv_heads, group, dim, in_folded, out_folded, positions, cos, sin, sign);
}
