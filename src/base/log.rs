//! The log: JSON lines on standard error, written by a thread of its own, so that a pipe that nobody empties stops nobody
//!
//! What finds no room is left out and counted; that it was is said when lines flow again.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use super::lines::{Lines, Sink};

/// How much may wait
const BYTES: usize = 1 << 20;

/// The process has one standard error, and so one log
static LOG: OnceLock<Log> = OnceLock::new();

/// The log
#[derive(Debug)]
struct Log {
    lines: Lines,
    left_out: AtomicU64,
    told: AtomicU64,
}

/// From now on what is logged is one JSON object a line on standard error, control characters escaped; panics too
///
/// # Errors
///
/// Where the system gives no thread.
pub fn begin() -> io::Result<()> {
    let error = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let log = Log::of(Lines::start("log", Sink::new(error, false), BYTES)?);
    // Set once for the process; a second command in one process keeps the first.
    let _set_before = LOG.set(log);
    let Some(log) = LOG.get() else { return Ok(()) };
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(LevelFilter::INFO)
        .with_writer(move || log)
        .finish();
    let _set_before = tracing::subscriber::set_global_default(subscriber);
    // A panic's own message would be written by the thread that panics, and wait for whoever reads it.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a part of the gate failed")));
    Ok(())
}

/// How many lines were left out, since nobody took them
pub fn left_out() -> u64 {
    LOG.get().map_or(0, |log| log.left_out.load(Ordering::Relaxed))
}

/// Waits until what is logged is written, for a while
pub fn flush(within: Duration) {
    if let Some(log) = LOG.get() {
        // Whoever ends does not wait for somebody who takes nothing.
        let _left = log.lines.flush(within);
    }
}

impl Log {
    fn of(lines: Lines) -> Self {
        Self { lines, left_out: AtomicU64::new(0), told: AtomicU64::new(0) }
    }

    fn add(&self, line: &[u8]) {
        let left_out = self.left_out.load(Ordering::Relaxed);
        let untold = left_out.saturating_sub(self.told.load(Ordering::Relaxed));
        let notice = match untold {
            0 => Vec::new(),
            _ => format!("{{\"level\":\"WARN\",\"message\":\"{untold} lines of the log were left out, since nobody took them\"}}\n").into_bytes(),
        };
        match self.lines.push(&[&notice, line]) {
            Ok(()) => self.told.store(left_out, Ordering::Relaxed),
            Err(_) => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A pipe that nobody reads before something is sent
    struct Pipe(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _sender_gone = self.0.recv();
            self.1.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_nobody_takes_is_left_out_and_told_of_when_lines_flow_again() {
        let (read, waits) = channel();
        let text = Arc::new(Mutex::new(Vec::new()));
        let pipe = Pipe(waits, Arc::clone(&text));
        let log = Log::of(Lines::start("log", Sink::new(pipe, false), 10).unwrap());
        for _ in 0..100 {
            (&log).write_all(b"line\n").unwrap();
        }
        let left_out = log.left_out.load(Ordering::Relaxed);
        assert!(
            (96..=98).contains(&left_out),
            "two lines fit, and two that the thread may have taken: {left_out}"
        );
        drop(read);
        assert!(log.lines.flush(Duration::from_secs(30)));
        let log = Log { lines: Lines::start("log", Sink::new(io::sink(), false), 1 << 10).unwrap(), ..log };
        log.add(b"line\n");
        assert_eq!(log.told.load(Ordering::Relaxed), left_out);
        assert_eq!(text.lock().unwrap().len(), usize::try_from(100 - left_out).unwrap() * 5);
    }
}
