//! One table of the file, read key by key as the table of [`KEYS`] says; faults are gathered, never thrown

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as NoSuchWord;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Severity};
use super::keys::{Fallback, KEYS, Key, Kind, SECTIONS, of_section};
use crate::authorize::permission::is_invisible;
use crate::base::redact::{self, presentable};

/// Where the lines of the file are, the folder that it is in, and the faults found in it so far
#[derive(Debug)]
pub(super) struct Findings<'text> {
    /// Where each line ends
    line_ends: Vec<usize>,
    folder: &'text Path,
    faults: RefCell<Vec<Fault>>,
}

impl<'text> Findings<'text> {
    pub(super) fn new(text: &'text str, folder: &'text Path) -> Self {
        let line_ends = text.match_indices('\n').map(|(end, _)| end).collect();
        Self { line_ends, folder, faults: RefCell::default() }
    }

    /// The line of a byte of the text
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }

    pub(super) fn error(&self, offset: usize, key: &str, what: impl AsRef<str>, instead: impl AsRef<str>) {
        self.note(Severity::Error, offset, key, what, instead);
    }

    pub(super) fn note(
        &self,
        severity: Severity,
        offset: usize,
        key: &str,
        what: impl AsRef<str>,
        instead: impl AsRef<str>,
    ) {
        let line = self.line(offset);
        let [key, what, instead] = [key, what.as_ref(), instead.as_ref()].map(presentable);
        self.faults.borrow_mut().push(Fault { line, key, what, instead, severity });
    }

    /// All of them, in the order of the file
    pub(super) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        faults
    }
}

/// A string of a list, and where it stands
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) value: String,
    pub(super) offset: usize,
}

/// A table of the file
#[derive(Debug)]
pub(super) struct Section<'text> {
    /// Its name as the file writes it, for messages: `roles.analyst`
    pub(super) name: String,
    /// Its name in the table of keys: `roles.*`
    kind: &'static str,
    /// Where it begins
    pub(super) offset: usize,
    table: Option<&'text DeTable<'text>>,
    findings: &'text Findings<'text>,
}

impl<'text> Section<'text> {
    /// The table of this name, which may be left out where none of its keys must be given
    pub(super) fn of_root(
        root: &'text DeTable<'text>,
        kind: &'static str,
        findings: &'text Findings<'text>,
    ) -> Self {
        if let Some(value) = entry(root, kind) {
            return Self::new(kind.to_owned(), kind, value, findings);
        }
        let must: Vec<_> = of_section(kind).filter(|key| key.default == Fallback::Required).collect();
        if !must.is_empty() && !is_misspelt_table(root, kind) {
            let must: Vec<_> = must.into_iter().map(|key| key.name).collect();
            findings.error(0, kind, "is missing", format!("write `[{kind}]` with {}", must.join(", ")));
        }
        Self { name: kind.to_owned(), kind, offset: 0, table: None, findings }
    }

    /// A table, whose keys are checked against those of `kind`
    pub(super) fn new(
        name: String,
        kind: &'static str,
        value: &'text Spanned<DeValue<'text>>,
        findings: &'text Findings<'text>,
    ) -> Self {
        let (offset, table) = (value.span().start, value.get_ref().as_table());
        if table.is_none() {
            findings.error(offset, &name, "is no table", format!("write `[{name}]`"));
        }
        let section = Self { name, kind, offset, table, findings };
        let keys = section.keys();
        for key in table.into_iter().flat_map(DeTable::keys) {
            if !keys.contains(&key.get_ref().as_ref()) {
                let instead = nearest(key.get_ref(), &keys).map_or_else(
                    || format!("the keys here are {}", keys.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                section.error_at(
                    key.span().start,
                    redact::name(key.get_ref()),
                    "there is no such key",
                    instead,
                );
            }
        }
        section
    }

    /// The keys that may stand in it
    fn keys(&self) -> Vec<&'static str> {
        of_section(self.kind).map(|known| known.name).collect()
    }

    fn row(&self, key: &str) -> Option<&'static Key> {
        KEYS.iter().find(|row| row.section == self.kind && row.name == key)
    }

