//! Responses a second through `attending serve` beside the library's own, batches of 64 responses of 2 kB, from one client
//! and from 64: `cargo bench --bench serve [-- SECONDS]` (of each measurement, by default 3).
//!
//! The machine may be busy with other work: the three are measured in turn, three times, and the best of each is compared.

mod responses;

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use attending_datasets::Case;
use attending_rewards::{Response, Rubric, Scorer, score_batch};
use responses::{BYTES, EACH, responses};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Responses in a batch.
const BATCH: usize = 64;
const CLIENTS: usize = 64;

fn main() -> Outcome<()> {
    // cargo passes `--bench` itself.
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3.0);
    let span = Duration::from_secs_f64(seconds);
    let work: Vec<_> = responses(BATCH / EACH).collect();
    let items: Vec<_> = work.iter().map(|(case, response)| json!({"case": **case, "response": response})).collect();
    let body = json!({ "items": items }).to_string();
    println!(
        "a batch: {BATCH} responses of {BYTES} bytes to {} cases, {} kB of JSON",
        work.len() / EACH,
        body.len() / 1000
    );
    let server = Server::start()?;
    let mut best = [0.0f64; 3];
    let mut latency = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        best[0] = best[0].max(library(&work, span));
        for (index, clients) in [(1, 1), (2, CLIENTS)] {
            let (rate, mut seconds) = load(&server.addr, &body, clients, span)?;
            best[index] = best[index].max(rate);
            latency[index - 1].append(&mut seconds);
        }
    }
    println!("library    {:>8.0} responses/s", best[0]);
    for (index, name) in [(1, "1 client"), (2, "64 clients")] {
        let seconds = &mut latency[index - 1];
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| 1e3 * seconds[((seconds.len() - 1) as f64 * share) as usize];
        let share = 100.0 * best[index] / best[0];
        let (median, tail) = (at(0.5), at(0.99));
        println!(
            "{name:<10} {:>8.0} responses/s, {share:.0} % of the library's, p50 {median:.0} ms, p99 {tail:.0} ms",
            best[index]
        );
    }
    Ok(())
}

/// Responses a second of the library's batch function.
fn library(work: &[(Arc<Case>, Response)], span: Duration) -> f64 {
    let scorer = Scorer::new(Rubric::default());
    let start = Instant::now();
    let mut scored = 0;
    while start.elapsed() < span {
        scored += std::hint::black_box(score_batch(&scorer, work)).len();
    }
    scored as f64 / start.elapsed().as_secs_f64()
}

/// Responses a second of that many clients, each asking again as soon as it is answered, and the seconds of each request.
fn load(addr: &str, body: &str, clients: usize, span: Duration) -> Outcome<(f64, Vec<f64>)> {
    let start = Instant::now();
    let done: Vec<Outcome<Vec<f64>>> = std::thread::scope(|scope| {
        let client = || {
            let mut stream = BufReader::new(TcpStream::connect(addr)?);
            let mut seconds = Vec::new();
            while start.elapsed() < span {
                let asked = Instant::now();
                ask(&mut stream, body)?;
                seconds.push(asked.elapsed().as_secs_f64());
            }
            Ok(seconds)
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let took = start.elapsed().as_secs_f64();
    let seconds: Vec<f64> = done.into_iter().collect::<Outcome<Vec<_>>>()?.concat();
    Ok(((seconds.len() * BATCH) as f64 / took, seconds))
}

/// One request on a connection that stays open; anything but 200 is an error.
fn ask(stream: &mut BufReader<TcpStream>, body: &str) -> Outcome<()> {
    let head = format!("POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.get_mut().write_all(head.as_bytes())?;
    stream.get_mut().write_all(body.as_bytes())?;
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(format!("answered {line:?}").into());
    }
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut reply = vec![0; length];
    stream.read_exact(&mut reply)?;
    Ok(())
}

/// The program itself, on a free port.
struct Server {
    child: Child,
    addr: String,
}

impl Server {
    fn start() -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attending"));
        let mut child = command.args(["serve", "--addr", "127.0.0.1:0", "--quiet"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("no standard output")?).read_line(&mut line)?;
        let addr = line.trim().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { child, addr })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
