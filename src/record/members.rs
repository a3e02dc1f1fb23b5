//! Members of a JSON object, written one after the other into one buffer

use serde::{Serialize, Serializer};

use crate::authorize::Receipt;
use crate::authorize::receipt::NeededPermission;
use crate::druid::ResourceAction;

/// Members of a line, each with a comma before it
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<u8>);

impl Members {
    /// With room for these bytes
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// One more
    pub(super) fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        self.value(value);
    }

    /// One more, an object in which `write` puts members
    pub(super) fn put_object(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        let begin = self.0.len();
        write(self);
        // The first has no comma before it.
        if let Some(first) = self.0.get_mut(begin) {
            *first = b'{';
        }
        self.0.push(b'}');
    }

    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        // Strings, numbers and lists of them, into memory: there is nothing that cannot be written.
        let _written = serde_json::to_writer(&mut self.0, value);
    }

    /// These members behind others
    pub(super) fn extend(&mut self, members: &Self) {
        self.0.extend_from_slice(&members.0);
    }

    /// A line begins with this one
    pub(super) fn begin(&mut self) {
        if let Some(first) = self.0.first_mut() {
            *first = b'{';
        }
    }

    /// A line ends behind these
    pub(super) fn end(&mut self) {
        self.0.extend_from_slice(b"}\n");
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Text that is written where it stands, without being made a string first
pub(super) struct Shown<T>(pub(super) T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The sentences of all that was needed
pub(super) struct NeededSentences<'a>(pub(super) &'a Receipt);

impl Serialize for NeededSentences<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.needed.iter().map(sentence))
    }
}

/// The sentences of what is missing
pub(super) struct MissingSentences<'a>(pub(super) &'a Receipt);

impl Serialize for MissingSentences<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.missing().map(sentence))
    }
}

/// The sentences of the places of external data that it needed, or those of them that are missing
pub(super) struct PlaceSentences<'a>(pub(super) &'a Receipt, pub(super) Places);

/// Which places
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    Needed,
    Missing,
}

impl PlaceSentences<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.sentences().next().is_none()
    }

    fn sentences(&self) -> impl Iterator<Item = &str> {
        let of_all =
            self.0.needed.iter().filter(|_| self.1 == Places::Needed).flat_map(|needed| &needed.places);
        let missing = self.0.missing().filter(|_| self.1 == Places::Missing);
        let missing = missing.flat_map(NeededPermission::missing_places);
        of_all.chain(missing).map(|place| place.sentence.as_str())
    }
}

impl Serialize for PlaceSentences<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sentences())
    }
}

fn sentence(needed: &NeededPermission) -> Sentence<'_> {
    Sentence(&needed.permission)
}

struct Sentence<'a>(&'a ResourceAction);

impl Serialize for Sentence<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ResourceAction { action, resource, reach: _ } = self.0;
        serializer.collect_str(&format_args!("{} {} {}", action.word(), resource.kind.word(), resource.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_one_object_whatever_stands_in_them() {
        let mut members = Members::default();
        members.put("a", "\"\n\u{e9}");
        members.put_object("b", |inner| {
            inner.put("c", &None::<&str>);
            inner.put("d", &[1, 2]);
        });
        members.put("e", &Shown(format_args!("{}\"", 1)));
        members.begin();
        members.end();
        let line = std::str::from_utf8(members.bytes()).unwrap();
        assert_eq!(line, "{\"a\":\"\\\"\\n\u{e9}\",\"b\":{\"c\":null,\"d\":[1,2]},\"e\":\"1\\\"\"}\n");
    }
}
