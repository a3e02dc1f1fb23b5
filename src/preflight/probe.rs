//! The steps of a preflight, in an order in which each branch cleans up
//!
//! Before anything is made, what removes it is tried: the key is deleted (which also removes what a killed run
//! left), and an upload that nobody started is aborted (S3 checks the permission before it looks for the upload).
//! Only then an object is put, fetched and deleted, and an upload is started and aborted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::findings::Findings;
use super::open_uploads::{OpenUpload, OpenUploads};
use super::s3::{CONTENT, Call, Reply, S3};
use crate::base::decision_id::random;
use crate::durable_storage::Action;
use crate::durable_storage::answer::{Deny, Meaning, Trouble, upload_id};
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

const VERSIONED: &str = "the bucket keeps versions: each run leaves an old one and two delete markers, and Druid's \
    durable storage never shrinks there; a lifecycle rule for old versions mends both";

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
    Done(Reply),
    Denied(Answered, Deny),
    /// What it is about is not there, which an earlier or another run may have done
    Missing(Answered),
    /// There is no answer, or it says nothing of permission: noted already
    Unclear(Effect),
}

impl Ended {
    /// Whether a fetch may have ended so because another run was there in between
    fn may_be_of_others(&self) -> bool {
        match self {
            Self::Done(reply) => reply.body != CONTENT,
            Self::Denied(_, deny) => *deny == Deny::Unexplained,
            Self::Missing(answer) => answer.code.as_deref() != Some("NoSuchUpload"),
            Self::Unclear(_) => false,
        }
    }
}

