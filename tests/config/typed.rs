//! What people type and do not mean: of every key, a value that would mean nothing is a fault, and one fault

use msq_gate::config::Severity;
use msq_gate::config::keys::{KEYS, SECTIONS};

use crate::LEAST;
use crate::findings;
use crate::read;

/// A value for every key, such that nothing is to be said of the whole
const VALUES: &[(&str, &str)] = &[
    ("listen.address", "\"0.0.0.0:8443\""),
    ("listen.certificate", "\"server.pem\""),
    ("listen.key", "\"server.key\""),
    ("listen.proxy_protocol_from", "[\"10.0.0.0/8\"]"),
    ("upstream.url", "\"https://druid.example:8888\""),
    ("upstream.ca_file", "\"ca.pem\""),
    ("upstream.username", "\"gate\""),
    ("upstream.password_file", "\"password\""),
    ("issuers.issuer", "\"https://id\""),
    ("issuers.audiences", "[\"druid\"]"),
    ("issuers.jwks_file", "\"jwks.json\""),
    ("issuers.ca_file", "\"ca.pem\""),
    ("issuers.algorithms", "[\"RS256\"]"),
    ("issuers.roles", "[\"viewer\"]"),
    ("issuers.roles_claim_required", "true"),
    ("roles.*.members", "[\"alice\"]"),
    ("roles.*.grants", "[\"READ DATASOURCE wikipedia\"]"),
    ("roles.*.denies", "[\"READ DATASOURCE secret\"]"),
    ("rules.cancel", "\"owner\""),
    ("limits.connections_per_address", "100"),
    ("durable_storage.bucket", "\"druid\""),
    ("durable_storage.prefix", "\"msq\""),
    ("durable_storage.endpoint", "\"https://s3.test\""),
    ("durable_storage.region", "\"eu-central-1\""),
    ("durable_storage.ca_file", "\"ca.pem\""),
    ("durable_storage.report", "\"report.json\""),
];

/// Keys that stand for another one of these, or that cannot stand beside it
const ALTERNATIVES: &[(&str, &str, &str)] = &[
    ("upstream.password_env", "upstream.password_file", "\"PASSWORD\""),
    ("issuers.jwks_url", "issuers.jwks_file", "\"https://id/keys\""),
];

/// A key and what the file says for it
type Line = (String, String);

/// Every key with its value, or its default, in the order of the table
fn lines() -> Vec<Line> {
    use msq_gate::config::keys::Fallback::Value;
    let mut lines = Vec::new();
    for key in KEYS {
        let name = format!("{}.{}", key.section, key.name);
        let given = VALUES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        match (given, &key.default) {
            (Some(value), _) => lines.push((name, value.to_owned())),
            (None, Value(value)) => lines.push((name, (*value).to_owned())),
            (None, _) => assert!(
                ALTERNATIVES.iter().any(|(alternative, ..)| *alternative == name),
                "{name} has no value here: what is typed for it and means nothing?"
            ),
        }
    }
    lines
}

/// The file with these lines
fn file(lines: &[Line]) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let heading = match section {
            "issuers" => "[[issuers]]".to_owned(),
            "roles" => "[roles.viewer]".to_owned(),
            plain => format!("[{plain}]"),
        };
        text.push_str(&format!("{heading}\n"));
        for (name, value) in lines {
            let (before, key) = name.rsplit_once('.').unwrap();
            if before.trim_end_matches(".*") == section {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
    }
    text
}

/// The lines with another in place of one
fn with_line(lines: &[Line], name: &str, line: (&str, &str)) -> Vec<Line> {
    assert!(lines.iter().any(|(known, _)| known == name), "{name}");
    let (to, value) = line;
    let changed = |(known, old): &Line| match known == name {
        true => (to.to_owned(), value.to_owned()),
        false => (known.clone(), old.clone()),
    };
    lines.iter().map(changed).collect()
}

