//! cuDNN's fused attention, through the C interface of `cudnn/attention.cpp`. cuDNN is opened at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use cudarc::driver::result::device as driver;
use cudarc::driver::sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;

use super::device::Device;
use super::error::CudaError;
use super::fused::{CallArrays, CallShape, Fused};
use super::ops::Heads;

/// The library, as its installers name it.
const LIBRARY: &CStr = c"libcudnn.so.9";
/// Bytes of a message.
const MESSAGE: usize = 1024;
/// Packed runs need the kernels of Hopper and later.
const MAJOR: i32 = 9;

#[allow(unsafe_code)]
unsafe extern "C" {
    fn attention_open(library: *const c_char, message: *mut c_char, size: i64) -> *mut c_void;
    fn attention_close(engine: *mut c_void);
    fn attention_prepare(
        engine: *mut c_void,
        shape: *const CallShape,
        workspace: *mut i64,
        message: *mut c_char,
        size: i64,
    ) -> c_int;
    fn attention_run(
        engine: *mut c_void,
        stream: *mut c_void,
        shape: *const CallShape,
        arrays: *const CallArrays,
        message: *mut c_char,
        size: i64,
    ) -> c_int;
    fn attention_compile(
        library: *const c_char,
        device: *const c_char,
        architecture: i32,
        processors: i32,
        shape: *const CallShape,
        workspace: *mut i64,
        message: *mut c_char,
        size: i64,
    ) -> c_int;
}

/// cuDNN on the current device.
#[derive(Debug)]
pub struct Cudnn {
    engine: *mut c_void,
}

/// What a function says of its failure in the `message` that it is given.
fn checked(call: impl FnOnce(*mut c_char, i64) -> bool) -> Result<(), CudaError> {
    let mut message = [0u8; MESSAGE];
    if call(message.as_mut_ptr().cast(), MESSAGE as i64) {
        return Ok(());
    }
    let text = CStr::from_bytes_until_nul(&message).map(CStr::to_string_lossy).unwrap_or_default();
    Err(CudaError::Cudnn(text.into_owned()))
}

impl Cudnn {
    /// Opens cuDNN for the device of this number, whose context must be current.
    ///
    /// # Errors
    /// Where cuDNN is not installed or too old, or the device has no kernels for packed sequences.
    pub fn open(ordinal: usize) -> Result<Self, CudaError> {
        let device = driver::get(ordinal as i32)?;
        // SAFETY: the device is the driver's.
        #[allow(unsafe_code)]
        let major = unsafe { driver::get_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)? };
        if major < MAJOR {
            return Err(CudaError::Cudnn(format!(
                "packed sequences need compute capability {MAJOR}.0, this device has {major}"
            )));
        }
        let mut engine = std::ptr::null_mut();
        checked(|message, size| {
            // SAFETY: the library's name ends with 0, and the message has `size` bytes.
            #[allow(unsafe_code)]
            unsafe {
                engine = attention_open(LIBRARY.as_ptr(), message, size);
            }
            !engine.is_null()
        })?;
        Ok(Self { engine })
    }

    /// Compiles the plan of a shape for a device that is only described, as cuDNN serialises its properties, of this
    /// architecture (90 is Hopper) and number of multiprocessors; bytes that a call would work in. Needs no GPU.
    ///
    /// # Errors
    /// Where cuDNN is not installed, or has no kernel.
    pub fn compile(
        device: &str,
        (architecture, processors): (i32, i32),
        shape: &CallShape,
    ) -> Result<usize, CudaError> {
        let device = CString::new(device).map_err(|error| CudaError::Cudnn(error.to_string()))?;
        let mut workspace = 0;
        // SAFETY: all pointers live across the call.
        #[allow(unsafe_code)]
        checked(|message, size| unsafe {
            attention_compile(
                LIBRARY.as_ptr(),
                device.as_ptr(),
                architecture,
                processors,
                shape,
                &mut workspace,
                message,
                size,
            ) == 0
        })?;
        Ok(workspace as usize)
    }
}

impl Fused for Cudnn {
    fn serves(&self, heads: &Heads) -> bool {
        heads.dim <= 128 && heads.dim.is_multiple_of(8)
    }

    fn workspace(&self, shape: &CallShape) -> Result<usize, CudaError> {
        let mut workspace = 0;
        // SAFETY: the engine lives, and all pointers live across the call.
        #[allow(unsafe_code)]
        checked(|message, size| unsafe { attention_prepare(self.engine, shape, &mut workspace, message, size) == 0 })?;
        Ok(workspace as usize)
    }

    fn run(&self, device: &Device, shape: &CallShape, arrays: &CallArrays) -> Result<(), CudaError> {
        // SAFETY: as in `workspace`; the arrays hold what the shape and the lengths say (`FusedTree`).
        #[allow(unsafe_code)]
        checked(|message, size| unsafe {
            attention_run(self.engine, device.stream().cast(), shape, arrays, message, size) == 0
        })
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        #[allow(unsafe_code)]
        unsafe {
            attention_close(self.engine);
        }
    }
}
