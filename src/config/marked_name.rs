//! Names of the policy that have a mark, and do not mean what the mark says
//!
//! Three kinds. A **mistake** is what nobody means by this mark: it is a fault wherever it stands. What would
//! **miss** names that were probably meant is a fault of a deny, which would let them through, and a warning of a
//! grant. What is only **odd** is a warning. `exact:` is the way out for every name, so nothing but a blank right
//! behind it is more than odd there; what `glob:` cannot say, `regex:` can, with `[…]` around a character.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of a regular expression's many parts only a few are doubtful"
)]

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{AssertionKind, Ast, LiteralKind, RepetitionKind, RepetitionRange};

use super::fault::Severity;
use crate::authorize::permission::{is_invisible, is_like_a_mark};

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
    /// Nobody means this
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
        "glob" => of_any(mark, text).or_else(|| of_glob(text)),
        "regex" => of_any(mark, text).or_else(|| of_regex(text)),
        _ => None,
    }
}

fn of_exact(name: &str) -> Option<Doubt> {
    let plain = name.trim();
    let (kind, what, instead) = if name.trim_start() != name {
        let instead = format!("write `exact:{plain}`; `regex:[ ]…` for names that begin with a blank");
        (Kind::Miss, "has a blank behind its mark, which counts", instead)
    } else if name.trim_end() != name {
        (Kind::Odd, "has a blank at its end, which counts", format!("write `exact:{plain}`"))
    } else if name.chars().any(is_invisible) {
        (Kind::Odd, "holds a character that nobody sees", "type it anew".to_owned())
    } else if name.contains(['*', '?']) {
        let mark = if name.contains(".*") { "regex" } else { "glob" };
        (Kind::Odd, "is the one name with a `*` or `?` in it", format!("write `{mark}:{name}` for a pattern"))
    } else {
        return None;
    };
    doubt(kind, what, instead)
}

