//! The steps of a preflight, in an order in which each branch cleans up
//!
//! Before anything is made, what removes it is tried: the key is deleted (which also removes what a killed run
//! left), and an upload that nobody started is aborted (S3 checks the permission before it looks for the upload).
//! Only then an object is put, fetched and deleted, and an upload is started and aborted.

use std::time::Duration;

use super::open_uploads::{OpenUpload, OpenUploads};
use super::s3::{Back, CONTENT, Call, CallError, S3};
use crate::durable_storage::Action;
use crate::durable_storage::answer::{Deny, Meaning, Trouble};
use crate::durable_storage::place::Location;
use crate::durable_storage::problem::Problem;
use crate::durable_storage::report::{Answered, Outcome, Proof};

/// Pauses before a call is made again that S3 had no time for
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1_500)];

/// An id that S3 never gave
const NOBODYS_UPLOAD: &str = "msq-gate-preflight-no-such-upload";

/// A probe on its way
#[derive(Debug)]
pub struct Probe<'a> {
    s3: &'a S3,
    location: &'a Location,
    url: &'a str,
    uploads: &'a mut OpenUploads,
    found: Findings,
}

/// What was found out so far
#[derive(Debug, Default)]
pub struct Findings {
    known: Vec<Known>,
    trouble: Option<Problem>,
    /// What could not be removed
    pub left_behind: Vec<String>,
}

/// What is known of an action; what is noted later counts
#[derive(Debug)]
struct Known {
    action: Action,
    outcome: Outcome,
    answer: Option<Answered>,
    deny: Option<Deny>,
    note: String,
}

/// How a call ended
#[derive(Debug)]
enum Ended {
    Done(Back),
    Denied(Answered, Deny),
    /// The object or the upload is not there
    Missing(Answered),
    /// Noted already
    Trouble,
}

impl<'a> Probe<'a> {
    /// A probe of the key at this address
    pub fn new(s3: &'a S3, location: &'a Location, url: &'a str, uploads: &'a mut OpenUploads) -> Self {
        Self { s3, location, url, uploads, found: Findings::default() }
    }

    /// Makes all steps that can be made
    pub async fn run(mut self) -> Findings {
        self.abort_what_an_earlier_run_left().await;
        let removable = self.clear().await;
        if removable {
            self.put_and_get().await;
        }
        self.start_and_abort().await;
        self.found
    }

    async fn abort_what_an_earlier_run_left(&mut self) {
        if let Some(OpenUpload { upload_id, .. }) = self.uploads.at(self.url).cloned() {
            self.abort(&upload_id, "aborted an upload that an earlier run left").await;
        }
    }

    /// Deletes the key, whatever is there; whether that may be done
    async fn clear(&mut self) -> bool {
        if self.is_stopped() {
            return false;
        }
        match self.ask(Call::Delete).await {
            Ended::Done(back) => {
                self.proven(Action::DeleteObject, &back, "deleted the probe's key");
                true
            }
            Ended::Denied(answer, deny) => {
                self.denied(Action::DeleteObject, answer, deny, "refused before anything was written");
                self.not_reached(
                    Action::GetObject,
                    "nothing was written, since it could not be removed again",
                );
                false
            }
            vain @ (Ended::Missing(_) | Ended::Trouble) => {
                self.unexpected(&vain);
                false
            }
        }
    }

    async fn put_and_get(&mut self) {
        match self.ask(Call::Put).await {
            Ended::Done(back) => {
                self.proven(Action::PutObject, &back, "wrote an object");
                self.get().await;
            }
            Ended::Denied(answer, deny) => {
                self.denied(Action::PutObject, answer, deny, "refused to write an object");
                self.not_reached(
                    Action::GetObject,
                    "there is no object to fetch, since none could be written",
                );
                return;
            }
            vain @ (Ended::Missing(_) | Ended::Trouble) => self.unexpected(&vain),
        }
        // An answer that was lost may have been a good one: the object may be there.
        self.delete().await;
    }

    async fn get(&mut self) {
        match self.ask(Call::Get).await {
            Ended::Done(back) if back.body == CONTENT => {
                self.proven(Action::GetObject, &back, "fetched it");
            }
            Ended::Done(_) | Ended::Missing(_) => self.stop(Problem::Disturbed),
            Ended::Denied(answer, deny) => {
                self.denied(Action::GetObject, answer, deny, "refused to fetch the object just written");
            }
            Ended::Trouble => {}
        }
    }

    async fn delete(&mut self) {
        match self.ask(Call::Delete).await {
            Ended::Done(back) => self.proven(Action::DeleteObject, &back, "deleted it"),
            Ended::Denied(answer, deny) => {
                self.denied(Action::DeleteObject, answer, deny, "refused to delete the object");
                self.leave_object();
            }
            vain @ (Ended::Missing(_) | Ended::Trouble) => {
                self.unexpected(&vain);
                self.leave_object();
            }
        }
    }

