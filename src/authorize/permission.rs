//! What a role holds: a sentence of the policy, and which names it covers

use std::fmt;

use regex::Regex;

use crate::druid::place::{PlaceFault, PlacePattern};
use crate::druid::{Action, Reach, ResourceAction, ResourceType};

/// A permission as a role holds it: one or both actions, a type and a pattern of names
///
/// As `BasicAuthorizerPermission` in Druid, with the pattern's kind written out: a plain name is exact here.
#[derive(Clone, Debug)]
pub struct Permission {
    actions: Vec<Action>,
    kind: ResourceType,
    pattern: NamePattern,
    written: String,
}

/// Which names a permission covers
#[derive(Clone, Debug)]
enum NamePattern {
    Any,
    Exact(String),
    /// Whole names only
    Matching(Regex),
    /// Places of external data, whatever their type
    At(PlacePattern),
}

/// Why a sentence is no permission
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// It is not `ACTION TYPE NAME`
    #[error("`{0}` is no permission; write `ACTION TYPE NAME`, such as `READ DATASOURCE wikipedia`")]
    Shape(String),
    /// It begins with another word than an action
    #[error("`{0}` is no action; write READ, WRITE, or READ WRITE")]
    Action(String),
    /// Its type is not one of Druid's
    #[error("`{word}` is no resource type; the types are {}", type_words())]
    Type {
        /// What stands in its place
        word: String,
    },
    /// Its name could be meant as a pattern or a quotation, and says nowhere which
    #[error(
        "`{0}` could be a name or a pattern; write `exact:{0}` for just this name, `glob:…` with `*` and `?`, or \
         `regex:…` for a regular expression that matches the whole name"
    )]
    Unmarked(String),
    /// Its mark is misspelt
    #[error(
        "`{0}` begins with no mark that is known; write `exact:`, `glob:` or `regex:`, or `exact:{0}` for just this name"
    )]
    Mark(String),
    /// Nothing follows the mark
    #[error("`{0}` names nothing; write a name or a pattern behind the mark")]
    Empty(String),
    /// It names a place of external data, and not as it must
    #[error("`{written}` {fault}")]
    Place {
        /// The name, with its mark
        written: String,
        /// What is wrong
        fault: PlaceFault,
    },
    /// Its pattern cannot be used
    #[error("`{pattern}` does not compile: {why}; {}", compiling(pattern))]
    Pattern {
        /// The pattern, with its mark
        pattern: String,
        /// What the regex engine says
        why: String,
    },
}

fn type_words() -> String {
    ResourceType::ALL.map(ResourceType::word).join(", ")
}

/// What to write in place of a pattern that does not compile
fn compiling(marked: &str) -> String {
    let pattern = marked.split_once(':').map_or(marked, |(_, pattern)| pattern);
    let is_of_globs = |character: char| character.is_alphanumeric() || "_-*?".contains(character);
    let glob = pattern.chars().all(is_of_globs).then(|| format!(", `glob:{pattern}` for a glob"));
    format!(
        "mend the regular expression, or write `exact:{pattern}` for the name{}",
        glob.unwrap_or_default()
    )
}

impl Permission {
    /// Reads a sentence of the policy: `READ DATASOURCE glob:sales_*`, `READ WRITE DATASOURCE wikipedia`
    ///
    /// # Errors
    ///
    /// Where it is no such sentence, names an unknown type, or its pattern cannot be used.
    pub fn parse(sentence: &str) -> Result<Self, PermissionError> {
        let shape = || PermissionError::Shape(sentence.to_owned());
        let mut rest = sentence;
        let mut actions = Vec::new();
        while let Some((action, after)) = leading_action(rest) {
            if actions.contains(&action) {
                return Err(shape());
            }
            actions.push(action);
            rest = after;
        }
        let (kind, name) = rest.split_once(' ').ok_or_else(shape)?;
        if actions.is_empty() {
            let is_type = |word: &str| ResourceType::from_word(word).is_some();
            let follows = name.split(' ').next().is_some_and(is_type);
            return Err(if follows { PermissionError::Action(kind.to_owned()) } else { shape() });
        }
        if name.is_empty() {
            return Err(shape());
        }
        let kind =
            ResourceType::from_word(kind).ok_or_else(|| PermissionError::Type { word: kind.to_owned() })?;
        let place = (kind == ResourceType::External).then(|| place_of(name)).flatten().transpose()?;
        let pattern = place.map_or_else(|| NamePattern::parse(name), |place| Ok(NamePattern::At(place)))?;
        Ok(Self { actions, kind, pattern, written: sentence.to_owned() })
    }

