//! Lines on their way to a file: one thread writes them, many with one call, so that nobody who serves waits for a disk
//!
//! What waits is bounded. A line that was begun is ended before the next one begins, whatever fails in between.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How long a write may take, and whoever waits for it be kept waiting
const PATIENCE: Duration = Duration::from_secs(1);
/// After a failure, until the next try
const PAUSE: Duration = Duration::from_millis(500);
/// Between two tries where a pipe that does not block is full
const SHORT_PAUSE: Duration = Duration::from_millis(5);
/// How long lines that nobody waits for may wait for others
const LINGER: Duration = Duration::from_millis(1);
/// Room that is kept for the next lines; what a peak took beyond is given back
const KEPT_BYTES: usize = 256 << 10;

/// Why a line is not written
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// As many wait as may
    #[error("too many lines wait to be written")]
    Full,
    /// Nobody takes what is written, or the disk hangs
    #[error("what is written is not taken")]
    Stuck,
    /// The last write failed
    #[error("{0}")]
    Failed(String),
}

/// Where lines go
pub struct Sink {
    to: Box<dyn Write + Send>,
    /// Whether half a line stands at its end
    is_in_line: bool,
}

impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sink").field("is_in_line", &self.is_in_line).finish_non_exhaustive()
    }
}

impl Sink {
    /// Writes to this; where half a line stands at its end, that is ended first
    pub fn new(to: impl Write + Send + 'static, is_in_line: bool) -> Self {
        Self { to: Box::new(to), is_in_line }
    }

    /// Writes what is left of the lines; `done` counts what is written
    fn write(&mut self, lines: &[u8], done: &mut usize) -> io::Result<()> {
        if self.is_in_line {
            self.to.write_all(b"\n")?;
            self.is_in_line = false;
        }
        while let Some(rest) = lines.get(*done..).filter(|rest| !rest.is_empty()) {
            match self.to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => *done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.to.flush()
    }
}

/// A queue of lines, and the thread that writes them; dropped, it writes what waits and ends
#[derive(Debug)]
pub struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    rest: Condvar,
    bytes: usize,
}

/// What the thread does
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    /// It sleeps until it is woken
    Asleep,
    /// It looks by itself in a moment
    Lingering,
    /// It writes, since then
    Writing(Instant),
}

#[derive(Debug)]
struct State {
    thread: Thread,
    waiting: Vec<u8>,
    /// Who waits for a line in `waiting`
    asked: Vec<oneshot::Sender<()>>,
    /// Who waits for one that is being written
    writing_for: Vec<oneshot::Sender<()>>,
    failed: Option<String>,
    next: Option<Sink>,
    is_closed: bool,
}

impl State {
    fn trouble(&self, now: Instant) -> Option<Unwritten> {
        if let Some(why) = &self.failed {
            return Some(Unwritten::Failed(why.clone()));
        }
        let since = if let Thread::Writing(since) = self.thread { since } else { return None };
        (now.saturating_duration_since(since) > PATIENCE).then_some(Unwritten::Stuck)
    }

    fn is_at_rest(&self) -> bool {
        self.waiting.is_empty() && self.next.is_none() && !matches!(self.thread, Thread::Writing(_))
    }

    fn push(&mut self, parts: &[&[u8]], most: usize) -> Result<(), Unwritten> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if self.waiting.len().saturating_add(bytes) > most {
            return Err(Unwritten::Full);
        }
        parts.iter().for_each(|part| self.waiting.extend_from_slice(part));
        Ok(())
    }
}

impl Lines {
    /// Starts the thread; `bytes` may wait
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn start(name: &str, sink: Sink, bytes: usize) -> io::Result<Self> {
        let state = State {
            thread: Thread::Asleep,
            waiting: Vec::new(),
            asked: Vec::new(),
            writing_for: Vec::new(),
            failed: None,
            next: None,
            is_closed: false,
        };
        let shared = Shared { state: Mutex::new(state), work: Condvar::new(), rest: Condvar::new(), bytes };
        let shared = Arc::new(shared);
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || writer.write(sink))?;
        Ok(Self(shared))
    }

    /// Adds a line, its end included, that nobody waits for
    ///
    /// # Errors
    ///
    /// Where as many wait as may.
    pub fn push(&self, parts: &[&[u8]]) -> Result<(), Unwritten> {
        self.push_within(parts, self.0.bytes)
    }

    /// The same, where it ends what an earlier line has begun: for that there is as much room again
    ///
    /// # Errors
    ///
    /// Where that is full too.
    pub fn push_end(&self, parts: &[&[u8]]) -> Result<(), Unwritten> {
        self.push_within(parts, self.0.bytes.saturating_mul(2))
    }

    fn push_within(&self, parts: &[&[u8]], most: usize) -> Result<(), Unwritten> {
        let mut state = self.0.state();
        state.push(parts, most)?;
        let wakes = state.thread == Thread::Asleep;
        drop(state);
        if wakes {
            self.0.work.notify_one();
        }
        Ok(())
    }

    /// Adds a line that is waited for; what is returned ends when it is written, or will not be soon
    ///
    /// # Errors
    ///
    /// Where it would not be, as far as is known; then it is not added.
    pub fn push_awaited(&self, parts: &[&[u8]]) -> Result<Written, Unwritten> {
        let (written, is_written) = oneshot::channel();
        let mut state = self.0.state();
        if let Some(trouble) = state.trouble(Instant::now()) {
            return Err(trouble);
        }
        state.push(parts, self.0.bytes)?;
        state.asked.push(written);
        let wakes = !matches!(state.thread, Thread::Writing(_));
        drop(state);
        if wakes {
            self.0.work.notify_one();
        }
        Ok(Written(is_written))
    }

    /// From now on lines go there; what waits is still written to where it was to go, if that can be
    ///
    /// Waits until that has happened, for a while; whether it has.
    pub fn redirect(&self, sink: Sink, within: Duration) -> bool {
        self.0.state().next = Some(sink);
        self.0.work.notify_one();
        self.wait(within, |state| state.next.is_none())
    }

    /// Waits until all is written, for a while; whether it is
    pub fn flush(&self, within: Duration) -> bool {
        self.wait(within, State::is_at_rest)
    }

    fn wait(&self, within: Duration, until: impl Fn(&State) -> bool) -> bool {
        let waited = self.0.rest.wait_timeout_while(self.0.state(), within, |state| !until(state));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Why no line can be written now
    pub fn trouble(&self) -> Option<Unwritten> {
        self.0.state().trouble(Instant::now())
    }

    /// Bytes that wait, and how many may
    pub fn waiting(&self) -> (usize, usize) {
        (self.0.state().waiting.len(), self.0.bytes)
    }

    /// Lets nobody wait who would in vain, and tells of each change, until the lines are gone
    pub fn watch<Tell>(&self, tell: Tell) -> impl Future<Output = ()> + Send + use<Tell>
    where
        Tell: Fn(Option<&Unwritten>) + Send,
    {
        watch(Arc::downgrade(&self.0), tell)
    }
}

