//! Each kind of fault, with its exact message, and beside it what would be right

use crate::LEAST;
use crate::findings;

/// The least configuration with one text in place of another gives just this finding
fn finding(from: &str, to: &str) -> String {
    assert!(LEAST.contains(from), "{from}");
    let found = findings(&LEAST.replacen(from, to, 1));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

macro_rules! faults {
    ($($name:ident: $from:expr => $to:expr, $message:expr;)*) => {
        $(#[test]
        fn $name() {
            assert_eq!(finding($from, $to), $message);
        })*
    };
}

faults! {
    a_key_that_is_not_there:
        "certificate = " => "certifcate = \"x\"\ncertificate = ",
        "proxy.toml:4: listen.certifcate: there is no such key; did you mean `certificate`?";
    a_table_that_is_not_there:
        "[roles.viewer]" => "[rule]\n[roles.viewer]",
        "proxy.toml:13: rule: there is no such table; did you mean `rules`?";
    a_missing_key:
        "key = \"server.key\"\n" => "",
        "proxy.toml:2: listen.key: is missing; give PEM file of its key";
    a_value_of_another_type:
        "url = \"http://127.0.0.1:8888\"" => "url = 8888",
        "proxy.toml:7: upstream.url: is no string; write it in quotes";
    an_address_without_a_port:
        "0.0.0.0:8443" => "0.0.0.0",
        "proxy.toml:3: listen.address: `0.0.0.0` is no address; write `host:port`, IPv6 as `[::]:8443`";
    an_address_twice:
        "\"0.0.0.0:8443\"" => "[\"0.0.0.0:8443\", \"[::]:8443\", \"0.0.0.0:8443\"]",
        "proxy.toml:3: listen.address: `0.0.0.0:8443` stands twice; write each address once";
    an_admin_address_where_clients_come_in:
        "[upstream]" => "[admin]\naddress = \"0.0.0.0:8443\"\n[upstream]",
        "proxy.toml:7: admin.address: `0.0.0.0:8443` is where clients come in; write another port";
    a_router_with_a_path:
        "http://127.0.0.1:8888" => "http://127.0.0.1:8888/druid",
        "proxy.toml:7: upstream.url: `http://127.0.0.1:8888/druid` is no router's URL; write `http://host:port`, without a path";
    a_router_of_another_scheme:
        "http://127.0.0.1:8888" => "druid://x",
        "proxy.toml:7: upstream.url: `druid://x` is no router's URL; write `http://host:port`, without a path";
    a_user_without_a_password:
        "url = " => "username = \"gate\"\nurl = ",
        "proxy.toml:7: upstream.username: has no password; give `password_file` or `password_env`";
    a_password_that_goes_over_the_network:
        "url = \"http://127.0.0.1:8888\"" => "url = \"http://druid.test:8888\"\nusername = \"gate\"\npassword_file = \"p\"",
        "proxy.toml:7: warning: upstream.url: the password of `username` goes to another machine without TLS; write `https://`, and have the router speak TLS";
    a_password_without_a_user:
        "url = " => "password_env = \"X\"\nurl = ",
        "proxy.toml:7: upstream.username: is missing; say whose password that is";
    an_issuer_without_an_audience:
        "audiences = [\"druid\"]" => "audiences = []",
        "proxy.toml:8: issuers: `audiences` is empty or holds an empty name; write the `aud` that names this service";
    an_algorithm_that_cannot_count:
        "\"RS256\"" => "\"RS256\", \"HS256\"",
        "proxy.toml:12: issuers.algorithms: `HS256` is no algorithm that can count; the algorithms are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    a_bucket_without_a_prefix:
        "[roles.viewer]" => "[durable_storage]\nbucket = \"druid\"\n[roles.viewer]",
        "proxy.toml:13: durable_storage.prefix: is missing; write the value of druid.msq.intermediate.storage.prefix";
    a_prefix_without_a_bucket:
        "[roles.viewer]" => "[durable_storage]\nprefix = \"msq\"\n[roles.viewer]",
        "proxy.toml:13: durable_storage.bucket: is missing; write the value of druid.msq.intermediate.storage.bucket";
    a_bucket_that_cannot_be_one:
        "[roles.viewer]" => "[durable_storage]\nbucket = \"s3://druid\"\nprefix = \"msq\"\n[roles.viewer]",
        "proxy.toml:14: durable_storage.bucket: `s3://druid` is no bucket; write it as Druid's properties have it";
    an_endpoint_with_a_path:
        "[roles.viewer]" => "[durable_storage]\nendpoint = \"https://s3.test/druid\"\n[roles.viewer]",
        "proxy.toml:14: durable_storage.endpoint: `https://s3.test/druid` is no address of an S3 server; write `https://host` or `http://host:port`, without a path";
    a_requirement_without_a_report:
        "[roles.viewer]" => "[durable_storage]\nrequired = true\n[roles.viewer]",
        "proxy.toml:14: durable_storage.required: rests on a report, and there is none; name the file that `preflight s3 --json` writes in `report`";
    a_report_without_a_name:
        "[roles.viewer]" => "[durable_storage]\nreport = \"\"\n[roles.viewer]",
        "proxy.toml:14: durable_storage.report: is empty; write a value, or leave it out";
    a_requirement_that_any_report_meets:
        "[roles.viewer]" => "[durable_storage]\nreport = \"r\"\nrequired = true\n[roles.viewer]",
        "proxy.toml:15: warning: durable_storage.required: any report counts, whichever storage it is of; write `bucket` and `prefix` as Druid's properties have them";
    an_age_of_no_report:
        "[roles.viewer]" => "[durable_storage]\nreport_stale_seconds = 60\n[roles.viewer]",
        "proxy.toml:14: warning: durable_storage.report_stale_seconds: is of no use without a report; name the file that `preflight s3 --json` writes in `report`";
    a_role_without_grants:
        "grants = [\"READ DATASOURCE wikipedia\"]" => "grants = []",
        "proxy.toml:13: roles.viewer.grants: is empty; give the role something, or take it out";
    a_grant_that_is_no_sentence:
        "\"READ DATASOURCE wikipedia\"" => "\"READ DATASOURCE wikipedia\", \"wikipedia\"",
        "proxy.toml:14: roles.viewer.grants: `wikipedia` is no permission; write `ACTION TYPE NAME`, such as `READ DATASOURCE wikipedia`";
    a_grant_of_an_unknown_type:
        "\"READ DATASOURCE wikipedia\"" => "\"READ DATASOURCE wikipedia\", \"READ TABLE x\"",
        "proxy.toml:14: roles.viewer.grants: `TABLE` is no resource type; the types are CONFIG, DATASOURCE, EXTERNAL, LOOKUP, QUERY_CONTEXT, STATE, SYSTEM_TABLE, VIEW";
    a_rule_with_another_word:
        "[roles.viewer]" => "[rules]\ncancel = \"nobody\"\n[roles.viewer]",
        "proxy.toml:14: rules.cancel: `nobody` is not one of its values; write \"read\" or \"write\" or \"owner\"";
    a_limit_out_of_bounds:
        "[roles.viewer]" => "[limits]\ntoken_leeway_seconds = 121\n[roles.viewer]",
        "proxy.toml:14: limits.token_leeway_seconds: is no number that can stand here; write a whole number from 0 to 120";
    a_drain_that_is_shorter_than_an_answer_may_take:
        "[roles.viewer]" => "[limits]\ndrain_seconds = 30\n[roles.viewer]",
        "proxy.toml:14: warning: limits.drain_seconds: a query may take 600 seconds to its answer, and when the gate stops it is cut after 30; write `drain_seconds = 600`, or fewer `answer_seconds`";
    a_token_that_no_head_has_room_for:
        "[roles.viewer]" => "[limits]\ntoken_bytes = 15000\n[roles.viewer]",
        "proxy.toml:14: warning: limits.token_bytes: a token of 15000 bytes does not fit into `head_bytes`, 16384, with all else that a head holds; write `head_bytes = 17048`, 22048 for HTTP Basic, or fewer `token_bytes`";
    a_head_that_has_no_room_for_a_token:
        "[roles.viewer]" => "[limits]\nhead_bytes = 8192\n[roles.viewer]",
        "proxy.toml:13: warning: limits.token_bytes: a token of 12288 bytes does not fit into `head_bytes`, 8192, with all else that a head holds; write `head_bytes = 14336`, 18432 for HTTP Basic, or fewer `token_bytes`";
    a_path_of_another_language:
        "jwks_file" => "roles_claim = \"resource_access[\\\"my.app\\\"].roles\"\njwks_file",
        "proxy.toml:11: issuers.roles_claim: would never be found: `[` cannot stand in a dotted path; write the names as a list, such as [\"resource_access\", \"my.app\", \"roles\"]";
    a_list_of_no_names:
        "jwks_file" => "audience_claim = []\njwks_file",
        "proxy.toml:11: issuers.audience_claim: names no claim; write its name, a dotted path, or a list of names";
    a_password_in_a_routers_url:
        "http://127.0.0.1:8888" => "http://gate:hunter2@druid:8888",
        "proxy.toml:7: upstream.url: `http://…@druid:8888` is no router's URL; write `http://host:port`, without a path";
    a_password_in_an_issuers_address:
        "jwks_file = \"jwks.json\"" => "jwks_url = \"https://gate:hunter2@id.test/keys\"",
        "proxy.toml:11: issuers.jwks_url: holds what looks like a password, a key or a token; write the bare URL: nobody asks for more";
    a_switch_that_is_a_word:
        "[roles.viewer]" => "[rules]\nbasic_token = \"yes\"\n[roles.viewer]",
        "proxy.toml:14: rules.basic_token: is neither true nor false; write one of these, without quotes";
    a_grant_that_shows_everybodys_selects:
        "\"READ DATASOURCE wikipedia\"" => "\"READ DATASOURCE *\"",
        "proxy.toml:14: warning: roles.viewer.grants: READ DATASOURCE __query_select shows the rows of everybody's SELECT tasks; set rules.select_tasks = \"owner\", or deny it to this role";
    a_regex_that_reads_like_a_glob:
        "READ DATASOURCE wikipedia" => "READ DATASOURCE regex:sales.*",
        "proxy.toml:14: warning: roles.viewer.grants: `READ DATASOURCE regex:sales.*` matches more than a dot and what follows it: in a regex `.` is any character; write `glob:` with `*` alone if that is meant, or `[.].*` for a dot";
    an_exact_name_that_reads_like_a_glob:
        "READ DATASOURCE wikipedia" => "READ DATASOURCE sales_*",
        "proxy.toml:14: warning: roles.viewer.grants: `READ DATASOURCE sales_*` is the exact name with a `*` or `?` in it; write `glob:sales_*` for a pattern, `exact:sales_*` for the name";
    a_grant_that_a_deny_takes_back:
        "grants = [\"READ DATASOURCE wikipedia\"]" => "grants = [\"READ DATASOURCE wikipedia\"]\ndenies = [\"READ DATASOURCE glob:wiki*\"]",
        "proxy.toml:14: warning: roles.viewer.grants: `READ DATASOURCE wikipedia` grants nothing, since this role denies it; take out the grant, or the deny";
    a_role_that_nobody_can_hold:
        "jwks_file" => "roles = []\njwks_file",
        "proxy.toml:14: warning: roles.viewer.members: nobody can hold this role: no issuer confers it, and it has no members; name it in an issuer's `roles`, or give it `members`";
    a_write_on_the_stub:
        "READ DATASOURCE wikipedia" => "WRITE DATASOURCE __query_select",
        "proxy.toml:14: warning: roles.viewer.grants: WRITE DATASOURCE __query_select is of no use through the gate; deny it to this role";
    cancel_by_read_spelt_out:
        "[roles.viewer]" => "[rules]\ncancel = \"read\"\n[roles.viewer]",
        "proxy.toml:14: warning: rules.cancel: whoever may read a datasource may cancel what writes it; write \"owner\", or leave it out if that is meant";
    keys_from_a_file_and_an_address:
        "jwks_file" => "jwks_url = \"https://id/keys\"\njwks_file",
        "proxy.toml:11: issuers.jwks_url: stands beside `jwks_file`; keep one of the two";
    keys_over_plain_http:
        "jwks_file = \"jwks.json\"" => "jwks_url = \"http://id.example.org/keys\"",
        "proxy.toml:11: issuers.jwks_url: `http://id.example.org/keys` may not be asked for keys; write `https://…`; plain http only on loopback";
    an_issuer_over_plain_http:
        "issuer = \"https://id\"\naudiences = [\"druid\"]\njwks_file = \"jwks.json\"\n" => "issuer = \"http://id.example.org\"\naudiences = [\"druid\"]\n",
        "proxy.toml:9: issuers.issuer: `http://id.example.org` may not be asked for its keys; write `https://…`; plain http only on loopback, or give `jwks_file`";
    a_balancer_that_is_no_network:
        "key = \"server.key\"" => "key = \"server.key\"\nproxy_protocol_from = [\"10.0.0.0/99\"]",
        "proxy.toml:6: listen.proxy_protocol_from: `10.0.0.0/99` is no network; write `10.0.0.0/8`, or one address";
    routers_of_two_schemes:
        "url = \"http://127.0.0.1:8888\"" => "url = [\"http://a:1\", \"https://b:2\"]",
        "proxy.toml:7: upstream.url: mixes `http://` and `https://`; write one of them throughout";
    no_issuer_at_all:
        "[[issuers]]\nissuer = \"https://id\"\naudiences = [\"druid\"]\njwks_file = \"jwks.json\"\nalgorithms = [\"RS256\"]\n" => "",
        "proxy.toml:1: issuers: nobody vouches for callers; write at least one `[[issuers]]`";
}

#[test]
fn a_write_on_the_stub_is_of_use_where_cancelling_asks_for_it() {
    let text = LEAST.replace("READ DATASOURCE wikipedia", "WRITE DATASOURCE __query_select");
    assert_eq!(findings(&text).len(), 1);
    let text = text.replace("[roles.viewer]", "[rules]\ncancel = \"write\"\n[roles.viewer]");
    assert_eq!(findings(&text), Vec::<String>::new());
}

#[test]
fn a_report_of_a_named_place_may_be_required() {
    let place = "bucket = \"druid\"\nprefix = \"p\"\nendpoint = \"https://s3.test\"";
    let storage = format!(
        "[durable_storage]\n{place}\nreport = \"r\"\nreport_stale_seconds = 60\nrequired = true\n[roles.viewer]"
    );
    assert_eq!(findings(&LEAST.replace("[roles.viewer]", &storage)), Vec::<String>::new());
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_its_order() {
    let text = LEAST.replace("0.0.0.0:8443", "x").replace("RS256", "none").replace("READ DATASOURCE", "SEE");
    let text = text.replace("key = \"server.key\"\n", "");
    let found = findings(&text);
    let lines: Vec<_> = found.iter().map(|finding| finding.split(':').nth(1).unwrap().to_owned()).collect();
    assert_eq!(found.len(), 4, "one for each mistake: {found:#?}");
    assert!(lines.is_sorted_by_key(|line| line.parse::<usize>().unwrap()), "{found:#?}");
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let found = findings("[listen]\naddress = \"x\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("proxy.toml:2: TOML: "), "{found:?}");
}

#[test]
fn several_issuers_must_say_which_roles_each_confers_and_members_whose_identity_they_are() {
    let second = "[[issuers]]\nissuer = \"https://two\"\naudiences = [\"druid\"]\njwks_file = \"j\"\nalgorithms = [\"RS256\"]\nroles = [\"viewer\"]\n";
    let two = LEAST.replace(
        "[roles.viewer]",
        &format!("{second}[roles.viewer]\nmembers = [\"https://two|bob\", \"bob\"]"),
    );
    let found = findings(&two);
    assert_eq!(
        found,
        [
            "proxy.toml:8: issuers.roles: is missing, and there are several issuers; say which roles this one may confer, `[]` for none",
            "proxy.toml:20: roles.viewer.members: `bob` does not say whose identity it is; write `ISSUER|IDENTITY`, with an issuer of this file",
        ]
    );
}

#[test]
fn a_claim_may_be_a_dotted_path_or_a_list_of_names() {
    for claim in
        ["\"groups\"", "\"realm_access.roles\"", "[\"resource_access\", \"my.app\", \"roles\"]", "[\"a[0]\"]"]
    {
        let lines =
            format!("roles_claim = {claim}\nidentity_claim = {claim}\naudience_claim = {claim}\njwks_file");
        assert_eq!(findings(&LEAST.replace("jwks_file", &lines)), Vec::<String>::new(), "{claim}");
    }
}

#[test]
fn a_claim_that_is_not_of_the_caller_names_nobody() {
    for claim in ["sub", "email", "azp", "act"] {
        let lines = format!("identity_claim = \"{claim}\"\njwks_file");
        assert_eq!(findings(&LEAST.replace("jwks_file", &lines)), Vec::<String>::new(), "{claim}");
    }
    for claim in ["\"iss\"", "[\"iss\"]", "\"aud\"", "\"jti\"", "\"aud.0\"", "[\"exp\"]"] {
        let found = findings(&LEAST.replace("jwks_file", &format!("identity_claim = {claim}\njwks_file")));
        assert!(found.len() == 1 && found.concat().contains("names nobody"), "{claim}: {found:?}");
    }
}

#[test]
fn a_password_may_go_over_loopback_and_over_tls() {
    for url in
        ["http://127.0.0.1:8888", "http://localhost:8888", "http://[::1]:8888", "https://druid.test:8888"]
    {
        let signed = format!("{url}\"\nusername = \"gate\"\npassword_file = \"p");
        assert_eq!(findings(&LEAST.replace("http://127.0.0.1:8888", &signed)), Vec::<String>::new(), "{url}");
    }
}
