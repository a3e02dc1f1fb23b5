//! Data outside Druid by its place: every type of input source, however it is asked for, and spellings of addresses

use std::collections::BTreeSet;

use msq_gate::authorize::permission::Permission;
use msq_gate::authorize::policy::{Policy, Role};
use msq_gate::authorize::{Caller, DeniedReason, Verdict, verdict};
use msq_gate::druid::place::Scheme;
use msq_gate::druid::{Place, ResourceAction};
use msq_gate::resource_actions::rules::InputSources;
use msq_gate::resource_actions::{Needed, Rules, ingestion, native};
use serde_json::{Value, json};
use url::Url;

use crate::statements::Random;
use crate::support::{judged, with_judges_stack};

fn policy(grants: &[&str], denies: &[&str]) -> Policy {
    let parse = |sentences: &[&str]| sentences.iter().map(|text| Permission::parse(text).unwrap()).collect();
    let role = |grants, denies| Role {
        name: "r".to_owned(),
        members: Vec::new(),
        grants: parse(grants),
        denies: parse(denies),
        line: 1,
    };
    Policy::new(vec![role(&[grants, &["READ WRITE DATASOURCE *"]].concat(), denies)])
}

fn may(needs: &Needed, grants: &[&str], denies: &[&str]) -> bool {
    verdict_of(needs, grants, denies) == Verdict::Permit
}

fn verdict_of(needs: &Needed, grants: &[&str], denies: &[&str]) -> Verdict {
    verdict(needs, &Caller::supposed("i", "alice", vec!["r".to_owned()]), &policy(grants, denies)).0
}

/// What reading this source needs, by each of the ways that lead there
fn ways(source: &Value, rules: &Rules) -> Vec<Needed> {
    let io = json!({"type": "index_parallel", "inputSource": source, "inputFormat": {"type": "json"}});
    let task = json!({"type": "index_parallel", "spec": {"dataSchema": {"dataSource": "a"}, "ioConfig": io}});
    let external =
        json!({"type": "external", "inputSource": source, "inputFormat": {"type": "json"}, "signature": []});
    let query = json!({"queryType": "scan", "dataSource": external});
    let text = source.to_string().replace('\'', "''");
    let sql = format!("SELECT * FROM TABLE(EXTERN('{text}', '{{\"type\":\"json\"}}')) EXTEND (x VARCHAR)");
    vec![
        ingestion::judge(task.to_string().as_bytes(), 64, rules).unwrap().needs,
        native::judge(query.to_string().as_bytes(), 64, rules).unwrap().needs,
        judged(&sql, &[], rules).unwrap().needs,
    ]
}

