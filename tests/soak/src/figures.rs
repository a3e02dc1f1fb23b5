//! What was seen: the good clients' requests, the gate's memory and descriptors, and what is made of them

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long after Druid has gone a failure is its own
const RESTART: Duration = Duration::from_secs(2);

/// Whose time it is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Alone,
    Beside,
    Over,
}

/// Whatever was seen
pub(crate) struct Figures(Mutex<Seen>);

struct Seen {
    part: Part,
    requests: Vec<Request>,
    restarts: Vec<Instant>,
    sizes: Vec<Size>,
    others: usize,
}

/// A request of a good client's
struct Request {
    part: Part,
    began: Instant,
    took: Duration,
    fault: Option<String>,
}

/// The gate's size beside the others
struct Size {
    kilobytes: usize,
    descriptors: usize,
}

impl Default for Figures {
    fn default() -> Self {
        let (requests, restarts, sizes) = (Vec::new(), Vec::new(), Vec::new());
        Self(Mutex::new(Seen { part: Part::Alone, requests, restarts, sizes, others: 0 }))
    }
}

impl Figures {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    pub(crate) fn enter(&self, part: Part) {
        self.seen().part = part;
    }

    pub(crate) fn druid_restarts(&self) {
        self.seen().restarts.push(Instant::now());
    }

    /// One of the others has had his connection
    pub(crate) fn other(&self) {
        self.seen().others += 1;
    }

    pub(crate) fn request(&self, began: Instant, fault: Option<String>) {
        let mut seen = self.seen();
        let request = Request { part: seen.part, began, took: began.elapsed(), fault };
        seen.requests.push(request);
    }

    pub(crate) fn size(&self, kilobytes: usize, descriptors: usize) {
        let mut seen = self.seen();
        if seen.part == Part::Beside {
            seen.sizes.push(Size { kilobytes, descriptors });
        }
    }

    /// Prints all of it; what should not be
    pub(crate) fn tell(&self, metrics: &str, changes: usize) -> Vec<String> {
        let seen = self.seen();
        let (alone, beside) = (seen.latencies(Part::Alone), seen.latencies(Part::Beside));
        let (failed, excused) = seen.failures();
        let [memory, descriptors] =
            [|size: &Size| size.kilobytes, |size: &Size| size.descriptors].map(|of| seen.middle_and_end(of));
        let reloads = metrics
            .lines()
            .find_map(|line| line.strip_prefix("msq_gate_reloads_total{outcome=\"applied\"} "));
        let reloads = reloads.and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        let row =
            |name: &str, one: String, other: String| println!("| {name:<34} | {one:>10} | {other:>10} |");
        row("good clients", "alone".to_owned(), "beside".to_owned());
        println!("| {:-<34} | {:->9}: | {:->9}: |", "", "", "");
        row("requests", alone.len().to_string(), beside.len().to_string());
        row("failed", "".to_owned(), failed.len().to_string());
        row("failed where Druid restarted", "".to_owned(), excused.to_string());
        for (name, share) in [("p50, ms", 50), ("p99, ms", 99)] {
            row(name, milliseconds(at(&alone, share)), milliseconds(at(&beside, share)));
        }
        row("the gate", "in between".to_owned(), "at the end".to_owned());
        row("memory, kB", memory.0.to_string(), memory.1.to_string());
        row("descriptors", descriptors.0.to_string(), descriptors.1.to_string());
        row("changes of files, and applied", changes.to_string(), reloads.to_string());
        row("connections of others", "".to_owned(), seen.others.to_string());
        for limit in metrics.lines().filter(|line| line.starts_with("msq_gate_limit_met_total")) {
            println!("{limit}");
        }
        let mut faults: Vec<_> = failed.iter().take(10).cloned().collect();
        let mut expect = |holds: bool, what: &str| faults.extend((!holds).then(|| what.to_owned()));
        expect(!alone.is_empty() && !beside.is_empty(), "there were no good clients");
        expect(
            at(&beside, 99) <= at(&alone, 99) * 2,
            "good clients' p99 is more than twice that without the others",
        );
        expect(memory.1 <= memory.0 + memory.0 / 10, "the gate's memory grows");
        expect(descriptors.1 <= descriptors.0 + descriptors.0 / 10 + 5, "the gate's descriptors grow");
        expect(reloads * 10 >= changes * 9, "changes of its files were not applied");
        faults
    }
}

impl Seen {
    /// How long the requests of this part took that did not fail, in order
    fn latencies(&self, part: Part) -> Vec<Duration> {
        let of_it = self.requests.iter().filter(|request| request.part == part && request.fault.is_none());
        let mut latencies: Vec<_> = of_it.map(|request| request.took).collect();
        latencies.sort_unstable();
        latencies
    }

    /// Which failed, and how many more where Druid was away
    fn failures(&self) -> (Vec<String>, usize) {
        let failed: Vec<_> = self.requests.iter().filter(|request| request.fault.is_some()).collect();
        let is_druids = |request: &&&Request| {
            let touches =
                |gone: &Instant| request.began < *gone + RESTART && request.began + request.took >= *gone;
            self.restarts.iter().any(touches)
        };
        let excused = failed.iter().filter(is_druids).count();
        let others = failed.iter().filter(|request| !is_druids(request));
        (others.filter_map(|request| request.fault.clone()).collect(), excused)
    }

    /// The medians of the third fifth of the time beside the others, and of the last one
    fn middle_and_end(&self, of: impl Fn(&Size) -> usize) -> (usize, usize) {
        let fifth = self.sizes.len() / 5;
        let median = |skipped: usize| {
            let mut some: Vec<_> = self.sizes.iter().skip(skipped).take(fifth).map(&of).collect();
            some.sort_unstable();
            some.get(fifth / 2).copied().unwrap_or(0)
        };
        (median(2 * fifth), median(4 * fifth))
    }
}

/// The value below which this share of them is, in hundredths
fn at(sorted: &[Duration], share: usize) -> Duration {
    sorted.get(sorted.len() * share / 100).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}
