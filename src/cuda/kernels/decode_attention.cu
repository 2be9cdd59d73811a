// Attention of one new token of each sequence over keys and values in the cache.
//
// A block attends `rows * group` queries (the heads that share a key head, of sequences that share the keys) to a range
// of keys: a prefix is read once for all its responses. Its result is one part of the queries' attention, normalised,
// with its log-sum-exp; decode_merge joins the parts. Grid: items in x, key heads in y; 128 threads.
#include "tensor_core.cuh"

// Keys begin..end of the sequence whose first cache row is `base`, for the queries of rows first..first + rows; the
// results of query i go to slot + i.
struct Item {
  unsigned base, begin, end, first, rows, slot;
};

// What every variant reads and writes. Queries are [rows, stride] with the heads from column 0 on; the cache is
// [rows, kv_heads, dim]; o is [slots, kv_heads, dim], lse [slots, kv_heads].
struct Decoding {
  const real *q, *keys, *values;
  const Item *items;
  float *o, *lse;
  int stride, kv_heads, group;
  float scale;
};

__device__ inline const real *query(const Decoding &d, const Item &item, int i, int dim) {
  const size_t row = item.first + i / d.group;
  return d.q + row * d.stride + (size_t)(blockIdx.y * d.group + i % d.group) * dim;
}
__device__ inline size_t slot(const Decoding &d, const Item &item, int i) {
  return (size_t)(item.slot + i) * d.kv_heads + blockIdx.y;
}

// In plain f32 for any width up to 8 * EACH: a warp takes a query, eight lanes of it a key.
template <int EACH> __device__ inline void attend_plainly(const Decoding &d, int dim) {
  const Item item = d.items[blockIdx.x];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, part = lane % 8, turn = lane / 8;
  const int queries = item.rows * d.group;
  const size_t stride = (size_t)d.kv_heads * dim, head = (size_t)blockIdx.y * dim;
  for (int first = 0; first < queries; first += 4) {
    // Warps without a query repeat the last one, so that all threads take the same way.
    const int i = min(first + warp, queries - 1);
    const real *asked = query(d, item, i, dim);
    float q[EACH], sum[EACH];
#pragma unroll
    for (int j = 0; j < EACH; j++) {
      const int at = part + 8 * j;
      q[j] = at < dim ? number(asked[at]) * d.scale : 0.f;
      sum[j] = 0;
    }
    float top = -INFINITY, total = 0;
    for (unsigned key = item.begin; key < item.end; key += 4) {
      const unsigned own = key + turn;
      const bool seen = own < item.end;
      const size_t row = ((size_t)item.base + (seen ? own : item.begin)) * stride + head;
      float score = 0;
#pragma unroll
      for (int j = 0; j < EACH; j++) {
        const int at = part + 8 * j;
        if (at < dim) score += q[j] * number(d.keys[row + at]);
      }
      for (int mask = 1; mask < 8; mask *= 2) score += __shfl_xor_sync(0xffffffffu, score, mask);
      if (!seen) continue;
      if (score > top) {
        const float shrink = expf(top - score);
        top = score, total *= shrink;
#pragma unroll
        for (int j = 0; j < EACH; j++) sum[j] *= shrink;
      }
      const float weight = expf(score - top);
      total += weight;
#pragma unroll
      for (int j = 0; j < EACH; j++) {
        const int at = part + 8 * j;
        if (at < dim) sum[j] += weight * number(d.values[row + at]);
      }
    }
    // The lanes' four turns become one.
    for (int mask = 8; mask < 32; mask *= 2) {
      const float now = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
      const float shrink = top == -INFINITY ? 0.f : expf(top - now);
      top = now, total *= shrink;
      total += __shfl_xor_sync(0xffffffffu, total, mask);
#pragma unroll
      for (int j = 0; j < EACH; j++) {
        sum[j] *= shrink;
        sum[j] += __shfl_xor_sync(0xffffffffu, sum[j], mask);
      }
    }
    if (turn != 0 || first + warp >= queries) continue;
    const size_t to = slot(d, item, i);
    if (part == 0) d.lse[to] = top + logf(total);
#pragma unroll
    for (int j = 0; j < EACH; j++) {
      const int at = part + 8 * j;
      if (at < dim) d.o[to * dim + at] = sum[j] / total;
    }
  }
}

// Keys of one tile in shared memory, and its threads.
constexpr int TILE_KEYS = 64, TILE_THREADS = 128;

