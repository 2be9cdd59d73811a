// Softmax of tiles of scores, merged over tiles by the running maximum and sum (arXiv 2205.14135).
//
// A tile holds the scores [kv_heads, count * group, stride] of `count` query rows from `begin` on against `keys` keys
// from packed row `at` on, of which query row i sees those up to its own packed row rows[begin + i]. Running values and
// outputs are folded: [kv_heads, total * group] and [.., dim]. Grid: tile rows in x, key heads in y.
#include "number.cuh"

struct Tile {
  int begin, group, total, at, keys, stride;
};

// Where the block's row stands in the tile and in the folded arrays, and how many keys of the tile it sees.
struct Place {
  size_t scores, row;
  int seen;
};

__device__ inline Place place(const Tile &t, const unsigned *rows) {
  const int local = blockIdx.x, row = t.begin + local / t.group;
  Place p;
  p.scores = ((size_t)blockIdx.y * gridDim.x + local) * t.stride;
  p.row = (size_t)blockIdx.y * t.total * t.group + (size_t)t.begin * t.group + local;
  p.seen = min(t.keys, (int)rows[row] + 1 - t.at);
  return p;
}

// weights = exp(scores - new maximum), 0 for unseen keys; what was summed before shrinks to the new maximum.
KERNEL(softmax_tile)(const float *scores, const unsigned *rows, Tile t, int dim, real *weights, float *maxima,
                     float *sums, float *o) {
  const Place p = place(t, rows);
  scores += p.scores, weights += p.scores;
  float top = -INFINITY;
  for (int i = threadIdx.x; i < p.seen; i += blockDim.x) top = fmaxf(top, scores[i]);
  const float old = maxima[p.row], now = fmaxf(old, block_max(top));
  float sum = 0;
  for (int i = threadIdx.x; i < t.stride; i += blockDim.x) {
    const float e = i < p.seen ? expf(scores[i] - now) : 0.f;
    sum += e;
    put(&weights[i], e);
  }
  sum = block_sum(sum);
  const float shrink = expf(old - now);
  if (shrink != 1.f)
    for (int i = threadIdx.x; i < dim; i += blockDim.x) o[p.row * dim + i] *= shrink;
  if (threadIdx.x == 0) {
    maxima[p.row] = now;
    sums[p.row] = sums[p.row] * shrink + sum;
  }
}

// o /= sum; maxima become log-sum-exps. A block a folded row.
KERNEL(softmax_finish)(float *o, float *maxima, const float *sums, int dim) {
  const float sum = sums[blockIdx.x], inverse = 1.f / sum;
  for (int i = threadIdx.x; i < dim; i += blockDim.x) o[(size_t)blockIdx.x * dim + i] *= inverse;
  if (threadIdx.x == 0) maxima[blockIdx.x] += logf(sum);
}

// delta = sum(o do) of each head, folded, from token-major o and do; a warp of 32 threads a (row, head).
KERNEL(attention_delta)(const real *o, const real *d_o, int rows, int kv_heads, int group, int dim, float *delta) {
  const int head = blockIdx.x % (kv_heads * group), h = head / group, g = head % group;
  const size_t row = blockIdx.x / (kv_heads * group), at = (size_t)blockIdx.x * dim;
  float sum = 0;
  for (int i = threadIdx.x; i < dim; i += blockDim.x) sum += number(o[at + i]) * number(d_o[at + i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) delta[((size_t)h * rows + row) * group + g] = sum;
}

// p = exp(scores - lse) and ds = p (dp - delta), 0 for unseen keys.
KERNEL(softmax_tile_backward)(const float *scores, const float *dp, const unsigned *rows, Tile t, const float *lse,
                              const float *delta, real *weights, real *ds) {
  const Place p = place(t, rows);
  scores += p.scores, dp += p.scores, weights += p.scores, ds += p.scores;
  const float l = lse[p.row], d = delta[p.row];
  for (int i = threadIdx.x; i < t.stride; i += blockDim.x) {
    const float e = i < p.seen ? expf(scores[i] - l) : 0.f;
    put(&weights[i], e);
    put(&ds[i], i < p.seen ? e * (dp[i] - d) : 0.f);
  }
}

// Output and log-sum-exps [heads] of packed row rows[i] from those of a call's row i: taken over where `first` is set, else
// merged with what stands there. A block a row of the call.
KERNEL(merge_rows)(const real *part, const float *part_lse, const unsigned *rows, int heads, int dim, int first,
                   real *o, float *lse) {
  const size_t row = rows[blockIdx.x], width = (size_t)heads * dim;
  part += blockIdx.x * width, part_lse += (size_t)blockIdx.x * heads, o += row * width, lse += row * heads;
  const auto merged = [&](int head) {
    const float a = lse[head], b = part_lse[head], top = fmaxf(a, b);
    return top + logf(expf(a - top) + expf(b - top));
  };
  for (int i = threadIdx.x; i < heads * dim; i += blockDim.x) {
    float value = number(part[i]);
    if (!first) {
      const int head = i / dim;
      const float l = merged(head);
      value = expf(lse[head] - l) * number(o[i]) + expf(part_lse[head] - l) * value;
    }
    put(&o[i], value);
  }
  __syncthreads();
  for (int head = threadIdx.x; head < heads; head += blockDim.x) lse[head] = first ? part_lse[head] : merged(head);
}

// out[rows[i]] += part[i], or = where `first` is set. A block a row of the call.
KERNEL(add_rows)(const real *part, const unsigned *rows, int width, int first, float *out) {
  part += (size_t)blockIdx.x * width, out += (size_t)rows[blockIdx.x] * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) out[i] = (first ? 0.f : out[i]) + number(part[i]);
}
