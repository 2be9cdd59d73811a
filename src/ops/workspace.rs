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
    /// Values of all buffers, out or at rest, and the most that were ever out, whoever measures.
    held: usize,
    most: usize,
}

impl<T> State<T> {
    /// The smallest buffer at rest that `len` values fit well: a little larger is fine, much larger would waste memory.
    fn take(&mut self, len: usize) -> Option<Vec<T>> {
        let size = self.free.range(len..=len + len / 2).next().map(|(&size, _)| size)?;
        self.take_exactly(size)
    }

    fn take_exactly(&mut self, size: usize) -> Option<Vec<T>> {
        let rest = self.free.get_mut(&size)?;
        let values = rest.pop();
        if rest.is_empty() {
            self.free.remove(&size);
        }
        values
    }

    /// Lets go of buffers at rest until `len` more values are no more than a quarter above what was ever out at once:
    /// changing lengths do not pile up, and a step like the one before finds every buffer again. (Giving way at once,
    /// a step took fresh pages for a quarter of its peak, with inputs saved for twice its peak.)
    fn make_room(&mut self, len: usize) {
        while self.held + len > self.most + self.most / 4 {
            let Some((&size, _)) = self.free.first_key_value() else { break };
            self.take_exactly(size);
            self.held -= size;
        }
    }
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
        state.most = state.most.max(state.out);
        let values = state.take(len).unwrap_or_else(|| {
            state.make_room(len);
            state.held += len;
            drop(state);
            vec![T::ZERO; len]
        });
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

    #[test]
    fn a_step_like_the_one_before_allocates_nothing_and_changing_lengths_do_not_pile_up() {
        let w = Workspace::<f32>::new();
        // Large and small ones in an order in which each would take the other's place.
        let step = |base: usize| {
            let large = w.buffer(10 * base);
            let small = w.buffer(base);
            drop(large);
            let (a, b) = (w.buffer(8 * base), w.buffer(3 * base));
            drop((small, a, b));
        };
        (0..3).for_each(|_| step(100));
        let held = w.lock().held;
        let kept: Vec<usize> = w.lock().free.keys().copied().collect();
        step(100);
        assert_eq!((w.lock().held, w.lock().free.keys().copied().collect::<Vec<_>>()), (held, kept));
        for base in 1..2000 {
            step(base);
            let state = w.lock();
            let at_rest: usize = state.free.iter().map(|(size, kept)| size * kept.len()).sum();
            assert_eq!((state.out, state.held), (0, at_rest));
            assert!(state.held <= state.most + state.most / 2);
        }
    }
}
