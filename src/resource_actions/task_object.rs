//! An object of a posted task, read member by member; what is not as it must be is told with its place

use serde_json::{Map, Value};

use super::task_error::TaskSpecError;
use crate::druid::resource::is_id;

/// The object that a value must be; Jackson would take `["type", {…}]` for one too
pub(super) fn object_at<'a>(path: &str, value: &'a Value) -> Result<Object<'a>, TaskSpecError> {
    match value {
        Value::Object(members) => Ok(Object { path: path.to_owned(), members }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let path = if path.is_empty() { "task" } else { path };
            Err(TaskSpecError::Shape { path: path.to_owned(), expected: "an object" })
        }
    }
}

/// An object and where it stands
pub(super) struct Object<'a> {
    pub(super) path: String,
    pub(super) members: &'a Map<String, Value>,
}

/// A member that is there
pub(super) struct Member<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Member<'a> {
    pub(super) fn object(&self) -> Result<Object<'a>, TaskSpecError> {
        object_at(&self.path, self.value)
    }
}

impl<'a> Object<'a> {
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn shape(&self, name: &str, expected: &'static str) -> TaskSpecError {
        TaskSpecError::Shape { path: self.path_of(name), expected }
    }

    /// Refuses members that are not among these words
    pub(super) fn only(&self, names: &str) -> Result<(), TaskSpecError> {
        let unknown = self.members.keys().find(|key| !names.split(' ').any(|name| name == *key));
        unknown.map_or(Ok(()), |key| Err(TaskSpecError::UnknownMember(self.path_of(key))))
    }

    /// The members of this object that may stand in place of another's
    pub(super) fn beside(&self) -> Object<'a> {
        Object { path: self.path.clone(), members: self.members }
    }

    pub(super) fn optional(&self, name: &str) -> Option<Member<'a>> {
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        Some(Member { path: self.path_of(name), value })
    }

    pub(super) fn member(&self, name: &str) -> Result<Member<'a>, TaskSpecError> {
        self.optional(name).ok_or_else(|| self.shape(name, "there"))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, TaskSpecError> {
        let text = self.members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| self.shape(name, "a string that is not empty"))
    }

    /// Where it has an id, that is a text that can be one: Jackson makes one of a number too
    pub(super) fn check_id(&self) -> Result<(), TaskSpecError> {
        match self.optional("id") {
            None => Ok(()),
            Some(_) if is_id(self.text("id")?) => Ok(()),
            Some(_) => {
                Err(self.shape("id", "an id: no leading dot, no slash, no white space but the plain space"))
            }
        }
    }

    pub(super) fn list(&self, name: &str) -> Result<Vec<&'a Value>, TaskSpecError> {
        match self.members.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items.iter().collect()),
            Some(_) => Err(self.shape(name, "a list")),
        }
    }

    /// `type` is optional where Druid knows it from the place, but must not say another
    pub(super) fn is_of_type(&self, kind: &'static str) -> Result<(), TaskSpecError> {
        match self.members.get("type") {
            None => Ok(()),
            Some(Value::String(text)) if text == kind => Ok(()),
            Some(_) => Err(self.shape("type", "the task's own type")),
        }
    }
}