// Tensor cores for at most 64 queries of width DIM (64 or 128): tiles of 64 keys go to shared memory. A warp multiplies
// 16 queries with 16 keys at a time; where there are fewer than four times 16 queries, the warps share the keys.
//
// Which dimension, key or column stands at which place of a fragment is free as long as both factors agree, and chosen
// so that a lane reads whole 16 bytes, eight lanes without a bank conflict. Lane 4 g + t holds
// - of queries and keys the dimensions 32 b + 8 t ... 8 t + 7: two products' worth for each b;
// - as column g of a tile of eight scores the key order(g): 0, 4, 1, 5, ...; so of the scores keys t and 4 + t;
// - of values the dimensions 64 b + 8 g ... 8 g + 7, one for each of eight products; so of the output dimensions
//   64 b + 16 t ... 16 t + 15.
// Rows are padded by 16 bytes (keys: lanes read rows 4 apart) and 32 (values: rows 1 apart).
template <int DIM> __device__ inline void attend_in_tiles(const Decoding &d) {
  constexpr int WORDS = DIM / 8, KEY_WORDS = WORDS + 1, VALUE_WORDS = WORDS + 2, BLOCKS = DIM / 64;
  constexpr int STATE = BLOCKS * 32 + 4;
  __shared__ uint4 shared[TILE_KEYS * (KEY_WORDS + VALUE_WORDS)];
  static_assert(3 * STATE * 32 * sizeof(float) <= sizeof shared, "the warps' states go through the tiles' memory");
  uint4 *const keys = shared, *const values = shared + TILE_KEYS * KEY_WORDS;
  const Item item = d.items[blockIdx.x];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int queries = item.rows * d.group;
  const int query_warps = queries <= 16 ? 1 : queries <= 32 ? 2 : 4, key_warps = 4 / query_warps;
  const int rows[2] = {warp % query_warps * 16 + g, warp % query_warps * 16 + g + 8}, turn = warp / query_warps;
  const int order = g % 2 * 4 + g / 2;
  // Scores in units of ln 2, so that the weights are powers of two.
  const float scale = d.scale * 1.4426950408889634f;

  unsigned q[DIM / 16][4];
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const uint4 *asked = (const uint4 *)query(d, item, min(rows[r], queries - 1), DIM);
#pragma unroll
    for (int b = 0; b < DIM / 32; b++) {
      const uint4 word = asked[4 * b + t];
      q[2 * b][r] = word.x, q[2 * b][r + 2] = word.y;
      q[2 * b + 1][r] = word.z, q[2 * b + 1][r + 2] = word.w;
    }
  }
  float o[BLOCKS][8][4] = {}, top[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};

  for (unsigned tile = item.begin; tile < item.end; tile += TILE_KEYS) {
    for (int i = threadIdx.x; i < TILE_KEYS * WORDS; i += TILE_THREADS) {
      const int key = i / WORDS, word = i % WORDS;
      const bool wanted = tile + key < item.end;
      const size_t row = (size_t)item.base + (wanted ? tile + key : item.begin);
      const size_t at = (row * d.kv_heads + blockIdx.y) * WORDS + word;
      begin_copy(&keys[key * KEY_WORDS + word], (const uint4 *)d.keys + at, wanted);
      begin_copy(&values[key * VALUE_WORDS + word], (const uint4 *)d.values + at, wanted);
    }
    finish_copies();
    __syncthreads();
    for (int chunk = 16 * turn; chunk < TILE_KEYS; chunk += 16 * key_warps) {
      float s[2][4] = {};
#pragma unroll
      for (int b = 0; b < DIM / 32; b++)
#pragma unroll
        for (int n = 0; n < 2; n++) {
          const uint4 word = keys[(chunk + 8 * n + order) * KEY_WORDS + 4 * b + t];
          multiply_add(s[n], q[2 * b], word.x, word.y);
          multiply_add(s[n], q[2 * b + 1], word.z, word.w);
        }
      // Values 0 and 1 of a fragment are of row g, 2 and 3 of row g + 8.
#pragma unroll
      for (int n = 0; n < 2; n++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
          const unsigned key = tile + chunk + 8 * n + 4 * (c % 2) + t;
          s[n][c] = key < item.end ? s[n][c] * scale : -INFINITY;
        }
#pragma unroll
      for (int r = 0; r < 2; r++) {
        float now = fmaxf(fmaxf(s[0][2 * r], s[0][2 * r + 1]), fmaxf(s[1][2 * r], s[1][2 * r + 1]));
        now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 1));
        now = fmaxf(top[r], fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 2)));
        // Before the first key that is seen there is no maximum to subtract.
        const float base = now == -INFINITY ? 0.f : now, shrink = exp2f(top[r] - base);
        top[r] = now, total[r] *= shrink;
#pragma unroll
        for (int n = 0; n < 2; n++)
#pragma unroll
          for (int c = 2 * r; c < 2 * r + 2; c++) total[r] += s[n][c] = exp2f(s[n][c] - base);
#pragma unroll
        for (int b = 0; b < BLOCKS; b++)
#pragma unroll
          for (int j = 0; j < 8; j++) o[b][j][2 * r] *= shrink, o[b][j][2 * r + 1] *= shrink;
      }
      const unsigned p[4] = {pair(s[0][0], s[0][1]), pair(s[0][2], s[0][3]), pair(s[1][0], s[1][1]),
                             pair(s[1][2], s[1][3])};
