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
use regex_syntax::ast::{AssertionKind, Ast, LiteralKind, RepetitionKind, RepetitionRange, Span};

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
    if let Some((mark, text)) = identity.split_once(':').filter(|(mark, _)| is_like_a_mark(mark)) {
        let what = format!("`{identity}` has a mark, and members have none: an identity is exact");
        let instead = if mark.trim().eq_ignore_ascii_case("exact") {
            format!("write `{}`", text.trim())
        } else {
            "write each identity, or confer the role by the token's roles claim".to_owned()
        };
        return doubt(Kind::Mistake, what, instead);
    }
    let is_quoted = |mark: char| identity.len() > 1 && identity.starts_with(mark) && identity.ends_with(mark);
    if identity.contains('*') || identity.starts_with('^') {
        let what = format!("`{identity}` is one identity, whatever `*` and `^` mean elsewhere");
        return doubt(Kind::Miss, what, "write each identity, or confer the role by the token's roles claim");
    }
    if ['\'', '"', '`'].into_iter().any(is_quoted) {
        let what = format!("`{identity}` has quotation marks, which count as part of the identity");
        return doubt(Kind::Miss, what, "leave them out");
    }
    None
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
    if name.trim_start() != name {
        let instead = format!("write `exact:{plain}`; `regex:[ ]…` for names that begin with a blank");
        return doubt(Kind::Miss, "has a blank behind its mark, which counts", instead);
    }
    if name.trim_end() != name {
        return doubt(Kind::Odd, "has a blank at its end, which counts", format!("write `exact:{plain}`"));
    }
    if name.chars().any(is_invisible) {
        return doubt(Kind::Odd, "holds a character that nobody sees", "type it anew");
    }
    if name.contains(['*', '?']) {
        let instead = format!("write `{}` for a pattern", pattern_of(name));
        return doubt(Kind::Odd, "is the one name with a `*` or `?` in it", instead);
    }
    None
}

/// What was probably meant by a text with stars
fn pattern_of(text: &str) -> String {
    if text.contains(".*") { format!("regex:{text}") } else { format!("glob:{text}") }
}

/// What neither kind of pattern has
fn of_any(mark: &str, text: &str) -> Option<Doubt> {
    let plain = text.trim();
    if plain != text {
        let instead = format!("write `{mark}:{plain}`; `[ ]` in a `regex:` for names that have it");
        return doubt(
            Kind::Mistake,
            "has a blank at an edge of its pattern, so every name must have it too",
            instead,
        );
    }
    if text.chars().any(is_invisible) {
        return doubt(Kind::Mistake, "holds a character that nobody sees", "type it anew");
    }
    let second = ["exact:", "glob:", "regex:"].into_iter().find(|second| text.starts_with(second));
    second.and_then(|second| {
        let what = format!("has two marks, and `{second}` counts as part of the name");
        doubt(Kind::Mistake, what, format!("write `{text}`; `exact:{text}` for the name"))
    })
}

/// Regular expressions', quotations', LIKE's and lists' own: of globs none has a meaning, and hardly a name has any
const NOT_OF_GLOBS: [char; 16] =
    ['^', '$', '(', ')', '|', '[', ']', '{', '}', '+', '\\', '"', '\'', '`', '%', ','];

fn of_glob(glob: &str) -> Option<Doubt> {
    let in_place = |text: &str| glob.replace(text, "*");
    if glob.contains(".*") {
        let instead = format!(
            "write `glob:{}`, or `regex:{}` for a dot and what follows it",
            in_place(".*"),
            glob.replace(".*", "[.].*")
        );
        return doubt(Kind::Miss, "has a regex's `.*` in a glob, where the dot is a dot", instead);
    }
    if let Some(odd) = glob.chars().find(|character| NOT_OF_GLOBS.contains(character)) {
        let instead = match odd {
            '%' => format!("write `glob:{}`", in_place("%")),
            ',' => "write one sentence for each name".to_owned(),
            '\'' | '"' | '`' => format!("write `glob:{}`", glob.replace(['\'', '"', '`'], "")),
            _ => format!("write {}", regex_meant(glob)),
        };
        let what = format!("has a `{odd}` in a glob, which knows only `*` and `?`");
        return doubt(Kind::Mistake, what, format!("{instead}; `exact:` or `regex:` for names that have it"));
    }
    if !glob.contains(['*', '?']) {
        let instead = format!("write `glob:{glob}*` for all that begin so, `exact:{glob}` for the name");
        return doubt(Kind::Miss, "is a glob without `*` and `?`: it is one name", instead);
    }
    None
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
    match of_dots(&pattern) {
        Some(_) => format!("glob:{}", pattern.replace(".*", "*")),
        None => format!("regex:{pattern}"),
    }
}

