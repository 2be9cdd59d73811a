//! Keys and values of tokens that responses are written after: an array of rows a layer, which sequences take and give
//! back.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::device::{Buffer, Device, Scalar};
use super::error::CudaError;
use crate::model::config::ModelConfig;

/// Consecutive rows of a [`Cache`]: the keys and values of a sequence's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First row.
    pub start: usize,
    /// Tokens.
    pub len: usize,
}

/// Rows of keys and values, `[rows, kv_heads * dim]` each.
#[derive(Debug)]
pub(super) struct Cache<S> {
    /// Keys and values of each layer.
    pub(super) layers: Vec<(Buffer<S>, Buffer<S>)>,
    pub(super) rows: Rows,
}

impl<S: Scalar> Cache<S> {
    /// Room for `rows` tokens.
    pub(super) fn new(device: &Rc<Device>, config: &ModelConfig, rows: usize) -> Result<Self, CudaError> {
        let values = || device.buffer(rows * config.kv_heads * config.head_dim, "keys and values");
        let layers = (0..config.layers).map(|_| Ok((values()?, values()?))).collect::<Result<_, CudaError>>()?;
        Ok(Self { layers, rows: Rows::new(rows) })
    }

    /// Bytes of one token in all layers.
    pub(super) fn token_bytes(config: &ModelConfig) -> usize {
        2 * config.layers * config.kv_heads * config.head_dim * size_of::<S>()
    }
}

/// Which rows are free.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// Lengths of the free stretches by their first row; no two touch.
    free: BTreeMap<usize, usize>,
}

impl Rows {
    fn new(count: usize) -> Self {
        Self { free: BTreeMap::from([(0, count)]) }
    }

    /// Takes `len` rows from the first stretch that holds them; `None` where there is none.
    pub(super) fn take(&mut self, len: usize) -> Option<Span> {
        if len == 0 {
            return Some(Span::default());
        }
        let (&start, &free) = self.free.iter().find(|(_, free)| **free >= len)?;
        self.free.remove(&start);
        if free > len {
            self.free.insert(start + len, free - len);
        }
        Some(Span { start, len })
    }

    /// Gives rows back that were taken.
    pub(super) fn give(&mut self, Span { mut start, mut len }: Span) {
        if len == 0 {
            return;
        }
        if let Some(after) = self.free.remove(&(start + len)) {
            len += after;
        }
        if let Some((&before, &free)) = self.free.range(..start).next_back()
            && before + free == start
        {
            (start, len) = (before, free + len);
        }
        self.free.insert(start, len);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_one_stretch() {
        let mut rows = Rows::new(10);
        let [a, b, c] = [4, 3, 3].map(|len| rows.take(len).unwrap());
        assert_eq!((a.start, b.start, c.start), (0, 4, 7));
        assert_eq!((rows.take(1), rows.take(0)), (None, Some(Span::default())));
        rows.give(a);
        rows.give(c);
        // Seven rows are free, in stretches of four and three.
        assert_eq!(rows.take(5), None);
        assert_eq!(rows.take(2), Some(Span { start: 0, len: 2 }));
        rows.give(b);
        assert_eq!(rows.take(8), Some(Span { start: 2, len: 8 }));
        rows.give(Span { start: 2, len: 8 });
        rows.give(Span { start: 0, len: 2 });
        assert_eq!(rows, Rows::new(10));
    }
}
