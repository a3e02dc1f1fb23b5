//! Names of the policy that have a mark, and do not mean what the mark says
//!
//! What would **miss** names that were probably meant is a fault of a deny, which would let them through, and a warning
//! of a grant, which gives nobody more. What is only **odd** is a warning. `exact:` is the way out for every name, so
//! nothing but a blank right behind it is more than odd there; what `glob:` cannot say, `regex:` can, with `[…]` around a
//! character. What to write instead is said by its form: a pattern made up for somebody would be one more to doubt.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of a regular expression's many parts only a few are doubtful"
)]

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{AssertionKind, Ast, LiteralKind, RepetitionKind, RepetitionRange};
use regex_syntax::hir::literal::Extractor;

use super::fault::Severity;
use crate::authorize::permission::{MARKS, is_invisible, is_like_a_mark};

/// What is to be said of a name
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) kind: Kind,
    /// What is wrong, as what follows the sentence
    pub(super) what: String,
    pub(super) instead: String,
}

/// How sure it is that something else was meant
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody means this, wherever it stands
    Mistake,
    /// It covers less than was probably meant
    Miss,
    /// It may well be meant
    Odd,
}

impl Kind {
    /// How grave it is, by whether what is missed is let through
    pub(super) fn severity(self, lets_through: bool) -> Severity {
        match self {
            Self::Mistake => Severity::Error,
            Self::Miss if lets_through => Severity::Error,
            Self::Miss | Self::Odd => Severity::Warning,
        }
    }
}

pub(super) fn doubt(kind: Kind, what: impl Into<String>, instead: impl Into<String>) -> Option<Doubt> {
    Some(Doubt { kind, what: what.into(), instead: instead.into() })
}

/// What is doubtful about a member's identity, which is exact and has no marks
pub(super) fn doubt_of_identity(identity: &str) -> Option<Doubt> {
    let each = "write each identity, or confer the role by the token's roles claim".to_owned();
    let is_quoted = |mark: char| identity.len() > 1 && identity.starts_with(mark) && identity.ends_with(mark);
    let (kind, what, instead) = match identity.split_once(':').filter(|(mark, _)| is_like_a_mark(mark)) {
        Some((mark, text)) => {
            let is_exact = mark.trim().eq_ignore_ascii_case("exact");
            let instead = if is_exact { format!("write `{}`", text.trim()) } else { each };
            (Kind::Mistake, "has a mark, and members have none: an identity is exact", instead)
        }
        None if identity.contains('*') || identity.starts_with('^') => {
            (Kind::Miss, "is one identity, whatever `*` and `^` mean elsewhere", each)
        }
        None if QUOTES.into_iter().any(is_quoted) => {
            let what = "has quotation marks, which count as part of the identity";
            (Kind::Miss, what, "leave them out".to_owned())
        }
        None => return None,
    };
    doubt(kind, format!("`{identity}` {what}"), instead)
}

/// What is doubtful about a name as it is written, its mark included; nothing where it has none
pub(super) fn doubt_of(name: &str) -> Option<Doubt> {
    let (mark, text) = name.split_once(':')?;
    match mark {
        "exact" => of_exact(text),
        "glob" => of_any(text).or_else(|| of_glob(text)),
        "regex" => of_any(text).or_else(|| of_regex(text)),
        _ => None,
    }
}

fn of_exact(name: &str) -> Option<Doubt> {
    let plain = format!("write `exact:{}`", name.trim());
    if name.trim_start() != name {
        let instead = format!("{plain}; `regex:[ ]…` for names that begin with a blank");
        return doubt(Kind::Miss, "has a blank behind its mark, which counts", instead);
    }
    if name.trim_end() != name {
        return doubt(Kind::Odd, "has a blank at its end, which counts", plain);
    }
    if name.chars().any(is_invisible) {
        return doubt(Kind::Odd, "holds a character that nobody sees", "type it anew");
    }
    let is_pattern = name.contains(['*', '?']);
    let instead = "write `glob:…` or `regex:…` for a pattern";
    doubt(Kind::Odd, "is the one name with a `*` or `?` in it", instead).filter(|_| is_pattern)
}

const BRACKETS: &str = "write `regex:` with `[…]` around it for names that have it, `exact:` for one of them";

