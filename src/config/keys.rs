//! Every key of proxy.toml, one row each
//!
//! One table, three uses: a key that is not here is a fault, the README lists what is here, and a test
//! holds the defaults against those that the code uses.

/// A key of the configuration
#[derive(Debug)]
pub struct Key {
    /// The table it stands in; `roles.*` and `issuers` for each of these
    pub section: &'static str,
    /// Its name
    pub name: &'static str,
    /// Its default as TOML, or what stands for one
    pub default: Fallback,
    /// What it does
    pub meaning: &'static str,
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

const fn key(section: &'static str, name: &'static str, default: Fallback, meaning: &'static str) -> Key {
    Key { section, name, default, meaning }
}

/// The tables of the file
pub const SECTIONS: [&str; 9] =
    ["listen", "admin", "upstream", "issuers", "roles", "rules", "limits", "audit", "durable_storage"];

/// The table
pub const KEYS: &[Key] = &[
    key("listen", "address", Required, "where clients come in, `host:port`, or a list of these"),
    key("listen", "certificate", Required, "PEM file of the server's certificate chain"),
    key("listen", "key", Required, "PEM file of its key"),
    key(
        "listen",
        "proxy_protocol_from",
        Unset,
        "balancers that pass connections on with a PROXY header, v1 or v2, as networks: `10.0.0.0/8`; from these it is required, from nobody else it is taken",
    ),
    key(
        "admin",
        "address",
        Value("\"127.0.0.1:9901\""),
        "where `/livez`, `/readyz` and `/metrics` answer; plain HTTP, never the public address",
    ),
    key(
        "upstream",
        "url",
        Required,
        "the Druid router, `http://host:port` or `https://…`, or a list of routers: the one that answers is used",
    ),
    key(
        "upstream",
        "ca_file",
        Unset,
        "PEM file with the roots trusted for an https router, in place of the system's",
    ),
    key(
        "upstream",
        "username",
        Unset,
        "how the gate signs in to Druid (HTTP Basic); left out where Druid asks nothing",
    ),
    key("upstream", "password_file", Unset, "file with the password of `username`"),
    key("upstream", "password_env", Unset, "environment variable with it, in place of a file"),
    key("issuers", "issuer", Required, "the `iss` of its tokens, byte for byte"),
    key("issuers", "audiences", Required, "a token's audience claim must hold one of these"),
    key(
        "issuers",
        "audience_claim",
        Value("\"aud\""),
        "where the audience stands: `client_id` in Cognito's access tokens, `azp` in Keycloak's without an audience mapper",
    ),
    key(
        "issuers",
        "jwks_file",
        Unset,
        "file with the issuer's keys, a JWK set; without it and `jwks_url` they come by the issuer's discovery document",
    ),
    key(
        "issuers",
        "jwks_url",
        Unset,
        "address of the issuer's keys, in place of its discovery document; https, or http on loopback",
    ),
    key(
        "issuers",
        "ca_file",
        Unset,
        "PEM file with the roots trusted for fetching keys, in place of the system's",
    ),
    key("issuers", "algorithms", Required, "the signature algorithms that count: RS256 … ES256 … EdDSA"),
    key(
        "issuers",
        "identity_claim",
        Value("\"sub\""),
        "the claim that names the caller: a dotted path, or a list of names",
    ),
    key(
        "issuers",
        "roles_claim",
        Value("\"roles\""),
        "the claim with his roles, a string (one role, never split) or a list of strings: a dotted path, or a list of names such as `[\"resource_access\", \"my.app\", \"roles\"]`",
    ),
    key(
        "issuers",
        "roles_claim_required",
        Unset,
        "whether a token without it is 401 `token_claims`; where not given, it is if a role that this issuer may confer has `denies`",
    ),
    key(
        "issuers",
        "roles",
        Unset,
        "which roles this issuer may confer; must be given where there are several issuers",
    ),
    key(
        "roles.*",
        "members",
        Unset,
        "who is in the role by identity, besides the claim; `ISSUER|IDENTITY` where there are several issuers",
    ),
    key(
        "roles.*",
        "grants",
        Required,
        "what the role may: `READ DATASOURCE wikipedia`; names are exact, or `glob:…`, `regex:…` (whole name), `*`, `exact:…`; a name with any of `^$()|[]{}+\\\"'` or a blank at an edge must have one of these marks",
    ),
    key(
        "roles.*",
        "denies",
        Unset,
        "what it may not; a deny wins over any grant, and one that denies nothing is a fault",
    ),
    key(
        "rules",
        "cancel",
        Value("\"read\""),
        "shutdown of query tasks: `read` on the datasource (the MSQ manual), `write` (the Overlord's code), or `owner` (the submitter, or WRITE STATE STATE); any other task needs WRITE",
    ),
    key(
        "rules",
        "select_tasks",
        Value("\"shared\""),
        "`shared`: READ DATASOURCE __query_select shows every SELECT task; `owner`: one's own without a grant, others' with READ STATE STATE",
    ),
    key(
        "rules",
        "metadata",
        Value("\"state\""),
        "`state`: `sys.*` and `INFORMATION_SCHEMA.*` (but ROUTINES and SCHEMATA) ask READ STATE STATE; `open`: what Druid asks, which is READ STATE STATE for `sys.servers`, `server_segments`, `server_properties` and `queries`",
    ),
    key(
        "rules",
        "raw_query_controller",
        Value("\"deny\""),
        "query_controller tasks posted to the Overlord are refused",
    ),
    key(
        "rules",
        "task_inputs",
        Value("\"external\""),
        "`external`: an ingestion's inputSource asks READ EXTERNAL (`druid`: READ on that datasource); `druid`: nothing, as Druid",
    ),
    key(
        "rules",
        "input_source_types",
        Value("false"),
        "EXTERNAL by type: http, s3, local … (druid.auth.enableInputSourceSecurity)",
    ),
    key(
        "rules",
        "context_keys",
        Value("false"),
        "WRITE QUERY_CONTEXT for each context key (druid.auth.authorizeQueryContextParams)",
    ),
    key(
        "rules",
        "system_tables",
        Value("false"),
        "READ SYSTEM_TABLE for each `sys` table (druid.sql.planner.authorizeSystemTablesDirectly)",
    ),
    key(
        "rules",
        "lookups",
        Value("\"open\""),
        "`granted`: READ LOOKUP for each lookup; a posted task uses none",
    ),
    key("rules", "public_health", Value("false"), "GET /status/health without a token"),
    key(
        "rules",
        "basic_token",
        Value("true"),
        "a JWT in the password of HTTP Basic counts as a bearer token; the user name is ignored",
    ),
    key(
        "rules",
        "refusal_detail",
        Value("\"missing\""),
        "`missing`: what is missing; `full`: also which roles hold it; `code`: the reason only",
    ),
    key(
        "rules",
        "verify",
        Value("\"off\""),
        "Druid's own EXPLAIN as a third reader of statements never seen before; `watch`: beside the request, a difference is logged, counted and on record; `require`: before it is forwarded, a difference refuses it",
    ),
    key("limits", "handshake_seconds", Value("5"), "for the TLS handshake"),
    key(
        "limits",
        "head_seconds",
        Value("10"),
        "from the handshake's end, or a request's first byte, to its whole head",
    ),
    key("limits", "body_seconds", Value("30"), "for a request's whole body"),
    key("limits", "idle_seconds", Value("60"), "between requests on one connection"),
    key("limits", "head_bytes", Value("16384"), "of a request's head"),
    key("limits", "head_fields", Value("100"), "header fields of a request"),
    key("limits", "target_bytes", Value("4096"), "of path and query"),
    key(
        "limits",
        "token_bytes",
        Value("12288"),
        "of a token; Entra's with 200 groups has about 11000. As the password of HTTP Basic it takes a third more of `head_bytes`",
    ),
    key("limits", "body_bytes", Value("1048576"), "of a body with SQL, inflated"),
    key("limits", "task_body_bytes", Value("8388608"), "of a posted task, inflated"),
    key("limits", "json_depth", Value("64"), "levels of arrays and objects"),
    key("limits", "statement_bytes", Value("262144"), "of a statement's text"),
    key("limits", "statement_tokens", Value("50000"), "tokens of a statement"),
    key("limits", "statement_nesting", Value("100"), "levels of nesting in a statement"),
    key("limits", "connections", Value("10000"), "open at once, and never more than half of the file limit"),
    key("limits", "h2_streams", Value("100"), "requests at once on one HTTP/2 connection"),
    key("limits", "connect_seconds", Value("2"), "to connect to Druid"),
    key("limits", "answer_seconds", Value("600"), "to the first byte of a query's answer"),
    key("limits", "control_answer_seconds", Value("60"), "the same for all else"),
    key("limits", "drain_seconds", Value("30"), "for requests in flight when the gate stops"),
    key("limits", "token_leeway_seconds", Value("30"), "of clock difference for exp and nbf; at most 120"),
    key(
        "limits",
        "key_refresh_seconds",
        Value("900"),
        "between two fetches of an issuer's keys; an unknown key asks sooner, twice in 30 s for one address and ten times in all",
    ),
    key(
        "limits",
        "key_stale_seconds",
        Value("86400"),
        "how long the last good keys serve while the issuer cannot be reached",
    ),
    key("audit", "file", Value("\"-\""), "where the JSON lines go; `-` is standard output"),
    key("audit", "statements", Value("false"), "whether a record holds the statement's text"),
    key(
        "durable_storage",
        "bucket",
        Unset,
        "the S3 bucket of durable storage, for `preflight s3` (druid.msq.intermediate.storage.bucket)",
    ),
    key(
        "durable_storage",
        "prefix",
        Unset,
        "what every key in it begins with (druid.msq.intermediate.storage.prefix)",
    ),
    key(
        "durable_storage",
        "endpoint",
        Unset,
        "another S3 server than Amazon's, `https://host` or `http://host:port` (druid.s3.endpoint.url)",
    ),
    key(
        "durable_storage",
        "region",
        Unset,
        "the region to sign for (druid.s3.endpoint.signingRegion); without it AWS_REGION, else us-east-1",
    ),
    key(
        "durable_storage",
        "path_style",
        Value("false"),
        "the bucket stands in the path, not before the host (druid.s3.enablePathStyleAccess)",
    ),
    key(
        "durable_storage",
        "ca_file",
        Unset,
        "PEM file with the roots trusted for an https endpoint, in place of the system's",
    ),
    key(
        "durable_storage",
        "report",
        Unset,
        "file that `preflight s3 --json` wrote where Druid runs; `/readyz` and `/metrics` tell what it says",
    ),
    key(
        "durable_storage",
        "report_stale_seconds",
        Value("7200"),
        "how old the report may be before it says nothing any more",
    ),
    key(
        "durable_storage",
        "required",
        Value("false"),
        "queries that ask for durable storage (`durableShuffleStorage`, `faultTolerance`, `selectDestination`) are refused, 503 `durable_storage`, until the report proves it",
    ),
];

/// The keys of one table, in order
pub fn of_section(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}