/// Just one fault, and it is about this key
fn assert_one_fault(text: &str, name: &str, what: &str) {
    let reading = read(text);
    let found = findings(text);
    assert_eq!(found.len(), 1, "{name}, {what}: {found:#?}");
    let fault = reading.findings.first().unwrap();
    assert_eq!(fault.severity, Severity::Error, "{name}, {what}: {found:#?}");
    assert!(fault.key.contains(name.rsplit('.').next().unwrap()), "{name}, {what}: {found:#?}");
}

/// The file with every key, and with each alternative in place of what it stands for
fn whole_files() -> Vec<Vec<Line>> {
    let mut files = vec![lines()];
    for (alternative, replaced, value) in ALTERNATIVES {
        files.push(with_line(&lines(), replaced, (alternative, value)));
    }
    files
}

#[test]
fn of_every_key_one_mistake_is_one_fault() {
    for lines in whole_files() {
        assert_eq!(findings(&file(&lines)), Vec::<String>::new());
        for (name, value) in &lines {
            let misspelt = format!("{name}q");
            assert_one_fault(&file(&with_line(&lines, name, (&misspelt, value))), &misspelt, "misspelt");
            let others = match value.chars().next().unwrap() {
                '"' => vec!["7".to_owned(), "true".to_owned()],
                '[' => vec!["7".to_owned(), "[7]".to_owned(), "[[]]".to_owned()],
                't' | 'f' => vec![format!("\"{value}\""), "1".to_owned()],
                _ => vec![format!("\"{value}\""), format!("{value}.0"), "-1".to_owned(), "true".to_owned()],
            };
            for other in others {
                assert_one_fault(&file(&with_line(&lines, name, (name, &other))), name, &other);
            }
        }
    }
}

#[test]
fn of_every_text_what_is_empty_or_cannot_be_seen_is_one_fault() {
    for lines in whole_files() {
        for (name, value) in lines.iter().filter(|(_, value)| value.contains('"')) {
            let (before, rest) = value.split_once('"').unwrap();
            let (text, after) = rest.split_once('"').unwrap();
            for odd in [
                "",
                " ",
                &format!("{text} "),
                &format!(" {text}"),
                &format!("{text}\\t"),
                &format!("{text}\\u200B"),
            ] {
                let typed = format!("{before}\"{odd}\"{after}");
                assert_one_fault(&file(&with_line(&lines, name, (name, &typed))), name, &typed);
            }
        }
    }
}

