// Losses and derivatives at labels, in f64: definitions in objective/policy.rs, objective/loss.rs and objective/kl.rs.
#include "number.cuh"

// objective/terms.rs
struct Term {
  double weight, advantage;
  float old, reference;
  unsigned given, sequence;
};

// The bounds of the ratio, and the weights of divergence and entropy.
struct Bounds {
  double low, high, kl, entropy;
};

enum { PPO, GSPO, CISPO };
enum { NO_KL, K2, K3, K3_PLUS };

// Not a number stays one, unlike with fmin and fmax.
__device__ inline double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
__device__ inline double log_ratio(const Term &t, double log_prob) { return t.given & 1 ? log_prob - t.old : 0; }

// The loss and its derivative by the log-probability.
struct At {
  double value, derivative;
};

__device__ inline At clipped(double ratio, double advantage, const Bounds &b) {
  const double bounded = clamp(ratio, b.low, b.high) * advantage, open = ratio * advantage;
  return {-(bounded < open ? bounded : open), bounded < open ? 0 : -open};
}

__device__ inline At divergence(int kind, double d) {
  bool inside = fabs(d) < 20;
  d = clamp(d, -20, 20);
  const At k2 = {d * d / 2, d}, k3 = {expm1(-d) + d, -expm1(-d)};
  const At at = {kind == K2 ? k2.value : k3.value, kind == K3 ? k3.derivative : k2.derivative};
  inside = inside && at.value < 10 && (kind != K3_PLUS || k2.value < 10);
  return {at.value > 10 ? 10 : at.value, inside ? at.derivative : 0};
}

// means[sequence] = mean log-ratio of the sequence's labels order[starts[sequence]..starts[sequence + 1]]. A block each.
KERNEL(mean_log_ratios)(const double *values, const Term *terms, const unsigned *order, const unsigned *starts,
                        double *means) {
  const unsigned begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
  double sum = 0;
  for (unsigned k = begin + threadIdx.x; k < end; k += blockDim.x)
    sum += log_ratio(terms[order[k]], values[2 * order[k]]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) means[blockIdx.x] = sum / (end - begin);
}

// From values (log-probability, entropy): derivatives of the loss by both. `not_finite` becomes NaN where a value or a
// loss is not finite; it is otherwise left as it is.
KERNEL(objective)(const double *values, const Term *terms, int labels, const double *means, int loss, int kl,
                  int off_policy, Bounds b, float *by_log_prob, float *by_entropy, float *not_finite) {
  const int i = thread_index();
  if (i >= labels) return;
  const Term t = terms[i];
  const double log_prob = values[2 * i], entropy = values[2 * i + 1];
  const double ratio = exp(log_ratio(t, log_prob));
  At at;
  if (loss == CISPO) {
    const double weight = clamp(ratio, b.low, b.high) * t.advantage;
    at = {-weight * log_prob, -weight};
  } else {
    at = clipped(loss == GSPO ? exp(means[t.sequence]) : ratio, t.advantage, b);
  }
  if (kl != NO_KL && t.given & 2) {
    At d = divergence(kl, log_prob - t.reference);
    // d ratio / d log_prob = ratio; for k2 and k3+ the ratio is a constant weight.
    if (off_policy) d = {ratio * d.value, ratio * (kl == K3 ? d.derivative + d.value : d.derivative)};
    at.value += b.kl * d.value, at.derivative += b.kl * d.derivative;
  }
  at.value -= b.entropy * entropy;
  by_log_prob[i] = (float)(t.weight * at.derivative);
  by_entropy[i] = (float)(-t.weight * b.entropy);
  if (!isfinite(t.weight * at.value) || !isfinite(log_prob)) *not_finite = NAN;
}
