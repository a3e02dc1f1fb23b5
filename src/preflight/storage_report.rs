//! Keeps the report of a preflight that proved durable storage from where Druid runs, and says how that stands
//!
//! The file is looked at every second. While a preflight writes it, it is empty or half there: then the last good
//! report counts, and ages on.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::base::drain;
use crate::base::live::Live;
use crate::base::metrics::StorageStands;
use crate::base::redact::Shown;
use crate::base::small_file::{self, SmallFile};
use crate::base::watcher::Watcher;
use crate::config::{StorageReport, Unproven};
use crate::durable_storage::summary::{MAX_REPORT_BYTES, clipped};
use crate::durable_storage::{Action, Address, ReportError, Status, Summary, Unusable};
use crate::resource_actions::Storage;

/// Between two looks at the file
const LOOK: Duration = Duration::from_secs(1);

/// What a look at the file finds: its bytes, or why there are none
type Seen = Result<Vec<u8>, String>;

/// Keeps the last good report of a file
#[derive(Debug)]
pub struct ReportKeeper {
    file: Arc<SmallFile>,
    summary: Live<Option<Summary>>,
    /// For whoever looks; no request comes here
    watcher: Mutex<Watcher<Seen>>,
}

impl ReportKeeper {
    /// Looks at the file once; one that is not there is no fault
    pub async fn open(file: &Path) -> Self {
        let file = Arc::new(SmallFile::new(file, MAX_REPORT_BYTES));
        let seen = look(&file).await;
        let (summary, watcher) = (Live::new(None), Mutex::new(Watcher::new(seen.clone())));
        let keeper = Self { file, summary, watcher };
        keeper.put(read(&seen));
        keeper
    }

    /// The file
    pub fn file(&self) -> &Path {
        self.file.path()
    }

    /// The last good report
    pub fn summary(&self) -> Arc<Option<Summary>> {
        self.summary.now()
    }

    /// Looks every second, until the gate stops or nobody has the keeper any more
    pub async fn keep(keeper: Weak<Self>, mut draining: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = drain::begins(&mut draining) => return,
            }
            // While it looks, which may take a while, this task does not hold the keeper.
            let Some(file) = keeper.upgrade().map(|keeper| Arc::clone(&keeper.file)) else { return };
            let seen = look(&file).await;
            if let Some(keeper) = keeper.upgrade() {
                keeper.take(seen);
            }
        }
    }

    /// Takes what two looks found equal, if it is another than before
    fn take(&self, seen: Seen) {
        let is_due = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).is_due(seen.clone());
        if is_due {
            self.put(read(&seen));
        }
    }

    /// A report takes the place of the last good one; what is none is logged
    fn put(&self, read: Result<Summary, ReportError>) {
        let file = Shown(self.file());
        match read {
            Ok(summary) => self.summary.replace(Some(summary)),
            Err(error) if self.summary().is_some() => {
                tracing::warn!(%file, %error, "the report of durable storage cannot be used; the last good one ages on");
            }
            Err(error) => tracing::warn!(%file, %error, "there is no report of durable storage yet"),
        }
    }
}

async fn look(file: &SmallFile) -> Seen {
    file.read().await.map_err(|error| clipped(&error.to_string()))
}

fn read(seen: &Seen) -> Result<Summary, ReportError> {
    let bytes = seen.as_ref().map_err(|error| ReportError::Unreadable(error.clone()))?;
    Summary::parse(bytes)
}

/// The report in a file, for commands, which may wait
///
/// # Errors
///
/// Where it cannot be read, or holds none.
pub fn read_now(file: &Path) -> Result<Summary, ReportError> {
    read(&small_file::read(file, MAX_REPORT_BYTES).map_err(|error| clipped(&error.to_string())))
}

/// Durable storage as one configuration sees it: a report, how long it counts, and what rests on it
#[derive(Debug)]
pub struct StorageWatch {
    keeper: Arc<ReportKeeper>,
    stale: Duration,
    address: Address,
    unproven: Unproven,
}

impl StorageWatch {
    /// Durable storage by the report that `keeper` keeps, as these settings see it
    pub fn new(keeper: Arc<ReportKeeper>, settings: &StorageReport) -> Self {
        Self { keeper, stale: settings.stale, address: settings.address.clone(), unproven: settings.unproven }
    }

    /// Who keeps the report
    pub fn keeper(&self) -> &Arc<ReportKeeper> {
        &self.keeper
    }

    /// How durable storage stands now
    pub fn status(&self, now: SystemTime) -> Status {
        Status::of(self.keeper.summary().as_ref().as_ref(), now, self.stale, &self.address)
    }

    /// Lets through what asks for no durable storage, and all else where that is proven or not required
    ///
    /// # Errors
    ///
    /// Where a request asks for durable storage that is required to be proven, and is not.
    pub fn check(&self, storage: &Storage, now: SystemTime) -> Result<(), Box<Unusable>> {
        let Storage::Asked { by } = storage else { return Ok(()) };
        if self.unproven == Unproven::Forward {
            return Ok(());
        }
        let status = self.status(now);
        if status.is_proven() { Ok(()) } else { Err(Box::new(Unusable { status, by: by.clone() })) }
    }

