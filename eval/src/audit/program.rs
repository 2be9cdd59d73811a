//! A reward function as a program: one JSON object a line on its standard input, one back on its standard output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::reward_function::Connection;

/// Longest reply that is read, bytes: scores of one batch with their checks are far shorter.
const LONGEST: u64 = 64 << 20;

/// A running program. It is ended when this is dropped.
#[derive(Debug)]
pub struct Program {
    running: Mutex<Running>,
    timeout: Duration,
}

#[derive(Debug)]
struct Running {
    child: Child,
    requests: Sender<String>,
    replies: Receiver<String>,
}

impl Program {
    /// Starts a command line (of `sh`); what it writes to standard error is shown. `timeout` is for one reply.
    ///
    /// # Errors
    /// A sentence where it cannot be started.
    pub fn start(command: &str, timeout: Duration) -> Result<Self, String> {
        let mut shell = Command::new("sh");
        let mut child = shell
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("cannot be spoken to".to_owned());
        };
        // Threads of their own: a program that reads or writes nothing must not hold the audit for ever.
        let (requests, to_send) = channel();
        let (received, replies) = channel();
        std::thread::spawn(move || send(input, &to_send));
        std::thread::spawn(move || receive(output, &received));
        Ok(Self { running: Mutex::new(Running { child, requests, replies }), timeout })
    }
}

fn send(mut input: ChildStdin, requests: &Receiver<String>) {
    for request in requests {
        // A program that has ended is noticed where its reply is missing.
        if writeln!(input, "{request}").and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

fn receive(output: ChildStdout, replies: &Sender<String>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        match (&mut output).take(LONGEST).read_until(b'\n', &mut line) {
            Ok(1..) if replies.send(String::from_utf8_lossy(&line).into_owned()).is_ok() => {}
            _ => return,
        }
    }
}

impl Connection for Program {
    fn ask(&self, request: &str) -> Result<String, String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the program has ended, nobody receives; the wait below says so.
        let _ = running.requests.send(request.to_owned());
        match running.replies.recv_timeout(self.timeout) {
            Ok(reply) => Ok(reply),
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "gave no reply within {} s, expected a faster one or a longer limit",
                self.timeout.as_secs_f64()
            )),
            Err(RecvTimeoutError::Disconnected) => Err(match running.child.wait() {
                Ok(status) => format!("ended ({status}) without a reply"),
                Err(error) => format!("ended without a reply: {error}"),
            }),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        let _ = running.child.kill();
        let _ = running.child.wait();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_each_way() {
        let program =
            Program::start("while read -r line; do echo \"got $line\"; done", Duration::from_secs(20)).unwrap();
        assert_eq!(program.ask("one").unwrap(), "got one\n");
        assert_eq!(program.ask("two").unwrap(), "got two\n");
    }

    #[test]
    fn a_program_that_ends_or_hangs_is_told() {
        let ends = Program::start("exit 7", Duration::from_secs(20)).unwrap();
        assert_eq!(ends.ask("x").unwrap_err(), "ended (exit status: 7) without a reply");
        let hangs = Program::start("sleep 60", Duration::from_millis(300)).unwrap();
        assert!(hangs.ask("x").unwrap_err().starts_with("gave no reply within 0.3 s"));
    }
}