/// What has become of what a call should do
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Done,
    None,
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

    /// Deletes the key, whatever is there; whether to go on and put an object
    async fn clear(&mut self) -> bool {
        if self.is_stopped() {
            return false;
        }
        match self.ask(Call::Delete, "refused before anything was written").await {
            Ended::Done(reply) => {
                self.found.proven(Action::DeleteObject, reply.said, "deleted the probe's key");
                !self.is_stopped()
            }
            Ended::Denied(..) => {
                let note = "nothing was written, since it could not be removed again";
                self.found.not_reached(Action::GetObject, None, note);
                false
            }
            Ended::Missing(_) | Ended::Unclear(_) => false,
        }
    }

    async fn put_and_get(&mut self) {
        let written = self.put().await;
        if written == Effect::Done {
            self.get().await;
        }
        if written != Effect::None {
            self.delete(written).await;
        }
    }

    async fn put(&mut self) -> Effect {
        match self.ask(Call::Put, "refused to write an object").await {
            Ended::Done(reply) => {
                self.found.proven(Action::PutObject, reply.said, "wrote an object");
                if reply.is_versioned {
                    self.found.warnings.push(VERSIONED.to_owned());
                }
                Effect::Done
            }
            Ended::Denied(..) => {
                let note = "there is no object to fetch, since none could be written";
                self.found.not_reached(Action::GetObject, None, note);
                Effect::None
            }
            Ended::Missing(_) => Effect::None,
            Ended::Unclear(effect) => effect,
        }
    }

    /// Fetches the object, and writes it anew where another run on another machine may have deleted it in between
    ///
    /// Amazon's S3 refuses to fetch what is not there, unless one may list the bucket.
    async fn get(&mut self) {
        for pause in self.pauses.disturbed {
            let ended = self.attempt(Call::Get).await;
            if !ended.may_be_of_others() {
                return self.fetched(ended);
            }
            tokio::time::sleep(pause.mul_f64(jitter())).await;
            if self.is_stopped() || !matches!(self.attempt(Call::Put).await, Ended::Done(_)) {
                return;
            }
        }
        let last = self.attempt(Call::Get).await;
        self.fetched(last);
    }

    fn fetched(&mut self, ended: Ended) {
        match ended {
            Ended::Done(Reply { body, said, .. }) if body == CONTENT => {
                self.found.proven(Action::GetObject, said, "fetched it");
            }
            Ended::Denied(answer, deny) => {
                let note = "refused to fetch the object just written";
                self.found.denied(Action::GetObject, answer, deny, note);
            }
            Ended::Done(Reply { said, .. }) => self.is_another(said),
            Ended::Missing(answer) => self.disturbed(Action::GetObject, answer),
            Ended::Unclear(_) => {}
        }
    }

    /// Other runs write the same; so whoever answers neither keeps what is written nor is an S3 server
    fn is_another(&mut self, answer: Answered) {
        let said = format!("{}, and what is fetched is not what was written", answer.status);
        self.stop(Problem::Trouble(Trouble::NotS3, said));
        self.tried_in_vain(Action::GetObject, Some(answer));
        let note = "answered, but what is fetched then is not what was written";
        self.found.not_reached(Action::PutObject, None, note);
    }

    fn disturbed(&mut self, action: Action, answer: Answered) {
        self.stop(Problem::Disturbed);
        self.tried_in_vain(action, Some(answer));
    }

    async fn delete(&mut self, written: Effect) {
        match self.ask(Call::Delete, "refused to delete the object").await {
            Ended::Done(reply) if written == Effect::Done => {
                return self.found.proven(Action::DeleteObject, reply.said, "deleted it");
            }
            // What is still under way may arrive after its removal.
            Ended::Done(_) | Ended::Denied(..) => {}
            Ended::Missing(_) | Ended::Unclear(_) => {
                let note = "deleted the probe's key at first; the second time the answer says nothing";
                self.found.not_reached(Action::DeleteObject, None, note);
            }
        }
        let (Location { bucket, .. }, key) = (self.location, self.location.probe_key());
        let object = format!("s3://{bucket}/{key} ({} bytes)", CONTENT.len());
        self.found.left_behind.push(match written {
            Effect::Unknown => {
                format!("perhaps {object}: its writing was not answered; the next run deletes it")
            }
            Effect::Done | Effect::None => format!("{object}, which the next run deletes"),
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
        if let Ok(Reply { meaning, said, .. }) = &called {
            // Servers have many words for an id that is none.
            if *meaning == Meaning::Trouble(Trouble::Unexpected) && matches!(said.status, 400 | 404) {
                return true;
            }
            if matches!(meaning, Meaning::Done | Meaning::NoSuchUpload | Meaning::NoSuchKey) {
                return !self.is_stopped();
            }
        }
        if let Ended::Denied(answer, deny) = self.ended(call, called) {
            let note = "refused to abort an upload that nobody started; so none was";
            self.found.denied(Action::AbortMultipartUpload, answer, deny, note);
        }
        false
    }

    /// Where no upload may be started, whether an object may be put is not yet known if none could be deleted
    fn start_nothing(&mut self) {
        if self.found.outcome(Action::PutObject).is_none() && !self.is_stopped() {
            let note = "nothing was written or started, since nothing could be removed or aborted";
            self.found.not_reached(Action::PutObject, None, note);
        }
    }

    async fn start(&mut self) {
        match self.ask(Call::CreateUpload, "refused to start an upload").await {
            Ended::Done(reply) => self.started(reply).await,
            Ended::Denied(..) => {
                self.found.not_reached(Action::AbortMultipartUpload, None, "no upload could be started");
            }
            Ended::Unclear(Effect::Unknown) => self.leave_unknown_upload(),
            Ended::Missing(_) | Ended::Unclear(Effect::Done | Effect::None) => {}
        }
    }

    async fn started(&mut self, reply: Reply) {
        let Some(upload_id) = upload_id(&reply.body) else {
            let said = format!("{} without an UploadId to CreateMultipartUpload", reply.said.status);
            self.stop(Problem::Trouble(Trouble::Unexpected, said));
            self.tried_in_vain(Action::PutObject, Some(reply.said));
            return self.leave_unknown_upload();
        };
        if self.found.outcome(Action::PutObject).is_none() {
            self.found.proven(Action::PutObject, reply.said, "started an upload");
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
        let left = format!("perhaps an upload to {key}: its id did not come, so nobody can abort it");
        self.found.left_behind.push(left);
    }

    async fn abort(&mut self, upload_id: &str, upload: Upload) {
        let ended = self.ask(Call::AbortUpload(upload_id), "refused to abort an upload that is open").await;
        match ended {
            Ended::Done(reply) => {
                let note = match upload {
                    Upload::Own { .. } => "aborted an upload",
                    Upload::Earlier => "aborted an upload that an earlier run left",
                };
                self.found.proven(Action::AbortMultipartUpload, reply.said, note);
            }
            // One of an earlier run may be gone: a lifecycle rule, an operator.
            Ended::Missing(_) if upload == Upload::Earlier => {}
            Ended::Missing(answer) => self.disturbed(Action::AbortMultipartUpload, answer),
            Ended::Denied(..) | Ended::Unclear(_) => return self.leave_upload(upload_id, upload),
        }
        let forgotten = self.uploads.forget(upload_id);
        self.stop_where_unkept(forgotten);
    }

    fn leave_upload(&mut self, upload_id: &str, upload: Upload) {
        let aborted = match upload {
            Upload::Own { kept: true } | Upload::Earlier => "the next run aborts",
            Upload::Own { kept: false } => "nobody will abort but you",
        };
        let key = self.location.probe_key();
        self.found.left_behind.push(format!("an open upload to {key}, which {aborted}: {upload_id}"));
    }

    /// Makes a call, and notes with this note where it is refused
    async fn ask(&mut self, call: Call<'_>, refused: &str) -> Ended {
        let ended = self.attempt(call).await;
        if let Ended::Denied(answer, deny) = &ended {
            self.found.denied(call.action(), answer.clone(), deny.clone(), refused);
        }
        ended
    }

    async fn attempt(&mut self, call: Call<'_>) -> Ended {
        let called = self.call(call).await;
        self.ended(call, called)
    }

    /// Makes a call, and again where S3 has no time for it
    async fn call(&self, call: Call<'_>) -> Result<Reply, Problem> {
        for pause in self.pauses.busy {
            let called = self.s3.call(call).await;
            if !matches!(&called, Ok(reply) if may_be_repeated(call, &reply.meaning)) {
                return called;
            }
            tokio::time::sleep(pause.mul_f64(jitter())).await;
        }
        self.s3.call(call).await
    }

    /// What a call says; what says nothing of permission ends the probe
    fn ended(&mut self, call: Call<'_>, called: Result<Reply, Problem>) -> Ended {
        let (problem, answer) = match called {
            Err(problem) => (problem, None),
            Ok(reply) => {
                let trouble = match (reply.meaning.clone(), call) {
                    (Meaning::Done, _) => return Ended::Done(reply),
                    (Meaning::Denied(deny), _) => return Ended::Denied(reply.said, deny),
                    (Meaning::NoSuchKey, Call::Get)
                    | (Meaning::NoSuchUpload, Call::Get | Call::AbortUpload(_)) => {
                        return Ended::Missing(reply.said);
                    }
                    (Meaning::NoSuchKey | Meaning::NoSuchUpload, _) => Trouble::Unexpected,
                    (Meaning::Trouble(trouble), _) => trouble,
                };
                (Problem::Trouble(trouble, reply.said.to_string()), Some(reply.said))
            }
        };
        let effect = effect(&problem, answer.as_ref());
        self.stop(problem);
        self.tried_in_vain(call.action(), answer);
        Ended::Unclear(effect)
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
    let is_fault = *meaning == Meaning::Trouble(Trouble::ServerFault);
    *meaning == Meaning::Trouble(Trouble::Throttled) || (is_fault && call != Call::CreateUpload)
}

/// What a call may have done whose answer says nothing, or does not come
fn effect(problem: &Problem, answer: Option<&Answered>) -> Effect {
    let is_success = answer.is_some_and(|answer| (200..300).contains(&answer.status));
    let is_open = matches!(
        problem,
        Problem::NoAnswer(NoAnswer::Timeout(_) | NoAnswer::Broken(_))
            | Problem::Trouble(Trouble::ServerFault | Trouble::NotS3, _)
    );
    let is_odd = matches!(problem, Problem::Trouble(Trouble::Unexpected, _));
    if is_open || (is_odd && is_success) { Effect::Unknown } else { Effect::None }
}