/// What neither kind of pattern has
fn of_any(mark: &str, text: &str) -> Option<Doubt> {
    let plain = text.trim();
    if plain != text {
        let what = "has a blank at an edge of its pattern, so every name must have it too";
        let instead = format!("write `{mark}:{plain}`; `[ ]` in a `regex:` for names that have it");
        return doubt(Kind::Mistake, what, instead);
    }
    if text.chars().any(is_invisible) {
        return doubt(Kind::Mistake, "holds a character that nobody sees", "type it anew");
    }
    let second = ["exact:", "glob:", "regex:"].into_iter().find(|second| text.starts_with(second))?;
    let what = format!("has two marks, and `{second}` counts as part of the name");
    doubt(Kind::Mistake, what, format!("write `{text}`; `exact:{text}` for the name"))
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// Regular expressions', quotations', LIKE's and lists' own: of globs none has a meaning, and hardly a name has any
const NOT_OF_GLOBS: [char; 16] =
    ['^', '$', '(', ')', '|', '[', ']', '{', '}', '+', '\\', '"', '\'', '`', '%', ','];

fn of_glob(glob: &str) -> Option<Doubt> {
    if glob.contains(".*") {
        let (starred, dotted) = without_dots(glob);
        let instead = format!("write `{starred}`, or `{dotted}` for a dot and what follows it");
        return doubt(Kind::Miss, "has a regex's `.*` in a glob, where the dot is a dot", instead);
    }
    if let Some(odd) = glob.chars().find(|character| NOT_OF_GLOBS.contains(character)) {
        let instead = match odd {
            '%' => format!("`glob:{}`", glob.replace('%', "*")),
            ',' => "one sentence for each name".to_owned(),
            quote if QUOTES.contains(&quote) => format!("`glob:{}`", glob.replace(QUOTES, "")),
            _ => regex_meant(glob),
        };
        let what = format!("has a `{odd}` in a glob, which knows only `*` and `?`");
        let instead = format!("write {instead}; `exact:` or `regex:` for names that have it");
        return doubt(Kind::Mistake, what, instead);
    }
    if glob.contains(['*', '?']) {
        return None;
    }
    let instead = format!("write `glob:{glob}*` for all that begin so, `exact:{glob}` for the name");
    doubt(Kind::Miss, "is a glob without `*` and `?`: it is one name", instead)
}

/// What to write in place of a glob that was meant as a regex, or as what shells take
fn regex_meant(glob: &str) -> String {
    let (begins, ends) = (glob.starts_with('^'), glob.ends_with('$'));
    let plain = glob.trim_start_matches('^').trim_end_matches('$');
    let starred = if plain.contains('\\') { plain.to_owned() } else { plain.replace('*', ".*") };
    let before = if ends && !begins && !starred.starts_with(".*") { ".*" } else { "" };
    let after = if begins && !ends && !starred.ends_with(".*") { ".*" } else { "" };
    let pattern = format!("{before}{starred}{after}");
    if Parser::new().parse(&pattern).is_err() {
        return "one sentence for each name".to_owned();
    }
    let is_name = pattern.chars().all(|character| character.is_alphanumeric() || "_-".contains(character));
    format!("`{}`", if is_name { format!("exact:{pattern}") } else { plainest(pattern) })
}

/// A regex with its mark; as a glob where that says the same without a second reading
fn plainest(pattern: String) -> String {
    if of_dots(&pattern).is_some() { without_dots(&pattern).0 } else { format!("regex:{pattern}") }
}

/// What `.*` may be meant as: a glob's star, or a dot and what follows it
fn without_dots(pattern: &str) -> (String, String) {
    (format!("glob:{}", pattern.replace(".*", "*")), format!("regex:{}", pattern.replace(".*", "[.].*")))
}

fn of_regex(pattern: &str) -> Option<Doubt> {
    // What cannot be parsed is a fault already.
    let tree = Parser::new().parse(pattern).ok()?;
    let mut nodes = Vec::new();
    collect(&tree, (true, true), &mut nodes);
    of_anchors(pattern, &tree, &nodes).or_else(|| of_literals(pattern, &nodes))
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
fn of_anchors(pattern: &str, tree: &Ast, nodes: &[Node<'_>]) -> Option<Doubt> {
    let is_edge = |node: &&Node<'_>| is_start(node.0).is_some();
    let (edges, others): (Vec<&Node<'_>>, _) =
        nodes.iter().filter(|(part, _)| matches!(part, Ast::Assertion(_))).partition(is_edge);
    if edges.is_empty() && others.is_empty() {
        return None;
    }
    let is_cut = |place: usize| {
        let mut spans = edges.iter().map(|(part, _)| part.span());
        spans.any(|span| (span.start.offset..span.end.offset).contains(&place))
    };
    let body: String = pattern.char_indices().filter(|(place, _)| !is_cut(*place)).map(|(_, c)| c).collect();
    let is_astray =
        |(part, (first, last)): &&Node<'_>| !if is_start(part) == Some(true) { *first } else { *last };
    if edges.iter().any(is_astray) {
        let what = "has a `^` or `$` in its midst, so it matches no name";
        return doubt(Kind::Mistake, what, format!("write `regex:^{body}$`"));
    }
    let [before, after] = [true, false].map(|start| if is_closed(tree, start) { "" } else { ".*" });
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let grouped = if body.contains('|') { format!("(?:{body})") } else { body };
    let exactly = format!(", or `regex:^{grouped}$` for no more than that");
    let exactly = if others.is_empty() { exactly } else { String::new() };
    let wanted = plainest(format!("{before}{grouped}{after}"));
    let what = "has to match the whole name: nothing may stand before or behind it";
    doubt(Kind::Mistake, what, format!("write `{wanted}`{exactly}"))
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
fn of_literals(pattern: &str, nodes: &[Node<'_>]) -> Option<Doubt> {
    let verbatim = |tree: &Ast| match tree {
        Ast::Literal(literal) if literal.kind == LiteralKind::Verbatim => Some(literal.c),
        _ => None,
    };
    let literals: Vec<_> = nodes.iter().filter_map(|(part, _)| verbatim(part)).collect();
    let has = |character: char| literals.contains(&character);
    let is_starred = |part: &Ast| {
        let Ast::Repetition(repetition) = part else { return false };
        repetition.op.kind == RepetitionKind::ZeroOrMore && verbatim(&repetition.ast).is_some()
    };
    let is_operator =
        |part: &Ast| verbatim(part).is_none() && !matches!(part, Ast::Concat(_) | Ast::Empty(_));
    let (kind, what, instead) = if QUOTES.into_iter().any(has) {
        let instead = format!("write `regex:{}`; `[']` for names that have it", pattern.replace(QUOTES, ""));
        (Kind::Mistake, "has a quotation mark, which counts as part of the name", instead)
    } else if pattern.starts_with('/') {
        let instead = "leave out the slashes around it; `[/]` for names that have it".to_owned();
        (Kind::Mistake, "has a `/` before it, which counts as part of the name", instead)
    } else if has('%') {
        let wanted = plainest(pattern.replace('%', ".*"));
        let instead = format!("write `{wanted}`; `[%]` for names that have it");
        (Kind::Miss, "has a `%`, which is only itself in a regex", instead)
    } else if has(',') {
        let instead = "write one sentence for each, or `a|b`; `[,]` for names that have it".to_owned();
        (Kind::Miss, "has a `,`, which is only itself in a regex", instead)
    } else if nodes.iter().any(|(part, _)| is_starred(part)) {
        let instead = format!("write `glob:{pattern}`, or `.*`; `[_]*` to repeat a character");
        (Kind::Miss, "has a `*` behind a plain character, which repeats just that", instead)
    } else if !nodes.iter().any(|(part, _)| is_operator(part)) {
        let wanted = plainest(format!("{pattern}.*"));
        let instead = format!("write `{wanted}` for all that begin so, `exact:{pattern}` for the name");
        (Kind::Miss, "is a regex without any operator: it is one name", instead)
    } else {
        return of_dots(pattern);
    };
    doubt(kind, what, instead)
}

/// `sales.*`: a word, a dot and a star, as a glob for names with a dot would have them
fn of_dots(pattern: &str) -> Option<Doubt> {
    let plain = |character: char| character.is_alphanumeric() || "_-.*".contains(character);
    let begins_with_a_word = pattern.starts_with(|first: char| first.is_alphanumeric());
    let has_dots = pattern.contains(".*") && !pattern.contains("_.*");
    if !begins_with_a_word || !has_dots || !pattern.chars().all(plain) {
        return None;
    }
    let (starred, dotted) = without_dots(pattern);
    let what = "matches more than a dot and what follows it: in a regex `.` is any character";
    doubt(Kind::Odd, what, format!("write `{starred}` if that is meant, or `{dotted}` for a dot"))
}
