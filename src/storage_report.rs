//! Keeps the report of a preflight that proved durable storage from where Druid runs, and says how that stands
//!
//! The file is looked at every second. While a preflight writes it, it is empty or half there: then the last good
//! report counts, and ages on.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::config::{DurableStorage, StorageReport, Unproven};
use crate::drain;
use crate::durable_storage::place::Location;
use crate::durable_storage::report::MAX_REPORT_BYTES;
use crate::durable_storage::{Report, ReportError, Standing, Unusable};
use crate::resource_actions::Storage;
use crate::small_file::SmallFile;
use crate::watch_files::Watcher;

/// Between two looks at the file
const LOOK: Duration = Duration::from_secs(1);

/// What a look at the file finds: its bytes, or why there are none
type Seen = Result<Vec<u8>, String>;

/// Why the file gives no report
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// It cannot be read
    #[error("it cannot be read: {0}")]
    Io(String),
    /// It holds none
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Keeps the last good report of a file
#[derive(Debug)]
pub struct ReportKeeper {
    file: Arc<SmallFile>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    watcher: Watcher<Seen>,
    report: Option<Arc<Report>>,
}

impl ReportKeeper {
    /// Looks at the file once; one that is not there is no fault
    pub async fn open(file: &Path) -> Self {
        let file = Arc::new(SmallFile::new(file, MAX_REPORT_BYTES));
        let seen = look(&file).await;
        let report = read(&seen).inspect_err(|error| {
            tracing::warn!(file = %file.path().display(), %error, "there is no report of durable storage yet");
        });
        let state = State { watcher: Watcher::new(seen), report: report.ok().map(Arc::new) };
        Self { file, state: Mutex::new(state) }
    }

    /// The file
    pub fn file(&self) -> &Path {
        self.file.path()
    }

    /// The last good report
    pub fn report(&self) -> Option<Arc<Report>> {
        self.state().report.clone()
    }

