//! The steps of a preflight, in an order in which each branch cleans up
//!
//! Before anything is made, what removes it is tried: the key is deleted (which also removes what a killed run
//! left), and an upload that nobody started is aborted (S3 checks the permission before it looks for the upload).
//! Only then an object is put, fetched and deleted, and an upload is started and aborted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::findings::Findings;
use super::open_uploads::{OpenUpload, OpenUploads};
use super::s3::{Back, CONTENT, Call, CallError, S3};
use crate::decision_id::random;
use crate::durable_storage::Action;
use crate::durable_storage::answer::{Deny, Meaning, Trouble};
use crate::durable_storage::place::Location;
use crate::durable_storage::problem::{NoAnswer, Problem};
use crate::durable_storage::report::{Answered, Outcome};

/// Pauses of a probe; each is stretched or shortened by half at random, so that runs that met once meet no more
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// Before a call is made again that S3 had no time for
    pub busy: [Duration; 2],
    /// Before an object is put and fetched again that another run may have deleted
    pub disturbed: [Duration; 2],
}

impl Default for Pauses {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self { busy: [millis(500), millis(1_500)], disturbed: [millis(300), millis(1_200)] }
    }
}

/// An id that S3 never gave
const NOBODYS_UPLOAD: &str = "msq-gate-preflight-no-such-upload";

/// A probe on its way
#[derive(Debug)]
pub struct Probe<'a> {
    s3: &'a S3,
    location: &'a Location,
    uploads: &'a mut OpenUploads,
    interrupted: &'a AtomicBool,
    pauses: Pauses,
    found: Findings,
}

/// How a call ended
#[derive(Debug)]
enum Ended {
    Done(Back),
    Denied(Answered, Deny),
    NoSuchKey(Answered),
    NoSuchUpload(Answered),
    /// Noted already
    Trouble(Deed),
}

impl Ended {
    /// Whether a fetch may have ended so because another run was there in between
    fn may_be_of_others(&self) -> bool {
        match self {
            Self::Done(back) => back.body != CONTENT,
            Self::Denied(_, deny) => *deny == Deny::Unexplained,
            Self::NoSuchKey(_) => true,
            Self::NoSuchUpload(_) | Self::Trouble(_) => false,
        }
    }
}

/// What may have become of a call that says nothing
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Done,
    Undone,
    Unknown,
}

/// Whose upload is aborted
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    /// One of this run, and whether its id is kept for the next
    Own { kept: bool },
    /// One that an earlier run left
    Earlier,
}

impl<'a> Probe<'a> {
    /// A probe of this key, which cleans up and ends when somebody wants it to
    pub fn new(
        s3: &'a S3,
        location: &'a Location,
        uploads: &'a mut OpenUploads,
        interrupted: &'a AtomicBool,
        pauses: Pauses,
    ) -> Self {
        Self { s3, location, uploads, interrupted, pauses, found: Findings::default() }
    }

    /// Makes all steps that can be made
    pub async fn run(mut self) -> Findings {
        self.abort_what_earlier_runs_left().await;
        if self.clear().await {
            self.put_and_get().await;
        }
        self.start_and_abort().await;
        self.found
    }

    async fn abort_what_earlier_runs_left(&mut self) {
        let (here, elsewhere) = self.uploads.at(self.s3.url());
        for upload_id in here {
            self.abort(&upload_id, Upload::Earlier).await;
        }
        self.found.warnings.extend(elsewhere.into_iter().map(|OpenUpload { url, upload_id }| {
            format!("an earlier run left an open upload at another address, {url}; run it for that one: {upload_id}")
        }));
    }

    /// Deletes the key, whatever is there; whether that may be done
    async fn clear(&mut self) -> bool {
        if self.is_stopped() {
            return false;
        }
        match self.ask(Call::Delete).await {
            Ended::Done(back) => {
                self.found.proven(Action::DeleteObject, back.answer.told(), "deleted the probe's key");
                !self.is_stopped()
            }
            Ended::Denied(answer, deny) => {
                self.found.denied(Action::DeleteObject, answer, deny, "refused before anything was written");
                self.found.not_reached(
                    Action::GetObject,
                    None,
                    "nothing was written, since it could not be removed again",
                );
                false
            }
            vain @ (Ended::NoSuchKey(_) | Ended::NoSuchUpload(_) | Ended::Trouble(_)) => {
                self.in_vain(Call::Delete, &vain);
                false
            }
        }
    }

    async fn put_and_get(&mut self) {
        let written = self.put().await;
        if written == Deed::Done {
            self.get().await;
        }
        if written != Deed::Undone {
            self.delete(written).await;
        }
    }

