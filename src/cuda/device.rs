//! One GPU: its buffers, its kernels and the stream on which all its work is queued.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;

use cudarc::driver::{result, sys};

use super::error::CudaError;
use super::fused::Fused;
use super::gemm::Gemm;

/// The compiled kernels for each element type (see `build.rs`).
const MODULES: [(&str, &[u8]); 2] = [
    ("_f32", include_bytes!(concat!(env!("OUT_DIR"), "/kernels_f32.fatbin"))),
    ("_bf16", include_bytes!(concat!(env!("OUT_DIR"), "/kernels_bf16.fatbin"))),
];
/// Buffers are multiples of this many bytes, so that nearly equal sizes share their memory.
const GRAIN: usize = 512;
/// Arrays up to a quarter of this travel through page-locked memory: labels, tokens and rows of dozens of batches.
const STAGING_BYTES: usize = 8 << 20;

/// bfloat16 as stored: the upper half of an f32. Conversions are made on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// A type of weights and activations: f32 or [`Bf16`].
pub trait Scalar: Copy + Default + 'static {
    /// Ending of its kernels' names.
    const SUFFIX: &'static str;
}

impl Scalar for f32 {
    const SUFFIX: &'static str = "_f32";
}

impl Scalar for Bf16 {
    const SUFFIX: &'static str = "_bf16";
}

/// An open GPU. Not for several threads: the stream orders its work by the order of the calls.
pub struct Device {
    name: String,
    stream: sys::CUstream,
    modules: Vec<(&'static str, sys::CUmodule)>,
    functions: RefCell<HashMap<(&'static str, &'static str), sys::CUfunction>>,
    /// Memory at rest, by size. Interior mutability, because buffers return here when they are dropped.
    free: RefCell<BTreeMap<usize, Vec<u64>>>,
    used: Cell<usize>,
    peak: Cell<usize>,
    gemm: Gemm,
    staging: Staging,
    /// Interior mutability, so that another kernel can be set on a device that is in use.
    fused: RefCell<Result<Rc<dyn Fused>, CudaError>>,
}

/// Page-locked memory through which small arrays travel to the device, so that the host need not wait for the queue: a
/// copy from other memory may do so. When it is full, all that was queued is waited for.
struct Staging {
    at: *mut u8,
    used: Cell<usize>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("name", &self.name).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Device {
    /// Opens device `ordinal`, counted from 0.
    ///
    /// # Errors
    /// Where CUDA's libraries or the device are not there.
    pub fn open(ordinal: usize) -> Result<Rc<Self>, CudaError> {
        // SAFETY: only tries to open the libraries.
        #[allow(unsafe_code)]
        let (driver, blas) = unsafe { (sys::is_culib_present(), cudarc::cublaslt::sys::is_culib_present()) };
        if !driver {
            return Err(CudaError::NoLibrary { library: "libcuda.so.1", purpose: "it comes with NVIDIA's driver" });
        }
        if !blas {
            let purpose = "it comes with the CUDA toolkit (cuBLAS)";
            return Err(CudaError::NoLibrary { library: "libcublasLt.so", purpose });
        }
        if result::init().is_err() {
            return Err(CudaError::NoDevice { ordinal, count: 0 });
        }
        let count = result::device::get_count()? as usize;
        if ordinal >= count {
            return Err(CudaError::NoDevice { ordinal, count });
        }
        let id = result::device::get(ordinal as i32)?;
        // SAFETY: `id` is a device of this driver; its primary context stays retained for the life of the process, as
        // do the modules, whose images are complete and static.
        #[allow(unsafe_code)]
        let modules = unsafe {
            result::ctx::set_current(result::primary_ctx::retain(id)?)?;
            let load = |(suffix, image): (&'static str, &'static [u8])| {
                Ok((suffix, result::module::load_data(image.as_ptr().cast())?))
            };
            MODULES.into_iter().map(load).collect::<Result<Vec<_>, CudaError>>()?
        };
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
        // SAFETY: plain allocation; it lives as long as the device.
        #[allow(unsafe_code)]
        let staging = unsafe { result::malloc_host(STAGING_BYTES, 0)? };
        Ok(Rc::new(Self {
            name: result::device::get_name(id)?,
            stream,
            modules,
            functions: RefCell::default(),
            free: RefCell::default(),
            used: Cell::new(0),
            peak: Cell::new(0),
            gemm: Gemm::new()?,
            staging: Staging { at: staging.cast(), used: Cell::new(0) },
            fused: RefCell::new(fused(ordinal)),
        }))
    }

    /// The fused attention that decoders in bf16 use, or why there is none; they then use matrix products.
    pub fn fused(&self) -> Result<Rc<dyn Fused>, CudaError> {
        self.fused.borrow().clone()
    }

    /// Sets the fused attention; without one, matrix products are used.
    pub fn set_fused(&self, fused: Option<Rc<dyn Fused>>) {
        *self.fused.borrow_mut() = fused.ok_or_else(|| CudaError::Cudnn("it was switched off".to_owned()));
    }

    /// The card's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most bytes in buffers at once since the last call, which starts a new measurement.
    pub fn take_peak_bytes(&self) -> usize {
        self.peak.replace(self.used.get())
    }

    /// Free and total bytes of the card.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        Ok(result::mem_get_info()?)
    }

