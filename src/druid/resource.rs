//! What may be read or written in Druid, and the sentences that say so
//!
//! Names are Druid's: `ResourceType`, `Action` and `ResourceAction` of `org.apache.druid.server.security`.

use std::collections::BTreeSet;
use std::fmt;

use super::place::Reach;

/// What is done to a resource (Druid's `Action`); neither implies the other
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// To look at it
    Read,
    /// To change it
    Write,
}

impl Action {
    /// Both actions, in the order of their sentences
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// Druid's word for it
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
        }
    }

    /// The action of this word; case counts
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// A kind of resource (Druid's `ResourceType`), in the order of their words
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// `CONFIG`: cluster configuration, and user administration under the name `security`
    Config,
    /// `DATASOURCE`: a table, the stubs `__query_select` and `__query_export` included
    Datasource,
    /// `EXTERNAL`: data outside Druid; named `EXTERNAL`, or by input-source or export type
    External,
    /// `LOOKUP`: a lookup; this gate's own, Druid protects none
    Lookup,
    /// `QUERY_CONTEXT`: a key of the query context
    QueryContext,
    /// `STATE`: the cluster's state; its only name is `STATE`
    State,
    /// `SYSTEM_TABLE`: a table of the schema `sys`
    SystemTable,
    /// `VIEW`: a view
    View,
}

impl ResourceType {
    /// Every type, in the order of their words
    pub const ALL: [Self; 8] = [
        Self::Config,
        Self::Datasource,
        Self::External,
        Self::Lookup,
        Self::QueryContext,
        Self::State,
        Self::SystemTable,
        Self::View,
    ];

    /// Druid's word for it
    pub fn word(self) -> &'static str {
        match self {
            Self::Config => "CONFIG",
            Self::Datasource => "DATASOURCE",
            Self::External => "EXTERNAL",
            Self::Lookup => "LOOKUP",
            Self::QueryContext => "QUERY_CONTEXT",
            Self::State => "STATE",
            Self::SystemTable => "SYSTEM_TABLE",
            Self::View => "VIEW",
        }
    }

    /// The type of this word; case counts
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The name that means all of it, where it has areas
    pub fn whole(self) -> Option<&'static str> {
        matches!(self, Self::Config | Self::State).then(|| self.word())
    }

    /// The areas by which it may be held in part, in alphabetical order; the gate's own, Druid knows the whole only
    ///
    /// User administration is none: `CONFIG security` is a resource of its own in Druid.
    pub fn areas(self) -> &'static [&'static str] {
        match self {
            Self::Config => &["broker", "compaction", "coordinator", "lookups", "properties", "workers"],
            Self::State => &[
                "compaction",
                "queries",
                "rules",
                "segments",
                "servers",
                "status",
                "supervisors",
                "tasks",
                "workers",
            ],
            Self::Datasource
            | Self::External
            | Self::Lookup
            | Self::QueryContext
            | Self::SystemTable
            | Self::View => &[],
        }
    }
}

/// A resource: a type and an exact, case-sensitive name
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Its type
    pub kind: ResourceType,
    /// Its name, exact
    pub name: String,
}

/// An action on a resource: what one permission sentence says, as in `READ DATASOURCE wikipedia`
///
/// `Display` is for text output and escapes control characters; [`ResourceAction::sentence`] is
/// exact and for JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceAction {
    /// What is done
    pub action: Action,
    /// To what
    pub resource: Resource,
    /// Of external data, which place; what holds it by type holds it at every place
    pub reach: Reach,
}

impl ResourceAction {
    /// An action on the resource of this type and name
    pub fn new(action: Action, kind: ResourceType, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { action, resource: Resource { kind, name }, reach: Reach::Unknown }
    }

    /// `READ` of this type and name
    pub fn read(kind: ResourceType, name: impl Into<String>) -> Self {
        Self::new(Action::Read, kind, name)
    }

    /// `WRITE` of this type and name
    pub fn write(kind: ResourceType, name: impl Into<String>) -> Self {
        Self::new(Action::Write, kind, name)
    }

