//! Names that have a mark, in grants, denies and members: what they cannot mean is told, with what to write

use crate::LEAST;
use crate::findings;
use crate::typed::role;

/// A text as TOML has it
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// How a mistake in a marked name is told: in a grant, in a deny
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// A fault in either: it does not compile
    Fault,
    /// A warning of a grant, a fault of a deny
    Miss,
    /// A warning of either
    Odd,
}

/// What people write behind a mark, or with what is none, and do not mean
const MARKED: &[(Told, &str)] = &[
    (Told::Miss, "glob:^secret"),
    (Told::Miss, "glob:^secret_"),
    (Told::Miss, "glob:secret$"),
    (Told::Miss, "glob:^secret$"),
    (Told::Miss, "glob:a_{b,c}*"),
    (Told::Miss, "glob:(a|b)"),
    (Told::Miss, "glob:[ab]*"),
    (Told::Miss, "glob:secret_+"),
    (Told::Miss, "glob:secret_%"),
    (Told::Miss, "glob:secret_.*"),
    (Told::Miss, "glob:sales.*"),
    (Told::Miss, "glob:'secret_*'"),
    (Told::Miss, "glob:`secret_*`"),
    (Told::Miss, "glob:a*,b*"),
    (Told::Miss, "glob: secret_*"),
    (Told::Miss, "glob:secret_* "),
    (Told::Miss, "glob:secret\u{200b}*"),
    (Told::Miss, "glob:regex:secret_.*"),
    (Told::Miss, "glob:secret_"),
    (Told::Miss, "regex:^secret_"),
    (Told::Miss, "regex:secret_$"),
    (Told::Miss, "regex:(?i)^secret_"),
    (Told::Miss, "regex:^a|^b"),
    (Told::Miss, "regex:^secret_[0-9]"),
    (Told::Miss, "regex:\\bsecret\\b"),
    (Told::Miss, "regex:a$b"),
    (Told::Miss, "regex:.*^secret_.*"),
    (Told::Miss, "regex: secret_.*"),
    (Told::Miss, "regex:secret_.* "),
    (Told::Miss, "regex:'secret_.*'"),
    (Told::Miss, "regex:/secret_.*/"),
    (Told::Miss, "regex:glob:secret_*"),
    (Told::Fault, "regex:(a"),
    (Told::Fault, "regex:*secret"),
    (Told::Fault, "regex:(?!a).*"),
    (Told::Miss, "regex:secret_"),
    (Told::Miss, "regex:secret_*"),
    (Told::Miss, "regex:secret_%"),
    (Told::Miss, "regex:a_.*,b_.*"),
    (Told::Odd, "regex:sales.*"),
    (Told::Miss, "exact: secret"),
    (Told::Odd, "exact:secret "),
    (Told::Odd, "exact:secret_*"),
    (Told::Odd, "exact:secret_.*"),
    (Told::Odd, "exact:secret\u{200b}"),
    (Told::Miss, "regex:(secret_|hidden_)"),
    (Told::Miss, "regex:(secret)_"),
    (Told::Miss, "regex:(?i)secret_"),
    (Told::Miss, "regex:[s]ecret_"),
    (Told::Miss, "regex:(?:secret_)"),
    (Told::Miss, "regex:secret\\x5f"),
    (Told::Miss, "regex:secret_{1}"),
    (Told::Miss, "regex:secret_?"),
    (Told::Miss, "regex:secret_+"),
    (Told::Miss, "regex:^$"),
    (Told::Miss, "regex:()"),
    (Told::Miss, "regex:|"),
    (Told::Miss, "regex:secret_\\.*"),
    (Told::Miss, "regex:secret_.*;"),
    (Told::Miss, "regex:secret_\\*"),
    (Told::Miss, "regex:secret_.*\\n"),
    (Told::Miss, "glob:druid.secret_*"),
    (Told::Miss, "regex:druid\\.secret_.*"),
    (Told::Miss, "glob:/secret_*/"),
    (Told::Miss, "glob:!secret_*"),
    (Told::Miss, "glob:~secret_*"),
    (Told::Miss, "glob:secret*;"),
    (Told::Miss, "glob:datasource=secret_*"),
    (Told::Miss, "prefix:secret_"),
    (Told::Miss, "startswith:secret_"),
    (Told::Miss, "datasource:secret_x"),
    (Told::Miss, "regex=secret_"),
    (Told::Miss, "contains:secret"),
    (Told::Miss, "regex;secret"),
    (Told::Miss, "regex：secret_"),
    (Told::Miss, "r:secret"),
];

/// What means what its mark says: of each of these nothing is to be said
const MEANT: &[&str] = &[
    "*",
    "glob:secret_*",
    "glob:*",
    "glob:s?cret",
    "glob:sales.eu_*",
    "glob:sales eu*",
    "glob:a:b*",
    "regex:secret_.*",
    "regex:secret_.+",
    "regex:(a|b)",
    "regex:(?i)sales",
    "regex:colou?r",
    "regex:sales_[a-z]+",
    "regex:(sales|hr)_.*",
    "glob:sales.eu_*",
    "regex:a|b.*",
    "regex:^secret_.*$",
    "regex:^secret_$",
    "regex:^secret_.*",
    "regex:.*_secret$",
    "regex:^(a|b)_.*$",
    "regex:(?i)^secret_.+$",
    "regex:secret_[0-9]{4}",
    "regex:secret_.*[%].*",
    "regex:.*[,].*",
    "regex:[ ]secret.*",
    "regex:o[']brien.*",
    "regex:secret[_]*",
    "regex:[.*+]x",
    "regex:.*",
    "exact:secret",
    "exact:glob:x",
    "exact:(a|b)",
    "exact:^secret",
    "exact:secret_%",
    "exact:a, b",
    "exact:'x'",
    "exact:a\\b",
];