    fn leave_object(&mut self) {
        let Location { bucket, .. } = self.location;
        let object = format!("s3://{bucket}/{} ({} bytes)", self.location.probe_key(), CONTENT.len());
        self.found.left_behind.push(object);
    }

    async fn start_and_abort(&mut self) {
        let denied = |action| self.found.outcome(action) == Some(Outcome::Denied);
        let (no_put, no_abort) = (denied(Action::PutObject), denied(Action::AbortMultipartUpload));
        if self.is_stopped() || no_abort || !self.may_abort().await {
            self.start_nothing().await;
        } else if no_put {
            let note = "no upload could be started; S3 did not refuse to abort one that nobody started";
            self.not_reached(Action::AbortMultipartUpload, note);
        } else {
            self.start().await;
        }
    }

    /// Whether an abort is not refused, tried on an upload that nobody started
    ///
    /// Servers have many words for "there is none"; only a refusal counts, and silence.
    async fn may_abort(&mut self) -> bool {
        let called = self.call(Call::AbortUpload(NOBODYS_UPLOAD)).await;
        if let Ok(back) = &called
            && matches!(back.answer.meaning(), Meaning::Trouble(Trouble::Unexpected))
        {
            return true;
        }
        match self.ended(Call::AbortUpload(NOBODYS_UPLOAD), called) {
            Ended::Denied(answer, deny) => {
                let note = "refused to abort an upload that nobody started; so none was";
                self.denied(Action::AbortMultipartUpload, answer, deny, note);
                false
            }
            Ended::Done(_) | Ended::Missing(_) => true,
            Ended::Trouble => false,
        }
    }

    /// Where no upload may be started, whether an object may be put is not yet known if none could be deleted
    async fn start_nothing(&mut self) {
        if self.found.outcome(Action::PutObject).is_none() && !self.is_stopped() {
            self.not_reached(
                Action::PutObject,
                "nothing was written or started, since nothing could be removed or aborted",
            );
        }
    }

    async fn start(&mut self) {
        match self.ask(Call::CreateUpload).await {
            Ended::Done(back) => match back.upload_id() {
                Some(upload_id) => {
                    if self.found.outcome(Action::PutObject).is_none() {
                        self.proven(Action::PutObject, &back, "started an upload");
                    }
                    self.remember_and_abort(upload_id).await;
                }
                None => {
                    let said = format!("{} without an UploadId to CreateMultipartUpload", back.answer.status);
                    self.stop(Problem::Trouble(Trouble::Unexpected, said));
                    self.tried_in_vain(Action::PutObject, Some(back.answer.told()));
                    self.leave_unknown_upload();
                }
            },
            Ended::Denied(answer, deny) => {
                self.denied(Action::PutObject, answer, deny, "refused to start an upload");
                self.not_reached(Action::AbortMultipartUpload, "no upload could be started");
            }
            vain @ (Ended::Missing(_) | Ended::Trouble) => {
                self.unexpected(&vain);
                self.leave_unknown_upload();
            }
        }
    }

    fn leave_unknown_upload(&mut self) {
        let key = self.location.probe_key();
        self.found
            .left_behind
            .push(format!("perhaps an upload to {key}: its id did not come, so nobody can abort it"));
    }

    async fn remember_and_abort(&mut self, upload_id: String) {
        let upload = OpenUpload { url: self.url.to_owned(), upload_id: upload_id.clone() };
        if let Err(error) = self.uploads.remember(upload) {
            self.stop(Problem::Unremembered(format!("{}: {error}", self.uploads.path().display())));
        }
        self.abort(&upload_id, "aborted an upload").await;
    }

    async fn abort(&mut self, upload_id: &str, deed: &str) {
        let ended = self.ask(Call::AbortUpload(upload_id)).await;
        let is_gone = matches!(ended, Ended::Done(_) | Ended::Missing(_));
        match ended {
            Ended::Done(back) => self.proven(Action::AbortMultipartUpload, &back, deed),
            // Somebody aborted it before: a lifecycle rule, an operator.
            Ended::Missing(_) => {}
            Ended::Denied(answer, deny) => {
                let note = "refused to abort an upload that is open";
                self.denied(Action::AbortMultipartUpload, answer, deny, note);
            }
            Ended::Trouble => {}
        }
        if is_gone {
            if let Err(error) = self.uploads.forget(self.url) {
                self.stop(Problem::Unremembered(format!("{}: {error}", self.uploads.path().display())));
            }
        } else {
            let key = self.location.probe_key();
            self.found
                .left_behind
                .push(format!("an open upload to {key}, which the next run aborts: {upload_id}"));
        }
    }

    async fn ask(&mut self, call: Call<'_>) -> Ended {
        let called = self.call(call).await;
        self.ended(call, called)
    }

    /// Makes a call, and again where S3 has no time for it
    async fn call(&self, call: Call<'_>) -> Result<Back, CallError> {
        for pause in PAUSES {
            let called = self.s3.call(call).await;
            if !matches!(&called, Ok(back) if is_busy(&back.answer.meaning())) {
                return called;
            }
            tokio::time::sleep(pause).await;
        }
        self.s3.call(call).await
    }