/// A source, a grant by which it may be read, and the same kind of source which that grant does not let be read
fn sources() -> Vec<(&'static str, Value, &'static str, Value)> {
    let landing = "READ EXTERNAL s3://landing/eu/*";
    vec![
        (
            "http",
            json!({"type": "http", "uris": ["https://data.example.org/a", "HTTPS://data.example.org:443/b?x"]}),
            "READ EXTERNAL https://data.example.org/*",
            json!({"type": "http", "uris": ["https://data.example.org/a", "https://data.example.com/b"]}),
        ),
        (
            "http",
            json!({"type": "http", "uris": ["https://h/a"], "systemFields": ["__file_uri"]}),
            "READ EXTERNAL https://h/a",
            json!({"type": "http", "uris": ["https://h/a"], "requestHeaders": {"Host": "inner"}}),
        ),
        (
            "local",
            json!({"type": "local", "files": ["/in/a.csv"]}),
            "READ EXTERNAL file:///in/a.csv",
            json!({"type": "local", "files": ["/in/a.csv", "/etc/passwd"]}),
        ),
        (
            "local",
            json!({"type": "local", "baseDir": "/in", "filter": "*.csv"}),
            "READ EXTERNAL file:///in/",
            json!({"type": "local", "baseDir": "/in/..", "filter": "*.csv"}),
        ),
        (
            "hdfs",
            json!({"type": "hdfs", "paths": "hdfs://nn:8020/eu/a,hdfs://nn:8020/eu/2024-*"}),
            "READ EXTERNAL hdfs://nn:8020/eu/*",
            json!({"type": "hdfs", "paths": ["hdfs://nn:8020/eu/a", "hdfs://other:8020/eu/a"]}),
        ),
        (
            "s3",
            json!({"type": "s3", "uris": ["s3://landing/eu/a"]}),
            landing,
            json!({"type": "s3", "uris": ["s3://landing/eu-secret/a"]}),
        ),
        (
            "s3",
            json!({"type": "s3", "prefixes": ["s3://landing/eu/"], "objectGlob": "**.csv"}),
            landing,
            json!({"type": "s3", "prefixes": ["s3://landing/eu"], "objectGlob": "eu/*.csv"}),
        ),
        (
            "s3",
            json!({"type": "s3", "objects": [{"bucket": "landing", "path": "eu/a"}]}),
            landing,
            json!({"type": "s3", "objects": [{"bucket": "landing", "path": "eu/../us"}]}),
        ),
        (
            "s3",
            json!({"type": "s3", "uris": ["s3a://landing/%65u/a"], "properties": null}),
            landing,
            json!({"type": "s3", "uris": ["s3://landing/eu/a"], "endpointConfig": {"url": "other"}}),
        ),
        (
            "google",
            json!({"type": "google", "prefixes": ["gs://b/eu/"]}),
            "READ EXTERNAL gs://b/*",
            json!({"type": "google", "prefixes": ["gs://b2/eu/"]}),
        ),
        (
            "azure",
            json!({"type": "azure", "objects": [{"bucket": "c", "path": "eu/a"}]}),
            "READ EXTERNAL azure://c/eu/*",
            json!({"type": "azure", "objects": [{"bucket": "c", "path": "us/a"}]}),
        ),
        (
            "azureStorage",
            json!({"type": "azureStorage", "uris": ["azurestorage://account/c/a"]}),
            "READ EXTERNAL azureStorage://account/c/*",
            json!({"type": "azureStorage", "uris": ["azureStorage://account/c/a"], "properties": {"key": "k"}}),
        ),
        (
            "oss",
            json!({"type": "oss", "uris": ["oss://b/a"]}),
            "READ EXTERNAL oss://b/*",
            json!({"type": "oss", "uris": ["oss://b/a"], "properties": {"endpoint": "other"}}),
        ),
        (
            "combining",
            json!({"type": "combining", "delegates": [{"type": "s3", "uris": ["s3://landing/eu/a"]}]}),
            landing,
            json!({"type": "combining", "delegates": [{"type": "s3", "uris": ["s3://landing/eu/a"]}, {"type": "inline", "data": "x"}]}),
        ),
    ]
}

#[test]
fn every_input_source_is_let_through_by_its_place_and_refused_elsewhere() {
    with_judges_stack(|| {
        for rules in [Rules::default(), Rules { input_sources: InputSources::ByType, ..Rules::default() }] {
            for (kind, inside, grant, outside) in sources() {
                let by_type = ["READ EXTERNAL *"];
                for (way, needs) in ways(&inside, &rules).iter().enumerate() {
                    assert!(may(needs, &[grant], &[]), "{kind}, way {way}: {inside} by {grant}");
                    assert!(may(needs, &by_type, &[]), "{kind}, way {way}: {inside}");
                    assert!(!may(needs, &["READ EXTERNAL s3://elsewhere/*"], &[]), "{kind}: {inside}");
                    assert!(!may(needs, &by_type, &[grant]), "{kind}: a deny of its place wins");
                }
                for (way, needs) in ways(&outside, &rules).iter().enumerate() {
                    assert!(!may(needs, &[grant], &[]), "{kind}, way {way}: {outside} by {grant}");
                    assert!(may(needs, &by_type, &[]), "{kind}, way {way}: {outside}");
                }
            }
        }
    });
}