    /// Whether it covers this resource action
    pub fn covers(&self, needed: &ResourceAction) -> bool {
        let is_at = |pattern: &PlacePattern| needed.reach.place().is_some_and(|place| pattern.covers(place));
        self.is_of(needed)
            && self.pattern.place().map_or_else(|| self.pattern.covers(&needed.resource.name), is_at)
    }

    /// Whether a deny of this denies it: all that it covers, and of places what may lie in them
    pub fn denies(&self, needed: &ResourceAction) -> bool {
        let may_be_at = |pattern: &PlacePattern| match &needed.reach {
            Reach::At(place) => pattern.touches(place),
            Reach::Unknown => true,
            Reach::Nowhere => false,
        };
        self.is_of(needed)
            && self.pattern.place().map_or_else(|| self.pattern.covers(&needed.resource.name), may_be_at)
    }

    fn is_of(&self, needed: &ResourceAction) -> bool {
        self.actions.contains(&needed.action) && self.kind == needed.resource.kind
    }

    /// The places that it names, where it names places
    pub fn place(&self) -> Option<&PlacePattern> {
        self.pattern.place()
    }

    /// The name as it is written, the mark of a pattern included
    pub fn written_name(&self) -> &str {
        let mut words = self.written.splitn(self.actions.len() + 2, ' ');
        words.nth(self.actions.len() + 1).unwrap_or_default()
    }

    /// Its actions, in the order in which they are written
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Its type
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// The one name that it covers, where it is no pattern
    pub fn exact_name(&self) -> Option<&str> {
        match &self.pattern {
            NamePattern::Exact(name) => Some(name),
            NamePattern::Any | NamePattern::Matching(_) | NamePattern::At(_) => None,
        }
    }

    /// Whether it covers one name only
    pub fn is_exact(&self) -> bool {
        self.exact_name().is_some()
    }

    /// The resource actions that it covers, where these can be listed: of one name
    pub fn exact_resource_actions(&self) -> Vec<ResourceAction> {
        let Some(name) = self.exact_name() else { return Vec::new() };
        self.actions.iter().map(|action| ResourceAction::new(*action, self.kind, name)).collect()
    }
}

/// The sentence of the policy that grants this and no more: its name is marked where it could be read as more
pub fn exact_sentence(needed: &ResourceAction) -> String {
    let ResourceAction { action, resource, reach: _ } = needed;
    let is_plain =
        matches!(NamePattern::parse(&resource.name), Ok(NamePattern::Exact(name)) if name == resource.name);
    let mark = if is_plain && !resource.name.contains(READS_LIKE_A_PATTERN) { "" } else { "exact:" };
    format!("{} {} {mark}{}", action.word(), resource.kind.word(), resource.name)
}

/// What says how a name is meant
pub const MARKS: [&str; 3] = ["exact:", "glob:", "regex:"];

/// Characters of Java's regular expressions, of JSON and of SQL, which hardly any name has
const MEANT_AS_MORE: [char; 13] = ['^', '$', '(', ')', '|', '[', ']', '{', '}', '+', '\\', '"', '\''];

/// Characters of globs, of LIKE, of lists, of marks and of comparisons, which some names have
pub const READS_LIKE_A_PATTERN: [char; 12] = ['*', '?', '%', ',', '`', ':', '：', ';', '=', '!', '~', '<'];

/// Characters that nobody sees: none of them is typed on purpose
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// `Regex`, `re`, `exact ` before a colon
pub fn is_like_a_mark(word: &str) -> bool {
    let word = word.trim_end().to_ascii_lowercase();
    ["exact", "glob", "regex", "regexp", "re", "pattern", "like"].contains(&word.as_str())
}

