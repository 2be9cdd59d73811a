//! Attention of one new token of each sequence over the cache: a prefix's keys and values are read once for all the
//! sequences that share it (arXiv 2402.05099), in pieces that fill the card, merged by their log-sum-exps.

use std::ops::Range;
use std::rc::Rc;

pub use super::cache::Span;
use super::device::{Argument, Buffer, Device, Scalar, Slice, SliceMut};
use super::error::CudaError;
use super::ops::Heads;

/// Keys of a tile (`TILE_KEYS` of `kernels/decode_attention.cu`).
const TILE: usize = 64;
/// Queries of a block at most.
const QUERIES: usize = 64;
/// Tiles of a piece at least: shorter ones write about as much as they read.
const PIECE_TILES: usize = 4;
/// Blocks that fill a card: four for each multiprocessor of a large one.
const BLOCKS: usize = 512;
/// Threads of a block.
const THREADS: usize = 128;
/// The widest head that is served.
pub(super) const WIDEST: usize = 256;
/// What its buffers are called in an error.
const PART: &str = "attention";

/// What one row attends to: the tokens that it shares with others, and its own, the new one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Seen {
    pub prefix: Span,
    pub own: Span,
}

/// `struct Item` of `kernels/decode_attention.cu`: what a block works on.
type Item = [u32; 6];

/// The items of a step, and of each row the slots of its results.
#[derive(Debug, PartialEq, Eq)]
struct Schedule {
    items: Vec<Item>,
    /// Where each row's slots begin in `parts`; one more than rows.
    starts: Vec<u32>,
    /// The slot of the row's first query in each of its results.
    parts: Vec<u32>,
    /// Slots in all.
    slots: usize,
}

impl Schedule {
    /// Rows that share a prefix must stand together.
    fn new(rows: &[Seen], heads: &Heads) -> Self {
        let together = (QUERIES / heads.group).max(1);
        let mut runs: Vec<(Span, Range<usize>)> = Vec::new();
        for (row, seen) in rows.iter().enumerate() {
            match runs.last_mut() {
                Some((prefix, run)) if *prefix == seen.prefix && run.len() < together => run.end = row + 1,
                _ => runs.push((seen.prefix, row..row + 1)),
            }
        }
        runs.extend(rows.iter().enumerate().map(|(row, seen)| (seen.own, row..row + 1)));
        let tiles: usize = runs.iter().map(|(span, _)| span.len.div_ceil(TILE)).sum();
        let piece = (tiles * heads.kv_heads).div_ceil(BLOCKS).max(PIECE_TILES) * TILE;
        let mut of_row = vec![Vec::new(); rows.len()];
        let (mut items, mut slots) = (Vec::new(), 0);
        for (span, run) in runs {
            for begin in (0..span.len).step_by(piece) {
                let end = span.len.min(begin + piece);
                items.push([span.start, begin, end, run.start, run.len(), slots].map(|n| n as u32));
                for row in run.clone() {
                    of_row[row].push(slots as u32);
                    slots += heads.group;
                }
            }
        }
        let mut starts = vec![0];
        starts.extend(of_row.iter().scan(0, |end, parts| {
            *end += parts.len() as u32;
            Some(*end)
        }));
        Self { items, starts, parts: of_row.concat(), slots }
    }
}

/// The attention of a decode step, the same in all layers.
#[derive(Debug)]
pub struct DecodeAttention {
    heads: Heads,
    rows: usize,
    items: Buffer<Item>,
    starts: Buffer<u32>,
    parts: Buffer<u32>,
    o: Buffer<f32>,
    lse: Buffer<f32>,
}

/// `struct Decoding` of `kernels/decode_attention.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Decoding {
    q: u64,
    keys: u64,
    values: u64,
    items: u64,
    o: u64,
    lse: u64,
    stride: i32,
    kv_heads: i32,
    group: i32,
    scale: f32,
}

impl Argument for Decoding {}

impl DecodeAttention {
    /// Prepares the attention of rows of which those that share a prefix stand together.
    ///
    /// # Errors
    /// Where the device's memory is used up.
    pub fn new(device: &Rc<Device>, heads: Heads, rows: &[Seen]) -> Result<Self, CudaError> {
        let schedule = Schedule::new(rows, &heads);
        // Sizes in steps, so that the next step's buffers are this one's.
        let results = schedule.slots.next_multiple_of(1024) * heads.kv_heads;
        Ok(Self {
            heads,
            rows: rows.len(),
            items: device.upload(&schedule.items, PART)?,
            starts: device.upload(&schedule.starts, PART)?,
            parts: device.upload(&schedule.parts, PART)?,
            o: device.buffer(results * heads.dim, PART)?,
            lse: device.buffer(results, PART)?,
        })
    }

