//! Copies beside the computation: page-locked host memory, which a card reads and writes by itself, and queues of copies
//! that run while the device's own queue computes, ordered with it by events.

use std::fmt;
use std::ptr::NonNull;
use std::rc::Rc;

use cudarc::driver::{result, sys};

use super::device::{Device, Slice, SliceMut};
use super::error::CudaError;

/// Page-locked values in the memory of the host.
pub struct HostBuffer<T> {
    values: NonNull<T>,
    len: usize,
    device: Rc<Device>,
}

impl<T> fmt::Debug for HostBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T: Plain> HostBuffer<T> {
    /// `len` values whose every byte is 0; `part` says in an error what they were for.
    ///
    /// # Errors
    /// Where the host's memory does not hold them, or may not be locked.
    pub fn zeros(device: &Rc<Device>, len: usize, part: &'static str) -> Result<Self, CudaError> {
        let bytes = len * size_of::<T>();
        // SAFETY: freshly allocated memory of `bytes` bytes is zeroed before anyone reads it, and zero bytes are a value
        // of every plain type.
        #[allow(unsafe_code)]
        let values = unsafe {
            let refused = |_| CudaError::OutOfHostMemory { part, bytes };
            let at = result::malloc_host(bytes.max(1), 0).map_err(refused)?.cast::<u8>();
            std::ptr::write_bytes(at, 0, bytes);
            at.cast::<T>()
        };
        let values = NonNull::new(values).ok_or(CudaError::OutOfHostMemory { part, bytes })?;
        Ok(Self { values, len, device: Rc::clone(device) })
    }
}

/// Numbers, of which zero bytes are a value.
pub trait Plain: Copy {}

impl Plain for f32 {}
impl Plain for super::Bf16 {}

impl<T: Copy> HostBuffer<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values, once all that the device was to do before is done.
    ///
    /// # Errors
    /// Where something that was queued has failed.
    pub fn read(&self) -> Result<&[T], CudaError> {
        self.device.synchronise()?;
        Ok(self.values())
    }

    /// Replaces the values, once all that the device was to do before is done.
    ///
    /// # Errors
    /// Where something that was queued has failed.
    ///
    /// # Panics
    /// Where the lengths differ: a bug of the caller, never of the data.
    pub fn write(&mut self, values: &[T]) -> Result<(), CudaError> {
        self.device.synchronise()?;
        // SAFETY: as in `values`; this borrow is the only one.
        #[allow(unsafe_code)]
        let own = unsafe { std::slice::from_raw_parts_mut(self.values.as_ptr(), self.len) };
        own.copy_from_slice(values);
        Ok(())
    }

    fn values(&self) -> &[T] {
        // SAFETY: `len` initialised values that live as long as this.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.values.as_ptr(), self.len)
        }
    }
}

impl<T> Drop for HostBuffer<T> {
    fn drop(&mut self) {
        // SAFETY: allocated by `zeros`; copies that are under way end first. A failure means that the context is gone.
        #[allow(unsafe_code)]
        unsafe {
            let _ = self.device.synchronise();
            let _ = result::free_host(self.values.as_ptr().cast());
        }
    }
}

/// A point in a queue that another can wait for.
#[derive(Debug)]
pub struct Event(sys::CUevent);

impl Event {
    /// The point that `stream` has come to with all that is queued now.
    fn record(stream: sys::CUstream) -> Result<Self, CudaError> {
        let event = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
        // SAFETY: both are alive.
        #[allow(unsafe_code)]
        unsafe {
            result::event::record(event, stream)?;
        }
        Ok(Self(event))
    }

    fn hold(&self, stream: sys::CUstream) -> Result<(), CudaError> {
        // SAFETY: both are alive.
        #[allow(unsafe_code)]
        unsafe {
            Ok(result::stream::wait_event(stream, self.0, sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT)?)
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: created by `record`; the driver keeps it until no queue waits for it.
        #[allow(unsafe_code)]
        let _ = unsafe { result::event::destroy(self.0) };
    }
}

impl Device {
    /// The point that the device's queue has come to.
    pub(super) fn mark(&self) -> Result<Event, CudaError> {
        Event::record(self.stream())
    }

    /// Lets what is queued from now on wait for an event.
    pub(super) fn wait(&self, event: &Event) -> Result<(), CudaError> {
        event.hold(self.stream())
    }
}

/// A queue of copies. Buffers that it reads or writes must live until the device's own queue has waited for it.
#[derive(Debug)]
pub(super) struct CopyQueue {
    stream: sys::CUstream,
}

impl CopyQueue {
    pub(super) fn new() -> Result<Self, CudaError> {
        Ok(Self { stream: result::stream::create(result::stream::StreamKind::NonBlocking)? })
    }

    /// The point that this queue has come to.
    pub(super) fn mark(&self) -> Result<Event, CudaError> {
        Event::record(self.stream)
    }

    /// Lets copies queued from now on wait for an event.
    pub(super) fn wait(&self, event: &Event) -> Result<(), CudaError> {
        event.hold(self.stream)
    }

    /// Queues a copy to the device of the host's values from `start` on.
    pub(super) fn upload<T: Copy>(
        &self,
        from: &HostBuffer<T>,
        start: usize,
        to: &SliceMut<'_, T>,
    ) -> Result<(), CudaError> {
        // SAFETY: the source is page-locked and lives until its drop has waited; the destination is as long.
        #[allow(unsafe_code)]
        unsafe {
            Ok(result::memcpy_htod_async(to.address, &from.values()[start..start + to.len], self.stream)?)
        }
    }

    /// Queues a copy to the host's values from `start` on.
    pub(super) fn download<T: Copy>(
        &self,
        from: Slice<'_, T>,
        to: &mut HostBuffer<T>,
        start: usize,
    ) -> Result<(), CudaError> {
        assert!(start + from.len <= to.len, "range outside the buffer");
        // SAFETY: checked; the destination is page-locked, is borrowed by no one, and lives until its drop has waited.
        #[allow(unsafe_code)]
        unsafe {
            let values = std::slice::from_raw_parts_mut(to.values.as_ptr().add(start), from.len);
            Ok(result::memcpy_dtoh_async(values, from.address, self.stream)?)
        }
    }
}

impl Drop for CopyQueue {
    fn drop(&mut self) {
        // SAFETY: created by `new`; what is queued ends first.
        #[allow(unsafe_code)]
        unsafe {
            let _ = result::stream::synchronize(self.stream);
            let _ = result::stream::destroy(self.stream);
        }
    }
}
