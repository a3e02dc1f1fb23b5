//! One table of the file, read key by key; faults are gathered, never thrown

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Severity};
use super::keys::{Fallback, SECTIONS, of_section};
use crate::authorize::permission::is_invisible;
use crate::base::redact::{self, presentable};

/// The text of the file and the faults found in it so far
#[derive(Debug)]
pub(super) struct Findings<'text> {
    text: &'text str,
    faults: Vec<Fault>,
}

impl<'text> Findings<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self { text, faults: Vec::new() }
    }

    /// The line of a byte of the text
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn error(
        &mut self,
        offset: usize,
        key: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.push(offset, key, what.into(), instead.into(), Severity::Error);
    }

    /// An error of another part, whose text says what is wrong, and after a semicolon what to write instead
    pub(super) fn fault(&mut self, offset: usize, key: &str, error: &dyn std::error::Error) {
        let text = error.to_string();
        let (what, instead) = text.split_once("; ").unwrap_or((&text, "mend it"));
        self.error(offset, key, what, instead);
    }

    pub(super) fn warn(
        &mut self,
        offset: usize,
        key: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.push(offset, key, what.into(), instead.into(), Severity::Warning);
    }

    fn push(&mut self, offset: usize, key: &str, what: String, instead: String, severity: Severity) {
        let line = self.line(offset);
        let [key, what, instead] = [key, &what, &instead].map(presentable);
        self.faults.push(Fault { line, key, what, instead, severity });
    }

    /// All of them, in the order of the file
    pub(super) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.line);
        self.faults
    }
}

/// A value of the file and where it stands
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

impl<T> At<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), offset: self.offset }
    }
}

/// A table of the file
#[derive(Debug)]
pub(super) struct Section<'text> {
    /// Its name as the file writes it, for messages: `roles.analyst`
    pub(super) name: String,
    /// Where it begins
    pub(super) offset: usize,
    table: Option<&'text DeTable<'text>>,
    /// The keys that may stand in it
    keys: Vec<&'static str>,
}

impl<'text> Section<'text> {
    /// The table of this name, which may be left out where none of its keys must be given
    pub(super) fn of_root(root: &'text DeTable<'text>, name: &str, findings: &mut Findings<'_>) -> Self {
        if let Some(value) = entry(root, name) {
            return Self::new(name.to_owned(), name, value, findings);
        }
        let must: Vec<_> = of_section(name).filter(|key| key.default == Fallback::Required).collect();
        if !must.is_empty() && !is_misspelt_table(root, name) {
            let must: Vec<_> = must.into_iter().map(|key| key.name).collect();
            let instead = format!("write `[{name}]` with {}", must.join(", "));
            findings.error(0, name, "is missing", instead);
        }
        Self { name: name.to_owned(), offset: 0, table: None, keys: Vec::new() }
    }

