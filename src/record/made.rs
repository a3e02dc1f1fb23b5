//! What each stage makes, and what of it stands on record

use std::sync::Arc;

use super::audit::Record;
use crate::authenticate::Identity;
use crate::authorize::PermittedRequest;
use crate::evidence::tasks::Whose;
use crate::request::route::Destination;
use crate::request::route::own::OwnEndpoint;
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::submit::Submit;

impl Record {
    /// Puts what a stage has made on record, and hands it on
    pub fn of<Made: OnRecord>(&mut self, made: Made) -> Made {
        made.put_on(self);
        made
    }
}

/// What a stage makes, and what of it stands on record
pub trait OnRecord {
    /// Puts that on record
    fn put_on(&self, record: &mut Record);
}

impl OnRecord for Destination {
    fn put_on(&self, record: &mut Record) {
        record.endpoint(self.endpoint().path, self.task());
        if self.task().is_none() && self.id().is_some() {
            record.names(&self.names().collect());
        }
    }
}

impl OnRecord for OwnEndpoint {
    fn put_on(&self, record: &mut Record) {
        record.endpoint(self.path(), None);
    }
}

impl OnRecord for &Submit {
    fn put_on(&self, record: &mut Record) {
        record.statement(&self.query, record.fingerprint(&self.query));
    }
}

impl OnRecord for Arc<JudgedStatement> {
    fn put_on(&self, record: &mut Record) {
        if !record.has_unjudged() {
            let fingerprint = self.fingerprint(|text| record.fingerprint(text));
            record.statement(self.query(), fingerprint);
        }
        record.kind(Some(&self.judgement().kind));
    }
}

impl OnRecord for Whose {
    /// The owner, where that is somebody else than the caller
    fn put_on(&self, record: &mut Record) {
        let caller = record.caller.as_ref().map(Identity::owner);
        record.owner = caller.and_then(|caller| self.others(&caller)).cloned();
    }
}

impl OnRecord for PermittedRequest {
    fn put_on(&self, record: &mut Record) {
        record.receipt(self.receipt());
    }
}