    /// For the page of metrics
    pub fn metrics(&self, now: SystemTime) -> StorageStands {
        let status = self.status(now);
        StorageStands {
            states: Status::STATES.map(|state| (state, state == status.state())).to_vec(),
            actions: Action::ALL.map(|action| (action.name(), status.proves(action))).to_vec(),
            age: status.age,
        }
    }

    /// For the operators' page
    pub fn json(&self, now: SystemTime) -> Value {
        let status = self.status(now);
        json!({
            "state": status.state(),
            "ageSeconds": status.age.map(|age| age.as_secs()),
            "missing": status.missing(),
            "file": Shown(self.keeper.file()).to_string(),
            "required": self.unproven == Unproven::Refuse,
            "message": status.to_string(),
        })
    }

    /// Logs how it stands, if that is another than was told `before`; what is told now, but for its age
    fn tell(&self, before: Option<&str>, now: SystemTime) -> String {
        let status = self.status(now);
        let told = status.but_for_its_age();
        let (state, file) = (status.state(), Shown(self.keeper.file()));
        match before != Some(&told) {
            true if status.is_proven() => tracing::info!(state, %file, "durable storage: {status}"),
            true => tracing::warn!(state, %file, "durable storage: {status}"),
            false => {}
        }
        told
    }
}

/// Logs each change of how durable storage stands, until the gate stops
///
/// A report grows too old without a change of any file, and a reload changes what counts: so this looks every
/// second at what serves.
pub async fn tell_changes<Gate>(
    live: Arc<Live<Gate>>,
    storage: fn(&Gate) -> Option<&StorageWatch>,
    mut draining: watch::Receiver<bool>,
) {
    let mut before: Option<String> = None;
    loop {
        let gate = live.now();
        before = storage(&gate).map(|storage| storage.tell(before.as_deref(), SystemTime::now()));
        drop(gate);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = drain::begins(&mut draining) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn text(bucket: &str) -> Vec<u8> {
        let report = json!({"time": "2026-01-02T03:04:05Z", "bucket": bucket, "prefix": "p", "actions": []});
        report.to_string().into_bytes()
    }

    fn bucket(keeper: &ReportKeeper) -> Option<String> {
        keeper.summary().as_ref().as_ref().map(|summary| summary.location.bucket.clone())
    }

    #[tokio::test]
    async fn only_a_whole_report_that_two_looks_find_takes_the_place_of_the_last_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        std::fs::write(&file, text("old")).unwrap();
        let keeper = ReportKeeper::open(&file).await;
        assert_eq!(bucket(&keeper).as_deref(), Some("old"), "the first look counts at once");
        let new = text("new");
        let half = new[..new.len() / 2].to_vec();
        let too_long = vec![b' '; MAX_REPORT_BYTES + 1];
        for torn in [Ok(Vec::new()), Ok(half), Ok(too_long), Err("gone".to_owned())] {
            keeper.take(torn.clone());
            keeper.take(torn);
            assert_eq!(bucket(&keeper).as_deref(), Some("old"));
        }
        keeper.take(Ok(new.clone()));
        assert_eq!(bucket(&keeper).as_deref(), Some("old"), "seen once");
        keeper.take(Ok(new));
        assert_eq!(bucket(&keeper).as_deref(), Some("new"), "seen twice");
    }

    #[tokio::test]
    async fn a_file_that_comes_later_counts_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        let keeper = ReportKeeper::open(&file).await;
        assert_eq!(bucket(&keeper), None);
        std::fs::write(&file, text("druid")).unwrap();
        for _ in 0..2 {
            keeper.take(look(&keeper.file).await);
        }
        assert_eq!(bucket(&keeper).as_deref(), Some("druid"));
        assert_eq!(read_now(&file).unwrap().location.bucket, "druid");
    }

    #[tokio::test]
    async fn a_file_that_is_too_long_is_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = ReportKeeper::open(&folder.path().join("report.json")).await;
        std::fs::write(keeper.file(), vec![b' '; 2 * MAX_REPORT_BYTES]).unwrap();
        let too_long = ReportError::TooLong;
        assert_eq!(read(&look(&keeper.file).await), Err(too_long.clone()));
        assert_eq!(read_now(keeper.file()), Err(too_long));
    }

    #[tokio::test]
    async fn keeping_ends_when_nobody_has_the_keeper_any_more_and_on_drain() {
        let folder = tempfile::tempdir().unwrap();
        let (drain, draining) = watch::channel(false);
        let open = async || Arc::new(ReportKeeper::open(&folder.path().join("report.json")).await);
        let ends = async |kept| {
            let end = tokio::time::timeout(Duration::from_secs(30), kept).await;
            end.is_ok_and(|kept: Result<(), tokio::task::JoinError>| kept.is_ok())
        };
        let (had, left) = (open().await, open().await);
        let [keeping, leaving] = [&had, &left]
            .map(|keeper| tokio::spawn(ReportKeeper::keep(Arc::downgrade(keeper), draining.clone())));
        // Not before it keeps, so that it could have taken hold of it.
        std::fs::write(left.file(), text("druid")).unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while bucket(&left).is_none() {
            assert!(Instant::now() < end, "it does not keep");
            tokio::task::yield_now().await;
        }
        drop(left);
        assert!(ends(leaving).await, "nobody has it any more");
        assert!(!keeping.is_finished());
        drain.send(true).unwrap();
        assert!(ends(keeping).await, "the gate stops");
    }
}
