//! Which file imports which: rooms lie on floors, and nothing goes round in a circle

use std::collections::{BTreeMap, BTreeSet};

use crate::{all_sources, code_lines, sources};

/// The rooms from the ground up: each imports only what lies below it
const FLOORS: &[&str] = &[
    "base",
    "druid",
    "request",
    "durable_storage",
    "resource_actions",
    "authenticate",
    "authorize",
    "config",
    "preflight",
    "forward",
    "evidence",
    "answer",
    "record",
    "door",
    "pipeline",
    "server",
    "development",
    "commands",
    "lib",
    "main",
];

/// A file as paths name it: `src/answer/mod.rs` is `answer`
type Module = String;

/// The files, and what each imports
struct Source(BTreeMap<Module, BTreeSet<Module>>);

impl Source {
    fn read(files: &[(String, String)]) -> Self {
        let modules: BTreeSet<Module> = files.iter().map(|(path, _)| module(path)).collect();
        let imports = files.iter().map(|(path, source)| {
            let of = module(path);
            let code: Vec<_> = code_lines(source).map(|(_, line)| line).collect();
            let found = paths(&of, &code.join("\n")).into_iter();
            let known = found.filter_map(|path| nearest(&path, &modules)).filter(|imported| *imported != of);
            (of.clone(), known.collect())
        });
        Self(imports.collect())
    }

    /// Imports that run up, or into a room that has no floor
    fn running_up(&self) -> Vec<String> {
        let floor = |module: &str| FLOORS.iter().position(|floor| Some(*floor) == module.split("::").next());
        let arrows = self.0.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
        let up = arrows.filter(|(from, to)| floor(from).zip(floor(to)).is_none_or(|(from, to)| to > from));
        up.map(|(from, to)| format!("{from} imports {to}, which lies above it")).collect()
    }

    /// Files that import each other, however long the way round
    fn circles(&self) -> Vec<String> {
        let goes_round = |file: &&Module| self.imports(file).any(|next| self.reaches(next, file));
        self.0.keys().filter(goes_round).map(|file| format!("{file} imports itself, by others")).collect()
    }

    fn imports(&self, file: &Module) -> impl Iterator<Item = &Module> {
        self.0.get(file).into_iter().flatten()
    }

    fn reaches(&self, from: &Module, to: &Module) -> bool {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(file) = left.pop() {
            if file == to {
                return true;
            }
            if seen.insert(file) {
                left.extend(self.imports(file));
            }
        }
        false
    }
}

fn module(path: &str) -> Module {
    let path = path.trim_end_matches(".rs").replace('/', "::");
    path.strip_suffix("::mod").map_or(path.clone(), str::to_owned)
}

/// The file that a path leads into: `answer::refusal::Reason` is of `answer::refusal`
fn nearest(path: &str, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut path = path;
    loop {
        if modules.contains(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// Every path in the code of a file that begins with `crate::`, `super::` or `self::`, written whole
fn paths(of: &str, code: &str) -> Vec<String> {
    let begins = |at: usize| !code.get(..at).is_some_and(|before| before.ends_with(is_of_path));
    ["crate::", "super::", "self::"]
        .into_iter()
        .flat_map(|root| code.match_indices(root).map(|(at, _)| at).collect::<Vec<_>>())
        .filter(|at| begins(*at))
        .flat_map(|at| expand(code.get(at..).unwrap_or_default()))
        .filter_map(|path| whole(of, &path))
        .collect()
}

fn is_of_path(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | ':')
}

/// `a::{b, c::{d}}` is `a::b` and `a::c::d`
fn expand(tree: &str) -> Vec<String> {
    let end = tree.find(|character| !is_of_path(character)).unwrap_or(tree.len());
    let (prefix, rest) = tree.split_at(end);
    let Some(group) = rest.strip_prefix('{').filter(|_| prefix.ends_with("::")) else {
        return vec![prefix.to_owned()];
    };
    let (mut depth, mut members) = (0, vec![String::new()]);
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(String::new()),
            _ => {
                depth += i32::from(character == '{') - i32::from(character == '}');
                members.last_mut().unwrap().push(character);
            }
        }
    }
    let members = members.iter().map(|member| member.trim()).filter(|member| !member.is_empty());
    members.flat_map(expand).map(|member| format!("{prefix}{member}")).collect()
}

/// A path from the crate's root
fn whole(of: &str, path: &str) -> Option<String> {
    let mut base: Vec<_> = of.split("::").collect();
    let mut words: Vec<_> = path.split("::").filter(|word| !word.is_empty()).collect();
    match *words.first()? {
        "crate" => base.clear(),
        "super" => {
            while words.get(1) == Some(&"super") {
                words.remove(0);
                base.pop();
            }
            base.pop();
        }
        _ => {}
    }
    base.extend(words.iter().skip(1));
    Some(base.join("::"))
}

#[test]
fn no_import_runs_up_and_none_in_a_circle() {
    let source = Source::read(&sources());
    assert!(source.0.values().map(BTreeSet::len).sum::<usize>() > 500, "imports are found");
    let faults = [source.running_up(), Source::read(&all_sources()).circles()].concat();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_listing_of_the_source_is_short_and_each_entry_has_a_floor() {
    let entries: BTreeSet<_> =
        sources().iter().map(|(path, _)| path.split(['/', '.']).next().unwrap().to_owned()).collect();
    assert_eq!(entries, FLOORS.iter().map(|floor| (*floor).to_owned()).collect());
    assert!(entries.len() <= 20, "whoever lists `src` reads the journey of a request");
}

#[test]
fn a_planted_arrow_is_found() {
    let file = |path: &str, source: &str| (path.to_owned(), source.to_owned());
    let read = |files: &[(&str, &str)]| {
        Source::read(&files.iter().map(|(path, source)| file(path, source)).collect::<Vec<_>>())
    };
    let fine = read(&[
        ("base/tls.rs", ""),
        ("answer/mod.rs", "use crate::base::{pem, tls::Tls};"),
        ("base/pem.rs", "use super::tls;"),
    ]);
    assert_eq!((fine.running_up(), fine.circles()), (vec![], vec![]));
    let up =
        read(&[("base/tls.rs", "let x = crate::answer::refusal::Reason::ALL;"), ("answer/refusal.rs", "")]);
    assert_eq!(up.running_up(), ["base::tls imports answer::refusal, which lies above it"]);
    let unknown = read(&[("attic/mod.rs", "use crate::base::tls;"), ("base/tls.rs", "")]);
    assert_eq!(unknown.running_up().len(), 1, "a room without a floor");
    let round = read(&[
        ("a/b.rs", "use super::{c::{D, E}, f};"),
        ("a/c.rs", "use super::f;"),
        ("a/f.rs", "use crate::a::b::X;"),
    ]);
    assert_eq!(round.circles().len(), 3);
}