/// What neither kind of pattern has
fn of_any(text: &str) -> Option<Doubt> {
    let after_schema = |schema: &&str| {
        let rest = text.strip_prefix(*schema)?;
        [".", "\\.", "[.]"].into_iter().find_map(|dot| rest.strip_prefix(dot))
    };
    if text.trim() != text {
        let what = "has a blank at an edge of its pattern, so every name must have it too";
        return doubt(Kind::Miss, what, format!("leave it out; {BRACKETS}"));
    }
    if text.chars().any(is_invisible) {
        return doubt(Kind::Miss, "holds a character that nobody sees", "type it anew");
    }
    if let Some(second) = MARKS.into_iter().find(|second| text.starts_with(second)) {
        let what = format!("has two marks, and `{second}` counts as part of the name");
        return doubt(Kind::Miss, what, format!("write one of them; {BRACKETS}"));
    }
    if let Some(rest) = SCHEMAS.iter().find_map(after_schema).filter(|rest| !rest.starts_with('*')) {
        let what = "covers names with a dot in them: no schema stands in a name";
        return doubt(Kind::Miss, what, format!("leave `{}` out", text.strip_suffix(rest).unwrap_or(text)));
    }
    if text.starts_with(['/', '!', '~']) {
        let what = "has a sign before it that other programs know, and that counts as part of the name here";
        return doubt(Kind::Miss, what, format!("leave it out; {BRACKETS}"));
    }
    None
}

/// Druid's own schemas (`DruidSchemaName`, `LookupSchema`, `ViewSchema`, `SystemSchema`, `InformationSchema`)
pub(super) const SCHEMAS: [&str; 6] = ["druid", "lookup", "view", "sys", "ext", "INFORMATION_SCHEMA"];

const QUOTES: [char; 3] = ['\'', '"', '`'];
/// Quotations', LIKE's, lists' and comparisons' own, which hardly a name has
const NOT_OF_NAMES: [char; 10] = ['\'', '"', '`', '%', ',', ';', '=', '<', '>', '\n'];
/// Regular expressions' and shells' own, of which globs know none
const NOT_OF_GLOBS: [char; 10] = ['^', '$', '(', ')', '|', '[', ']', '{', '}', '\\'];

fn of_glob(glob: &str) -> Option<Doubt> {
    let odd =
        glob.chars().find(|sign| *sign == '+' || NOT_OF_NAMES.contains(sign) || NOT_OF_GLOBS.contains(sign));
    let instead =
        format!("write `*` for any run of characters, or `regex:` where that was meant; {BRACKETS}");
    if glob.contains(".*") {
        let what = "has a regex's `.*` in a glob, where the dot is a dot";
        return doubt(Kind::Miss, what, instead.replacen("write `*`", "write `*` alone", 1));
    }
    if let Some(odd) = odd {
        let what = format!("has a `{}` in a glob, which knows only `*` and `?`", odd.escape_debug());
        return doubt(Kind::Miss, what, instead);
    }
    if glob.contains(['*', '?']) {
        return None;
    }
    let instead = format!("write `glob:{glob}*` for all that begin so, `exact:{glob}` for the name");
    doubt(Kind::Miss, "is a glob without `*` and `?`: it is one name", instead)
}

fn of_regex(pattern: &str) -> Option<Doubt> {
    // What cannot be parsed is a fault already.
    let tree = Parser::new().parse(pattern).ok()?;
    let mut nodes = Vec::new();
    collect(&tree, (true, true), &mut nodes);
    of_anchors(&tree, &nodes)
        .or_else(|| of_literals(&nodes))
        .or_else(|| of_names(pattern))
        .or_else(|| of_dots(pattern))
}

/// A part of a pattern, and whether a name begins there, and ends there
type Node<'a> = (&'a Ast, (bool, bool));

/// Each part of a pattern, but for the insides of `[…]`
fn collect<'a>(tree: &'a Ast, (first, last): (bool, bool), nodes: &mut Vec<Node<'a>>) {
    nodes.push((tree, (first, last)));
    match tree {
        Ast::Repetition(repetition) => collect(&repetition.ast, (false, false), nodes),
        Ast::Group(group) => collect(&group.ast, (first, last), nodes),
        Ast::Alternation(alternation) => {
            alternation.asts.iter().for_each(|branch| collect(branch, (first, last), nodes));
        }
        Ast::Concat(concat) => {
            let counts = |part: &Ast| !matches!(part, Ast::Flags(_));
            let (begin, end) = (concat.asts.iter().position(counts), concat.asts.iter().rposition(counts));
            for (place, part) in concat.asts.iter().enumerate() {
                let edges = (first && begin == Some(place), last && end == Some(place));
                collect(part, edges, nodes);
            }
        }
        _ => {}
    }
}

/// `^` and `$` say nothing where the whole name is matched, unless they were to say that more may follow
fn of_anchors(tree: &Ast, nodes: &[Node<'_>]) -> Option<Doubt> {
    let mut anchors = nodes.iter().filter(|(part, _)| matches!(part, Ast::Assertion(_))).peekable();
    anchors.peek()?;
    let is_astray = |(part, (first, last)): &Node<'_>| match is_start(part) {
        Some(true) => !first,
        Some(false) => !last,
        None => false,
    };
    if anchors.any(is_astray) {
        let what = "has a `^` or `$` in its midst, so it matches no name";
        return doubt(Kind::Miss, what, "write `^…$` around the whole of it, or neither");
    }
    let is_whole = is_closed(tree, true) && is_closed(tree, false);
    let what = "has to match the whole name: nothing may stand before or behind it";
    let instead = "write `.*` where more may stand, or `^…$` around the whole of it for no more than that";
    doubt(Kind::Miss, what, instead).filter(|_| !is_whole)
}