fn of_regex(pattern: &str) -> Option<Doubt> {
    // What cannot be parsed is a fault already.
    let tree = Parser::new().parse(pattern).ok()?;
    of_anchors(pattern, &tree).or_else(|| of_literals(pattern, &tree))
}

/// `^` and `$` say nothing where the whole name is matched, unless they were to say that more may follow
fn of_anchors(pattern: &str, tree: &Ast) -> Option<Doubt> {
    let (mut edges, mut others) = (Vec::new(), 0);
    visit(tree, &mut |node| match node {
        Ast::Assertion(assertion) if edge_of(&assertion.kind).is_some() => edges.push(assertion.span),
        Ast::Assertion(_) => others += 1,
        _ => {}
    });
    if edges.is_empty() && others == 0 {
        return None;
    }
    let body = without(pattern, &edges);
    if is_astray(tree, true, true) {
        let what = "has a `^` or `$` in its midst, so it matches no name";
        return doubt(Kind::Mistake, what, format!("write `regex:^{body}$`"));
    }
    let [before, after] = [Edge::Start, Edge::End].map(|edge| if is_closed(tree, edge) { "" } else { ".*" });
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let grouped = if body.contains('|') { format!("(?:{body})") } else { body.clone() };
    let what = "has to match the whole name: nothing may stand before or behind it";
    let wanted = plainest(format!("{before}{grouped}{after}"));
    let instead = if others == 0 {
        format!("write `{wanted}`, or `regex:^{grouped}$` for no more than that")
    } else {
        format!("write `{wanted}`")
    };
    doubt(Kind::Mistake, what, instead)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

fn edge_of(kind: &AssertionKind) -> Option<Edge> {
    match kind {
        AssertionKind::StartLine | AssertionKind::StartText => Some(Edge::Start),
        AssertionKind::EndLine | AssertionKind::EndText => Some(Edge::End),
        _ => None,
    }
}

/// Whether nothing changes at this edge if only a part of the name had to match: an anchor or `.*` stands there
fn is_closed(tree: &Ast, edge: Edge) -> bool {
    match tree {
        Ast::Assertion(assertion) => edge_of(&assertion.kind) == Some(edge),
        Ast::Repetition(repetition) => {
            let is_endless = matches!(
                repetition.op.kind,
                RepetitionKind::ZeroOrMore
                    | RepetitionKind::OneOrMore
                    | RepetitionKind::Range(RepetitionRange::AtLeast(_))
            );
            is_endless && matches!(*repetition.ast, Ast::Dot(_))
        }
        Ast::Group(group) => is_closed(&group.ast, edge),
        Ast::Alternation(alternation) => alternation.asts.iter().all(|branch| is_closed(branch, edge)),
        Ast::Concat(concat) => {
            let mut parts = concat.asts.iter().filter(|part| !matches!(part, Ast::Flags(_)));
            let part = if edge == Edge::Start { parts.next() } else { parts.next_back() };
            part.is_some_and(|part| is_closed(part, edge))
        }
        _ => false,
    }
}

/// Whether a `^` stands where no name begins, or a `$` where none ends
fn is_astray(tree: &Ast, first: bool, last: bool) -> bool {
    match tree {
        Ast::Assertion(assertion) => match edge_of(&assertion.kind) {
            Some(Edge::Start) => !first,
            Some(Edge::End) => !last,
            None => false,
        },
        Ast::Repetition(repetition) => is_astray(&repetition.ast, false, false),
        Ast::Group(group) => is_astray(&group.ast, first, last),
        Ast::Alternation(alternation) => alternation.asts.iter().any(|branch| is_astray(branch, first, last)),
        Ast::Concat(concat) => {
            let parts: Vec<_> = concat.asts.iter().filter(|part| !matches!(part, Ast::Flags(_))).collect();
            let end = parts.len().saturating_sub(1);
            let mut parts = parts.into_iter().enumerate();
            parts.any(|(place, part)| is_astray(part, first && place == 0, last && place == end))
        }
        _ => false,
    }
}

/// The pattern without what stands in these places
fn without(pattern: &str, spans: &[Span]) -> String {
    let is_kept =
        |place: usize| !spans.iter().any(|span| (span.start.offset..span.end.offset).contains(&place));
    pattern.char_indices().filter(|(place, _)| is_kept(*place)).map(|(_, character)| character).collect()
}

/// Characters that stand for themselves and were hardly meant to
fn of_literals(pattern: &str, tree: &Ast) -> Option<Doubt> {
    let (mut literals, mut starred, mut operators) = (Vec::new(), false, 0);
    visit(tree, &mut |node| match node {
        Ast::Literal(literal) if literal.kind == LiteralKind::Verbatim => literals.push(literal.c),
        Ast::Repetition(repetition) => {
            let is_star = repetition.op.kind == RepetitionKind::ZeroOrMore;
            starred |= is_star && is_verbatim(&repetition.ast);
            operators += 1;
        }
        Ast::Concat(_) | Ast::Empty(_) => {}
        _ => operators += 1,
    });
    let has = |characters: &[char]| literals.iter().any(|literal| characters.contains(literal));
    if has(&['"', '\'', '`']) {
        let instead =
            format!("write `regex:{}`; `[']` for names that have it", pattern.replace(['\'', '"', '`'], ""));
        return doubt(Kind::Mistake, "has a quotation mark, which counts as part of the name", instead);
    }
    if pattern.starts_with('/') {
        let what = "has a `/` before it, which counts as part of the name";
        return doubt(Kind::Mistake, what, "leave out the slashes around it; `[/]` for names that have it");
    }
    if has(&['%']) {
        let wanted = plainest(pattern.replace('%', ".*"));
        let instead = format!("write `{wanted}`; `[%]` for names that have it");
        return doubt(Kind::Miss, "has a `%`, which is only itself in a regex", instead);
    }
    if has(&[',']) {
        let instead = "write one sentence for each, or `a|b`; `[,]` for names that have it";
        return doubt(Kind::Miss, "has a `,`, which is only itself in a regex", instead);
    }
    if starred {
        let what = "has a `*` behind a plain character, which repeats just that";
        return doubt(
            Kind::Miss,
            what,
            format!("write `glob:{pattern}`, or `.*`; `[_]*` to repeat a character"),
        );
    }
    if operators == 0 {
        let instead = format!(
            "write `{}` for all that begin so, `exact:{pattern}` for the name",
            plainest(format!("{pattern}.*"))
        );
        return doubt(Kind::Miss, "is a regex without any operator: it is one name", instead);
    }
    of_dots(pattern)
}

fn is_verbatim(tree: &Ast) -> bool {
    matches!(tree, Ast::Literal(literal) if literal.kind == LiteralKind::Verbatim)
}

/// `sales.*`: a word, a dot and a star, as a glob for names with a dot would have them
fn of_dots(pattern: &str) -> Option<Doubt> {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '*');
    let begins_with_a_word = pattern.starts_with(|first: char| first.is_alphanumeric());
    let is_like_a_glob = begins_with_a_word
        && pattern.contains(".*")
        && pattern.chars().all(plain)
        && !pattern.contains("_.*");
    let what = "matches more than a dot and what follows it: in a regex `.` is any character";
    let instead = format!(
        "write `glob:{}` if that is meant, or `regex:{}` for a dot",
        pattern.replace(".*", "*"),
        pattern.replace(".*", "[.].*")
    );
    is_like_a_glob.then(|| Doubt { kind: Kind::Odd, what: what.to_owned(), instead })
}

/// Each part of a pattern, but for the insides of `[…]`
fn visit(tree: &Ast, see: &mut impl FnMut(&Ast)) {
    see(tree);
    match tree {
        Ast::Repetition(repetition) => visit(&repetition.ast, see),
        Ast::Group(group) => visit(&group.ast, see),
        Ast::Alternation(alternation) => alternation.asts.iter().for_each(|branch| visit(branch, see)),
        Ast::Concat(concat) => concat.asts.iter().for_each(|part| visit(part, see)),
        _ => {}
    }
}