    /// What a call says; what says nothing of permission ends the probe
    fn ended(&mut self, call: Call<'_>, called: Result<Back, CallError>) -> Ended {
        let (problem, answer) = match called {
            Err(CallError::NoAnswer(why)) => (Problem::NoAnswer(why), None),
            Err(CallError::Unsigned(why)) => (Problem::Unsigned(why), None),
            Ok(back) => match back.answer.meaning() {
                Meaning::Done => return Ended::Done(back),
                Meaning::Denied(deny) => return Ended::Denied(back.answer.told(), deny),
                Meaning::NoSuchKey | Meaning::NoSuchUpload => return Ended::Missing(back.answer.told()),
                Meaning::Trouble(trouble) => {
                    let told = back.answer.told();
                    (Problem::Trouble(trouble, said(&told)), Some(told))
                }
            },
        };
        self.stop(problem);
        self.tried_in_vain(call.action(), answer);
        Ended::Trouble
    }

    /// What was proven or refused before stays so
    fn tried_in_vain(&mut self, action: Action, answer: Option<Answered>) {
        if self.found.outcome(action).is_none() {
            let note = "tried, and the answer says nothing of permission".to_owned();
            self.found.note(Known { action, outcome: Outcome::NotReached, answer, deny: None, note });
        }
    }

    /// The first problem is the one to solve; what follows may come of it
    fn stop(&mut self, problem: Problem) {
        self.found.trouble.get_or_insert(problem);
    }

    fn is_stopped(&self) -> bool {
        self.found.trouble.is_some()
    }

    /// That something is missing which nobody asked for; other trouble is noted already
    fn unexpected(&mut self, ended: &Ended) {
        if let Ended::Missing(answer) = ended {
            self.stop(Problem::Trouble(Trouble::Unexpected, said(answer)));
        }
    }

    fn proven(&mut self, action: Action, back: &Back, note: &str) {
        let answer = Some(back.answer.told());
        self.found.note(Known {
            action,
            outcome: Outcome::Proven,
            answer,
            deny: None,
            note: note.to_owned(),
        });
    }

    fn denied(&mut self, action: Action, answer: Answered, deny: Deny, note: &str) {
        let (answer, deny, note) = (Some(answer), Some(deny), note.to_owned());
        self.found.note(Known { action, outcome: Outcome::Denied, answer, deny, note });
    }

    fn not_reached(&mut self, action: Action, note: &str) {
        let note = note.to_owned();
        self.found.note(Known { action, outcome: Outcome::NotReached, answer: None, deny: None, note });
    }
}

fn is_busy(meaning: &Meaning) -> bool {
    matches!(meaning, Meaning::Trouble(Trouble::Throttled | Trouble::ServerFault))
}

/// An answer in short: `403 AccessDenied`
fn said(answer: &Answered) -> String {
    let code = answer.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", answer.status)
}

impl Findings {
    /// That there was nothing to ask with
    pub fn without_credentials(problem: Problem) -> Self {
        Self { trouble: Some(problem), ..Self::default() }
    }

    fn note(&mut self, known: Known) {
        self.known.retain(|earlier| earlier.action != known.action);
        self.known.push(known);
    }

    fn outcome(&self, action: Action) -> Option<Outcome> {
        self.known.iter().find(|known| known.action == action).map(|known| known.outcome)
    }

    /// What is wrong, where something is
    pub fn problem(&self) -> Option<Problem> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        let denied: Vec<_> = Action::ALL
            .into_iter()
            .filter_map(|action| self.known.iter().find(|known| known.action == action))
            .filter(|known| known.outcome == Outcome::Denied)
            .collect();
        let actions: Vec<_> = denied.iter().map(|known| known.action).collect();
        let explicit = denied.iter().find_map(|known| match &known.deny {
            Some(Deny::Explicit(policy)) => Some(policy.clone()),
            Some(Deny::Unexplained) | None => None,
        });
        let proven = self.known.iter().any(|known| known.outcome == Outcome::Proven);
        match (actions.is_empty(), explicit, proven) {
            (true, _, _) => None,
            (false, Some(policy), _) => Some(Problem::ExplicitDeny(actions, policy)),
            (false, None, true) => Some(Problem::Denied(actions)),
            (false, None, false) => Some(Problem::NothingAllowed(actions)),
        }
    }

    /// What became of each action, in the manual's order
    pub fn proofs(&self) -> Vec<Proof> {
        let unreached = |action| Proof {
            action,
            outcome: Outcome::NotReached,
            answer: None,
            note: "not tried, since an earlier step failed".to_owned(),
        };
        let proof = |known: &Known| Proof {
            action: known.action,
            outcome: known.outcome,
            answer: known.answer.clone(),
            note: known.note.clone(),
        };
        let of = |action| self.known.iter().find(|known| known.action == action).map(proof);
        Action::ALL.into_iter().map(|action| of(action).unwrap_or_else(|| unreached(action))).collect()
    }
}
