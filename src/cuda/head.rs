//! The vocabulary head over the rows that have labels, in chunks: [`crate::model::head`] on a device. Everything is
//! queued; the host reads the labels' values when it wants them.

use std::ops::Range;
use std::rc::Rc;

use super::device::{Buffer, Device, Slice};
use super::error::CudaError;
use super::gemm::{self, Options, Shape, Stored};
use super::objective::Objective;
use super::ops;
use crate::model::head::row_ranges;
use crate::objective::{Label, LabelValue, TokenObjective};

/// Logits in one chunk, values: at a vocabulary of 151,936 the 1,766 rows make every product large, and the head's
/// gradient (1.2 GB there) is reread once for each chunk.
const CHUNK_LOGITS: usize = 256 << 20;
/// What the head's buffers are called in an error.
const PART: &str = "logits";

/// The head, its input and its labels.
pub(super) struct Head<'a, S> {
    pub(super) device: &'a Rc<Device>,
    /// `[vocab, hidden]`.
    pub(super) weight: Slice<'a, S>,
    pub(super) width: usize,
    /// Normalised hidden states of the rows with labels, `[rows, hidden]`.
    pub(super) hidden: Slice<'a, S>,
    pub(super) labels: &'a Labels,
    pub(super) temperature: f64,
    /// Logits in one chunk; [`chunk_logits`] unless a test wants several chunks.
    pub(super) chunk: usize,
}

/// Where the gradients of the head go.
pub(super) struct HeadGradients<'a> {
    /// By the hidden states; overwritten.
    pub(super) hidden: &'a mut Buffer<f32>,
    /// The model's flat array; added to.
    pub(super) flat: &'a mut Buffer<f32>,
    /// The head's weight in `flat`.
    pub(super) weight: Range<usize>,
    /// The value of `flat` that becomes NaN where a loss is not finite.
    pub(super) not_finite: usize,
}

/// The default of [`Head::chunk`].
pub(super) const fn chunk_logits() -> usize {
    CHUNK_LOGITS
}

/// The labels of a tree, sorted by row. Rows count those that have labels.
pub(super) struct Labels {
    count: usize,
    /// Labels of each row, on the host.
    by_row: Vec<Range<usize>>,
    targets: Buffer<u32>,
    /// Row of each label.
    rows: Buffer<u32>,
    /// First label of each row, and the number of labels.
    starts: Buffer<u32>,
}

impl Labels {
    pub(super) fn new(device: &Rc<Device>, labels: &[Label]) -> Result<Self, CudaError> {
        let by_row = row_ranges(labels);
        let targets: Vec<u32> = labels.iter().map(|label| label.target).collect();
        let of_row = |(row, range): (usize, &Range<usize>)| range.clone().map(move |_| row as u32);
        let rows: Vec<u32> = by_row.iter().enumerate().flat_map(of_row).collect();
        let starts = by_row.iter().map(|range| range.start).chain([labels.len()]);
        let starts: Vec<u32> = starts.map(|label| label as u32).collect();
        Ok(Self {
            count: labels.len(),
            by_row,
            targets: device.upload(&targets, PART)?,
            rows: device.upload(&rows, PART)?,
            starts: device.upload(&starts, PART)?,
        })
    }
}

/// Values of labels that the device may still be computing.
#[derive(Debug)]
pub struct Values(Buffer<f64>);

impl Values {
    /// Waits for the device, and reads them in the order of the tree's labels.
    ///
    /// # Errors
    /// Where something that was queued has failed.
    pub fn read(&self) -> Result<Vec<LabelValue>, CudaError> {
        let pairs = self.0.to_host()?;
        Ok(pairs.chunks_exact(2).map(|pair| LabelValue { log_prob: pair[0], entropy: pair[1] }).collect())
    }
}

/// A run of rows with its labels and logits (divided by the temperature).
struct Chunk {
    rows: Range<usize>,
    labels: Range<usize>,
    statistics: Buffer<f64>,
    logits: Buffer<f32>,
}