async fn watch(lines: Weak<Shared>, tell: impl Fn(Option<&Unwritten>) + Send) {
    let mut before = None;
    loop {
        tokio::time::sleep(PATIENCE / 4).await;
        let Some(lines) = lines.upgrade() else { return };
        let trouble = lines.let_go();
        if trouble.is_some() != before.is_some() {
            tell(trouble.as_ref());
        }
        before = trouble;
    }
}

/// Ends when a line is written
#[derive(Debug)]
pub struct Written(oneshot::Receiver<()>);

impl Written {
    /// Waits for that
    ///
    /// # Errors
    ///
    /// Where it could not be, or not soon enough.
    pub async fn wait(self) -> Result<(), Unwritten> {
        self.0.await.map_err(|_| Unwritten::Stuck)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.work.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of those who wait in vain; why they do
    fn let_go(&self) -> Option<Unwritten> {
        let mut state = self.state();
        let trouble = state.trouble(Instant::now())?;
        state.asked.clear();
        state.writing_for.clear();
        Some(trouble)
    }

    /// The thread
    fn write(&self, mut sink: Sink) {
        let mut lines = Vec::new();
        while self.take(&mut lines) {
            let mut done = 0;
            while let Err(error) = sink.write(&lines, &mut done) {
                if self.has_failed(&error) {
                    return;
                }
                if let Some(next) = self.state().next.take() {
                    sink = next;
                    // What was begun elsewhere begins anew.
                    let begun = lines.get(..done).unwrap_or_default();
                    done = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                    self.rest.notify_all();
                }
            }
            if let Some(next) = self.has_written() {
                sink = next;
            }
        }
    }

    /// Waits for lines and takes them all; whether there are any to come
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        lines.clear();
        lines.shrink_to(KEPT_BYTES);
        let mut state = self.state();
        let mut lingered = false;
        while state.asked.is_empty() && state.next.is_none() && !state.is_closed {
            if lingered && !state.waiting.is_empty() {
                break;
            }
            state.thread = if lingered { Thread::Asleep } else { Thread::Lingering };
            state = if lingered {
                self.work.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.work.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
                waited.0
            };
            // Whoever was asleep lingers once before it writes what nobody waits for.
            lingered = !lingered;
        }
        state.thread = Thread::Writing(Instant::now());
        std::mem::swap(&mut state.waiting, lines);
        let State { asked, writing_for, .. } = &mut *state;
        writing_for.append(asked);
        !(lines.is_empty() && state.is_closed)
    }

    /// Tells those who wait; where the next lines go, if elsewhere
    fn has_written(&self) -> Option<Sink> {
        let mut state = self.state();
        state.failed = None;
        state.thread = Thread::Lingering;
        let told = std::mem::take(&mut state.writing_for);
        let next = state.next.take();
        drop(state);
        for waits in told {
            // Nobody waits where a client has gone.
            let _gone = waits.send(());
        }
        self.rest.notify_all();
        next
    }

    /// Notes a failure and waits a while for better times; whether there is no more use in it
    fn has_failed(&self, error: &io::Error) -> bool {
        let is_full = error.kind() == io::ErrorKind::WouldBlock;
        let mut state = self.state();
        if !is_full {
            state.failed = Some(error.to_string());
            state.asked.clear();
            state.writing_for.clear();
        }
        let pause = if is_full { SHORT_PAUSE } else { PAUSE };
        let waits = |state: &mut State| state.next.is_none() && !state.is_closed;
        let waited =
            self.work.wait_timeout_while(state, pause, waits).unwrap_or_else(PoisonError::into_inner);
        waited.0.is_closed && waited.0.trouble(Instant::now()).is_some()
    }
}

#[cfg(test)]
mod tests;