#[test]
fn a_key_or_a_table_that_is_missing_is_at_most_one_fault() {
    let lines = lines();
    for (name, _) in &lines {
        let left: Vec<_> = lines.iter().filter(|(known, _)| known != name).cloned().collect();
        let found = findings(&file(&left));
        assert!(found.len() <= 1, "{name}: {found:#?}");
    }
    for section in ["listen", "upstream", "issuers", "roles"] {
        let left: Vec<_> = lines.iter().filter(|(name, _)| !name.starts_with(section)).cloned().collect();
        let heading = if section == "issuers" { "[[issuers]]" } else { &format!("[{section}") };
        let text: String = file(&left)
            .lines()
            .filter(|line| !line.starts_with(heading))
            .fold(String::new(), |text, line| text + line + "\n");
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{section}: {found:#?}");
        let misspelt = file(&lines).replace(heading, &heading.replacen(section, &format!("{section}x"), 1));
        let found = findings(&misspelt);
        assert_eq!(found.len(), 1, "{section}: {found:#?}");
    }
}

/// Whether the file with this role, and these rules before it, has faults, and what is said of it
pub(crate) fn role(rules: &str, role: &str) -> (bool, Vec<String>) {
    let text = LEAST.replace(
        "[roles.viewer]\ngrants = [\"READ DATASOURCE wikipedia\"]",
        &format!("[rules]\n{rules}\n[roles.viewer]\n{role}"),
    );
    (read(&text).config.is_none(), findings(&text))
}

/// Rules, a sentence that does nothing under them, and the twin that does
const NOTHING: &[(&str, &str, &str)] = &[
    ("", "READ DATASOURCE secret_.+", "READ DATASOURCE regex:secret_.+"),
    ("", "READ DATASOURCE ^secret_", "READ DATASOURCE regex:secret_.*"),
    ("", "READ DATASOURCE (a|b)", "READ DATASOURCE exact:(a|b)"),
    ("", "READ DATASOURCE 'x'", "READ DATASOURCE x"),
    ("", "READ DATASOURCE x ", "READ DATASOURCE exact:x "),
    ("", "READ DATASOURCE regexp:x.*", "READ DATASOURCE regex:x.*"),
    ("", "READ DATASOURCE glob:", "READ DATASOURCE *"),
    ("", "READ EXTERNAL s4://b/*", "READ EXTERNAL s3://b/*"),
    ("", "READ EXTERNAL s3://b/eu*", "READ EXTERNAL s3://b/eu/*"),
    ("", "READ EXTERNAL s3://*/eu", "READ EXTERNAL s3://b/eu"),
    ("", "READ EXTERNAL s3://b", "READ EXTERNAL s3://b/*"),
    ("", "READ EXTERNAL s3://b/eu/", "READ EXTERNAL s3://b/eu/*"),
    ("", "READ EXTERNAL https://*.example.org/*", "READ EXTERNAL https://data.example.org/*"),
    ("", "READ EXTERNAL http://127.0.0.1/*", "READ EXTERNAL http://127.0.0.1/a"),
    ("", "READ EXTERNAL file:///in/*", "READ EXTERNAL file:///in/"),
    ("", "READ EXTERNAL https://h/a?b", "READ EXTERNAL https://h/a"),
    ("", "READ EXTERNAL https://0x7f.1/a", "READ EXTERNAL https://127.0.0.1/a"),
    ("", "READ EXTERNAL glob:s3://b/*", "READ EXTERNAL s3://b/*"),
    ("", "READ EXTERNAL regex:s3://b/.*", "READ EXTERNAL exact:s3://b/a"),
];

/// Those that a grant may be, since nobody gets anything by it, and a deny may not
const NOTHING_DENIED: &[(&str, &str, &str)] = &[
    ("", "READ DATASOURCE secret_*", "READ DATASOURCE glob:secret_*"),
    ("", "READ DATASOURCE secret_%", "READ DATASOURCE exact:secret_%"),
    ("", "READ DATASOURCE a, b", "READ DATASOURCE exact:a, b"),
    ("", "READ DATASOURCE `a`", "READ DATASOURCE a"),
    ("", "READ DATASOURCE druid.secret", "READ DATASOURCE exact:druid.secret"),
    ("", "READ STATE serverz", "READ STATE STATE"),
    ("", "WRITE STATE status", "READ STATE status"),
    ("", "READ STATE properties", "READ CONFIG properties"),
    ("", "WRITE CONFIG users", "WRITE CONFIG security"),
    ("", "WRITE VIEW v", "READ VIEW v"),
    ("", "READ LOOKUP countries", "READ LOOKUP *"),
    ("lookups = \"granted\"", "WRITE LOOKUP countries", "READ LOOKUP countries"),
    ("", "READ SYSTEM_TABLE segments", "READ SYSTEM_TABLE *"),
    ("system_tables = true", "WRITE SYSTEM_TABLE segments", "READ SYSTEM_TABLE segments"),
    ("", "WRITE QUERY_CONTEXT priority", "WRITE QUERY_CONTEXT *"),
    ("context_keys = true", "READ QUERY_CONTEXT priority", "WRITE QUERY_CONTEXT priority"),
    ("", "READ EXTERNAL s3", "READ EXTERNAL EXTERNAL"),
    ("", "WRITE EXTERNAL EXTERNAL", "WRITE EXTERNAL s3"),
    ("input_source_types = true", "WRITE EXTERNAL EXTERNAL", "READ EXTERNAL s3"),
    ("", "WRITE EXTERNAL https://h/*", "WRITE EXTERNAL s3://b/*"),
];

#[test]
fn a_deny_that_denies_nothing_is_a_fault_and_its_twin_is_not() {
    let grants = "grants = [\"READ DATASOURCE wikipedia\"]";
    for (rules, sentence, twin) in NOTHING.iter().chain(NOTHING_DENIED) {
        let deny = |sentence: &str| role(rules, &format!("{grants}\ndenies = [{sentence:?}]"));
        let (is_fault, found) = deny(twin);
        // A pattern of all names waits for rules under which they count.
        assert!(!is_fault || twin.ends_with(" *") && twin != &"READ DATASOURCE *", "{twin}: {found:#?}");
        let (is_fault, found) = deny(sentence);
        assert!(is_fault && found.len() == 1, "{sentence}: {found:#?}");
        assert!(found.concat().contains("roles.viewer.denies"), "{sentence}: {found:#?}");
    }
}

#[test]
fn a_grant_that_grants_nothing_is_warned_of_or_a_fault_where_it_could_be_meant_as_more() {
    let grant = |rules: &str, sentence: &str| role(rules, &format!("grants = [{sentence:?}]"));
    for (rules, sentence, _) in NOTHING {
        let (is_fault, found) = grant(rules, sentence);
        assert!(is_fault && found.len() == 1, "{sentence}: {found:#?}");
    }
    for (rules, sentence, twin) in NOTHING_DENIED.iter().filter(|(_, _, twin)| !twin.ends_with(" *")) {
        let (is_fault, found) = grant(rules, twin);
        assert!(!is_fault && found.is_empty(), "{twin}: {found:#?}");
        let (is_fault, found) = grant(rules, sentence);
        assert!(
            !is_fault && found.len() == 1 && found.concat().contains("warning"),
            "{sentence}: {found:#?}"
        );
    }
}

#[test]
fn a_role_that_nobody_can_hold_may_not_deny_anything() {
    let confers = |roles: &str, denies: &str| {
        let text = LEAST.replace("jwks_file", &format!("roles = [{roles}]\njwks_file"));
        let reading = read(&text.replace("grants", &format!("{denies}\ngrants")));
        reading.config.is_some()
    };
    assert!(confers("\"viewer\"", "denies = [\"READ DATASOURCE secret\"]"));
    assert!(confers("", ""));
    assert!(!confers("", "denies = [\"READ DATASOURCE secret\"]"));
}

#[test]
fn an_address_that_nobody_has_is_a_fault_wherever_it_stands() {
    for host in ["*", "", "a b", "::", "[::", "[x]", "a/b", "a@b", "ä"] {
        let address = format!("{host}:8443");
        for (from, to) in
            [("0.0.0.0:8443", address.clone()), ("http://127.0.0.1:8888", format!("http://{address}"))]
        {
            let text = LEAST.replace(from, &to);
            assert!(read(&text).config.is_none(), "{to}");
        }
    }
    for host in ["0.0.0.0", "[::]", "[::1]", "gate.example.org", "druid_router", "localhost"] {
        for (from, to) in
            [("0.0.0.0:8443", format!("{host}:8443")), ("127.0.0.1:8888", format!("{host}:8888"))]
        {
            assert_eq!(findings(&LEAST.replace(from, &to)), Vec::<String>::new(), "{to}");
        }
    }
}

#[test]
fn balancers_are_named_as_networks_and_never_as_everybody() {
    let from = |network: &str| {
        let text = LEAST.replace(
            "key = \"server.key\"",
            &format!("key = \"server.key\"\nproxy_protocol_from = [{network:?}]"),
        );
        read(&text).config.is_some()
    };
    for network in ["10.0.0.0/8", "10.1.2.3", "fd00::/8", "::1"] {
        assert!(from(network), "{network}");
    }
    for network in ["10.1.2.3/8", "0.0.0.0/0", "::/0", "fd00::1/8", "::ffff:10.0.0.0/104"] {
        assert!(!from(network), "{network}");
    }
}
