// What a decode step does between its matrix products, one new token a row; and the cache of keys and values, whose
// rows are [kv_heads * dim].
#include "number.cuh"

// To [rows, (heads + 2 kv_heads) * dim] of queries, keys and values: adds the biases (null: none), rotates queries in
// place, and puts the rotated keys and the values into the cache rows `to`. A block a row.
KERNEL(decode_project)(real *qkv, const real *q_bias, const real *k_bias, const real *v_bias,
                       const unsigned *positions, const unsigned *to, const float *cos, const float *sin, int heads,
                       int kv_heads, int dim, real *keys, real *values) {
  const int half = dim / 2, q_pairs = heads * half, k_pairs = kv_heads * half;
  const size_t row = blockIdx.x, kept = (size_t)to[row] * kv_heads * dim, turn = (size_t)positions[row] * half;
  qkv += row * (heads + 2 * kv_heads) * dim;
  const auto biased = [&](int at, const real *bias, int column) {
    return number(qkv[at]) + (bias ? number(bias[column]) : 0.f);
  };
  for (int i = threadIdx.x; i < q_pairs + k_pairs; i += blockDim.x) {
    const bool key = i >= q_pairs;
    const int own = key ? i - q_pairs : i, j = own % half, column = own / half * dim + j;
    const int at = key ? heads * dim + column : column;
    const real *bias = key ? k_bias : q_bias;
    const float a = biased(at, bias, column), b = biased(at + half, bias, column + half);
    const float c = cos[turn + j], s = sin[turn + j];
    real *out = key ? keys + kept + column : qkv + column;
    put(out, a * c - b * s);
    put(out + half, b * c + a * s);
  }
  for (int i = threadIdx.x; i < kv_heads * dim; i += blockDim.x)
    put(&values[kept + i], biased((heads + kv_heads) * dim + i, v_bias, i));
}

// Row from[i] of keys and values [rows, width] to row to[i] of the cache. A block a row.
KERNEL(cache_rows)(const real *k, const real *v, const unsigned *from, const unsigned *to, int width, real *keys,
                   real *values) {
  const size_t source = (size_t)from[blockIdx.x] * width, target = (size_t)to[blockIdx.x] * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    keys[target + i] = k[source + i];
    values[target + i] = v[source + i];
  }
}

// a[row] = silu(gate) up of rows that hold both, [rows, 2 * width]. Grid: columns in x, rows in y.
KERNEL(swiglu_rows)(const real *gate_up, int width, real *a) {
  gate_up += (size_t)blockIdx.y * 2 * width, a += (size_t)blockIdx.y * width;
  for (int i = thread_index(); i < width; i += thread_count()) {
    const float g = number(gate_up[i]);
    put(&a[i], g / (1.f + expf(-g)) * number(gate_up[width + i]));
  }
}