fn leading_action(sentence: &str) -> Option<(Action, &str)> {
    let (word, rest) = sentence.split_once(' ')?;
    Some((Action::from_word(word)?, rest))
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl NamePattern {
    fn parse(text: &str) -> Result<Self, PermissionError> {
        if MARKS.contains(&text) {
            Err(PermissionError::Empty(text.to_owned()))
        } else if text == "*" {
            Ok(Self::Any)
        } else if let Some(name) = text.strip_prefix("exact:") {
            Ok(Self::Exact(name.to_owned()))
        } else if let Some(glob) = text.strip_prefix("glob:") {
            whole_name(text, &regex_of_glob(glob))
        } else if let Some(pattern) = text.strip_prefix("regex:") {
            whole_name(text, pattern)
        } else if text.contains(MEANT_AS_MORE) || text != text.trim() || text.chars().any(is_invisible) {
            Err(PermissionError::Unmarked(text.to_owned()))
        } else if text.split_once(':').is_some_and(|(mark, _)| is_like_a_mark(mark)) {
            Err(PermissionError::Mark(text.to_owned()))
        } else {
            Ok(Self::Exact(text.to_owned()))
        }
    }

    fn covers(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == name,
            Self::Matching(regex) => regex.is_match(name),
            Self::At(_) => false,
        }
    }

    fn place(&self) -> Option<&PlacePattern> {
        if let Self::At(place) = self { Some(place) } else { None }
    }
}

/// The place that a name of external data is; none where it is a type's
fn place_of(name: &str) -> Option<Result<PlacePattern, PermissionError>> {
    let (mark, rest) =
        MARKS.iter().find_map(|mark| Some((*mark, name.strip_prefix(mark)?))).unwrap_or(("", name));
    let is_pattern = matches!(mark, "glob:" | "regex:");
    let is_misspelt = |rest: &str| rest.split_once(':').is_some_and(|(mark, _)| is_like_a_mark(mark));
    let is_place = if is_pattern { rest.contains("://") } else { rest.contains(':') && !is_misspelt(rest) };
    let read = || match is_pattern {
        true => Err(PlaceFault::Mark),
        false => PlacePattern::parse(rest, !mark.is_empty()),
    };
    let told = |fault| PermissionError::Place { written: name.to_owned(), fault };
    is_place.then(|| read().map_err(told))
}

/// A pattern that matches a whole name or nothing, as `Pattern.matches` in Druid's authorizer
///
/// The pattern is compiled by itself first, so that a stray parenthesis cannot escape the anchors.
fn whole_name(written: &str, pattern: &str) -> Result<NamePattern, PermissionError> {
    let fault = |error: regex::Error| PermissionError::Pattern {
        pattern: written.to_owned(),
        why: error.to_string().lines().last().unwrap_or_default().trim().replacen("error: ", "", 1),
    };
    Regex::new(pattern).map_err(fault)?;
    Regex::new(&format!(r"\A(?:{pattern})\z")).map(NamePattern::Matching).map_err(fault)
}

