// Drawing a token from each row of logits: rollout/sampler.rs on a device.
//
// Sums are over weights exp((logit - largest) / T), in f32 by thread and f64 over threads. Sets of the most probable
// tokens are given by their least logit, which is searched bit by bit: nothing is sorted.
#include "number.cuh"

// A number that orders as the logit does, and back.
__device__ inline unsigned order_of(float logit) {
  unsigned bits;
  memcpy(&bits, &logit, sizeof bits);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ inline float logit_of(unsigned order) {
  const unsigned bits = order >> 31 ? order & 0x7fffffffu : ~order;
  float logit;
  memcpy(&logit, &bits, sizeof logit);
  return logit;
}

// Tokens and their weight.
struct Share {
  int count;
  double weight;
};

// The most probable tokens: all of an order above `least`, and the first `ties` of this one.
struct Top {
  unsigned least;
  int ties;
  double weight;
};

// A row of logits.
struct Row {
  const float *z;
  int vocab;
  float largest, inverse_temperature;

  __device__ float weigh(float logit) const { return expf((logit - largest) * inverse_temperature); }

  // The tokens of `order` or above.
  __device__ Share from(unsigned order) const {
    int count = 0;
    float sum = 0;
    for (int i = threadIdx.x; i < vocab; i += blockDim.x)
      if (order_of(z[i]) >= order) count++, sum += weigh(z[i]);
    return {block_sum(count), block_sum((double)sum)};
  }

  // The highest order from which on there is `enough`, two bits at a time; 0 where there never is.
  template <class Enough> __device__ unsigned highest(Enough enough) const {
    unsigned found = 0;
    for (int shift = 30; shift >= 0; shift -= 2) {
      int count[3] = {};
      float sum[3] = {};
      for (int i = threadIdx.x; i < vocab; i += blockDim.x) {
        const unsigned order = order_of(z[i]);
        if (order < (found | 1u << shift)) continue;
        const float weight = weigh(z[i]);
#pragma unroll
        for (unsigned digit = 1; digit < 4; digit++)
          if (order >= (found | digit << shift)) count[digit - 1]++, sum[digit - 1] += weight;
      }
      unsigned chosen = 0;
#pragma unroll
      for (unsigned digit = 1; digit < 4; digit++)
        if (enough(Share{block_sum(count[digit - 1]), block_sum((double)sum[digit - 1])})) chosen = digit;
      found |= chosen << shift;
    }
    return found;
  }

  // The fewest of the most probable tokens that are `enough`; `ties` says how many of the last order that takes, given
  // the tokens above it and the weight of each.
  template <class Enough, class Ties> __device__ Top fewest(const Top &within, Enough enough, Ties ties) const {
    const unsigned order = highest(enough), least = order > within.least ? order : within.least;
    const Share above = from(least + 1), with = from(least);
    const int most = least == within.least ? within.ties : with.count - above.count;
    const double each = weigh(logit_of(least));
    const int taken = max(1, (int)fmin(ties(above, each), (double)most));
    return {least, taken, above.weight + taken * each};
  }

  // The first token at which the sum of `value` passes the goal; rounding at the end falls on the last with a value
  // above 0. The vocabulary is cut in as many pieces as there are warps, the piece that passes cut again.
  template <class Value> __device__ int passing(Value value, double goal) const {
    __shared__ double sums[32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    int begin = 0, size = vocab;
    double before = 0;
    while (size > 1) {
      const int piece = (size + warps - 1) / warps, end = begin + size;
      const int own = begin + warp * piece, own_end = min(own + piece, end);
      float part = 0;
      for (int i = own + lane; i < own_end; i += 32) part += value(z[i]);
      double sum = part;
      for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      __syncthreads();  // The previous sums have been read by all.
      if (lane == 0) sums[warp] = sum;
      __syncthreads();
      int chosen = 0;
      double passed = before;
      for (int w = 0; w < warps && begin + w * piece < end; w++) {
        if (sums[w] <= 0) continue;
        chosen = w, before = passed, passed += sums[w];
        if (passed > goal) break;
      }
      begin += chosen * piece;
      size = min(piece, end - begin);
    }
    return begin;
  }
};

// drawn[row] = (token, its log-probability under softmax(logits / T)); the token is -1 where a logit is not finite.
// inverse_temperature 0 is greedy; top_k 0 and top_p 1 cut nothing. A block a row, of at least two warps.
BOUNDS(1024, 1, draw_tokens)(const float *, int, const double *, float, int, double, double *);
KERNEL(draw_tokens)(const float *logits, int vocab, const double *uniform, float inverse_temperature, int top_k,
                    double top_p, double *drawn) {
  const bool greedy = inverse_temperature == 0.f;
  Row row = {logits + (size_t)blockIdx.x * vocab, vocab, -INFINITY, greedy ? 1.f : inverse_temperature};
  int broken = 0, best = vocab;
  float largest = -INFINITY;
  for (int i = threadIdx.x; i < vocab; i += blockDim.x) {
    broken += !isfinite(row.z[i]);
    if (row.z[i] > largest) largest = row.z[i], best = i;
  }
  broken = block_sum(broken);
  row.largest = block_max(largest);
  // The first of equal ones.
  best = -block_reduce<Largest>(largest == row.largest ? -best : -vocab, -vocab);
  drawn += 2 * blockIdx.x;
  if (broken) {
    if (threadIdx.x == 0) drawn[0] = -1, drawn[1] = 0;
    return;
  }
  const double total = row.from(0).weight, u = uniform[blockIdx.x];
  int token = best;
  if (!greedy && top_k == 0 && top_p >= 1) {
    token = row.passing([&](float logit) { return row.weigh(logit); }, u * total);
  } else if (!greedy) {
    Top kept = {0, vocab, total};
    if (top_k > 0)
      kept = row.fewest(
          kept, [&](const Share &share) { return share.count >= top_k; },
          [&](const Share &above, double) { return (double)(top_k - above.count); });
    if (top_p < 1) {
      const double goal = top_p * kept.weight;
      kept = row.fewest(
          kept, [&](const Share &share) { return share.weight >= goal; },
          [&](const Share &above, double each) { return ceil((goal - above.weight) / each); });
    }
    // Drawn is the last of the fewest whose weight passes the goal.
    const double goal = u * kept.weight;
    const Top to = row.fewest(
        kept, [&](const Share &share) { return share.weight > goal; },
        [&](const Share &above, double each) { return floor((goal - above.weight) / each) + 1; });
    token = row.passing([&](float logit) { return order_of(logit) == to.least ? 1.f : 0.f; }, to.ties - 1);
  }
  if (threadIdx.x == 0) {
    drawn[0] = token;
    drawn[1] = (row.z[token] - row.largest) * row.inverse_temperature - log(total);
  }
}
