// Log-probability and entropy of tokens from rows of logits, and their gradient; definitions in ops/log_prob.rs.
#include "number.cuh"

// statistics[row] = (log-sum-exp, entropy). A block a row.
KERNEL(logit_statistics)(const float *z, int vocab, double *statistics) {
  z += (size_t)blockIdx.x * vocab;
  float top = -INFINITY;
  for (int i = threadIdx.x; i < vocab; i += blockDim.x) top = fmaxf(top, z[i]);
  top = block_max(top);
  float sum = 0, product = 0;
  for (int i = threadIdx.x; i < vocab; i += blockDim.x) {
    const float x = z[i] - top, e = expf(x);
    sum += e;
    // A logit of minus infinity has probability 0 and adds nothing.
    if (e > 0.f) product += e * x;
  }
  const double total = block_sum((double)sum), weighted = block_sum((double)product), log_total = log(total);
  if (threadIdx.x == 0) {
    statistics[2 * blockIdx.x] = top + log_total;
    statistics[2 * blockIdx.x + 1] = log_total - weighted / total;
  }
}

// values[label] = (log-probability, entropy); z and statistics begin with row `first`.
KERNEL(label_values)(const float *z, int vocab, const double *statistics, const unsigned *rows, int first,
                     const unsigned *targets, int labels, double *values) {
  const int i = thread_index();
  if (i >= labels) return;
  const size_t row = rows[i] - first;
  values[2 * i] = z[row * vocab + targets[i]] - statistics[2 * row];
  values[2 * i + 1] = statistics[2 * row + 1];
}

// d_logits of each row from its labels starts[row]..starts[row + 1] (targets, c and e begin with label starts[0]), their
// coefficients by log-probability c and by entropy e. A block a row.
KERNEL(log_prob_backward)(const float *z, int vocab, const double *statistics, const unsigned *starts,
                          const unsigned *targets, const float *c, const float *e, float inverse_temperature,
                          real *d_logits) {
  z += (size_t)blockIdx.x * vocab, d_logits += (size_t)blockIdx.x * vocab;
  const unsigned begin = starts[blockIdx.x] - starts[0], end = starts[blockIdx.x + 1] - starts[0];
  const float lse = (float)statistics[2 * blockIdx.x], entropy = (float)statistics[2 * blockIdx.x + 1];
  float by_log_prob = 0, by_entropy = 0;
  for (unsigned k = begin; k < end; k++) by_log_prob += c[k], by_entropy += e[k];
  const auto softmax_part = [&](int i) {
    const float log_p = z[i] - lse, p = expf(log_p);
    return p > 0.f ? -p * inverse_temperature * (by_log_prob + by_entropy * (log_p + entropy)) : 0.f;
  };
  for (int i = threadIdx.x; i < vocab; i += blockDim.x) put(&d_logits[i], softmax_part(i));
  __syncthreads();
  // Equal targets of a row are added before rounding; the first of them writes.
  for (unsigned k = begin + threadIdx.x; k < end; k += blockDim.x) {
    bool first = true;
    float sum = 0;
    for (unsigned other = begin; other < end; other++)
      if (targets[other] == targets[k]) {
        first = first && other >= k;
        sum += c[other];
      }
    if (first) put(&d_logits[targets[k]], softmax_part(targets[k]) + sum * inverse_temperature);
  }
}
