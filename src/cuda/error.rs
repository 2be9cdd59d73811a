//! What can go wrong on a device.

use cudarc::cublaslt::result::CublasError;
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

use crate::rollout::RolloutError;

/// Why something did not run on a GPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CudaError {
    /// A library of CUDA is not installed.
    #[error("{library} was not found: {purpose}; use device = \"cpu\", or put it on the loader's path")]
    NoLibrary {
        /// The file's name.
        library: &'static str,
        /// Where it comes from.
        purpose: &'static str,
    },
    /// The driver sees no such device.
    #[error("there is no CUDA device {ordinal}: the driver sees {count}; use device = \"cpu\"")]
    NoDevice {
        /// The number asked for, from 0.
        ordinal: usize,
        /// Devices that there are.
        count: usize,
    },
    /// The memory of the device is used up.
    #[error(
        "out of GPU memory for {part}: {:.2} GB wanted, {:.2} of {:.2} GB free; {}",
        gb(*.bytes), gb(*.free), gb(*.total), remedy(.part)
    )]
    OutOfMemory {
        /// What the memory was for.
        part: &'static str,
        /// Bytes asked for.
        bytes: usize,
        /// Bytes that were free.
        free: usize,
        /// Bytes of the device.
        total: usize,
    },
    /// The memory of the host is used up, or may not be locked.
    #[error(
        "the host has not {:.2} GB of memory to lock for {part}; close other programs, raise the limit on locked memory \
         (ulimit -l), or keep it on the card (optim.states = \"device\", objective.reference = \"device\")",
        gb(*.bytes)
    )]
    OutOfHostMemory {
        /// What the memory was for.
        part: &'static str,
        /// Bytes asked for.
        bytes: usize,
    },
    /// Heads that no kernel serves.
    #[error("attention heads of width {dim} cannot decode on a GPU, only up to {widest}; use device = \"cpu\"")]
    HeadWidth {
        /// The model's.
        dim: usize,
        /// The widest that can.
        widest: usize,
    },
    /// Nothing was sampled.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// The driver refused a call, or a kernel failed.
    #[error("CUDA: {0}")]
    Driver(String),
    /// cuDNN refused a call, or is not there.
    #[error("cuDNN: {0}")]
    Cudnn(String),
    /// cublasLt refused a matrix product.
    #[error("cublasLt: {0}")]
    Blas(String),
}

/// What to lower where the device's memory does not hold a part.
fn remedy(part: &str) -> &'static str {
    match part {
        "weights" | "gradients" => {
            "train a smaller model, or set optim.states = \"host\" and objective.reference = \"host\""
        }
        "master weights" | "optimiser states" => "set optim.states = \"host\"",
        "keys and values" | "decoding" | "sampling" => {
            "lower rollout.cache_tokens, rollout.max_new_tokens or data.max_prompt_tokens"
        }
        "reference" => "set objective.reference = \"host\", or objective.kl_coefficient = 0",
        _ => {
            "lower trainer.max_packed_tokens or data.max_prompt_tokens, set trainer.saved = \"input\", or \
             optim.states = \"host\""
        }
    }
}

fn gb(bytes: usize) -> f64 {
    bytes as f64 / 1e9
}

impl From<DriverError> for CudaError {
    fn from(error: DriverError) -> Self {
        Self::Driver(match error.0 {
            CUresult::CUDA_ERROR_ILLEGAL_ADDRESS => "a kernel read or wrote outside its buffers".to_owned(),
            code => format!("{code:?}"),
        })
    }
}

impl From<CublasError> for CudaError {
    fn from(error: CublasError) -> Self {
        Self::Blas(format!("{:?}", error.0))
    }
}
