//! Every key of proxy.toml, one row each
//!
//! One table, four uses: a key that is not here is a fault, as is a value that its row does not allow; the schema and
//! the README list what is here, and a test holds the defaults against those that the code uses.

/// A key of the configuration
#[derive(Debug)]
pub struct Key {
    /// The table it stands in; `roles.*` and `issuers` for each of these
    pub section: &'static str,
    /// Its name
    pub name: &'static str,
    /// What may stand for it
    pub kind: Kind,
    /// Its default as TOML, or what stands for one
    pub default: Fallback,
    /// What it does
    pub meaning: &'static str,
}

/// What may stand for a key
#[derive(Debug)]
pub enum Kind {
    /// A string
    Text,
    /// A list of strings
    Texts,
    /// A string, or a list of strings
    TextOrTexts,
    /// A list of names of algorithms
    Algorithms,
    /// True or false
    Switch,
    /// A whole number, no smaller than the one and no greater than the other
    Whole(u64, u64),
    /// One of these
    Word(&'static [&'static str]),
}

/// What holds where a key is left out
#[derive(Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It has to be given
    Required,
    /// Nothing
    Unset,
    /// This value, as TOML
    Value(&'static str),
}

use Fallback::{Required, Unset, Value};
use Kind::{Algorithms, Switch, Text, TextOrTexts, Texts, Whole, Word};

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
const GIB: u64 = 1 << 30;

/// The tables of the file
pub const SECTIONS: [&str; 9] =
    ["listen", "admin", "upstream", "issuers", "roles", "rules", "limits", "audit", "durable_storage"];

/// Rows of two lines: `"name": kind, default,` and what it does
macro_rules! keys {
    ($($section:literal { $($name:literal: $kind:expr, $default:expr, $meaning:literal;)* })*) => {
        &[$($(Key { section: $section, name: $name, kind: $kind, default: $default, meaning: $meaning },)*)*]
    };
}

