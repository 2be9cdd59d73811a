//! Streams of items: JSON Lines in, one score a line out while further lines are read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use attending_datasets::Problem;
use attending_datasets::reader::parse;
use axum::body::{Body, Bytes, HttpBody};
use http_body::Frame;
use rayon::prelude::*;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Server;
use super::payload::{Item, read, records};
use super::queue::Place;
use super::reply::Fault;

/// The next piece of a body; `None` at its end.
pub(super) async fn piece(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => match frame.into_data() {
                Ok(bytes) => return Some(Ok(bytes)),
                // Trailers say nothing here.
                Err(_) => continue,
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The body of the reply to a streamed request. Each line that is not blank gets one in its turn: a score, or `{"error": ...}`
/// with the line's number. What ends the stream early is told in a last such line.
pub(super) fn reply(server: Arc<Server>, body: Body, place: Place) -> Body {
    // Two chunks: one is sent while the next is scored, and a slow reader holds the scoring back.
    let (send, receive) = mpsc::channel(2);
    tokio::spawn(async move {
        let _place = place;
        let mut stream = Stream { server, send, line: 0, scored: 0 };
        if let Err(fault) = stream.run(body).await {
            let told = json!({ "error": format!("after line {}: {}", stream.line, fault.message()) });
            // A client that has gone reads nothing.
            let _ = stream.send.send(Bytes::from(format!("{told}\n"))).await;
        }
        if !stream.server.settings.quiet {
            eprintln!("attending: stream ended, {} lines, {} scored", stream.line, stream.scored);
        }
    });
    Body::new(Chunks(receive))
}

struct Stream {
    server: Arc<Server>,
    send: mpsc::Sender<Bytes>,
    /// The last line that was taken up.
    line: usize,
    scored: usize,
}

impl Stream {
    async fn run(&mut self, mut body: Body) -> Result<(), Fault> {
        let limits = self.server.settings.limits.clone();
        let mut held: Vec<u8> = Vec::new();
        loop {
            let next =
                timeout(limits.timeout, piece(&mut body)).await.map_err(|_| Fault::Late(limits.timeout.as_secs()))?;
            // The lines that are whole; at the end, the rest is one too.
            let (whole, ended) = match next {
                None => (held.len(), true),
                Some(bytes) => {
                    let bytes = bytes.map_err(|error| Fault::Bad(format!("the body broke off: {error}")))?;
                    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| held.len() + at + 1);
                    held.extend(bytes);
                    (whole, false)
                }
            };
            let rest = held.split_off(whole);
            let lines = std::mem::replace(&mut held, rest);
            if held.len() > limits.body {
                return Err(Fault::TooLarge(format!("a line is longer than {} bytes", limits.body)));
            }
            if !self.score(lines, limits.batch, limits.timeout).await? || ended {
                return Ok(());
            }
        }
    }

    /// Scores whole lines, a batch at a time; false when nobody reads any more.
    async fn score(&mut self, lines: Vec<u8>, batch: usize, within: Duration) -> Result<bool, Fault> {
        let lines = Bytes::from(lines);
        let mut spans: Vec<(usize, Bytes)> = Vec::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.line += 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                spans.push((self.line, lines.slice_ref(line)));
            }
        }
        for chunk in spans.chunks(batch) {
            let (server, chunk) = (self.server.clone(), chunk.to_vec());
            let job = self.server.queue.run(move || answers(&server, &chunk));
            let (bytes, count) = timeout(within, job).await.map_err(|_| Fault::Late(within.as_secs()))??;
            self.scored += count;
            if self.send.send(bytes.into()).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The lines that answer some lines, and how many of them are scores.
fn answers(server: &Server, lines: &[(usize, Bytes)]) -> (Vec<u8>, usize) {
    let items: Vec<Result<Item, Problem>> = lines.par_iter().map(|(_, line)| item(line)).collect();
    let (mut work, mut faults) = (Vec::new(), Vec::new());
    for ((number, _), item) in lines.iter().zip(read(server, &items)) {
        match item {
            Ok(item) => {
                work.push(item);
                faults.push(None);
            }
            Err(problem) => faults.push(Some(json!({ "error": format!("line {number}: {problem}") }).to_string())),
        }
    }
    let mut scores = records(server, &work).into_iter();
    let mut out = Vec::new();
    for fault in faults {
        match fault {
            Some(fault) => out.extend(fault.into_bytes()),
            // Numbers and texts always have a JSON form; were it not so, the line would say that it is missing.
            None => out.extend(scores.next().and_then(Result::ok).unwrap_or_else(|| b"null".to_vec())),
        }
        out.push(b'\n');
    }
    (out, work.len())
}

/// A line as an item.
fn item(line: &[u8]) -> Result<Item<'_>, Problem> {
    let text = std::str::from_utf8(line).map_err(|_| Problem::new("", "is not UTF-8, expected UTF-8 text"))?;
    parse(text.trim())
}

/// A body of what comes through a channel.
struct Chunks(mpsc::Receiver<Bytes>);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
