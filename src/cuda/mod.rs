//! The decoder, its optimiser and its rollouts on an NVIDIA GPU.
//!
//! Design decision: the driver and cublasLt are called directly. Kernels and matrix products write into buffers that
//! we own, so that weight gradients accumulate in place in f32, nothing is allocated twice, and no tensor library
//! decides what is kept. The layers, the head and the attention over the prefix tree are those of [`crate::model`] and
//! [`crate::ops`] step by step; the same code runs in bf16 (training) and f32 (where it must agree with the CPU to
//! rounding). All work of a device is queued on one stream, in the order of the calls: a buffer can be reused as soon
//! as it is dropped.
//!
//! Rounding in bf16: weights and the inputs of matrix products are bf16; the residual stream, logits, softmax,
//! log-probabilities and all gradients of weights are f32; master weights and moments are f32.

pub mod attention;
mod cache;
pub mod copies;
#[cfg(feature = "cudnn")]
pub mod cudnn;
mod decode;
pub mod decode_attention;
pub mod decoder;
pub mod device;
pub mod draw;
mod error;
pub mod fused;
pub mod gemm;
mod head;
mod layer;
pub mod layout;
pub mod objective;
pub mod ops;
pub mod optimiser;
pub mod reference;
mod rollout;

pub use decoder::Decoder;
pub use device::{Bf16, Buffer, Device, Scalar, Slice, SliceMut};
pub use error::CudaError;
pub use head::Values;
pub use optimiser::{AdamW, Stepped};
pub use reference::Reference;
