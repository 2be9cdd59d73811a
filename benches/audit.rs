//! The time and memory that `attending audit` (with its report) and `attending eval --responses` take for many responses of
//! two kilobytes: `cargo bench --bench audit [-- RESPONSES]` (by default 100,000 for the audit; the evaluation takes 30,000).
//!
//! Wall time depends on what else the machine does; the processor time of the program stands beside it.

mod responses;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use responses::{BYTES, responses};

/// Finished responses of the evaluation.
const EVALUATED: usize = 30_000;
/// Clock ticks a second in /proc (USER_HZ, which is 100 on every Linux that runs this).
const TICKS: f64 = 100.0;

fn main() -> Result<(), Box<dyn Error>> {
    // cargo passes `--bench` itself.
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000_usize);
    let folder = tempfile::tempdir()?;
    for (name, count) in [("audit", count), ("eval", EVALUATED)] {
        write(folder.path(), name, count)?;
    }
    let audit = ["audit", "audit.jsonl", "--cases", "audit-cases.jsonl", "--report", "audit"];
    measure(folder.path(), count, &audit)?;
    let eval = [
        "eval",
        "--cases",
        "eval-cases.jsonl",
        "--responses",
        "eval.jsonl",
        "--format",
        "think_answer",
        "--out",
        "eval",
    ];
    measure(folder.path(), EVALUATED, &eval)
}

/// Cases and `count` responses to them.
fn write(folder: &Path, name: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let file = |name: String| File::create(folder.join(name)).map(BufWriter::new);
    let (mut cases, mut answers) = (file(format!("{name}-cases.jsonl"))?, file(format!("{name}.jsonl"))?);
    let mut last = String::new();
    for (case, response) in responses(count / 4 + 1).take(count) {
        if case.id != last {
            writeln!(cases, "{}", serde_json::to_string(&*case)?)?;
            last.clone_from(&case.id);
        }
        writeln!(answers, "{}", serde_json::to_string(&response)?)?;
    }
    cases.flush()?;
    Ok(answers.flush()?)
}

/// Runs the program and prints what it took.
fn measure(folder: &Path, count: usize, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let before = children()?;
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_attending"));
    let mut child = command.current_dir(folder).args(arguments).stdout(Stdio::null()).spawn()?;
    let (mut peak, status) = (0, format!("/proc/{}/status", child.id()));
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        // The highest mark so far, kB; the last look before the end counts.
        let lines = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = lines.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = mark.unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(20));
    };
    let (wall, processor) = (start.elapsed().as_secs_f64(), children()? - before);
    println!(
        "{} of {count} responses of {BYTES} bytes: {wall:.1} s, {processor:.1} s of processor time, {} MB ({ended})",
        arguments[0],
        peak / 1000
    );
    Ok(())
}

/// Seconds of processor time of all programs that were run and have ended: fields 16 and 17 of /proc/self/stat.
fn children() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[13].parse::<f64>()? + fields[14].parse::<f64>()?;
    Ok(ticks / TICKS)
}
