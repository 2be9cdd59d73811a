// Rows of the residual stream: embedding, normalisation, gathering, sums over rows.
#include "number.cuh"

// x[row] = table[tokens[row]]; a block a row.
KERNEL(embed)(const real *table, const unsigned *tokens, int width, float *x) {
  const size_t from = (size_t)tokens[blockIdx.x] * width, to = (size_t)blockIdx.x * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) x[to + i] = number(table[from + i]);
}

// d_table[token[b]] += dx of the rows that hold this token, in row order; a block a token. Rows sorted by token stand
// in `order`, those of block b at starts[b]..starts[b + 1].
KERNEL(embed_backward)(const float *dx, const unsigned *order, const unsigned *starts, const unsigned *tokens,
                       int width, float *d_table) {
  const unsigned begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
  float *out = d_table + (size_t)tokens[blockIdx.x] * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float sum = 0;
    for (unsigned k = begin; k < end; k++) sum += dx[(size_t)order[k] * width + i];
    out[i] += sum;
  }
}

// 1 / sqrt(mean(x^2) + eps) of the block's row.
__device__ inline float inverse_rms(const float *x, int width, float eps) {
  float squares = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) squares += x[i] * x[i];
  return rsqrtf(block_sum(squares) / width + eps);
}

// y = x r w with r the inverse root mean square of the row; a block a row.
KERNEL(rms_norm)(const float *x, const real *weight, int width, float eps, real *y) {
  x += (size_t)blockIdx.x * width;
  y += (size_t)blockIdx.x * width;
  const float r = inverse_rms(x, width, eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) put(&y[i], x[i] * r * number(weight[i]));
}

// dx += w r dy - x r^3 mean(w dy x); inverse[row] = r for the weight's gradient. A block a row.
KERNEL(rms_norm_backward)(const float *x, const real *weight, const float *dy, int width, float eps, float *dx,
                          float *inverse) {
  const size_t at = (size_t)blockIdx.x * width;
  x += at, dy += at, dx += at;
  const float r = inverse_rms(x, width, eps);
  float product = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) product += number(weight[i]) * dy[i] * x[i];
  const float c = block_sum(product) * r * r * r / width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) dx[i] += number(weight[i]) * dy[i] * r - x[i] * c;
  if (threadIdx.x == 0) inverse[blockIdx.x] = r;
}

// partial[piece, column] = sum over the piece's rows of dy x r: blocks of columns in x, pieces of rows in y.
KERNEL(norm_weight_partial)(const float *dy, const float *x, const float *inverse, int rows, int width, int piece,
                            float *partial) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) return;
  const int begin = blockIdx.y * piece, end = min(rows, begin + piece);
  float sum = 0;
  for (int row = begin; row < end; row++) {
    const size_t at = (size_t)row * width + column;
    sum += dy[at] * x[at] * inverse[row];
  }
  partial[(size_t)blockIdx.y * width + column] = sum;
}

// partial[piece, column] = sum over the piece's rows of dy: the gradient of a bias.
KERNEL(bias_partial)(const real *dy, int rows, int width, int piece, float *partial) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) return;
  const int begin = blockIdx.y * piece, end = min(rows, begin + piece);
  float sum = 0;
  for (int row = begin; row < end; row++) sum += number(dy[(size_t)row * width + column]);
  partial[(size_t)blockIdx.y * width + column] = sum;
}

// out[column] += the pieces' sums, in order.
KERNEL(add_partials)(const float *partial, int pieces, int width, float *out) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) return;
  float sum = 0;
  for (int piece = 0; piece < pieces; piece++) sum += partial[(size_t)piece * width + column];
  out[column] += sum;
}

// out[i] = x[rows[i]]; a block a row.
KERNEL(gather_stream)(const float *x, const unsigned *rows, int width, float *out) {
  const size_t from = (size_t)rows[blockIdx.x] * width, to = (size_t)blockIdx.x * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) out[to + i] = x[from + i];
}

KERNEL(gather)(const real *x, const unsigned *rows, int width, real *out) {
  const size_t from = (size_t)rows[blockIdx.x] * width, to = (size_t)blockIdx.x * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) out[to + i] = x[from + i];
}

// out[rows[i]] = part[i]; a block a row.
KERNEL(scatter)(const real *part, const unsigned *rows, int width, real *out) {
  const size_t from = (size_t)blockIdx.x * width, to = (size_t)rows[blockIdx.x] * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) out[to + i] = part[from + i];
}

// out[rows[i]] += part[i]; each row stands once in `rows`. A block a row.
KERNEL(scatter_add)(const float *part, const unsigned *rows, int width, float *out) {
  const size_t from = (size_t)blockIdx.x * width, to = (size_t)rows[blockIdx.x] * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) out[to + i] += part[from + i];
}

// out = x, rounded to the element type.
KERNEL(round_to)(const float *x, size_t n, real *out) {
  for (size_t i = thread_index(); i < n; i += thread_count()) put(&out[i], x[i]);
}