    /// `out[rows, heads, dim]` from the queries in the first columns of `q[.., stride]` over one layer's cache,
    /// `[rows, kv_heads, dim]`.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn run<S: Scalar>(
        &mut self,
        device: &Device,
        (q, stride): (Slice<'_, S>, usize),
        (keys, values): (Slice<'_, S>, Slice<'_, S>),
        out: &SliceMut<'_, S>,
    ) -> Result<(), CudaError> {
        let Heads { kv_heads, group, dim } = self.heads;
        let decoding = Decoding {
            q: q.address,
            keys: keys.address,
            values: values.address,
            items: self.items.view().address,
            o: self.o.view_mut().address,
            lse: self.lse.view_mut().address,
            stride: stride as i32,
            kv_heads: kv_heads as i32,
            group: group as i32,
            scale: 1.0 / (dim as f32).sqrt(),
        };
        let grid = (self.items.len(), kv_heads);
        match dim {
            64 if group <= QUERIES => device.kernel::<S>("decode_attention_64", grid, THREADS)?.value(decoding).run(),
            128 if group <= QUERIES => device.kernel::<S>("decode_attention_128", grid, THREADS)?.value(decoding).run(),
            _ => device.kernel::<S>("decode_attention", grid, THREADS)?.value(decoding).value(dim as i32).run(),
        }?;
        let launch = device.kernel::<S>("decode_merge", (self.rows, kv_heads * group), dim.next_multiple_of(32))?;
        let launch = launch.read(self.o.view()).read(self.lse.view()).read(self.starts.view()).read(self.parts.view());
        launch.value(kv_heads as i32).value(group as i32).value(dim as i32).write(out).run()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_once_for_the_rows_that_share_it() {
        let heads = Heads { kv_heads: 2, group: 8, dim: 128 };
        let span = |start, len| Span { start, len };
        let row = |prefix, at, len| Seen { prefix, own: span(at, len) };
        let (first, second) = (span(0, 300), span(400, 100));
        let rows = [row(first, 600, 1), row(first, 700, 260), row(second, 1000, 5), row(Span::default(), 1100, 3)];
        let schedule = Schedule::new(&rows, &heads);
        // Pieces of 4 x 64 keys: the first prefix makes two, of 16 queries each; a prefix of no tokens makes none.
        let items = [
            [0, 0, 256, 0, 2, 0],
            [0, 256, 300, 0, 2, 16],
            [400, 0, 100, 2, 1, 32],
            [600, 0, 1, 0, 1, 40],
            [700, 0, 256, 1, 1, 48],
            [700, 256, 260, 1, 1, 56],
            [1000, 0, 5, 2, 1, 64],
            [1100, 0, 3, 3, 1, 72],
        ];
        assert_eq!(schedule.items, items);
        assert_eq!(schedule.starts, [0, 3, 7, 9, 10]);
        assert_eq!(schedule.parts, [0, 16, 40, 8, 24, 48, 56, 32, 64, 72]);
        assert_eq!(schedule.slots, 80);
    }

    #[test]
    fn a_block_has_64_queries_and_pieces_grow_with_the_work() {
        let prefix = Span { start: 0, len: 1 << 20 };
        let rows: Vec<Seen> = (0..9).map(|i| Seen { prefix, own: Span { start: (1 << 20) + i, len: 1 } }).collect();
        let schedule = Schedule::new(&rows, &Heads { kv_heads: 2, group: 8, dim: 128 });
        // Eight rows of eight queries, then the ninth: 2 x 16,384 tiles and 9, for two heads 65,554: 129 a block.
        assert_eq!(schedule.items[0], [0, 0, 129 * 64, 0, 8, 0]);
        assert_eq!(schedule.items[127][1..5], [127 * 129 * 64, 1 << 20, 0, 8]);
        assert_eq!(schedule.items[128][3..5], [8, 1]);
        assert_eq!(schedule.items.len(), 2 * 128 + 9);
    }
}
