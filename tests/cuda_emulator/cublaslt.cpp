// Matrix products of the emulated device: the cublasLt calls that the program makes, column-major, sums in f32.
#include <algorithm>
#include <vector>

#include "cuda_bf16.h"

namespace {
constexpr int OK = 0, NOT_SUPPORTED = 15, INVALID = 7;
constexpr int F32 = 0, BF16 = 14, EPILOGUE_BIAS = 4;

struct Product {
  int compute, transpose_a = 0, transpose_b = 0, epilogue = 1;
  char *bias = nullptr;
};
struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t stride;
  int32_t batch = 1;
  int64_t batch_stride = 0;
};
// cublasLtMatmulHeuristicResult_t
struct Found {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

size_t size_of(int type) { return type == F32 ? 4 : 2; }
float get(const char *base, int type, size_t i) {
  return type == F32 ? ((const float *)base)[i] : __bfloat162float(((const __nv_bfloat16 *)base)[i]);
}
bool fits(const Product &p, const Layout &a, const Layout &b, const Layout &d) {
  const uint64_t m = p.transpose_a ? a.cols : a.rows, k = p.transpose_a ? a.rows : a.cols;
  const uint64_t k_b = p.transpose_b ? b.cols : b.rows, n = p.transpose_b ? b.rows : b.cols;
  const bool strides = a.stride >= (int64_t)a.rows && b.stride >= (int64_t)b.rows && d.stride >= (int64_t)d.rows;
  return k == k_b && d.rows == m && d.cols == n && strides && a.batch == b.batch && a.batch == d.batch;
}
}  // namespace

extern "C" {
int cublasLtCreate(void **handle) { return *handle = new int(0), OK; }
int cublasLtDestroy(void *handle) { return delete (int *)handle, OK; }
int cublasLtMatmulDescCreate(Product **product, int compute, int) { return *product = new Product{compute}, OK; }
int cublasLtMatmulDescDestroy(Product *product) { return delete product, OK; }
int cublasLtMatmulDescSetAttribute(Product *product, int attribute, const void *value, size_t size) {
  switch (attribute) {
    case 3: return memcpy(&product->transpose_a, value, 4), size == 4 ? OK : INVALID;
    case 4: return memcpy(&product->transpose_b, value, 4), size == 4 ? OK : INVALID;
    case 7: return memcpy(&product->epilogue, value, 4), size == 4 ? OK : INVALID;
    case 8: return memcpy(&product->bias, value, 8), size == 8 ? OK : INVALID;
  }
  return NOT_SUPPORTED;
}
int cublasLtMatrixLayoutCreate(Layout **layout, int type, uint64_t rows, uint64_t cols, int64_t stride) {
  return *layout = new Layout{type, rows, cols, stride}, OK;
}
int cublasLtMatrixLayoutDestroy(Layout *layout) { return delete layout, OK; }
int cublasLtMatrixLayoutSetAttribute(Layout *layout, int attribute, const void *value, size_t size) {
  switch (attribute) {
    case 5: return memcpy(&layout->batch, value, 4), size == 4 ? OK : INVALID;
    case 6: return memcpy(&layout->batch_stride, value, 8), size == 8 ? OK : INVALID;
  }
  return NOT_SUPPORTED;
}
int cublasLtMatmulPreferenceCreate(void **preference) { return *preference = new int(0), OK; }
int cublasLtMatmulPreferenceDestroy(void *preference) { return delete (int *)preference, OK; }
int cublasLtMatmulPreferenceSetAttribute(void *, int, const void *, size_t) { return OK; }
int cublasLtMatmulAlgoGetHeuristic(void *, Product *product, Layout *a, Layout *b, Layout *c, Layout *d, void *, int,
                                   Found *found, int *count) {
  const bool types = a->type == b->type && c->type == d->type && (d->type == F32 || d->type == a->type);
  memset(found, 0, sizeof *found);
  *count = types && fits(*product, *a, *b, *d);
  return *count ? OK : NOT_SUPPORTED;
}
int cublasLtMatmul(void *, Product *p, const float *alpha, const char *a, Layout *a_layout, const char *b,
                   Layout *b_layout, const float *beta, const char *c, Layout *, char *d, Layout *d_layout,
                   const void *, void *, size_t, void *) {
  if (!fits(*p, *a_layout, *b_layout, *d_layout) ) return INVALID;
  const size_t m = d_layout->rows, n = d_layout->cols, k = p->transpose_a ? a_layout->rows : a_layout->cols;
  const size_t a_row = p->transpose_a ? a_layout->stride : 1, a_col = p->transpose_a ? 1 : a_layout->stride;
  const size_t b_row = p->transpose_b ? b_layout->stride : 1, b_col = p->transpose_b ? 1 : b_layout->stride;
  for (int batch = 0; batch < d_layout->batch; batch++) {
    const char *a_at = a + batch * a_layout->batch_stride * size_of(a_layout->type);
    const char *b_at = b + batch * b_layout->batch_stride * size_of(b_layout->type);
    char *d_at = d + batch * d_layout->batch_stride * size_of(d_layout->type);
    const char *c_at = c + (d_at - d);
    // Row by row of the sum, all values of a column at once: the compiler makes vectors of it, and each value's sum keeps
    // its order.
    std::vector<float> rows(k * m), column(m);
    for (size_t l = 0; l < k; l++)
      for (size_t i = 0; i < m; i++) rows[l * m + i] = get(a_at, a_layout->type, i * a_row + l * a_col);
    for (size_t j = 0; j < n; j++) {
      std::fill(column.begin(), column.end(), 0.f);
      for (size_t l = 0; l < k; l++) {
        const float factor = get(b_at, b_layout->type, l * b_row + j * b_col), *row = &rows[l * m];
        for (size_t i = 0; i < m; i++) column[i] += row[i] * factor;
      }
      for (size_t i = 0; i < m; i++) {
        float sum = column[i] * *alpha;
        const size_t at = j * d_layout->stride + i;
        // beta 0 must not read what is there.
        if (*beta != 0) sum += *beta * get(c_at, d_layout->type, at);
        if (p->epilogue == EPILOGUE_BIAS) sum += get(p->bias, d_layout->type, i);
        if (d_layout->type == F32)
          ((float *)d_at)[at] = sum;
        else
          ((__nv_bfloat16 *)d_at)[at] = __float2bfloat16(sum);
      }
    }
  }
  return OK;
}
}