/// Whether an anchor stands for a name's start, or else its end
fn is_start(tree: &Ast) -> Option<bool> {
    let Ast::Assertion(assertion) = tree else { return None };
    match assertion.kind {
        AssertionKind::StartLine | AssertionKind::StartText => Some(true),
        AssertionKind::EndLine | AssertionKind::EndText => Some(false),
        _ => None,
    }
}

/// Whether nothing changes at this edge if only a part of the name had to match: an anchor or `.*` stands there
fn is_closed(tree: &Ast, start: bool) -> bool {
    use RepetitionKind::{OneOrMore, Range, ZeroOrMore};
    match tree {
        Ast::Assertion(_) => is_start(tree) == Some(start),
        Ast::Repetition(repetition) => {
            let is_any = matches!(*repetition.ast, Ast::Dot(_));
            is_any
                && matches!(repetition.op.kind, ZeroOrMore | OneOrMore | Range(RepetitionRange::AtLeast(_)))
        }
        Ast::Group(group) => is_closed(&group.ast, start),
        Ast::Alternation(alternation) => alternation.asts.iter().all(|branch| is_closed(branch, start)),
        Ast::Concat(concat) => {
            let mut parts = concat.asts.iter().filter(|part| !matches!(part, Ast::Flags(_)));
            let part = if start { parts.next() } else { parts.next_back() };
            part.is_some_and(|part| is_closed(part, start))
        }
        _ => false,
    }
}

/// Characters that stand for themselves and were hardly meant to
fn of_literals(nodes: &[Node<'_>]) -> Option<Doubt> {
    let literal = |tree: &Ast| if let Ast::Literal(literal) = tree { Some(literal.clone()) } else { None };
    let is_odd = |sign: &char| NOT_OF_NAMES.contains(sign) || "*?^$".contains(*sign);
    if let Some(odd) = nodes.iter().filter_map(|(part, _)| Some(literal(part)?.c)).find(is_odd) {
        let what = format!("has a `{}` that stands for itself", odd.escape_debug());
        let instead =
            if QUOTES.contains(&odd) { "leave it out" } else { "write `.*` for any run of characters" };
        return doubt(Kind::Miss, what, format!("{instead}; {BRACKETS}"));
    }
    let is_repeated = |part: &Ast| {
        let Ast::Repetition(repetition) = part else { return false };
        literal(&repetition.ast).is_some_and(|literal| {
            let is_plain = literal.kind == LiteralKind::Verbatim;
            is_plain && repetition.op.kind == RepetitionKind::ZeroOrMore || SEPARATORS.contains(&literal.c)
        })
    };
    let what = "repeats one character: `*`, `+` and `?` stand for none of their own in a regex";
    let instead = "write `.*` for any run of characters; `[_]*` to repeat a character";
    doubt(Kind::Miss, what, instead).filter(|_| nodes.iter().any(|(part, _)| is_repeated(part)))
}

/// What joins the words of a name: hardly one ends with it
const SEPARATORS: [char; 3] = ['_', '-', '.'];

/// A pattern of no name, of one, or of some that each end as if more was to follow
fn of_names(pattern: &str) -> Option<Doubt> {
    let all = regex_syntax::Parser::new().parse(pattern).ok()?;
    if all.properties().maximum_len() == Some(0) {
        return doubt(Kind::Miss, "matches no name", "write `regex:.*` or `*` for every name");
    }
    let names = Extractor::new().extract(&all);
    let names = names.literals().filter(|_| names.is_exact())?;
    let is_cut =
        |name: &[u8]| SEPARATORS.iter().any(|separator| name.ends_with(separator.to_string().as_bytes()));
    if names.len() > 1 && !names.iter().any(|name| is_cut(name.as_bytes())) || pattern.starts_with('^') {
        return None;
    }
    let what = "matches just the names that stand in it";
    doubt(
        Kind::Miss,
        what,
        "write `.*` behind it for all that begin so; `exact:…`, or `^…$` around it, for no more",
    )
}

/// `sales.*`: a word, a dot and a star, as a glob for names with a dot would have them
fn of_dots(pattern: &str) -> Option<Doubt> {
    let plain = |character: char| character.is_alphanumeric() || "_-.*".contains(character);
    let begins_with_a_word = pattern.starts_with(|first: char| first.is_alphanumeric());
    let has_dots = pattern.contains(".*") && !pattern.contains("_.*");
    if !begins_with_a_word || !has_dots || !pattern.chars().all(plain) {
        return None;
    }
    let what = "matches more than a dot and what follows it: in a regex `.` is any character";
    doubt(Kind::Odd, what, "write `glob:` with `*` alone if that is meant, or `[.].*` for a dot")
}