#[test]
fn a_marked_name_that_means_something_else_than_its_mark_says_is_told_with_what_to_write() {
    let base = "READ DATASOURCE wikipedia";
    for (told, name) in MARKED {
        let sentence = quoted(&format!("READ DATASOURCE {name}"));
        let (in_grant, granted) = role("", &format!("grants = [{base:?},\n{sentence}]"));
        let (in_deny, denied) = role("", &format!("grants = [{base:?}]\ndenies = [\n{sentence}]"));
        for found in [&granted, &denied] {
            assert!(found.len() == 1 && found.concat().contains("; "), "{name}: {found:#?}");
            assert!(!found.concat().contains("ACTION TYPE NAME"), "its shape is right: {found:#?}");
        }
        assert!(granted[0].starts_with("proxy.toml:17: "), "the sentence's own line: {granted:#?}");
        assert!(denied[0].starts_with("proxy.toml:18: "), "the sentence's own line: {denied:#?}");
        let faults = (*told == Told::Fault, *told != Told::Odd);
        assert_eq!((in_grant, in_deny), faults, "{name}: {granted:#?} {denied:#?}");
    }
    for name in MEANT {
        let sentence = quoted(&format!("READ DATASOURCE {name}"));
        let rules = "select_tasks = \"owner\"\ncancel = \"write\"";
        assert_eq!(role(rules, &format!("grants = [{sentence}]")).1, Vec::<String>::new(), "{name}");
        let denies = format!("grants = [{base:?}]\ndenies = [{sentence}]");
        let (is_fault, found) = role(rules, &denies);
        // Some of these deny what the role grants, which is another matter.
        let others: Vec<_> = found.iter().filter(|found| !found.contains("grants nothing")).collect();
        assert!(!is_fault && others.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn whatever_a_marked_name_is_told_to_be_written_as_has_nothing_said_of_it() {
    for (_, name) in MARKED {
        let (_, found) = role("", &format!("grants = [{}]", quoted(&format!("READ DATASOURCE {name}"))));
        let told = found.concat();
        let advised = told.split("; ").skip(1).flat_map(|text| text.split('`').skip(1).step_by(2));
        let marked = advised.filter(|text| text.contains(':') && !text.ends_with([':', '…']));
        for advice in marked {
            let rules = "select_tasks = \"owner\"";
            let (is_fault, found) =
                role(rules, &format!("grants = [{}]", quoted(&format!("READ DATASOURCE {advice}"))));
            let is_name = advice.starts_with("exact:");
            assert!(!is_fault && (is_name || found.is_empty()), "{name}: {advice}: {found:#?}");
        }
    }
}

#[test]
fn every_name_that_a_datasource_may_have_can_be_named_exactly() {
    for odd in "!\"#$%&'()*+,-.:;<=>?@[\\]^`{|}~\u{e9}\u{1f600} ".chars() {
        let name = format!("a{odd}b{odd}{odd}c");
        for key in ["grants", "denies"] {
            let sentence = quoted(&format!("READ DATASOURCE exact:{name}"));
            let grants = if key == "denies" { "grants = [\"READ DATASOURCE x\"]\n" } else { "" };
            let (is_fault, found) = role("", &format!("{grants}{key} = [{sentence}]"));
            assert!(!is_fault, "{name}: {found:#?}");
        }
    }
}

/// Identities that were meant as patterns, or are quoted; whether that is a fault where the role denies nothing
const IDENTITIES: &[(bool, &str, &str)] = &[
    (true, "glob:*@corp.test", "write each identity"),
    (true, "regex:.*", "write each identity"),
    (true, "Regex:a", "write each identity"),
    (true, "exact:alice", "write `alice`"),
    (true, "exact: alice", "write `alice`"),
    (false, "*", "write each identity"),
    (false, "*@corp.test", "write each identity"),
    (false, "^alice", "write each identity"),
    (false, "'alice'", "leave them out"),
];

#[test]
fn a_member_that_is_no_identity_is_told_with_what_to_write() {
    let members = |identity: &str, denies: &str| {
        let identity = quoted(identity);
        role("", &format!("members = [{identity}]\n{denies}\ngrants = [\"READ DATASOURCE wikipedia\"]"))
    };
    let denies = "denies = [\"READ DATASOURCE secret\"]";
    for identity in
        ["alice", "auth0|5f7", "CN=alice,OU=x", "CORP\\alice", "svc$", "a b", "Bob (Sales)", "o'brien"]
    {
        assert_eq!(members(identity, denies).1, Vec::<String>::new(), "{identity}");
    }
    for (is_always, identity, instead) in IDENTITIES {
        for identity in [(*identity).to_owned(), format!("https://id|{identity}")] {
            let (is_fault, found) = members(&identity, "");
            assert!(found.len() == 1 && found.concat().contains(instead), "{identity}: {found:#?}");
            assert_eq!(is_fault, *is_always, "{identity}: {found:#?}");
            let (is_fault, found) = members(&identity, denies);
            assert!(is_fault && found.len() == 1, "{identity}: {found:#?}");
        }
    }
}

#[test]
fn a_key_or_a_table_that_may_be_a_secret_is_not_repeated() {
    let secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    for text in [format!("{LEAST}\n[{secret}]\nx = 1\n"), format!("{LEAST}\n[limits]\n{secret} = 1\n")] {
        let told = findings(&text).concat();
        assert!(told.contains("there is no such") && !told.contains(secret), "{told}");
    }
    assert!(
        findings(&format!("{LEAST}\n[limits]\nbodyBytes = 1\n"))
            .concat()
            .contains("limits.bodyBytes: there is no")
    );
}