    /// Bytes that buffers may still take: free on the card, or at rest here.
    pub fn available(&self) -> Result<usize, CudaError> {
        let at_rest: usize = self.free.borrow().iter().map(|(size, rest)| size * rest.len()).sum();
        Ok(self.memory()?.0 + at_rest)
    }

    /// Waits until all queued work is done; reports the first kernel that failed.
    pub fn synchronise(&self) -> Result<(), CudaError> {
        // SAFETY: the stream lives as long as the device.
        #[allow(unsafe_code)]
        unsafe {
            Ok(result::stream::synchronize(self.stream)?)
        }
    }

    pub(super) fn stream(&self) -> sys::CUstream {
        self.stream
    }

    pub(super) fn gemm(&self) -> &Gemm {
        &self.gemm
    }

    /// A buffer of `len` values whose contents are arbitrary; `part` says in an error what it was for.
    pub fn buffer<T: Copy>(self: &Rc<Self>, len: usize, part: &'static str) -> Result<Buffer<T>, CudaError> {
        let bytes = (len * size_of::<T>()).div_ceil(GRAIN) * GRAIN;
        let (address, bytes) = if bytes == 0 { (0, 0) } else { self.take(bytes, part)? };
        self.used.set(self.used.get() + bytes);
        self.peak.set(self.peak.get().max(self.used.get()));
        Ok(Buffer { address, len, bytes, device: Rc::clone(self), of: PhantomData })
    }

    /// A buffer whose every 32-bit word is that of `value`.
    pub fn filled(self: &Rc<Self>, len: usize, value: f32, part: &'static str) -> Result<Buffer<f32>, CudaError> {
        let mut buffer = self.buffer(len, part)?;
        buffer.view_mut().fill(self, value)?;
        Ok(buffer)
    }

    /// A copy of host values.
    pub fn upload<T: Copy>(self: &Rc<Self>, values: &[T], part: &'static str) -> Result<Buffer<T>, CudaError> {
        let mut buffer = self.buffer(values.len(), part)?;
        buffer.view_mut().write(self, values)?;
        Ok(buffer)
    }

    /// Memory of at least `bytes`, from what is at rest or from the driver.
    fn take(&self, bytes: usize, part: &'static str) -> Result<(u64, usize), CudaError> {
        let mut free = self.free.borrow_mut();
        // A little larger is fine; much larger would waste memory.
        let fit = free.range_mut(bytes..=bytes + bytes / 4).find_map(|(&size, rest)| Some((rest.pop()?, size)));
        if let Some(fit) = fit {
            return Ok(fit);
        }
        // SAFETY: plain allocation; on failure everything at rest is given back, which no queued work uses once the
        // stream has been waited for.
        #[allow(unsafe_code)]
        unsafe {
            if let Ok(address) = result::malloc_sync(bytes) {
                return Ok((address, bytes));
            }
            self.synchronise()?;
            for address in std::mem::take(&mut *free).into_values().flatten() {
                result::free_sync(address)?;
            }
            result::malloc_sync(bytes).map(|address| (address, bytes)).map_err(|_| {
                let (free, total) = result::mem_get_info().unwrap_or_default();
                CudaError::OutOfMemory { part, bytes, free, total }
            })
        }
    }

    /// The launch of the kernel `name` for the element type `S` over a grid of blocks.
    pub(super) fn kernel<S: Scalar>(
        &self,
        name: &'static str,
        grid: (usize, usize),
        threads: usize,
    ) -> Result<Launch<'_>, CudaError> {
        let mut functions = self.functions.borrow_mut();
        let function = match functions.get(&(name, S::SUFFIX)) {
            Some(&function) => function,
            None => {
                let full = CString::new(format!("{name}{}", S::SUFFIX)).unwrap_or_default();
                let module = self.modules.iter().find(|(suffix, _)| *suffix == S::SUFFIX).map(|m| m.1);
                let module = module.ok_or_else(|| CudaError::Driver(format!("no module of {}", S::SUFFIX)))?;
                // SAFETY: the module stays loaded.
                #[allow(unsafe_code)]
                let function = unsafe { result::module::get_function(module, full)? };
                functions.insert((name, S::SUFFIX), function);
                function
            }
        };
        Ok(Launch { device: self, function, grid, threads, arguments: Vec::with_capacity(12) })
    }
}

