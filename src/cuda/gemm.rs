//! Matrix products through cublasLt: operands of the element type, sums in f32, results added in place where wanted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::ptr::from_ref;

use cudarc::cublaslt::{result as lt, sys};

use super::device::{Bf16, Device, Scalar, Slice, SliceMut};
use super::error::CudaError;

/// Memory that cublasLt may use for a product: what NVIDIA recommends for Hopper.
const WORKSPACE_BYTES: usize = 32 << 20;

/// The type that a matrix is stored in, as cublasLt names it.
pub trait Stored: Scalar {
    /// The name.
    const TYPE: sys::cudaDataType;
}

impl Stored for f32 {
    const TYPE: sys::cudaDataType = sys::cudaDataType::CUDA_R_32F;
}

impl Stored for Bf16 {
    const TYPE: sys::cudaDataType = sys::cudaDataType::CUDA_R_16BF;
}

/// A batch of row-major matrices inside an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows as stored.
    pub rows: usize,
    /// Columns as stored.
    pub cols: usize,
    /// Values from one row to the next.
    pub stride: usize,
    /// Values from one matrix of the batch to the next.
    pub batch_stride: usize,
    /// Whether the product takes the transpose.
    pub transposed: bool,
}

impl Shape {
    /// One dense matrix.
    pub fn dense(rows: usize, cols: usize) -> Self {
        Self { rows, cols, stride: cols, batch_stride: 0, transposed: false }
    }

    /// The transpose, without moving anything.
    pub fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Rows and columns as the product sees them.
    fn seen(&self) -> (usize, usize) {
        if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }

    /// Values from the first to the last of the batch.
    fn extent(&self, batch: usize) -> usize {
        if self.rows == 0 || self.cols == 0 || batch == 0 {
            return 0;
        }
        (batch - 1) * self.batch_stride + (self.rows - 1) * self.stride + self.cols
    }
}

/// What is done besides multiplying.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a, S> {
    /// The product is multiplied by this.
    pub scale: f32,
    /// Whether it is added to what the output holds.
    pub accumulate: bool,
    /// Values, laid out as the output, that it is added to instead.
    pub onto: Option<Slice<'a, S>>,
    /// Matrices in the batch.
    pub batch: usize,
    /// Added to every row.
    pub bias: Option<Slice<'a, S>>,
}

impl<S> Default for Options<'_, S> {
    fn default() -> Self {
        Self { scale: 1.0, accumulate: false, onto: None, batch: 1, bias: None }
    }
}

/// What a prepared product depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    types: (u32, u32),
    shapes: [Shape; 3],
    batch: usize,
    accumulate: bool,
    bias: bool,
    /// Alignment in bytes of output, a and b.
    alignments: [u32; 3],
}

/// A prepared product: descriptors and the algorithm that cublasLt chose.
struct Plan {
    product: sys::cublasLtMatmulDesc_t,
    layouts: [sys::cublasLtMatrixLayout_t; 3],
    algorithm: sys::cublasLtMatmulAlgo_t,
}

/// cublasLt with its prepared products.
pub struct Gemm {
    handle: sys::cublasLtHandle_t,
    workspace: u64,
    /// Interior mutability: products are prepared when they are first met.
    plans: RefCell<HashMap<Key, Plan>>,
}

impl fmt::Debug for Gemm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gemm").field("plans", &self.plans.borrow().len()).finish_non_exhaustive()
    }
}

impl Gemm {
    pub(super) fn new() -> Result<Self, CudaError> {
        // SAFETY: plain allocation in the current context; it lives as long as the process.
        #[allow(unsafe_code)]
        let workspace = unsafe { cudarc::driver::result::malloc_sync(WORKSPACE_BYTES)? };
        Ok(Self { handle: lt::create_handle()?, workspace, plans: RefCell::default() })
    }
}