    /// Looks every second, until the gate stops or nobody has the keeper any more
    pub async fn keep(keeper: Weak<Self>, mut draining: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = drain::told(&mut draining) => return,
            }
            // While it looks, which may take a while, this task does not hold the keeper.
            let Some(file) = keeper.upgrade().map(|keeper| Arc::clone(&keeper.file)) else { return };
            let seen = look(&file).await;
            if let Some(keeper) = keeper.upgrade() {
                keeper.take(seen);
            }
        }
    }

    /// Takes what two looks found equal, if that is a report; what is none is logged once
    fn take(&self, seen: Seen) {
        let mut state = self.state();
        if !state.watcher.is_due(seen.clone()) {
            return;
        }
        let file = self.file().display();
        match read(&seen) {
            Ok(report) => {
                tracing::info!(%file, "another report of durable storage counts from now on");
                state.report = Some(Arc::new(report));
            }
            Err(error) => {
                tracing::warn!(%file, %error, "the report of durable storage cannot be used; the last good one ages on");
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look(file: &SmallFile) -> Seen {
    file.read().await.map_err(|error| error.to_string())
}

fn read(seen: &Seen) -> Result<Report, FileError> {
    let bytes = seen.as_ref().map_err(|error| FileError::Io(error.clone()))?;
    Ok(Report::parse(bytes)?)
}

/// Durable storage as one configuration sees it: a report, how long it counts, and what rests on it
#[derive(Debug)]
pub struct StorageWatch {
    keeper: Arc<ReportKeeper>,
    stale: Duration,
    place: Option<Location>,
    unproven: Unproven,
}

impl StorageWatch {
    /// Durable storage as `settings` and `report`, a part of them, see it
    pub fn new(keeper: Arc<ReportKeeper>, settings: &DurableStorage, report: &StorageReport) -> Self {
        let place = settings.place.as_ref().map(|place| place.location.clone());
        Self { keeper, stale: report.stale, place, unproven: report.unproven }
    }

    /// Who keeps the report
    pub fn keeper(&self) -> &Arc<ReportKeeper> {
        &self.keeper
    }

    /// How durable storage stands now
    pub fn standing(&self, now: SystemTime) -> Standing {
        Standing::of(self.keeper.report().as_deref(), now, self.stale, self.place.as_ref())
    }

    /// Lets through what asks for no durable storage, and all else where that is proven or not required
    ///
    /// # Errors
    ///
    /// Where a request asks for durable storage that is required to be proven, and is not.
    pub fn check(&self, storage: &Storage, now: SystemTime) -> Result<(), Box<Unusable>> {
        match (storage, self.unproven) {
            (Storage::NotAsked, _) | (_, Unproven::Forward) => Ok(()),
            (Storage::Asked { by }, Unproven::Refuse) => match self.standing(now) {
                Standing::Proven { .. } => Ok(()),
                Standing::Doubtful(doubt) => Err(Box::new(Unusable { doubt, by: by.clone() })),
            },
        }
    }

    /// For the operators' page
    pub fn json(&self, now: SystemTime) -> Value {
        let standing = self.standing(now);
        json!({
            "state": standing.state(),
            "ageSeconds": standing.age().map(|age| age.as_secs()),
            "missing": standing.missing(),
            "file": self.keeper.file().display().to_string(),
            "required": self.unproven == Unproven::Refuse,
            "message": standing.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(region: &str) -> Vec<u8> {
        let report = json!({
            "time": "2026-01-02T03:04:05Z", "bucket": "b", "prefix": "p", "endpoint": "e", "region": region,
            "credentials": null, "actions": [], "problem": null, "leftBehind": [], "policy": {}, "bucketPolicy": {},
        });
        report.to_string().into_bytes()
    }

    fn region(keeper: &ReportKeeper) -> Option<String> {
        keeper.report().map(|report| report.region.clone())
    }

    #[tokio::test]
    async fn only_a_whole_report_that_two_looks_find_takes_the_place_of_the_last_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        std::fs::write(&file, text("old")).unwrap();
        let keeper = ReportKeeper::open(&file).await;
        assert_eq!(region(&keeper).as_deref(), Some("old"), "the first look counts at once");
        let new = text("new");
        let half = new[..new.len() / 2].to_vec();
        let too_long = vec![b' '; MAX_REPORT_BYTES + 1];
        for torn in [Ok(Vec::new()), Ok(half), Ok(too_long), Err("gone".to_owned())] {
            keeper.take(torn.clone());
            keeper.take(torn);
            assert_eq!(region(&keeper).as_deref(), Some("old"));
        }
        keeper.take(Ok(new.clone()));
        assert_eq!(region(&keeper).as_deref(), Some("old"), "seen once");
        keeper.take(Ok(new));
        assert_eq!(region(&keeper).as_deref(), Some("new"), "seen twice");
    }

    #[tokio::test]
    async fn a_file_that_comes_later_counts_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        let keeper = ReportKeeper::open(&file).await;
        assert_eq!(region(&keeper), None);
        std::fs::write(&file, text("r")).unwrap();
        for _ in 0..2 {
            keeper.take(look(&keeper.file).await);
        }
        assert_eq!(region(&keeper).as_deref(), Some("r"));
    }

    #[tokio::test]
    async fn a_file_that_is_too_long_is_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = ReportKeeper::open(&folder.path().join("report.json")).await;
        std::fs::write(keeper.file(), vec![b' '; 2 * MAX_REPORT_BYTES]).unwrap();
        let seen = look(&keeper.file).await;
        assert!(matches!(read(&seen), Err(FileError::Report(ReportError::TooLong))));
    }

    #[tokio::test]
    async fn keeping_ends_when_nobody_has_the_keeper_any_more_and_on_drain() {
        let folder = tempfile::tempdir().unwrap();
        let (drain, draining) = watch::channel(false);
        let keeper = Arc::new(ReportKeeper::open(&folder.path().join("report.json")).await);
        let kept = tokio::spawn(ReportKeeper::keep(Arc::downgrade(&keeper), draining.clone()));
        let left = tokio::spawn(ReportKeeper::keep(Weak::new(), draining));
        left.await.unwrap();
        assert!(!kept.is_finished());
        drain.send(true).unwrap();
        kept.await.unwrap();
    }
}