/// The fused attention of the current device.
#[cfg(feature = "cudnn")]
fn fused(ordinal: usize) -> Result<Rc<dyn Fused>, CudaError> {
    Ok(Rc::new(super::cudnn::Cudnn::open(ordinal)?))
}

#[cfg(not(feature = "cudnn"))]
fn fused(_: usize) -> Result<Rc<dyn Fused>, CudaError> {
    Err(CudaError::Cudnn("the program was built without the feature cudnn".to_owned()))
}

impl Staging {
    /// A page-locked copy of `values`; `None` where they are too many.
    fn copy<'s, T: Copy>(&'s self, device: &Device, values: &[T]) -> Result<Option<&'s [T]>, CudaError> {
        let bytes = size_of_val(values);
        if bytes > STAGING_BYTES / 4 {
            return Ok(None);
        }
        let mut start = self.used.get();
        if start + bytes > STAGING_BYTES {
            device.synchronise()?;
            start = 0;
        }
        self.used.set((start + bytes).next_multiple_of(GRAIN));
        // SAFETY: the range lies inside the allocation at the alignment of every plain type, and nothing that is queued
        // reads it: it was not handed out since all was waited for.
        #[allow(unsafe_code)]
        unsafe {
            let to = self.at.add(start).cast::<T>();
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
            Ok(Some(std::slice::from_raw_parts(to, values.len())))
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: allocated by `open`, once nothing that is queued reads it.
        #[allow(unsafe_code)]
        unsafe {
            let _ = self.synchronise();
            let _ = result::free_host(self.staging.at.cast());
        }
        for address in std::mem::take(self.free.get_mut()).into_values().flatten() {
            // SAFETY: allocated by this device and at rest; freeing waits for queued work. A failure here means that
            // the context is gone, and its memory with it.
            #[allow(unsafe_code)]
            let _ = unsafe { result::free_sync(address) };
        }
    }
}

/// Values in the memory of a device, which goes back to the device's pool when this is dropped.
pub struct Buffer<T> {
    address: u64,
    len: usize,
    bytes: usize,
    device: Rc<Device>,
    of: PhantomData<T>,
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.device.used.set(self.device.used.get() - self.bytes);
            self.device.free.borrow_mut().entry(self.bytes).or_default().push(self.address);
        }
    }
}

impl<T: Copy> Buffer<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All values, to read.
    pub fn view(&self) -> Slice<'_, T> {
        self.at(0..self.len)
    }

    /// All values, to write.
    pub fn view_mut(&mut self) -> SliceMut<'_, T> {
        self.at_mut(0..self.len)
    }

    /// Some values, to read.
    ///
    /// # Panics
    /// Where the range leaves the buffer: a bug of the caller, never of the data.
    pub fn at(&self, range: Range<usize>) -> Slice<'_, T> {
        assert!(range.start <= range.end && range.end <= self.len, "range outside the buffer");
        let address = self.address + (range.start * size_of::<T>()) as u64;
        Slice { address, len: range.len(), of: PhantomData }
    }

    /// Some values, to write.
    ///
    /// # Panics
    /// As [`Buffer::at`].
    pub fn at_mut(&mut self, range: Range<usize>) -> SliceMut<'_, T> {
        let Slice { address, len, .. } = self.at(range);
        SliceMut { address, len, of: PhantomData }
    }

    /// The values on the host, once all work queued before is done.
    pub fn to_host(&self) -> Result<Vec<T>, CudaError>
    where
        T: Default,
    {
        let mut values = vec![T::default(); self.len];
        if self.len > 0 {
            // SAFETY: the buffer holds `len` values, and the copy is waited for before they are read.
            #[allow(unsafe_code)]
            unsafe {
                result::memcpy_dtoh_async(&mut values, self.address, self.device.stream)?;
            }
            self.device.synchronise()?;
        }
        Ok(values)
    }
}

/// Values on a device, to read.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a, T> {
    pub(super) address: u64,
    pub(super) len: usize,
    of: PhantomData<&'a T>,
}

/// Values on a device, to write.
#[derive(Debug)]
pub struct SliceMut<'a, T> {
    pub(super) address: u64,
    pub(super) len: usize,
    of: PhantomData<&'a mut T>,
}

impl<'a, T: Copy> Slice<'a, T> {
    /// No values.
    pub fn empty() -> Self {
        Self { address: 0, len: 0, of: PhantomData }
    }

    /// Some of the values.
    ///
    /// # Panics
    /// Where the range leaves the slice: a bug of the caller, never of the data.
    pub fn range(self, range: Range<usize>) -> Slice<'a, T> {
        assert!(range.start <= range.end && range.end <= self.len, "range outside the slice");
        Slice { address: self.address + (range.start * size_of::<T>()) as u64, len: range.len(), ..self }
    }

    /// The values from `start` on.
    ///
    /// # Panics
    /// As [`Slice::range`].
    pub fn from(self, start: usize) -> Slice<'a, T> {
        self.range(start..self.len)
    }
}

