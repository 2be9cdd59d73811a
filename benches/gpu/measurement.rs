//! Measurements: how they are taken, and the file that they go to.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use attending::cuda::{CudaError, Device};
use serde_json::{Value, json};

/// Where measurements go: standard output, and a file that is appended to as soon as each is made.
#[derive(Debug)]
pub struct Results {
    file: Option<PathBuf>,
    card: String,
}

impl Results {
    pub fn new(file: Option<PathBuf>, device: &Device) -> Self {
        Self { file, card: device.name().to_owned() }
    }

    /// One measurement: its name and its values.
    pub fn add(&self, what: &str, values: Value) -> std::io::Result<()> {
        let mut line = json!({ "what": what, "side": "attending", "card": self.card });
        if let (Some(line), Value::Object(values)) = (line.as_object_mut(), values) {
            line.extend(values);
        }
        println!("{line}");
        if let Some(file) = &self.file {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}

/// Times and memory of work on a device.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Seconds of each timed run.
    pub seconds: Vec<f64>,
    /// The most bytes in buffers.
    pub peak: usize,
    /// Of these, beyond what was there before.
    pub activations: usize,
    /// Bytes of the card that are taken afterwards, by whomever.
    pub taken: usize,
}

impl Measured {
    /// Runs `work` a few times untimed and `runs` times timed, each until the device has done it.
    pub fn of(
        device: &Device,
        (warm_up, runs): (usize, usize),
        mut work: impl FnMut() -> Result<(), CudaError>,
    ) -> Result<Self, CudaError> {
        device.take_peak_bytes();
        // What is in buffers now is the peak since the line above.
        let before = device.take_peak_bytes();
        let mut seconds = Vec::with_capacity(runs);
        for run in 0..warm_up + runs {
            device.synchronise()?;
            let start = Instant::now();
            work()?;
            device.synchronise()?;
            if run >= warm_up {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        let peak = device.take_peak_bytes();
        let (free, total) = device.memory()?;
        Ok(Self { seconds, peak, activations: peak - before, taken: total - free })
    }

    /// The middle one of the timed runs.
    pub fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    pub fn json(&self) -> Value {
        json!({
            "median_s": self.median(),
            "runs_s": self.seconds,
            "activation_bytes": self.activations,
            "peak_bytes": self.peak,
            "card_bytes": self.taken,
        })
    }
}