    /// A table, whose keys are checked against those of `kind`
    pub(super) fn new(
        name: String,
        kind: &str,
        value: &'text Spanned<DeValue<'text>>,
        findings: &mut Findings<'_>,
    ) -> Self {
        let offset = value.span().start;
        let keys: Vec<_> = of_section(kind).map(|known| known.name).collect();
        let Some(table) = value.get_ref().as_table() else {
            findings.error(offset, &name, "is no table", format!("write `[{name}]`"));
            return Self { name, offset, table: None, keys };
        };
        for key in table.keys() {
            if !keys.contains(&key.get_ref().as_ref()) {
                let path = format!("{name}.{}", key.get_ref());
                let instead = nearest(key.get_ref(), &keys).map_or_else(
                    || format!("the keys here are {}", keys.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                findings.error(key.span().start, &path, "there is no such key", instead);
            }
        }
        Self { name, offset, table: Some(table), keys }
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn get(&self, key: &str) -> Option<&'text Spanned<DeValue<'text>>> {
        entry(self.table?, key)
    }

    /// Whether the file has this key
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether the file has this key, or one that was probably meant to be it: then its lack is reported already
    pub(super) fn mentions(&self, key: &str) -> bool {
        let is_meant =
            |written: &str| !self.keys.contains(&written) && nearest(written, &self.keys) == Some(key);
        self.has(key)
            || self.table.is_some_and(|table| table.keys().any(|written| is_meant(written.get_ref())))
    }

    /// Whether what was written for this key is reported already
    pub(super) fn is_faulty(&self, key: &str) -> bool {
        let is_meant = self
            .get(key)
            .and_then(|value| value.get_ref().as_str())
            .is_some_and(|text| oddity(text).is_none());
        self.mentions(key) && !is_meant
    }

    /// Where the value of a key stands, or the table where it has none
    pub(super) fn offset_of(&self, key: &str) -> usize {
        self.get(key).map_or(self.offset, |value| value.span().start)
    }

    pub(super) fn string(&self, key: &str, findings: &mut Findings<'_>) -> Option<At<String>> {
        let value = self.get(key)?;
        let offset = value.span().start;
        let text = value.get_ref().as_str();
        let Some(text) = text else {
            findings.error(offset, &self.path(key), "is no string", "write it in quotes");
            return None;
        };
        self.meant(key, At { value: text.to_owned(), offset }, findings)
    }

    /// A text that means what it looks like: not empty, no blank at an edge, nothing that nobody sees
    fn meant(&self, key: &str, text: At<String>, findings: &mut Findings<'_>) -> Option<At<String>> {
        let Some((what, instead)) = oddity(&text.value) else { return Some(text) };
        findings.error(text.offset, &self.path(key), what, instead);
        None
    }

    pub(super) fn required_string(&self, key: &str, findings: &mut Findings<'_>) -> Option<At<String>> {
        if self.get(key).is_none() {
            self.report_missing(key, findings);
        }
        self.string(key, findings)
    }

    fn report_missing(&self, key: &str, findings: &mut Findings<'_>) {
        if self.table.is_none() || self.mentions(key) {
            return;
        }
        let meaning = super::keys::KEYS.iter().find(|known| known.name == key && self.is_kind(known.section));
        let meaning = meaning.map_or("a value", |known| known.meaning);
        findings.error(self.offset, &self.path(key), "is missing", format!("give {meaning}"));
    }

    fn is_kind(&self, section: &str) -> bool {
        match section.strip_suffix('*') {
            Some(prefix) => self.name.starts_with(prefix),
            None => self.name == section,
        }
    }

    /// A list of strings; faults of single items are reported, and the list goes on without them, if any is left
    pub(super) fn strings(&self, key: &str, findings: &mut Findings<'_>) -> Option<Vec<At<String>>> {
        let value = self.get(key)?;
        let Some(items) = value.get_ref().as_array() else {
            findings.error(value.span().start, &self.path(key), "is no list", "write `[\"…\", \"…\"]`");
            return None;
        };
        let mut strings = Vec::new();
        for item in items.iter() {
            let offset = item.span().start;
            match item.get_ref().as_str() {
                Some(text) if is_sentence(key) => strings.push(At { value: text.to_owned(), offset }),
                Some(text) => {
                    strings.extend(self.meant(key, At { value: text.to_owned(), offset }, findings));
                }
                None => {
                    findings.error(offset, &self.path(key), "holds what is no string", "write each in quotes")
                }
            }
        }
        (items.is_empty() || !strings.is_empty()).then_some(strings)
    }

    /// Whether the value of a key is a list
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get_ref().as_array().is_some())
    }

    /// A string, or a list of strings with at least one in it
    pub(super) fn one_or_more(&self, key: &str, findings: &mut Findings<'_>) -> Vec<At<String>> {
        if !self.is_list(key) {
            return self.required_string(key, findings).into_iter().collect();
        }
        let strings = self.strings(key, findings);
        if strings.as_ref().is_some_and(Vec::is_empty) {
            findings.error(self.offset_of(key), &self.path(key), "is empty", "write at least one");
        }
        strings.unwrap_or_default()
    }

    /// `None` where that is reported
    pub(super) fn required_strings(&self, key: &str, findings: &mut Findings<'_>) -> Option<Vec<At<String>>> {
        if self.get(key).is_none() {
            self.report_missing(key, findings);
        }
        self.strings(key, findings)
    }

    pub(super) fn boolean(&self, key: &str, default: bool, findings: &mut Findings<'_>) -> bool {
        let Some(value) = self.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            let what = "is neither true nor false";
            findings.error(value.span().start, &self.path(key), what, "write one of these, without quotes");
            default
        })
    }

    /// A whole number between two bounds
    pub(super) fn number(
        &self,
        key: &str,
        default: u64,
        bounds: std::ops::RangeInclusive<u64>,
        findings: &mut Findings<'_>,
    ) -> u64 {
        let Some(value) = self.get(key) else { return default };
        let digits = value.get_ref().as_integer();
        let number = digits.and_then(|digits| u64::from_str_radix(digits.as_str(), digits.radix()).ok());
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => number,
            None => {
                let range = format!("write a whole number from {} to {}", bounds.start(), bounds.end());
                findings.error(
                    value.span().start,
                    &self.path(key),
                    "is no number that can stand here",
                    range,
                );
                default
            }
        }
    }

    /// One of a few words
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        default: T,
        choices: &[(&str, T)],
        findings: &mut Findings<'_>,
    ) -> T {
        let Some(word) = self.string(key, findings) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word.value) {
            return *choice;
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let instead = format!("write {}", names.join(" or "));
        findings.error(
            word.offset,
            &self.path(key),
            format!("{} is not one of its values", redact::word(&word.value)),
            instead,
        );
        default
    }
}