    /// The default of a key, a text without its quotation marks
    fn default(&self, key: &str) -> &'static str {
        match self.row(key).map(|row| &row.default) {
            Some(Fallback::Value(value)) => value.trim_matches('"'),
            Some(Fallback::Required | Fallback::Unset) | None => "",
        }
    }

    /// A key as messages name it; the empty one is the table itself
    fn path(&self, key: &str) -> String {
        if key.is_empty() { self.name.clone() } else { format!("{}.{key}", self.name) }
    }

    pub(super) fn error(&self, key: &str, what: impl AsRef<str>, instead: impl AsRef<str>) {
        self.error_at(self.offset_of(key), key, what, instead);
    }

    /// What is wrong with one of the values of a key
    pub(super) fn error_at(&self, offset: usize, key: &str, what: impl AsRef<str>, instead: impl AsRef<str>) {
        self.note_at(Severity::Error, offset, key, what, instead);
    }

    pub(super) fn warn(&self, key: &str, what: impl AsRef<str>, instead: impl AsRef<str>) {
        self.note(Severity::Warning, (key, None), what, instead);
    }

    /// Something about a sentence of a key, or about the key where none is given
    pub(super) fn note(
        &self,
        severity: Severity,
        (key, sentence): (&str, Option<&str>),
        what: impl AsRef<str>,
        instead: impl AsRef<str>,
    ) {
        let items = self.get(key).and_then(|value| value.get_ref().as_array());
        let mut items = items.into_iter().flat_map(|items| items.iter());
        let found = items.find(|item| sentence.is_some() && item.get_ref().as_str() == sentence);
        let offset = found.map_or_else(|| self.offset_of(key), |item| item.span().start);
        self.note_at(severity, offset, key, what, instead);
    }

    /// Something about one of the values of a key
    pub(super) fn note_at(
        &self,
        severity: Severity,
        offset: usize,
        key: &str,
        what: impl AsRef<str>,
        instead: impl AsRef<str>,
    ) {
        self.findings.note(severity, offset, &self.path(key), what, instead);
    }

    /// An error of another part, whose text says what is wrong, and after a semicolon what to write instead
    pub(super) fn fault(&self, offset: usize, key: &str, error: &dyn std::error::Error) {
        let text = error.to_string();
        let (what, instead) = text.split_once("; ").unwrap_or((&text, "mend it"));
        self.error_at(offset, key, what, instead);
    }

    fn get(&self, key: &str) -> Option<&'text Spanned<DeValue<'text>>> {
        entry(self.table?, key)
    }

    /// The value of a key; where it must be given and is not, that is reported
    fn value(&self, key: &str) -> Option<&'text Spanned<DeValue<'text>>> {
        let (value, row) = (self.get(key), self.row(key));
        if let Some(row) = row.filter(|row| row.default == Fallback::Required)
            && self.table.is_some()
            && !self.mentions(key)
        {
            self.error(key, "is missing", format!("give {}", row.meaning));
        }
        value
    }

    /// Whether the file has this key
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether the file has this key, or one that was probably meant to be it: then its lack is reported already
    pub(super) fn mentions(&self, key: &str) -> bool {
        let keys = self.keys();
        let is_meant = |written: &str| !keys.contains(&written) && nearest(written, &keys) == Some(key);
        self.has(key)
            || self.table.is_some_and(|table| table.keys().any(|written| is_meant(written.get_ref())))
    }

    /// Whether what was written for this key is reported already
    pub(super) fn is_faulty(&self, key: &str) -> bool {
        self.mentions(key) && self.meant(key).is_none()
    }

    /// The text of a key that means what it looks like, reporting nothing
    pub(super) fn meant(&self, key: &str) -> Option<&'text str> {
        self.get(key)?.get_ref().as_str().filter(|text| oddity(text).is_none())
    }

    /// Where the value of a key stands, or the table where it has none
    pub(super) fn offset_of(&self, key: &str) -> usize {
        self.get(key).map_or(self.offset, |value| value.span().start)
    }

    pub(super) fn line_of(&self, key: &str) -> usize {
        self.findings.line(self.offset_of(key))
    }

    pub(super) fn string(&self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.error(key, "is no string", "write it in quotes");
            return None;
        };
        self.checked(key, text, value.span().start).map(|text| text.value)
    }

    /// A string, or its default
    pub(super) fn text(&self, key: &str) -> String {
        self.string(key).unwrap_or_else(|| self.default(key).to_owned())
    }

    /// The path of a file
    pub(super) fn file(&self, key: &str) -> Option<PathBuf> {
        self.string(key).map(|file| self.in_folder(&file))
    }

    /// A path that is relative to the file's folder
    pub(super) fn in_folder(&self, file: &str) -> PathBuf {
        self.findings.folder.join(file)
    }

    /// A text that means what it looks like: not empty, no blank at an edge, nothing that nobody sees
    fn checked(&self, key: &str, text: &str, offset: usize) -> Option<At> {
        if let Some((what, instead)) = oddity(text).filter(|_| !is_sentence(key)) {
            self.error_at(offset, key, what, instead);
            return None;
        }
        Some(At { value: text.to_owned(), offset })
    }

    /// A list of strings; faults of single items are reported, and the list goes on without them, if any is left
    pub(super) fn strings(&self, key: &str) -> Option<Vec<At>> {
        let value = self.value(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.error(key, "is no list", "write `[\"…\", \"…\"]`");
            return None;
        };
        let mut strings = Vec::new();
        for item in items.iter() {
            let offset = item.span().start;
            match item.get_ref().as_str() {
                Some(text) => strings.extend(self.checked(key, text, offset)),
                None => self.error_at(offset, key, "holds what is no string", "write each in quotes"),
            }
        }
        (items.is_empty() || !strings.is_empty()).then_some(strings)
    }

    /// Whether the value of a key is a list
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get_ref().as_array().is_some())
    }

    /// A string, or a list of strings with at least one in it
    pub(super) fn one_or_more(&self, key: &str) -> Vec<At> {
        if !self.is_list(key) {
            let offset = self.offset_of(key);
            return self.string(key).into_iter().map(|value| At { value, offset }).collect();
        }
        let strings = self.strings(key);
        if strings.as_ref().is_some_and(Vec::is_empty) {
            self.error(key, "is empty", "write at least one");
        }
        strings.unwrap_or_default()
    }

    pub(super) fn switch(&self, key: &str) -> bool {
        let given = self.get(key).map(|value| value.get_ref().as_bool());
        if given == Some(None) {
            self.error(key, "is neither true nor false", "write one of these, without quotes");
        }
        given.flatten().unwrap_or(self.default(key) == "true")
    }

    /// What a switch stands for where it is on, and where it is off
    pub(super) fn either<T>(&self, key: &str, on: T, off: T) -> T {
        if self.switch(key) { on } else { off }
    }

    /// A whole number between the bounds of its row
    pub(super) fn number(&self, key: &str) -> u64 {
        let default = || self.default(key).parse().unwrap_or_default();
        let Some(value) = self.get(key) else { return default() };
        let Some(Key { kind: Kind::Whole(least, most), .. }) = self.row(key) else { return default() };
        let digits = value.get_ref().as_integer();
        let number = digits.and_then(|digits| u64::from_str_radix(digits.as_str(), digits.radix()).ok());
        number.filter(|number| (least..=most).contains(&number)).unwrap_or_else(|| {
            let instead = format!("write a whole number from {least} to {most}");
            self.error(key, "is no number that can stand here", instead);
            default()
        })
    }

    pub(super) fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(self.number(key))
    }

    /// One of the few words of its row
    pub(super) fn choice<T: Default + Deserialize<'static>>(&self, key: &str) -> T {
        let word = self.word(key).map(IntoDeserializer::<NoSuchWord>::into_deserializer);
        word.and_then(|word| T::deserialize(word).ok()).unwrap_or_default()
    }

    pub(super) fn word(&self, key: &str) -> Option<&'static str> {
        let Some(Key { kind: Kind::Word(words), .. }) = self.row(key) else { return None };
        let written = self.string(key)?;
        let word = words.iter().copied().find(|word| *word == written);
        if word.is_none() {
            let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let what = format!("{} is not one of its values", redact::word(&written));
            self.error(key, what, format!("write {}", words.join(" or ")));
        }
        word
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