#pragma unroll
      for (int b = 0; b < BLOCKS; b++) {
        uint4 v[4];
#pragma unroll
        for (int k = 0; k < 4; k++) v[k] = values[(chunk + 4 * k + t) * VALUE_WORDS + 8 * b + g];
        const unsigned words[4][4] = {{v[0].x, v[0].y, v[0].z, v[0].w},
                                      {v[1].x, v[1].y, v[1].z, v[1].w},
                                      {v[2].x, v[2].y, v[2].z, v[2].w},
                                      {v[3].x, v[3].y, v[3].z, v[3].w}};
#pragma unroll
        for (int j = 0; j < 8; j++)
          multiply_add(o[b][j], p, halves(words[0][j / 2], words[1][j / 2], j % 2),
                       halves(words[2][j / 2], words[3][j / 2], j % 2));
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 2; r++) {
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 1);
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 2);
  }

  // Warps that shared the keys of the same queries hand what they have to the first of them.
  float *const states = (float *)shared;
  const auto state = [&](int of, int value) { return &states[((of - 1) * STATE + value) * 32 + lane]; };
  if (turn > 0) {
#pragma unroll
    for (int r = 0; r < 2; r++) *state(warp, r) = top[r], *state(warp, 2 + r) = total[r];
#pragma unroll
    for (int i = 0; i < BLOCKS * 32; i++) *state(warp, 4 + i) = o[i / 32][i / 4 % 8][i % 4];
  }
  __syncthreads();
  if (turn > 0) return;
  for (int other = warp + query_warps; other < 4; other += query_warps) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      const float theirs = *state(other, r), now = fmaxf(top[r], theirs);
      const float base = now == -INFINITY ? 0.f : now;
      const float mine = exp2f(top[r] - base), their = exp2f(theirs - base);
      top[r] = now, total[r] = total[r] * mine + *state(other, 2 + r) * their;
#pragma unroll
      for (int i = 0; i < BLOCKS * 32; i++)
        if (i % 4 / 2 == r) {
          float &value = o[i / 32][i / 4 % 8][i % 4];
          value = value * mine + *state(other, 4 + i) * their;
        }
    }
  }
#pragma unroll
  for (int r = 0; r < 2; r++) {
    if (rows[r] >= queries) continue;
    const size_t to = slot(d, item, rows[r]);
    if (t == 0) d.lse[to] = top[r] * 0.6931471805599453f + logf(total[r]);
    const float inverse = 1.f / total[r];
#pragma unroll
    for (int b = 0; b < BLOCKS; b++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float4 *out = (float4 *)(d.o + to * DIM + 64 * b + 16 * t + 8 * half);
#pragma unroll
        for (int j = 0; j < 8; j += 4) {
          const int c = 2 * r + half;
          out[j / 4] = {o[b][j][c] * inverse, o[b][j + 1][c] * inverse, o[b][j + 2][c] * inverse,
                        o[b][j + 3][c] * inverse};
        }
      }
  }
}

template <int DIM> __device__ inline void attend(const Decoding &d, float) { attend_plainly<DIM / 8>(d, DIM); }
template <int DIM> __device__ inline void attend(const Decoding &d, bf16) { attend_in_tiles<DIM>(d); }

BOUNDS(TILE_THREADS, 4, decode_attention_64)(Decoding);
BOUNDS(TILE_THREADS, 3, decode_attention_128)(Decoding);
KERNEL(decode_attention_64)(Decoding d) { attend<64>(d, real()); }
KERNEL(decode_attention_128)(Decoding d) { attend<128>(d, real()); }
// Heads of other widths, up to 256.
KERNEL(decode_attention)(Decoding d, int dim) { attend_plainly<32>(d, dim); }

// out[row, heads, dim] from the parts starts[row]..starts[row + 1], each the slot of the row's first query. Grid: rows
// in x, heads in y.
KERNEL(decode_merge)(const float *o, const float *lse, const unsigned *starts, const unsigned *parts, int kv_heads,
                     int group, int dim, real *out) {
  const unsigned begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
  const int h = blockIdx.y / group, g = blockIdx.y % group;
  const auto slot = [&](unsigned part) { return (size_t)(parts[part] + g) * kv_heads + h; };
  float top = -INFINITY;
  for (unsigned part = begin; part < end; part++) top = fmaxf(top, lse[slot(part)]);
  for (int i = threadIdx.x; i < dim; i += blockDim.x) {
    float sum = 0, total = 0;
    for (unsigned part = begin; part < end; part++) {
      const float weight = expf(lse[slot(part)] - top);
      total += weight;
      sum += weight * o[slot(part) * dim + i];
    }
    put(&out[((size_t)blockIdx.x * gridDim.y + blockIdx.y) * dim + i], sum / total);
  }
}