    async fn put(&mut self) -> Deed {
        match self.ask(Call::Put).await {
            Ended::Done(back) => {
                self.found.proven(Action::PutObject, back.answer.told(), "wrote an object");
                self.warn_of_versions(&back);
                Deed::Done
            }
            Ended::Denied(answer, deny) => {
                self.found.denied(Action::PutObject, answer, deny, "refused to write an object");
                self.found.not_reached(
                    Action::GetObject,
                    None,
                    "there is no object to fetch, since none could be written",
                );
                Deed::Undone
            }
            Ended::Trouble(deed) => deed,
            vain @ (Ended::NoSuchKey(_) | Ended::NoSuchUpload(_)) => {
                self.in_vain(Call::Put, &vain);
                Deed::Undone
            }
        }
    }

    fn warn_of_versions(&mut self, back: &Back) {
        if back.is_versioned {
            self.found.warnings.push(
                "the bucket keeps versions: each run leaves an old one and two delete markers, and Druid's durable \
                 storage never shrinks there; a lifecycle rule for old versions mends both"
                    .to_owned(),
            );
        }
    }

    /// Fetches the object, and writes it anew where another run on another machine may have deleted it in between
    ///
    /// Amazon's S3 refuses to fetch what is not there, unless one may list the bucket.
    async fn get(&mut self) {
        for pause in self.pauses.disturbed {
            let ended = self.ask(Call::Get).await;
            if !ended.may_be_of_others() {
                return self.fetched(ended);
            }
            tokio::time::sleep(pause.mul_f64(jitter())).await;
            if self.is_stopped() || !matches!(self.ask(Call::Put).await, Ended::Done(_)) {
                return;
            }
        }
        let last = self.ask(Call::Get).await;
        self.fetched(last);
    }

    fn fetched(&mut self, ended: Ended) {
        match ended {
            Ended::Done(back) if back.body == CONTENT => {
                self.found.proven(Action::GetObject, back.answer.told(), "fetched it")
            }
            Ended::Denied(answer, deny) => {
                self.found.denied(
                    Action::GetObject,
                    answer,
                    deny,
                    "refused to fetch the object just written",
                );
            }
            Ended::Done(Back { answer, .. }) => self.is_another(&answer.told()),
            Ended::NoSuchKey(answer) | Ended::NoSuchUpload(answer) => {
                self.disturbed(Action::GetObject, answer);
            }
            Ended::Trouble(_) => {}
        }
    }

    /// Other runs write the same; so whoever answers neither keeps what is written nor is an S3 server
    fn is_another(&mut self, answer: &Answered) {
        let said = format!("{}, and what is fetched is not what was written", answer.status);
        self.stop(Problem::Trouble(Trouble::NotS3, said));
        self.tried_in_vain(Action::GetObject, Some(answer.clone()));
        self.found.not_reached(
            Action::PutObject,
            None,
            "answered, but what is fetched then is not what was written",
        );
    }

    fn disturbed(&mut self, action: Action, answer: Answered) {
        self.stop(Problem::Disturbed);
        self.tried_in_vain(action, Some(answer));
    }

    async fn delete(&mut self, written: Deed) {
        let ended = self.ask(Call::Delete).await;
        match (&ended, written) {
            (Ended::Done(back), Deed::Done | Deed::Undone) => {
                return self.found.proven(Action::DeleteObject, back.answer.told(), "deleted it");
            }
            // What is still under way may arrive after its removal.
            (Ended::Done(_), Deed::Unknown) => {}
            (Ended::Denied(answer, deny), _) => {
                let note = "refused to delete the object";
                self.found.denied(Action::DeleteObject, answer.clone(), deny.clone(), note);
            }
            (Ended::NoSuchKey(_) | Ended::NoSuchUpload(_) | Ended::Trouble(_), _) => {
                self.in_vain(Call::Delete, &ended);
                let note = "deleted the probe's key at first; the second time the answer says nothing";
                self.found.not_reached(Action::DeleteObject, None, note);
            }
        }
        self.leave_object(written);
    }

    fn leave_object(&mut self, written: Deed) {
        let Location { bucket, .. } = self.location;
        let object = format!("s3://{bucket}/{} ({} bytes)", self.location.probe_key(), CONTENT.len());
        self.found.left_behind.push(match written {
            Deed::Done | Deed::Undone => format!("{object}, which the next run deletes"),
            Deed::Unknown => {
                format!("perhaps {object}: its writing was not answered; the next run deletes it")
            }
        });
    }

    async fn start_and_abort(&mut self) {
        let is_denied = |action| self.found.outcome(action) == Some(Outcome::Denied);
        let (no_put, no_abort) = (is_denied(Action::PutObject), is_denied(Action::AbortMultipartUpload));
        if self.is_stopped() || no_abort || !self.may_abort().await {
            self.start_nothing();
        } else if no_put {
            let note = "no upload could be started; S3 did not refuse to abort one that nobody started";
            self.found.not_reached(Action::AbortMultipartUpload, None, note);
        } else {
            self.start().await;
        }
    }

