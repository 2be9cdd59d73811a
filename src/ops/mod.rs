//! The decoder's primitives, each with a forward and a backward, over plain row-major slices.
//!
//! Design decision: no autograd. Each primitive states its gradient, accumulates parameter gradients in place and keeps
//! nothing alive; what a layer keeps is the layer's choice ([`crate::model::layer`]). candle's autograd is the oracle of
//! the tests. The cost is a dozen hand-written derivatives; the gain is memory, speed and recompute under our control.
//!
//! Everything is generic over [`Element`]: f32 for training, f64 to prove exactness. Results do not depend on the number
//! of threads: work is cut into fixed pieces and each piece is summed in a fixed order.

pub mod attention;
pub mod element;
pub mod embedding;
pub mod linear;
pub mod log_prob;
pub mod matmul;
pub mod rms_norm;
pub mod rope;
pub mod swiglu;
pub mod workspace;

pub use element::Element;
pub use workspace::{Buffer, Workspace};