/// `*` any run of characters, `?` any one, all else itself
fn regex_of_glob(glob: &str) -> String {
    let escaped: String = glob
        .chars()
        .map(|character| match character {
            '*' => ".*".to_owned(),
            '?' => ".".to_owned(),
            plain => regex::escape(plain.encode_utf8(&mut [0; 4])),
        })
        .collect();
    format!("(?s:{escaped})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(sentence: &str, needed: (Action, ResourceType, &str)) -> bool {
        let (action, kind, name) = needed;
        Permission::parse(sentence).unwrap().covers(&ResourceAction::new(action, kind, name))
    }

    fn reads(sentence: &str, name: &str) -> bool {
        covers(sentence, (Action::Read, ResourceType::Datasource, name))
    }

    #[test]
    fn a_plain_name_is_exact_and_case_counts() {
        assert!(reads("READ DATASOURCE sales eu", "sales eu"));
        assert!(!reads("READ DATASOURCE sales", "sales2"));
        assert!(!reads("READ DATASOURCE sales", "Sales"));
        assert!(!reads("READ DATASOURCE sales.*", "sales_eu"));
    }

    #[test]
    fn read_and_write_do_not_imply_each_other() {
        let write = (Action::Write, ResourceType::Datasource, "a");
        assert!(covers("WRITE DATASOURCE a", write));
        assert!(covers("READ WRITE DATASOURCE a", write));
        assert!(!covers("READ DATASOURCE a", write));
        assert!(!reads("WRITE DATASOURCE a", "a"));
    }

    #[test]
    fn a_type_covers_no_other() {
        assert!(covers("READ EXTERNAL *", (Action::Read, ResourceType::External, "EXTERNAL")));
        assert!(!covers("READ DATASOURCE *", (Action::Read, ResourceType::External, "EXTERNAL")));
        assert!(reads("READ DATASOURCE *", "__query_select"));
    }

    #[test]
    fn patterns_cover_whole_names_only() {
        assert!(reads("READ DATASOURCE glob:sales_*", "sales_eu"));
        assert!(reads("READ DATASOURCE glob:sales_*", "sales_\n"));
        assert!(reads("READ DATASOURCE glob:s?les", "sales"));
        assert!(!reads("READ DATASOURCE glob:sales_*", "my_sales_eu"));
        assert!(!reads("READ DATASOURCE glob:a.c", "abc"));
        assert!(reads("READ DATASOURCE regex:a|b.*", "bcd"));
        assert!(!reads("READ DATASOURCE regex:a|b.*", "ab"));
        assert!(!reads("READ DATASOURCE regex:a", "a\n"));
        assert!(reads("READ DATASOURCE exact:glob:x", "glob:x"));
        assert!(reads("READ DATASOURCE exact:*", "*"));
        assert!(!reads("READ DATASOURCE exact:*", "a"));
    }

    #[test]
    fn a_pattern_cannot_climb_out_of_its_anchors() {
        for pattern in ["a)|(b", "a)|.*(?:", "(?x)a #"] {
            match Permission::parse(&format!("READ DATASOURCE regex:{pattern}")) {
                Err(_) => {}
                Ok(permission) => {
                    let other = ResourceAction::read(ResourceType::Datasource, "zzz");
                    assert!(!permission.covers(&other), "{pattern}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_could_be_meant_as_more_says_which_it_is() {
        let names = MEANT_AS_MORE.map(|character| format!("a{character}b"));
        let others = [
            "secret_.+",
            "^secret_",
            "(a|b)",
            "'x'",
            "\"x\"",
            " x",
            "x ",
            "x\u{a0}",
            "x\u{200b}",
            "x\ty",
            "regexp:x",
            "Regex:x",
            "GLOB:x",
            "re:x",
            "exact :x",
        ];
        for name in names.iter().map(String::as_str).chain(others) {
            let message = Permission::parse(&format!("READ DATASOURCE {name}")).unwrap_err().to_string();
            for mark in MARKS {
                assert!(message.contains(mark), "{name}: {message}");
            }
            assert!(reads(&format!("READ DATASOURCE exact:{name}"), name), "{name}");
            let glob = format!("READ DATASOURCE glob:{name}");
            assert!(reads(&glob, name), "{glob}");
        }
        assert!(reads("READ DATASOURCE regex:(a|b)", "a"));
        for name in ["a.b", "sales eu", "a-b", "a:b", "éa", "#1", "a/b", "a=b", "a&b", "a<b>", "a~!@;"] {
            assert!(reads(&format!("READ DATASOURCE {name}"), name), "{name}");
        }
        for mark in MARKS {
            let message = Permission::parse(&format!("READ DATASOURCE {mark}")).unwrap_err().to_string();
            assert!(message.contains("names nothing"), "{message}");
        }
    }

    #[test]
    fn the_sentence_that_grants_a_name_grants_that_name_and_no_other() {
        let odd = [
            "*", "glob:x", "regex:.*", "exact:x", "a|b", "x ", "a\"b", "sales_*", "re:x", "plain", "sales eu",
        ];
        for name in odd {
            let needed = ResourceAction::read(ResourceType::Datasource, name);
            let permission = Permission::parse(&exact_sentence(&needed)).unwrap();
            assert!(permission.is_exact() && permission.covers(&needed), "{name}: {permission}");
        }
        assert_eq!(
            exact_sentence(&ResourceAction::read(ResourceType::Datasource, "a b")),
            "READ DATASOURCE a b"
        );
    }

    #[test]
    fn what_is_no_sentence_is_refused() {
        for (sentence, expected) in [
            ("READ", "is no permission"),
            ("READ DATASOURCE", "is no permission"),
            ("READ DATASOURCE ", "is no permission"),
            ("DATASOURCE wikipedia", "is no permission"),
            ("READ READ DATASOURCE a", "is no permission"),
            ("read DATASOURCE a", "`read` is no action; write READ, WRITE"),
            ("LIST DATASOURCE y", "`LIST` is no action; write READ, WRITE"),
            ("READ,WRITE DATASOURCE y", "`READ,WRITE` is no action; write READ, WRITE, or READ WRITE"),
            ("DATASOURCE y z", "is no permission"),
            ("READ datasource a", "is no resource type"),
            ("READ TABLE a", "is no resource type"),
            ("READ DATASOURCE regex:(?!x).*", "look-around"),
            ("READ DATASOURCE regex:(", "unclosed group"),
        ] {
            let message = Permission::parse(sentence).unwrap_err().to_string();
            assert!(message.contains(expected), "{sentence}: {message}");
        }
    }
}