/// Sentences of the policy have rules of their own for names that are not what they look like
fn is_sentence(key: &str) -> bool {
    matches!(key, "grants" | "denies")
}

/// What is odd about a text that hardly anybody means
pub(super) fn oddity(text: &str) -> Option<(&'static str, &'static str)> {
    if text.is_empty() {
        Some(("is empty", "write a value, or leave it out"))
    } else if text != text.trim() {
        Some(("has a blank at an edge, which counts", "leave the blank out"))
    } else if text.chars().any(is_invisible) {
        Some(("holds a character that nobody sees", "type it anew"))
    } else {
        None
    }
}

/// Whether a table that was probably meant to be this one is reported already
pub(super) fn is_misspelt_table(root: &DeTable<'_>, name: &str) -> bool {
    let is_meant = |written: &str| !SECTIONS.contains(&written) && nearest(written, &SECTIONS) == Some(name);
    root.keys().any(|written| is_meant(written.get_ref()))
}

/// The value of a key
pub(super) fn entry<'text>(
    table: &'text DeTable<'text>,
    name: &str,
) -> Option<&'text Spanned<DeValue<'text>>> {
    table.iter().find(|(key, _)| key.get_ref().as_ref() == name).map(|(_, value)| value)
}

/// The known word that was probably meant
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &&'a str| edits(word, candidate);
    known
        .iter()
        .copied()
        .min_by_key(distance)
        .filter(|candidate| edits(word, candidate) <= 1 + word.len() / 4)
}

/// Levenshtein's distance
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, a) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut previous = line + 1;
        let mut next_row = vec![previous];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = *above;
            previous = substituted.min(*above + 1).min(previous + 1);
            next_row.push(previous);
        }
        row = next_row;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_offered_only_where_it_is_near() {
        let known = ["address", "certificate", "key"];
        assert_eq!(nearest("adress", &known), Some("address"));
        assert_eq!(nearest("certifcate", &known), Some("certificate"));
        assert_eq!(nearest("colour", &known), None);
    }
}