impl<S: Stored> Head<'_, S> {
    fn vocab(&self) -> usize {
        self.weight.len / self.width
    }

    /// Log-probability and entropy of every label.
    pub(super) fn values(&self) -> Result<Values, CudaError> {
        let mut values = self.device.buffer(2 * self.labels.count, PART)?;
        self.each_chunk(&mut values, |_, _| Ok(()))?;
        Ok(Values(values))
    }

    /// Values of every label, and the gradients of `objective`.
    pub(super) fn forward_backward(
        &self,
        objective: &dyn TokenObjective,
        labels: &[Label],
        to: HeadGradients<'_>,
    ) -> Result<Values, CudaError> {
        let (width, vocab, device) = (self.width, self.vocab(), self.device);
        let mut objective = Objective::new(device, &objective.terms(labels))?;
        if objective.needs_all() {
            objective.begin::<S>(device, self.values()?.0.view())?;
        }
        let mut values = device.buffer(2 * self.labels.count, PART)?;
        self.each_chunk(&mut values, |chunk, values| {
            let not_finite = to.flat.at_mut(to.not_finite..to.not_finite + 1);
            let by = objective.derivatives::<S>(device, chunk.labels.start, values, &not_finite)?;
            let mut d_logits = device.buffer::<S>(chunk.logits.len(), PART)?;
            ops::log_prob_backward(
                device,
                (chunk.logits.view(), vocab, self.temperature),
                chunk.statistics.view(),
                self.labels.starts.at(chunk.rows.start..chunk.rows.end + 1),
                self.labels.targets.view().from(chunk.labels.start),
                (by.by_log_prob.view(), by.by_entropy.view()),
                &d_logits.view_mut(),
            )?;
            let d_rows = to.hidden.at_mut(chunk.rows.start * width..chunk.rows.end * width);
            ops::linear_backward_input(device, d_logits.view(), self.weight, d_rows, (width, false))?;
            let d_weight = to.flat.at_mut(to.weight.clone());
            ops::linear_backward_weight(device, self.rows(&chunk.rows), d_logits.view(), d_weight, width)
        })?;
        Ok(Values(values))
    }

    fn rows(&self, rows: &Range<usize>) -> Slice<'_, S> {
        self.hidden.range(rows.start * self.width..rows.end * self.width)
    }

    /// Writes the values of all labels; `f` sees each chunk with its labels' values.
    fn each_chunk(
        &self,
        values: &mut Buffer<f64>,
        mut f: impl FnMut(Chunk, Slice<'_, f64>) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let (vocab, device) = (self.vocab(), self.device);
        let mut first = 0;
        for row_labels in self.labels.by_row.chunks((self.chunk / vocab).max(1)) {
            let rows = first..first + row_labels.len();
            first = rows.end;
            let labels = row_labels[0].start..row_labels[row_labels.len() - 1].end;
            let mut logits = device.buffer::<f32>(rows.len() * vocab, PART)?;
            gemm::matmul(
                device,
                (logits.view_mut(), Shape::dense(rows.len(), vocab)),
                (self.rows(&rows), Shape::dense(rows.len(), self.width)),
                (self.weight, Shape::dense(vocab, self.width).t()),
                Options { scale: (1.0 / self.temperature) as f32, ..Options::default() },
            )?;
            let mut statistics = device.buffer::<f64>(2 * rows.len(), PART)?;
            ops::logit_statistics::<S>(device, logits.view(), vocab, &statistics.view_mut())?;
            let own = values.at_mut(2 * labels.start..2 * labels.end);
            let (of_labels, targets) = (self.labels.rows.at(labels.clone()), self.labels.targets.at(labels.clone()));
            ops::label_values::<S>(
                device,
                (logits.view(), vocab),
                statistics.view(),
                (of_labels, rows.start),
                targets,
                &own,
            )?;
            f(Chunk { rows, labels, statistics, logits }, own.view())?;
        }
        Ok(())
    }
}