#[test]
fn sources_whose_place_cannot_be_told_ask_for_the_type_and_a_deny_of_any_place_denies_them() {
    let every: Vec<_> = Scheme::ALL.iter().filter(|scheme| **scheme != Scheme::File).collect();
    let every: Vec<_> = every.iter().map(|scheme| format!("READ EXTERNAL {}://b/*", scheme.word())).collect();
    let places: Vec<_> = every.iter().map(String::as_str).collect();
    let iceberg = json!({"type": "iceberg", "tableName": "t", "namespace": "n", "icebergCatalog": {}, "warehouseSource": {"type": "s3"}});
    with_judges_stack(|| {
        for (source, is_nowhere) in [
            (json!({"type": "sql", "database": {}, "sqls": ["SELECT 1"]}), false),
            (json!({"type": "delta", "tablePath": "s3://b/eu"}), false),
            (iceberg, false),
            (json!({"type": "http", "uris": []}), false),
            (json!({"type": "http", "uris": ["http://b/a", "http://user@b/a"]}), false),
            (json!({"type": "s3", "prefixes": "s3://b/"}), false),
            (json!({"type": "s3", "uris": ["s3://b/a"], "properties": {"assumeRoleArn": "x"}}), false),
            (json!({"type": "local", "baseDir": "in", "filter": "*"}), false),
            (json!({"type": "hdfs", "paths": "/a"}), false),
            (json!({"type": "inline", "data": "x"}), true),
        ] {
            for needs in ways(&source, &Rules::default()) {
                assert!(may(&needs, &["READ EXTERNAL EXTERNAL"], &[]), "{source}");
                assert!(!may(&needs, &places, &[]), "{source}");
                let denied = verdict_of(&needs, &["READ EXTERNAL EXTERNAL"], &["READ EXTERNAL https://c/*"]);
                let expected = if is_nowhere { Verdict::Permit } else { Verdict::Deny(DeniedReason::Denied) };
                assert_eq!(denied, expected, "{source}");
            }
        }
    });
}

