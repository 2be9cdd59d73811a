//! Reuse of buffers from layer to layer and step to step.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Element;

/// Hands out buffers and takes them back, so that a step touches no fresh pages: on the CPU, clearing pages was a third
/// of a step's time with plain allocation.
///
/// Interior mutability, because buffers return to it when they are dropped, also while others are out.
#[derive(Debug, Default)]
pub struct Workspace<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug, Default)]
struct State<T> {
    /// Buffers at rest, by length.
    free: BTreeMap<usize, Vec<Vec<T>>>,
    /// Values in buffers that are out, and the most that ever were.
    out: usize,
    peak: usize,
}

impl<T: Element> Workspace<T> {
    /// An empty workspace.
    pub fn new() -> Self {
        Self::default()
    }

    /// A buffer of `len` values whose contents are arbitrary.
    pub fn buffer(&self, len: usize) -> Buffer<'_, T> {
        let mut state = self.lock();
        state.out += len;
        state.peak = state.peak.max(state.out);
        // A little larger is fine; twice as large would waste memory.
        let fit = state.free.range(len..=len + len / 2).next().map(|(&size, _)| size);
        let values = fit.and_then(|size| {
            let rest = state.free.get_mut(&size)?;
            let values = rest.pop();
            if rest.is_empty() {
                state.free.remove(&size);
            }
            values
        });
        let values = match values {
            Some(values) => values,
            None => {
                // What does not fit now gives way, so that changing lengths do not pile up buffers.
                if let Some((_, mut kept)) = state.free.pop_first() {
                    kept.pop();
                    if let Some(size) = kept.first().map(Vec::len) {
                        state.free.insert(size, kept);
                    }
                }
                drop(state);
                vec![T::ZERO; len]
            }
        };
        Buffer { values, len, home: self }
    }

    /// A buffer of zeros.
    pub fn zeros(&self, len: usize) -> Buffer<'_, T> {
        let mut buffer = self.buffer(len);
        buffer.fill(T::ZERO);
        buffer
    }

    /// A copy of `values`.
    pub fn copy(&self, values: &[T]) -> Buffer<'_, T> {
        let mut buffer = self.buffer(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// The most bytes that were out at once since the last call, which starts a new measurement.
    pub fn take_peak_bytes(&self) -> usize {
        let mut state = self.lock();
        let peak = state.peak;
        state.peak = state.out;
        peak * size_of::<T>()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic elsewhere leaves plain vectors behind, all of them valid.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values on loan from a [`Workspace`].
#[derive(Debug)]
pub struct Buffer<'w, T: Element> {
    values: Vec<T>,
    len: usize,
    home: &'w Workspace<T>,
}

impl<T: Element> Deref for Buffer<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.values[..self.len]
    }
}

impl<T: Element> DerefMut for Buffer<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[..self.len]
    }
}

impl<T: Element> Drop for Buffer<'_, T> {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        let mut state = self.home.lock();
        state.out -= self.len;
        if !values.is_empty() {
            state.free.entry(values.len()).or_default().push(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_buffer_is_used_again_and_the_peak_counts_what_is_out() {
        let w = Workspace::<f32>::new();
        let a = w.buffer(100);
        let at = a.as_ptr();
        drop(a);
        let b = w.buffer(90);
        assert_eq!(b.as_ptr(), at);
        assert_eq!(b.len(), 90);
        let c = w.zeros(10);
        assert_eq!(&*c, &[0.0; 10]);
        drop((b, c));
        assert_eq!(w.take_peak_bytes(), 400);
        assert_eq!(w.take_peak_bytes(), 0);
    }
}