    /// The same, of external data at this place
    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// The sentence by which it may be held in place of its type: `READ EXTERNAL s3://landing/eu/a.csv`
    pub fn sentence_of_place(&self) -> Option<String> {
        let place = self.reach.place()?;
        Some(format!("{} {} {place}", self.action.word(), self.resource.kind.word()))
    }

    /// `ACTION STATE STATE`, the permission over the cluster's state and other people's statements
    pub fn state(action: Action) -> Self {
        Self::new(action, ResourceType::State, "STATE")
    }

    /// The resource action that takes this one in: `READ STATE STATE` all areas of the state
    pub fn whole(&self) -> Option<Self> {
        let (kind, name) = (self.resource.kind, self.resource.name.as_str());
        let whole = kind.whole().filter(|_| kind.areas().contains(&name))?;
        Some(Self::new(self.action, kind, whole))
    }

    /// The areas that this one takes in, none where it is no whole
    pub fn areas(&self) -> Vec<Self> {
        let kind = self.resource.kind;
        let is_whole = kind.whole() == Some(self.resource.name.as_str());
        let areas = if is_whole { kind.areas() } else { &[] };
        areas.iter().map(|area| Self::new(self.action, kind, *area)).collect()
    }

    /// The exact sentence, `ACTION TYPE NAME`
    pub fn sentence(&self) -> String {
        format!("{} {} {}", self.action.word(), self.resource.kind.word(), self.resource.name)
    }
}

impl fmt::Display for ResourceAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {}",
            self.action.word(),
            self.resource.kind.word(),
            Printable(&self.resource.name)
        )
    }
}

/// A name for text output: control characters stand as their number, `\u0007`
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_unprintable(character) {
                write!(formatter, "\\u{:04X}", u32::from(character))?;
            } else {
                fmt::Write::write_char(formatter, character)?;
            }
        }
        Ok(())
    }
}

/// Control characters, and the separators and direction marks that forge a line on a terminal
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether this can be the name of a datasource, a task or a supervisor (Druid's `IdUtils.validateId`): no leading dot,
/// no slash, no white space but the plain space
pub fn is_id(text: &str) -> bool {
    let may_stand = |character: char| character != '/' && (!character.is_whitespace() || character == ' ');
    !text.is_empty() && !text.starts_with('.') && text.chars().all(may_stand)
}

/// A non-empty set of resource actions, in the order of their sentences
///
/// It cannot be empty, so "needs nothing" is never reached by having found nothing: who wants to
/// let any authenticated caller through has to say so by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceActions(BTreeSet<ResourceAction>);

impl ResourceActions {
    /// The set, or `None` where it would be empty
    pub fn new(actions: BTreeSet<ResourceAction>) -> Option<Self> {
        (!actions.is_empty()).then_some(Self(actions))
    }

    /// The set of just this one
    pub fn only(action: ResourceAction) -> Self {
        Self(BTreeSet::from([action]))
    }

    /// This set with one more in it
    #[must_use]
    pub fn with(mut self, action: ResourceAction) -> Self {
        self.0.insert(action);
        self
    }

    /// The resource actions, in the order of their sentences
    pub fn iter(&self) -> impl Iterator<Item = &ResourceAction> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_ordered_as_its_sentences_are() {
        let mut sentences = Vec::new();
        let mut set = BTreeSet::new();
        for action in Action::ALL {
            for kind in ResourceType::ALL {
                for name in ["a", "a b", "B", "é"] {
                    let resource_action = ResourceAction::new(action, kind, name);
                    sentences.push(resource_action.sentence());
                    set.insert(resource_action);
                }
            }
        }
        sentences.sort();
        let from_set: Vec<_> = set.iter().map(ResourceAction::sentence).collect();
        assert_eq!(from_set, sentences);
    }

    #[test]
    fn an_empty_set_of_needs_cannot_be_made() {
        assert!(ResourceActions::new(BTreeSet::new()).is_none());
    }

    #[test]
    fn control_characters_are_escaped_in_text_and_exact_in_json() {
        let action = ResourceAction::read(ResourceType::Datasource, "a\nb");
        assert_eq!(action.to_string(), "READ DATASOURCE a\\u000Ab");
        assert_eq!(action.sentence(), "READ DATASOURCE a\nb");
    }
}