/// `out (+)= scale a b (+ bias)` for each matrix of the batch; `out` must not be transposed.
///
/// # Errors
/// Where cublasLt has no algorithm, or refuses the call.
///
/// # Panics
/// Where the shapes do not fit each other or the arrays: a bug of the caller, never of the data.
pub fn matmul<S: Stored, R: Stored>(
    device: &Device,
    (out, out_shape): (SliceMut<'_, R>, Shape),
    (a, a_shape): (Slice<'_, S>, Shape),
    (b, b_shape): (Slice<'_, S>, Shape),
    options: Options<'_, R>,
) -> Result<(), CudaError> {
    let ((m, k), (k_b, n)) = (a_shape.seen(), b_shape.seen());
    assert!(k == k_b && out_shape.seen() == (m, n) && !out_shape.transposed, "shapes do not fit");
    let batch = options.batch;
    assert!(out_shape.extent(batch) <= out.len, "output too short");
    assert!(a_shape.extent(batch) <= a.len && b_shape.extent(batch) <= b.len, "operand too short");
    assert!(options.bias.is_none_or(|bias| bias.len == n), "bias of another length");
    assert!(options.onto.is_none_or(|onto| onto.len >= out_shape.extent(batch)), "what is added to is too short");
    if m == 0 || n == 0 || batch == 0 {
        return Ok(());
    }
    let shapes = [out_shape, a_shape, b_shape];
    let added = options.onto.map_or(out.address, |onto| onto.address);
    // The output and what is added count as one.
    let alignments = [out.address | added, a.address, b.address].map(|address| 1 << address.trailing_zeros().min(8));
    let (accumulate, bias) = (options.accumulate || options.onto.is_some(), options.bias.is_some());
    let key = Key { types: (S::TYPE as u32, R::TYPE as u32), shapes, batch, accumulate, bias, alignments };
    let gemm = device.gemm();
    let mut plans = gemm.plans.borrow_mut();
    if !plans.contains_key(&key) {
        let plan = prepare::<S, R>(gemm.handle, &key, options.bias.map(|b| b.address))?;
        plans.insert(key.clone(), plan);
    }
    let Some(plan) = plans.get(&key) else { return Ok(()) };
    let beta = if accumulate { 1.0_f32 } else { 0.0 };
    // SAFETY: the shapes lie inside the three arrays (checked above), the plan was prepared for them, and the scalars
    // live across the call, which copies them.
    #[allow(unsafe_code)]
    unsafe {
        if let Some(bias) = options.bias {
            set(plan.product, sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias.address)?;
        }
        let (c, d) = (added as *const _, out.address as *mut _);
        lt::matmul(
            gemm.handle,
            plan.product,
            from_ref(&options.scale).cast(),
            from_ref(&beta).cast(),
            // Column-major, the transposes: out^T = b^T a^T.
            b.address as *const _,
            plan.layouts[2],
            a.address as *const _,
            plan.layouts[1],
            c,
            plan.layouts[0],
            d,
            plan.layouts[0],
            &plan.algorithm,
            gemm.workspace as *mut _,
            WORKSPACE_BYTES,
            device.stream().cast(),
        )?;
    }
    Ok(())
}

/// Describes a product to cublasLt and asks for its fastest algorithm.
fn prepare<S: Stored, R: Stored>(
    handle: sys::cublasLtHandle_t,
    key: &Key,
    bias: Option<u64>,
) -> Result<Plan, CudaError> {
    use sys::cublasLtMatmulDescAttributes_t as Product;
    use sys::cublasLtMatmulPreferenceAttributes_t as Preference;
    let [out, a, b] = key.shapes;
    // SAFETY: every descriptor is created here, passed with values of the size that its attribute has, and lives as
    // long as the plan (the preference ends here).
    #[allow(unsafe_code)]
    unsafe {
        let product =
            lt::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, sys::cudaDataType::CUDA_R_32F)?;
        set(product, Product::CUBLASLT_MATMUL_DESC_TRANSA, &i32::from(b.transposed))?;
        set(product, Product::CUBLASLT_MATMUL_DESC_TRANSB, &i32::from(a.transposed))?;
        if let Some(bias) = bias {
            set(product, Product::CUBLASLT_MATMUL_DESC_EPILOGUE, &sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS)?;
            set(product, Product::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias)?;
        }
        let layout = |shape: Shape, kind: sys::cudaDataType| {
            use sys::cublasLtMatrixLayoutAttribute_t as Layout;
            let layout = lt::create_matrix_layout(kind, shape.cols as u64, shape.rows as u64, shape.stride as i64)?;
            if key.batch > 1 {
                let (batch, stride) = (key.batch as i32, shape.batch_stride as i64);
                let count = Layout::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
                lt::set_matrix_layout_attribute(layout, count, from_ref(&batch).cast(), size_of_val(&batch))?;
                let offset = Layout::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET;
                lt::set_matrix_layout_attribute(layout, offset, from_ref(&stride).cast(), size_of_val(&stride))?;
            }
            Ok::<_, CudaError>(layout)
        };
        let layouts = [layout(out, R::TYPE)?, layout(a, S::TYPE)?, layout(b, S::TYPE)?];
        let preference = lt::create_matmul_pref()?;
        let [of_out, of_a, of_b] = key.alignments;
        let wishes = [
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, of_b),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, of_a),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, of_out),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, of_out),
        ];
        for (name, bytes) in wishes {
            lt::set_matmul_pref_attribute(preference, name, from_ref(&bytes).cast(), size_of_val(&bytes))?;
        }
        let workspace = Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        lt::set_matmul_pref_attribute(preference, workspace, from_ref(&WORKSPACE_BYTES).cast(), 8)?;
        let [out, a, b] = layouts;
        let found = lt::get_matmul_algo_heuristic(handle, product, b, a, out, out, preference);
        lt::destroy_matmul_pref(preference)?;
        Ok(Plan { product, layouts, algorithm: found?.algo })
    }
}

/// Sets an attribute of a product.
///
/// # Safety
/// The descriptor must be alive and the attribute of the type `T`.
#[allow(unsafe_code)]
unsafe fn set<T>(
    product: sys::cublasLtMatmulDesc_t,
    name: sys::cublasLtMatmulDescAttributes_t,
    value: &T,
) -> Result<(), CudaError> {
    // SAFETY: as the caller promises.
    unsafe { Ok(lt::set_matmul_desc_attribute(product, name, from_ref(value).cast(), size_of::<T>())?) }
}

impl Drop for Gemm {
    fn drop(&mut self) {
        for plan in self.plans.get_mut().values() {
            // SAFETY: created by `prepare`, and destroyed once. A failure leaves nothing to be done.
            #[allow(unsafe_code)]
            unsafe {
                let _ = lt::destroy_matmul_desc(plan.product);
                for layout in plan.layouts {
                    let _ = lt::destroy_matrix_layout(layout);
                }
            }
        }
        // SAFETY: created by `new`, with no plan left.
        #[allow(unsafe_code)]
        unsafe {
            let _ = lt::destroy_handle(self.handle);
            let _ = cudarc::driver::result::free_sync(self.workspace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_by_hand() {
        // Three rows of two values, four apart: the last value is number 2 * 4 + 2; a second matrix starts at 20.
        let shape = Shape { rows: 3, cols: 2, stride: 4, batch_stride: 20, transposed: false };
        assert_eq!((shape.extent(1), shape.extent(2)), (10, 30));
        assert_eq!(shape.t().seen(), (2, 3));
        assert_eq!(Shape::dense(0, 5).extent(1), 0);
    }
}
