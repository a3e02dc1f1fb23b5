//! The source obeys its own rules: the core names no I/O, each library has one door, and no arrow runs up or in a circle
//!
//! Reads `src/` and `stand-in/src/`, and starts nothing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod arrows;

use std::fs;
use std::path::{Path, PathBuf};

/// A rule: where it holds, and words that may not stand there
struct Rule {
    /// Files whose path begins with one of these
    within: &'static [&'static str],
    /// But not with one of these
    except: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const CORE: &[&str] = &["druid/", "request/route/", "resource_actions/", "authorize/", "durable_storage/"];

const RULES: &[Rule] = &[
    Rule {
        within: CORE,
        except: &[],
        words: &[
            "hyper",
            "http::",
            "tokio",
            "rustls",
            "std::net",
            "std::fs",
            "std::env",
            "std::thread",
            "std::process",
            "async fn",
            "SystemTime::now",
            "Instant::now",
            "static ",
            "println!",
            "eprintln!",
        ],
        why: "the core is pure and synchronous: time, randomness and I/O come in as arguments",
    },
    Rule {
        within: &["resource_actions/", "authorize/"],
        except: &[],
        words: &["crate::request"],
        why: "no stage calls another; only the pipeline knows the order, and the floors hold the rest",
    },
    Rule {
        within: &[""],
        except: &["resource_actions/sql/"],
        words: &["sqlparser"],
        why: "sqlparser has one door",
    },
    Rule {
        within: &[""],
        except: &["authenticate/token.rs", "authenticate/keys.rs"],
        words: &["jsonwebtoken"],
        why: "jsonwebtoken has one door",
    },
    Rule {
        within: &[""],
        // These read the status of somebody's answer, or speak on the operators' address.
        except: &[
            "answer/respond.rs",
            "server/admin.rs",
            "evidence/overlord.rs",
            "evidence/verify.rs",
            "forward/routers.rs",
            "forward/upstream.rs",
            "forward/passable.rs",
            "base/fetch.rs",
            "stand-in/",
        ],
        words: &["StatusCode::"],
        why: "only answer/respond.rs chooses an error status",
    },
    Rule {
        within: &[""],
        except: &["commands/demo.rs"],
        words: &["stand_in::"],
        why: "a pretended Druid is for `demo` and for tests",
    },
    Rule {
        within: &[""],
        except: &["authorize/decision.rs"],
        words: &["PermittedRequest {"],
        why: "only decide() makes a permitted request",
    },
    Rule {
        within: &[""],
        except: &["base/tls.rs"],
        words: &["ServerConfig::builder", "ClientConfig::builder"],
        why: "TLS is set up in one place",
    },
    Rule {
        within: &[""],
        except: &["base/pem.rs"],
        words: &["PemObject", "pem_slice_iter", "pem_file_iter", "from_pem_slice", "from_pem_file"],
        why: "PEM files are read in one place, whose errors hold no byte of them",
    },
    Rule {
        within: &[""],
        except: &["forward/upstream.rs", "base/password.rs"],
        words: &["expose()"],
        why: "a password goes into one header and nowhere else",
    },
];

/// A line of comment says what it likes, and so do tests
fn code_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    lines.map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
}

fn breaches(path: &str, source: &str) -> Vec<String> {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    RULES
        .iter()
        .filter(|rule| begins(rule.within) && !begins(rule.except))
        .flat_map(|rule| {
            let code = code_lines(source).filter(|(_, line)| !line.starts_with("impl "));
            code.flat_map(move |(number, line)| {
                let found = rule.words.iter().filter(move |word| has_word(line, word));
                found.map(move |word| format!("{path}:{number}: `{}`: {}", word.trim(), rule.why))
            })
        })
        .collect()
}

/// `http::` is not in `my_http::`, and `static ` is not in `'static `
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(position, _)| {
        let before = line.get(..position).and_then(|text| text.chars().last());
        !before.is_some_and(|character| character.is_alphanumeric() || matches!(character, '_' | '\''))
    })
}

/// The gate's files by their paths in `src`, and their texts
fn sources() -> Vec<(String, String)> {
    files_below("src")
}

/// Those too of the stand-in for Druid, whose paths begin with `stand-in/`
fn all_sources() -> Vec<(String, String)> {
    let stand_in = files_below("stand-in/src").into_iter();
    sources().into_iter().chain(stand_in.map(|(path, source)| (format!("stand-in/{path}"), source))).collect()
}

fn files_below(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let name = |path: &Path| path.strip_prefix(&root).expect("it is below its root").display().to_string();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_source_obeys_its_rules() {
    let sources = all_sources();
    assert!(sources.len() > 40, "only {} files were found: has a folder moved?", sources.len());
    for folder in CORE.iter().chain(&["stand-in/"]) {
        assert!(sources.iter().any(|(path, _)| path.starts_with(folder)), "nothing is left under {folder}");
    }
    let breaches: Vec<_> = sources.iter().flat_map(|(path, source)| breaches(path, source)).collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn a_planted_breach_is_found() {
    for (path, line) in [
        ("request/route/mod.rs", "let text = std::fs::read_to_string(path);"),
        ("authorize/decision.rs", "let now = SystemTime::now();"),
        ("resource_actions/sql/walk.rs", "use http::Method;"),
        ("pipeline.rs", "let forged = PermittedRequest { request, receipt };"),
        ("forward/mod.rs", "use sqlparser::ast::Statement;"),
        ("base/tls.rs", "let key = PrivateKeyDer::from_pem_file(path)?;"),
        ("server/mod.rs", "tracing::info!(password = password.expose());"),
        ("forward/mod.rs", "use stand_in::StandIn;"),
        ("stand-in/druid.rs", "use sqlparser::ast::Statement;"),
    ] {
        let source = format!("//! A module\n{line}\n");
        assert_eq!(breaches(path, &source).len(), 1, "{path}: {line}");
        assert!(breaches(path, &format!("// {line}")).is_empty(), "a comment is no breach");
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = all_sources().into_iter().filter(|(_, source)| !source.starts_with("//!")).collect();
    assert!(silent.is_empty(), "{:?}", silent.iter().map(|(path, _)| path).collect::<Vec<_>>());
}