    /// Whether an abort is not refused, tried on an upload that nobody started
    async fn may_abort(&mut self) -> bool {
        let call = Call::AbortUpload(NOBODYS_UPLOAD);
        let called = self.call(call).await;
        if let Ok(back) = &called
            && back.meaning == Meaning::Trouble(Trouble::Unexpected)
            && matches!(back.answer.status, 400 | 404)
        {
            // Servers have many words for an id that is none.
            return true;
        }
        match self.ended(call, called) {
            Ended::Denied(answer, deny) => {
                let note = "refused to abort an upload that nobody started; so none was";
                self.found.denied(Action::AbortMultipartUpload, answer, deny, note);
                false
            }
            Ended::Done(_) | Ended::NoSuchUpload(_) | Ended::NoSuchKey(_) => !self.is_stopped(),
            Ended::Trouble(_) => false,
        }
    }

    /// Where no upload may be started, whether an object may be put is not yet known if none could be deleted
    fn start_nothing(&mut self) {
        if self.found.outcome(Action::PutObject).is_none() && !self.is_stopped() {
            self.found.not_reached(
                Action::PutObject,
                None,
                "nothing was written or started, since nothing could be removed or aborted",
            );
        }
    }

    async fn start(&mut self) {
        match self.ask(Call::CreateUpload).await {
            Ended::Done(back) => self.started(&back).await,
            Ended::Denied(answer, deny) => {
                self.found.denied(Action::PutObject, answer, deny, "refused to start an upload");
                self.found.not_reached(Action::AbortMultipartUpload, None, "no upload could be started");
            }
            Ended::Trouble(Deed::Unknown) => self.leave_unknown_upload(),
            vain @ (Ended::NoSuchKey(_) | Ended::NoSuchUpload(_) | Ended::Trouble(_)) => {
                self.in_vain(Call::CreateUpload, &vain);
            }
        }
    }

    async fn started(&mut self, back: &Back) {
        let Some(upload_id) = back.upload_id() else {
            let said = format!("{} without an UploadId to CreateMultipartUpload", back.answer.status);
            self.stop(Problem::Trouble(Trouble::Unexpected, said));
            self.tried_in_vain(Action::PutObject, Some(back.answer.told()));
            return self.leave_unknown_upload();
        };
        if self.found.outcome(Action::PutObject).is_none() {
            self.found.proven(Action::PutObject, back.answer.told(), "started an upload");
        }
        let upload = OpenUpload { url: self.s3.url().to_owned(), upload_id: upload_id.clone() };
        let kept = self.uploads.remember(upload);
        let own = Upload::Own { kept: kept.is_ok() };
        self.stop_where_unkept(kept);
        self.abort(&upload_id, own).await;
    }

    fn stop_where_unkept(&mut self, kept: std::io::Result<()>) {
        if let Err(error) = kept {
            self.stop(Problem::Unremembered(format!("{}: {error}", self.uploads.path().display())));
        }
    }

    fn leave_unknown_upload(&mut self) {
        let key = self.location.probe_key();
        self.found
            .left_behind
            .push(format!("perhaps an upload to {key}: its id did not come, so nobody can abort it"));
    }

    async fn abort(&mut self, upload_id: &str, upload: Upload) {
        let call = Call::AbortUpload(upload_id);
        match self.ask(call).await {
            Ended::Done(back) => {
                let deed = match upload {
                    Upload::Own { .. } => "aborted an upload",
                    Upload::Earlier => "aborted an upload that an earlier run left",
                };
                self.found.proven(Action::AbortMultipartUpload, back.answer.told(), deed);
                self.forget(upload_id);
            }
            Ended::NoSuchUpload(answer) => {
                // One of an earlier run may be gone: a lifecycle rule, an operator.
                if upload != Upload::Earlier {
                    self.disturbed(Action::AbortMultipartUpload, answer);
                }
                self.forget(upload_id);
            }
            Ended::Denied(answer, deny) => {
                let note = "refused to abort an upload that is open";
                self.found.denied(Action::AbortMultipartUpload, answer, deny, note);
                self.leave_upload(upload_id, upload);
            }
            vain @ (Ended::NoSuchKey(_) | Ended::Trouble(_)) => {
                self.in_vain(call, &vain);
                self.leave_upload(upload_id, upload);
            }
        }
    }

    fn forget(&mut self, upload_id: &str) {
        let forgotten = self.uploads.forget(upload_id);
        self.stop_where_unkept(forgotten);
    }

    fn leave_upload(&mut self, upload_id: &str, upload: Upload) {
        let key = self.location.probe_key();
        self.found.left_behind.push(match upload {
            Upload::Own { kept: true } | Upload::Earlier => {
                format!("an open upload to {key}, which the next run aborts: {upload_id}")
            }
            Upload::Own { kept: false } => {
                format!("an open upload to {key}, which nobody will abort but you: {upload_id}")
            }
        });
    }

