//! What the user sees while a run works: a bar with the time left on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Lines are at least this far apart where standard error is not a terminal.
const QUIET: Duration = Duration::from_secs(10);

/// Progress of a run on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    first: u64,
    started: Instant,
    last_line: Option<Instant>,
}

impl Progress {
    /// Progress over `total` steps of which `done` were done before.
    pub fn new(total: u64, done: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total).with_position(done);
            // A template of known fields always parses; without it the bar has its default looks.
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len}  {elapsed} gone, {eta} left  {msg}") {
                bar.set_style(style);
            }
            bar.reset_eta();
            bar
        });
        Self { bar, total, done, first: done, started: Instant::now(), last_line: None }
    }

    /// One more step is done; `message` holds its figures.
    pub fn step(&mut self, message: &str) {
        self.done += 1;
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done);
                bar.set_message(message.to_owned());
            }
            None => {
                let due = self.last_line.is_none_or(|last| last.elapsed() >= QUIET) || self.done == self.total;
                if due {
                    self.last_line = Some(Instant::now());
                    eprintln!("step {}/{}  {message}  {} left", self.done, self.total, clock(self.left()));
                }
            }
        }
    }

    /// What is being done within the step.
    pub fn doing(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn left(&self) -> Duration {
        let steps = self.done - self.first;
        self.started.elapsed().mul_f64((self.total - self.done.min(self.total)) as f64 / steps.max(1) as f64)
    }
}

/// Minutes and seconds, with hours where there are any.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_clocks() {
        assert_eq!(clock(Duration::from_secs(65)), "1:05");
        assert_eq!(clock(Duration::from_secs(3600 + 62)), "1:01:02");
    }
}
