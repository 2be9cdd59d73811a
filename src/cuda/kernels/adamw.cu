// The optimiser step over flat arrays: gradient norm, clipping scale and the decision to skip stay on the device.
#include "number.cuh"

// partial[block] = sum of squares of the block's `piece` values.
KERNEL(squares)(const float *x, size_t n, size_t piece, double *partial) {
  const size_t begin = blockIdx.x * piece, end = begin + piece < n ? begin + piece : n;
  double sum = 0;
  for (size_t i = begin + threadIdx.x; i < end; i += blockDim.x) sum += (double)x[i] * x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// clip = (norm, scale); scale 0 tells the update to skip: the norm is not finite. One block.
KERNEL(clip_gradient)(const double *partial, int count, double max_norm, double *clip) {
  double sum = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
  const double norm = sqrt(block_sum(sum));
  if (threadIdx.x != 0) return;
  clip[0] = norm;
  const double scale = max_norm <= 0 ? 1 : fmin(max_norm / (norm + 1e-6), 1.0);
  clip[1] = isfinite(norm) ? scale : 0;
}

struct Factors {
  float beta1, rest1, beta2, rest2, step, root, eps, decay;
};

// master -= step m / (sqrt(v) root + eps) after the moments' update; weights = master rounded; the gradient is cleared.
KERNEL(adamw)(float *master, real *weights, float *first, float *second, float *gradient, size_t n, Factors f,
              const double *clip) {
  const float scale = (float)clip[1];
  if (scale == 0.f) return;
  for (size_t i = thread_index(); i < n; i += thread_count()) {
    const float g = gradient[i] * scale;
    const float m = f.beta1 * first[i] + f.rest1 * g;
    const float v = f.beta2 * second[i] + f.rest2 * (g * g);
    const float value = master[i] * f.decay - f.step * m / (sqrtf(v) * f.root + f.eps);
    first[i] = m, second[i] = v, master[i] = value, gradient[i] = 0.f;
    put(&weights[i], value);
  }
}