/// The table
pub const KEYS: &[Key] = keys! {
    "listen" {
        "address": TextOrTexts, Required,
            "where clients come in, `host:port`, or a list of these";
        "certificate": Text, Required,
            "PEM file of the server's certificate chain";
        "key": Text, Required,
            "PEM file of its key";
        "proxy_protocol_from": Texts, Unset,
            "balancers that pass connections on with a PROXY header, v1 or v2, as networks: `10.0.0.0/8`; from these it is required, from nobody else it is taken";
    }
    "admin" {
        "address": Text, Value("\"127.0.0.1:9901\""),
            "where `/livez`, `/readyz` and `/metrics` answer; plain HTTP, never the public address";
    }
    "upstream" {
        "url": TextOrTexts, Required,
            "the Druid router, `http://host:port` or `https://…`, or a list of routers: the one that answers is used";
        "ca_file": Text, Unset,
            "PEM file with the roots trusted for an https router, in place of the system's";
        "username": Text, Unset,
            "how the gate signs in to Druid (HTTP Basic); left out where Druid asks nothing";
        "password_file": Text, Unset,
            "file with the password of `username`";
        "password_env": Text, Unset,
            "environment variable with it, in place of a file";
    }
    "issuers" {
        "issuer": Text, Required,
            "the `iss` of its tokens, byte for byte";
        "audiences": Texts, Required,
            "a token's audience claim must hold one of these";
        "audience_claim": TextOrTexts, Value("\"aud\""),
            "where the audience stands: `client_id` in Cognito's access tokens, `azp` in Keycloak's without an audience mapper";
        "jwks_file": Text, Unset,
            "file with the issuer's keys, a JWK set; without it and `jwks_url` they come by the issuer's discovery document";
        "jwks_url": Text, Unset,
            "address of the issuer's keys, in place of its discovery document; https, or http on loopback";
        "ca_file": Text, Unset,
            "PEM file with the roots trusted for fetching keys, in place of the system's";
        "algorithms": Algorithms, Required,
            "the signature algorithms that count: RS256 … ES256 … EdDSA";
        "identity_claim": TextOrTexts, Value("\"sub\""),
            "the claim that names the caller: a dotted path, or a list of names";
        "roles_claim": TextOrTexts, Value("\"roles\""),
            "the claim with his roles, a string (one role, never split) or a list of strings: a dotted path, or a list of names such as `[\"resource_access\", \"my.app\", \"roles\"]`";
        "roles_claim_required": Switch, Unset,
            "whether a token without it is 401 `token_claims`; where not given, it is if a role that this issuer may confer has `denies`";
        "roles": Texts, Unset,
            "which roles this issuer may confer; must be given where there are several issuers";
    }
    "roles.*" {
        "members": Texts, Unset,
            "who is in the role by identity, besides the claim; `ISSUER|IDENTITY` where there are several issuers";
        "grants": Texts, Required,
            "what the role may: `READ DATASOURCE wikipedia`; names are exact, or `glob:…`, `regex:…` (whole name), `*`, `exact:…`; a name with any of `^$()|[]{}+\\\"'` or a blank at an edge must have one of these marks";
        "denies": Texts, Unset,
            "what it may not; a deny wins over any grant, and one that denies nothing is a fault";
    }
    "rules" {
        "cancel": Word(&["read", "write", "owner"]), Value("\"read\""),
            "shutdown of query tasks: `read` on the datasource (the MSQ manual), `write` (the Overlord's code), or `owner` (the submitter, or WRITE STATE STATE); any other task needs WRITE";
        "select_tasks": Word(&["shared", "owner"]), Value("\"shared\""),
            "`shared`: READ DATASOURCE __query_select shows every SELECT task; `owner`: one's own tasks without a grant, of others SELECT with READ STATE STATE, INSERT and REPLACE with READ on their datasource";
        "tasks": Word(&["shared", "owner"]), Value("\"shared\""),
            "`owner`: one's own tasks are one's own to see and to cancel: `cancel` and `select_tasks` are `owner`, unless they say otherwise";
        "metadata": Word(&["state", "open"]), Value("\"state\""),
            "`state`: `sys.*` and `INFORMATION_SCHEMA.*` (but ROUTINES and SCHEMATA) ask READ STATE STATE; `open`: what Druid asks, which is READ STATE STATE for `sys.servers`, `server_segments`, `server_properties` and `queries`";
        "raw_query_controller": Word(&["deny", "check"]), Value("\"deny\""),
            "what becomes of query_controller tasks posted to the Overlord: `deny` refuses them; `check` asks for what their spec reads and writes, as the same in SQL, and refuses what is not understood or says whose it is";
        "task_inputs": Word(&["external", "druid"]), Value("\"external\""),
            "`external`: an ingestion's inputSource asks READ EXTERNAL (`druid`: READ on that datasource); `druid`: nothing, as Druid";
        "input_source_types": Switch, Value("false"),
            "EXTERNAL by type: http, s3, local … (druid.auth.enableInputSourceSecurity)";
        "context_keys": Switch, Value("false"),
            "WRITE QUERY_CONTEXT for each context key (druid.auth.authorizeQueryContextParams)";
        "system_tables": Switch, Value("false"),
            "READ SYSTEM_TABLE for each `sys` table (druid.sql.planner.authorizeSystemTablesDirectly)";
        "lookups": Word(&["open", "granted"]), Value("\"open\""),
            "`granted`: READ LOOKUP for each lookup; a posted task uses none";
        "public_health": Switch, Value("false"),
            "GET /status/health without a token";
        "basic_token": Switch, Value("true"),
            "a JWT in the password of HTTP Basic counts as a bearer token; the user name is ignored";
        "refusal_detail": Word(&["code", "missing", "full"]), Value("\"missing\""),
            "`missing`: what is missing; `full`: also which roles hold it; `code`: the reason only";
        "verify": Word(&["off", "watch", "require"]), Value("\"off\""),
            "Druid's own EXPLAIN as a third reader of statements never seen before; `watch`: beside the request, a difference is logged, counted and on record; `require`: before it is forwarded, a difference refuses it";
    }
    "limits" {
        "handshake_seconds": Whole(1, 10 * MINUTE), Value("5"),
            "for the TLS handshake";
        "head_seconds": Whole(1, 10 * MINUTE), Value("10"),
            "from the handshake's end, or a request's first byte, to its whole head";
        "body_seconds": Whole(1, DAY), Value("30"),
            "for a request's whole body";
        "idle_seconds": Whole(1, DAY), Value("60"),
            "between requests on one connection, and for a client to take more of an answer";
        "answer_bytes_per_second": Whole(0, 1 << 20), Value("1024"),
            "how fast a client takes what there is of an answer, at least: who is slower for long is left, and who takes nothing after `idle_seconds`; on HTTP/2 all streams together, and each its share by `h2_streams`. Waiting for Druid never counts; 0 takes any client";
        // hyper's buffer is no smaller than 8 KiB.
        "head_bytes": Whole(8_192, 1 << 20), Value("16384"),
            "of a request's head";
        "head_fields": Whole(10, 1_000), Value("100"),
            "header fields of a request";
        "target_bytes": Whole(128, 1 << 16), Value("4096"),
            "of path and query";
        "token_bytes": Whole(256, 1 << 16), Value("12288"),
            "of a token; Entra's with 200 groups has about 11000. As the password of HTTP Basic it takes a third more of `head_bytes`";
        "body_bytes": Whole(64, GIB), Value("1048576"),
            "of a body with SQL, inflated";
        "task_body_bytes": Whole(64, GIB), Value("8388608"),
            "of a posted task, inflated";
        "json_depth": Whole(4, 100), Value("64"),
            "levels of arrays and objects";
        "values": Whole(64, 100_000_000), Value("100000"),
            "JSON values in one body; each takes a quarter of a kilobyte of memory while it is read";
        "bodies_bytes": Whole(64, 64 * GIB), Value("50331648"),
            "of all bodies at one time, as they come and inflated: a quarter for one caller, half for one address, and room for one of the largest in any case";
        "statement_bytes": Whole(16, 16 << 20), Value("262144"),
            "of a statement's text";
        "statement_tokens": Whole(16, 50_000), Value("50000"),
            "tokens of a statement";
        "statement_nesting": Whole(4, 100), Value("100"),
            "levels of nesting in a statement";
        "connections": Whole(1, 1_000_000), Value("4000"),
            "open at once, and never more than half of the file limit";
        "connections_per_address": Whole(1, 1_000_000), Unset,
            "of these from one address, an IPv6 one by its /64, the one that a balancer names where there is a PROXY header; where not given, a quarter";
        "h2_streams": Whole(1, 10_000), Value("100"),
            "requests at once on one HTTP/2 connection";
        "requests": Whole(1, 1_000_000), Value("1024"),
            "requests at once in whole, to the end of their answers: a quarter for one caller, half for one address";
        "connect_seconds": Whole(1, 10 * MINUTE), Value("2"),
            "to connect to Druid";
        "answer_seconds": Whole(1, DAY), Value("600"),
            "to the first byte of a query's answer";
        "control_answer_seconds": Whole(1, DAY), Value("60"),
            "the same for all else";
        "drain_seconds": Whole(0, DAY), Value("600"),
            "for requests in flight when the gate stops; what runs longer is cut, as it is by a second SIGTERM or Ctrl-C";
        "token_leeway_seconds": Whole(0, 120), Value("30"),
            "of clock difference for exp and nbf; at most 120";
        "key_refresh_seconds": Whole(1, DAY), Value("900"),
            "between two fetches of an issuer's keys; an unknown key asks sooner, three times at once and then once in 5 s for one address, ten times and then once a second in all";
        "key_stale_seconds": Whole(1, 30 * DAY), Value("86400"),
            "how long the last good keys serve while the issuer cannot be reached";
    }
    "audit" {
        "file": Text, Value("\"-\""),
            "where the JSON lines go; `-` is standard output";
        "statements": Switch, Value("false"),
            "whether a record holds the statement's text";
    }
    "durable_storage" {
        "bucket": Text, Unset,
            "the S3 bucket of durable storage, for `preflight s3` (druid.msq.intermediate.storage.bucket)";
        "prefix": Text, Unset,
            "what every key in it begins with (druid.msq.intermediate.storage.prefix)";
        "endpoint": Text, Unset,
            "another S3 server than Amazon's, `https://host` or `http://host:port` (druid.s3.endpoint.url)";
        "region": Text, Unset,
            "the region to sign for (druid.s3.endpoint.signingRegion); without it AWS_REGION, else us-east-1";
        "path_style": Switch, Value("false"),
            "the bucket stands in the path, not before the host (druid.s3.enablePathStyleAccess)";
        "ca_file": Text, Unset,
            "PEM file with the roots trusted for an https endpoint, in place of the system's";
        "report": Text, Unset,
            "file that `preflight s3 --json` wrote where Druid runs; `/readyz` and `/metrics` tell what it says";
        "report_stale_seconds": Whole(1, 28 * DAY), Value("7200"),
            "how old the report may be before it says nothing any more";
        "required": Switch, Value("false"),
            "queries that ask for durable storage (`durableShuffleStorage`, `faultTolerance`, `selectDestination`) are refused, 503 `durable_storage`, until the report proves it";
    }
};

/// The keys of one table, in order
pub fn of_section(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}