#[test]
fn a_format_that_reads_descriptors_asks_for_the_type_whatever_the_place() {
    let by = |format: &str| {
        let sql = format!(
            "SELECT * FROM TABLE(EXTERN('{{\"type\":\"s3\",\"uris\":[\"s3://b/a\"]}}', {format})) EXTEND (x VARCHAR)"
        );
        let needs = with_judges_stack(|| judged(&sql, &[], &Rules::default()).unwrap().needs);
        may(&needs, &["READ EXTERNAL s3://b/*"], &[])
    };
    assert!(by(r#"'{"type":"parquet"}'"#));
    let native = |format: &str| {
        let external = format!(
            r#"{{"type":"external","inputSource":{{"type":"s3","uris":["s3://b/a"]}},"inputFormat":{format}}}"#
        );
        let query = format!(r#"{{"queryType":"scan","dataSource":{external}}}"#);
        may(
            &native::judge(query.as_bytes(), 64, &Rules::default()).unwrap().needs,
            &["READ EXTERNAL s3://b/*"],
            &[],
        )
    };
    assert!(native(r#"{"type":"parquet"}"#));
    assert!(!native(
        r#"{"type":"avro_stream","avroBytesDecoder":{"type":"schema_registry","url":"http://inner"}}"#
    ));
    for format in [
        r#"'{"type":"protobuf","protoBytesDecoder":{"type":"file","descriptor":"file:///etc/passwd"}}'"#,
        r#"'{"type":"json","type":"protobuf"}'"#,
        "'{}'",
        "'x'",
        "'a' || 'b'",
    ] {
        assert!(!by(format), "{format}");
    }
}

#[test]
fn table_functions_and_exports_go_by_place_too() {
    with_judges_stack(|| {
        let may = |sql: &str, grant: &str| {
            let needs = judged(sql, &[], &Rules::default()).unwrap().needs;
            let denied = may(&needs, &["READ EXTERNAL EXTERNAL", "WRITE EXTERNAL *"], &[grant]);
            let permitted = may(&needs, &[grant], &[]);
            assert!(!permitted || !denied, "what a place lets through a deny of it stops: {sql}");
            permitted
        };
        let web = "READ EXTERNAL https://h/*";
        for (call, is_allowed) in [
            ("HTTP(uris => ARRAY['https://h/a', 'https://h/b'], format => 'csv', skipRows => 1)", true),
            ("HTTP(uris => 'https://h/a', format => 'csv')", true),
            ("HTTP(uris => ARRAY['https://h/a', 'https://g/b'], format => 'csv')", false),
            ("HTTP(uris => ARRAY['https://h/a'], userName => 'u', password => 'p', format => 'csv')", false),
            ("HTTP(uris => ARRAY['https://h/a'], format => 'protobuf')", false),
            ("HTTP(uris => ARRAY['https://h/' || 'a'], format => 'csv')", false),
            ("HTTP(uris => ARRAY['https://h/a'], uris => ARRAY['https://g/a'], format => 'csv')", false),
            ("HTTP(ARRAY['https://h/a'])", false),
            ("LOCALFILES(files => ARRAY['https://h/a'], format => 'csv')", false),
        ] {
            let sql = format!("SELECT * FROM TABLE({call}) EXTEND (x VARCHAR)");
            assert_eq!(may(&sql, web), is_allowed, "{call}");
        }
        let files = "SELECT * FROM TABLE(LOCALFILES(baseDir => '/in', \"filter\" => '*.csv', format => 'csv')) EXTEND (x VARCHAR)";
        assert!(may(files, "READ EXTERNAL file:///in/") && !may(files, "READ EXTERNAL file:///other/"));
        let export = "WRITE EXTERNAL s3://out/eu/*";
        for (target, is_allowed) in [
            ("s3(bucket => 'out', prefix => 'eu/daily')", true),
            ("s3(bucket => 'out', prefix => 'eu')", true),
            ("s3(bucket => 'out', prefix => 'eu-secret')", false),
            ("s3(bucket => 'out', prefix => 'eu/../us')", false),
            ("s3(bucket => 'out')", false),
            ("s3(bucket => 'out', prefix => 'eu', endpoint => 'other')", false),
            ("s3(bucket => 'out', prefix => 'eu', prefix => 'us')", false),
            ("google(bucket => 'out', prefix => 'eu')", false),
            ("s3()", false),
        ] {
            let sql = format!("INSERT INTO EXTERN({target}) AS CSV SELECT 1 FROM a");
            assert_eq!(may(&sql, export), is_allowed, "{target}");
        }
        assert!(may(
            "INSERT INTO EXTERN(local(exportPath => '/out')) AS CSV SELECT 1 FROM a",
            "WRITE EXTERNAL file:///out/"
        ));
        assert!(!may(
            "INSERT INTO EXTERN(s3(bucket => 'out', prefix => 'eu')) AS CSV SELECT 1 FROM a",
            "READ EXTERNAL s3://out/*"
        ));
    });
}

#[test]
fn so_many_places_that_nobody_means_them_are_none() {
    let uris = |count: usize| -> Vec<_> { (0..count).map(|number| format!("s3://b/{number}")).collect() };
    let needs =
        |count| with_judges_stack(|| ways(&json!({"type": "s3", "uris": uris(count)}), &Rules::default()));
    assert!(needs(1_000).iter().all(|needs| may(needs, &["READ EXTERNAL s3://b/*"], &[])));
    for needs in needs(1_001) {
        assert!(
            !may(&needs, &["READ EXTERNAL s3://b/*"], &[]) && may(&needs, &["READ EXTERNAL EXTERNAL"], &[])
        );
        assert_eq!(needs.sentences().len(), needs.resource_actions().len(), "one for all");
    }
}

/// Parts of addresses, in every spelling in which somebody hid another
const SCHEMES: &[&str] =
    &["https://", "HTTPS://", "http://", "https:/", "https:\\\\", "https:", "//", " https://", "s3://"];
const HOSTS: &[&str] = &[
    "data.example.org",
    "DATA.example.ORG",
    "data.example.org.",
    "data.example.org:443",
    "data.example.org:0443",
    "data.example.org:80",
    "data.example.org:",
    "data.example.org@evil.org",
    "evil.org#@data.example.org",
    "evil.org\\@data.example.org",
    "evil.org?data.example.org",
    "data.example.org%2eevil.org",
    "data.example.org\\evil.org",
    "dat\u{430}.example.org",
    "data.example.org\u{ff0f}x",
    "data。example.org",
    "u:p@data.example.org",
    "127.1",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "localhost",
    "data.example.org\t",
    "data.exa\nmple.org",
    "DATA.example.org%00",
];
const PATHS: &[&str] = &[
    "/eu",
    "/eu-secret",
    "/%65u",
    "/EU",
    "/us",
    "/.",
    "/..",
    "/%2e%2e",
    "/%2E.",
    "/.%2e",
    "/..;x",
    "/eu;x",
    "/%2f",
    "//",
    "/\\..",
    "/eu%2f..%2fus",
    "/%252e%252e",
    "/..%5c",
    "/a b",
    "/%20",
    "?eu",
    "#eu",
    "?/../us",
    "/*",
    "/%2a",
    "/+",
    "/%2b",
    "/\u{e9}",
    "/%c3%a9",
    "/%c0%ae",
    "/%",
    "/%u002e",
    "\\",
    "/eu/",
    "/\u{2025}",
    "/\u{ff0e}\u{ff0e}",
    "/.\t.",
    "/.\n.",
    "",
    "/data:x@y,z=1",
];

fn spelling(random: &mut Random) -> String {
    let mut address = String::new();
    // Mostly what would be allowed, so that much is.
    let mut part = |of: &[&'static str], random: &mut Random| {
        let plain = random.below(3) > 0;
        address.push_str(if plain { of[0] } else { random.of(of) });
    };
    part(SCHEMES, random);
    part(HOSTS, random);
    part(PATHS, random);
    for _ in 0..random.below(4) {
        part(PATHS, random);
    }
    address
}

/// Where another reader finds this: its server, and its path decoded as often as anybody might
fn read_by_another(address: &str) -> Option<(String, String)> {
    let url = Url::parse(address).ok()?;
    let server = format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?);
    let mut path = url.path().to_owned();
    for _ in 0..3 {
        path = decoded(&path);
        let leads_out = path.split(['/', '\\']).any(|segment| segment.split(';').next() == Some(".."));
        assert!(!leads_out, "{address}: {path}");
    }
    Some((server, path))
}

/// Each escape decoded once, by whoever takes what he finds
fn decoded(text: &str) -> String {
    let parts = text.split('%').enumerate().map(|(number, part)| {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| number > 0) {
            Some(byte) => [&[byte], &part.as_bytes()[2..]].concat(),
            None => part.as_bytes().to_vec(),
        }
    });
    String::from_utf8_lossy(&parts.collect::<Vec<_>>().concat()).into_owned()
}

#[test]
fn no_spelling_of_an_address_outside_a_place_is_let_through_by_it() {
    let grant = Permission::parse("READ EXTERNAL https://data.example.org/eu/*").unwrap();
    let mut random = Random::new(7);
    let (mut allowed, mut refused) = (BTreeSet::new(), 0);
    with_judges_stack(|| {
        for _ in 0..60_000 {
            let address = spelling(&mut random);
            let source = json!({"type": "http", "uris": [address]});
            let covered = Place::at_uri(&address, &[Scheme::Http, Scheme::Https]).is_some_and(|place| {
                let needed = ResourceAction::read(msq_gate::druid::ResourceType::External, "EXTERNAL");
                grant.covers(&needed.reaching(msq_gate::druid::Reach::At(place)))
            });
            if !covered {
                refused += 1;
                continue;
            }
            let (host, path) =
                read_by_another(&address).unwrap_or_else(|| panic!("nobody else reads {address}"));
            assert_eq!(host, "https://data.example.org:443", "{address}");
            assert!(path.starts_with("/eu/"), "{address}: {path}");
            if allowed.insert(address) && allowed.len() % 100 == 0 {
                assert!(ways(&source, &Rules::default()).iter().all(|needs| may(
                    needs,
                    &["READ EXTERNAL https://data.example.org/eu/*"],
                    &[]
                )));
            }
        }
    });
    println!("{} spellings of the inside are let through, {refused} addresses are not", allowed.len());
    assert!(allowed.len() > 300 && refused > 10_000, "{} {refused}", allowed.len());
}
