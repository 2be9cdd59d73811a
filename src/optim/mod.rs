//! The optimiser: AdamW over a decoder's parameters, gradient norm, learning-rate schedules.
//!
//! Everything here runs in chunks of a fixed size, so that results do not depend on the number of threads.

mod adamw;
mod norm;
mod schedule;

#[cfg(feature = "cuda")]
pub(crate) use adamw::Factors;
pub use adamw::{AdamW, AdamWConfig, Error, State};
pub use norm::{clip_scale, global_norm};
pub use schedule::{Schedule, ScheduleKind};

/// Values a chunk: 64 kB of f32, four of which (value, gradient, two moments) stay in a core's second-level cache.
const CHUNK: usize = 1 << 14;

#[cfg(test)]
mod tests;
