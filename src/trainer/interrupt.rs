//! Ctrl-C: the step is finished and saved, then the program ends with status 130.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that Ctrl-C (and a request to terminate) sets. A second Ctrl-C ends the program at once: the last
    /// checkpoint is whole, since checkpoints are renamed into place.
    pub fn on_ctrl_c() -> Result<Self, ctrlc::Error> {
        let flag = Self::default();
        let inner = flag.clone();
        ctrlc::set_handler(move || {
            if inner.0.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            eprintln!("attending: finishing this step, then saving (once more: stop at once)");
        })?;
        Ok(flag)
    }

    /// Whether the user asked to stop.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
