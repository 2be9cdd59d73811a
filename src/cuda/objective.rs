//! Objectives on a device: from the values of labels to the derivatives that the head's backward starts from, without
//! asking the host in between.

use std::rc::Rc;

use super::device::{Argument, Buffer, Device, Scalar, Slice, SliceMut};
use super::error::CudaError;
use crate::objective::{Kl, Loss, PolicyConfig, Term, Terms};

/// What the arrays are called in an error.
const PART: &str = "labels";
const THREADS: usize = 128;

/// `struct Bounds` of `kernels/objective.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Bounds {
    low: f64,
    high: f64,
    kl: f64,
    entropy: f64,
}

impl Argument for Bounds {}

/// The terms of all labels of a tree, on the device.
#[derive(Debug)]
pub struct Objective {
    config: PolicyConfig,
    terms: Buffer<Term>,
    means: Option<Sequences>,
}

/// The labels of each sequence, and the mean log-ratios that losses of sequences need.
#[derive(Debug)]
struct Sequences {
    order: Buffer<u32>,
    starts: Buffer<u32>,
    means: Buffer<f64>,
}

/// Derivatives of the loss by each label's log-probability and entropy.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Derivatives {
    pub by_log_prob: Buffer<f32>,
    pub by_entropy: Buffer<f32>,
}

impl Objective {
    /// Puts the terms on the device.
    ///
    /// # Errors
    /// Where the device's memory does not hold them.
    pub fn new(device: &Rc<Device>, terms: &Terms) -> Result<Self, CudaError> {
        let of_sequences = terms.config.loss == Loss::Gspo;
        let means = of_sequences.then(|| Sequences::new(device, &terms.labels)).transpose()?;
        Ok(Self { config: terms.config, terms: device.upload(&terms.labels, PART)?, means })
    }

    /// Whether [`Objective::begin`] must have seen the values of all labels.
    pub fn needs_all(&self) -> bool {
        self.means.is_some()
    }

    /// Computes what labels need to know of each other from the values (log-probability, entropy) of all.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn begin<S: Scalar>(&mut self, device: &Device, values: Slice<'_, f64>) -> Result<(), CudaError> {
        let Some(Sequences { order, starts, means }) = &mut self.means else { return Ok(()) };
        let launch = device.kernel::<S>("mean_log_ratios", (means.len(), 1), THREADS)?;
        let launch = launch.read(values).read(self.terms.view()).read(order.view()).read(starts.view());
        launch.write(&means.view_mut()).run()
    }

    /// Derivatives at the labels from `first` on, whose values are given; `not_finite` becomes NaN where a value or a
    /// loss is not finite.
    ///
    /// # Errors
    /// Where the device's memory is used up.
    pub fn derivatives<S: Scalar>(
        &self,
        device: &Rc<Device>,
        first: usize,
        values: Slice<'_, f64>,
        not_finite: &SliceMut<'_, f32>,
    ) -> Result<Derivatives, CudaError> {
        let (c, labels) = (&self.config, values.len / 2);
        let (mut by_log_prob, mut by_entropy) = (device.buffer(labels, PART)?, device.buffer(labels, PART)?);
        let kl = c.kl.map_or(0, |kl| match kl.kind {
            Kl::K2 => 1,
            Kl::K3 => 2,
            Kl::K3Plus => 3,
        });
        let loss = match c.loss {
            Loss::Ppo => 0,
            Loss::Gspo => 1,
            Loss::Cispo => 2,
        };
        let bounds = Bounds {
            low: 1.0 - c.clip_low,
            high: 1.0 + c.clip_high,
            kl: c.kl.map_or(0.0, |kl| kl.coefficient),
            entropy: c.entropy_coefficient,
        };
        let means = self.means.as_ref().map_or(Slice::empty(), |sequences| sequences.means.view());
        let launch = device.kernel::<S>("objective", (labels.div_ceil(THREADS), 1), THREADS)?;
        let launch = launch.read(values).read(self.terms.at(first..first + labels)).value(labels as i32).read(means);
        let launch = launch.value(loss).value(kl).value(i32::from(c.kl.is_some_and(|kl| kl.off_policy))).value(bounds);
        launch.write(&by_log_prob.view_mut()).write(&by_entropy.view_mut()).write(not_finite).run()?;
        Ok(Derivatives { by_log_prob, by_entropy })
    }
}

impl Sequences {
    fn new(device: &Rc<Device>, labels: &[Term]) -> Result<Self, CudaError> {
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        order.sort_by_key(|&label| labels[label as usize].sequence());
        let count = order.last().map_or(0, |&label| labels[label as usize].sequence() + 1);
        let start = |sequence: u32| order.partition_point(|&l| labels[l as usize].sequence() < sequence) as u32;
        let starts: Vec<u32> = (0..=count).map(start).collect();
        Ok(Self {
            order: device.upload(&order, PART)?,
            starts: device.upload(&starts, PART)?,
            means: device.buffer(count as usize, PART)?,
        })
    }
}