    async fn ask(&mut self, call: Call<'_>) -> Ended {
        let called = self.call(call).await;
        self.ended(call, called)
    }

    /// Makes a call, and again where S3 has no time for it
    async fn call(&self, call: Call<'_>) -> Result<Back, CallError> {
        for pause in self.pauses.busy {
            let called = self.s3.call(call).await;
            if !matches!(&called, Ok(back) if may_be_repeated(call, &back.meaning)) {
                return called;
            }
            tokio::time::sleep(pause.mul_f64(jitter())).await;
        }
        self.s3.call(call).await
    }

    /// What a call says; what says nothing of permission ends the probe
    fn ended(&mut self, call: Call<'_>, called: Result<Back, CallError>) -> Ended {
        let (problem, answer, deed) = match called {
            Err(error) => {
                let deed = deed_without_answer(&error);
                (error.problem(), None, deed)
            }
            Ok(back) => match back.meaning {
                Meaning::Done => return Ended::Done(back),
                Meaning::Denied(deny) => return Ended::Denied(back.answer.told(), deny),
                Meaning::NoSuchKey => return Ended::NoSuchKey(back.answer.told()),
                Meaning::NoSuchUpload => return Ended::NoSuchUpload(back.answer.told()),
                Meaning::Trouble(trouble) => {
                    let (told, deed) = (back.answer.told(), deed_of(&trouble, back.answer.status));
                    (Problem::Trouble(trouble, said(&told)), Some(told), deed)
                }
            },
        };
        self.stop(problem);
        self.tried_in_vain(call.action(), answer);
        Ended::Trouble(deed)
    }

    /// What was proven or refused before stays so
    fn tried_in_vain(&mut self, action: Action, answer: Option<Answered>) {
        if self.found.outcome(action).is_none() {
            self.found.not_reached(action, answer, "tried, and the answer says nothing of permission");
        }
    }

    fn stop(&mut self, problem: Problem) {
        self.found.trouble(problem);
    }

    fn is_stopped(&mut self) -> bool {
        if self.interrupted.load(Ordering::Relaxed) {
            self.stop(Problem::Interrupted);
        }
        self.found.has_trouble()
    }

    /// That something is missing which nobody asked for; other trouble is noted already
    fn in_vain(&mut self, call: Call<'_>, ended: &Ended) {
        if let Ended::NoSuchKey(answer) | Ended::NoSuchUpload(answer) = ended {
            self.stop(Problem::Trouble(Trouble::Unexpected, said(answer)));
            self.tried_in_vain(call.action(), Some(answer.clone()));
        }
    }
}

/// From a half to one and a half
fn jitter() -> f64 {
    let [dice]: [u8; 1] = random().unwrap_or([128]);
    0.5 + f64::from(dice) / 255.0
}

/// Whether a call had no effect, or the same however often it is made
///
/// A gateway that gives up says nothing of what S3 did behind it, and an upload that is started twice is two.
fn may_be_repeated(call: Call<'_>, meaning: &Meaning) -> bool {
    match meaning {
        Meaning::Trouble(Trouble::Throttled) => true,
        Meaning::Trouble(Trouble::ServerFault) => call != Call::CreateUpload,
        Meaning::Trouble(_)
        | Meaning::Done
        | Meaning::Denied(_)
        | Meaning::NoSuchKey
        | Meaning::NoSuchUpload => false,
    }
}

/// What an answer that says nothing leaves open
fn deed_of(trouble: &Trouble, status: u16) -> Deed {
    match trouble {
        Trouble::ServerFault | Trouble::NotS3 => Deed::Unknown,
        Trouble::Unexpected if (200..300).contains(&status) => Deed::Unknown,
        Trouble::WrongSecret
        | Trouble::UnknownKey
        | Trouble::ExpiredToken
        | Trouble::InvalidToken
        | Trouble::ClockSkew
        | Trouble::WrongRegion { .. }
        | Trouble::NoSuchBucket
        | Trouble::RefusedBehind(_)
        | Trouble::Throttled
        | Trouble::Unexpected => Deed::Undone,
    }
}

fn deed_without_answer(error: &CallError) -> Deed {
    match error {
        CallError::NoAnswer(NoAnswer::Timeout(_) | NoAnswer::Broken(_)) => Deed::Unknown,
        CallError::NoAnswer(NoAnswer::Unreachable(_) | NoAnswer::Untrusted(_) | NoAnswer::NoTls(_))
        | CallError::Unsigned(_)
        | CallError::Expired(_) => Deed::Undone,
    }
}

/// An answer in short: `403 AccessDenied`
fn said(answer: &Answered) -> String {
    let code = answer.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", answer.status)
}