impl<T: Copy> SliceMut<'_, T> {
    /// The same values for a shorter time.
    pub fn again(&mut self) -> SliceMut<'_, T> {
        SliceMut { address: self.address, len: self.len, of: PhantomData }
    }

    /// The values, to read.
    pub fn view(&self) -> Slice<'_, T> {
        Slice { address: self.address, len: self.len, of: PhantomData }
    }

    /// Writes host values, as many as there are here.
    pub fn write(&mut self, device: &Device, values: &[T]) -> Result<(), CudaError> {
        assert_eq!(values.len(), self.len, "lengths differ");
        if self.len > 0 {
            let staged = device.staging.copy(device, values)?.unwrap_or(values);
            // SAFETY: the lengths agree; what is staged stays until it has been copied, and other memory has been copied
            // aside when the call returns ("API synchronization behavior" of the driver's manual).
            #[allow(unsafe_code)]
            unsafe {
                result::memcpy_htod_async(self.address, staged, device.stream)?;
            }
        }
        Ok(())
    }

    /// Sets every byte to 0.
    pub fn clear(&mut self, device: &Device) -> Result<(), CudaError> {
        if self.len > 0 {
            // SAFETY: the slice holds as many bytes.
            #[allow(unsafe_code)]
            unsafe {
                result::memset_d8_async(self.address, 0, self.len * size_of::<T>(), device.stream)?;
            }
        }
        Ok(())
    }

    /// Copies values of the same device.
    pub fn copy(&mut self, device: &Device, from: Slice<'_, T>) -> Result<(), CudaError> {
        assert_eq!(from.len, self.len, "lengths differ");
        if self.len > 0 {
            // SAFETY: both hold `len` values; the borrow rules keep them apart.
            #[allow(unsafe_code)]
            unsafe {
                result::memcpy_dtod_async(self.address, from.address, self.len * size_of::<T>(), device.stream)?;
            }
        }
        Ok(())
    }
}

impl SliceMut<'_, f32> {
    /// Sets every value.
    pub fn fill(&mut self, device: &Device, value: f32) -> Result<(), CudaError> {
        if self.len > 0 {
            // SAFETY: the slice holds `len` words of 32 bits.
            #[allow(unsafe_code)]
            unsafe {
                sys::cuMemsetD32Async(self.address, value.to_bits(), self.len, device.stream).result()?;
            }
        }
        Ok(())
    }
}

/// Plain values that kernels take as they are: numbers, and structs of numbers declared as in the kernels.
pub(super) trait Argument: Copy {}

impl Argument for i32 {}
impl Argument for u64 {}
impl Argument for f32 {}
impl Argument for f64 {}

/// A kernel with its arguments, in the order of its parameters.
pub(super) struct Launch<'d> {
    device: &'d Device,
    function: sys::CUfunction,
    grid: (usize, usize),
    threads: usize,
    arguments: Vec<[u64; 8]>,
}

impl Launch<'_> {
    /// A number or struct of at most 64 bytes.
    pub(super) fn value<A: Argument>(mut self, value: A) -> Self {
        const { assert!(size_of::<A>() <= 64 && align_of::<A>() <= 8) };
        let mut bytes = [0u64; 8];
        // SAFETY: the value is plain, and checked above to fit.
        #[allow(unsafe_code)]
        unsafe {
            std::ptr::write(bytes.as_mut_ptr().cast::<A>(), value);
        }
        self.arguments.push(bytes);
        self
    }

    /// An array that is read.
    pub(super) fn read<T>(self, slice: Slice<'_, T>) -> Self {
        self.value(slice.address)
    }

    /// An array that is written.
    pub(super) fn write<T>(self, slice: &SliceMut<'_, T>) -> Self {
        self.value(slice.address)
    }

    /// Queues the kernel; nothing happens for an empty grid.
    pub(super) fn run(mut self) -> Result<(), CudaError> {
        if self.grid.0 == 0 || self.grid.1 == 0 {
            return Ok(());
        }
        let mut pointers: Vec<*mut c_void> = self.arguments.iter_mut().map(|a| a.as_mut_ptr().cast()).collect();
        let (grid, threads) = ((self.grid.0 as u32, self.grid.1 as u32, 1), (self.threads as u32, 1, 1));
        // SAFETY: the wrappers in `ops` pass what each kernel declares, with arrays as long as it reads and writes.
        #[allow(unsafe_code)]
        unsafe {
            Ok(result::launch_kernel(self.function, grid, threads, 0, self.device.stream, &mut pointers)?)
        }
    }
}
