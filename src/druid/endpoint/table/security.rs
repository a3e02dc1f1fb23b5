//! Users, roles and their permissions (`BasicAuthenticatorResource`, `BasicAuthorizerResource`), on the Coordinator alone
//!
//! `refreshAll`, which changes something though it is a GET, `listen/*` and the cached maps with their hashes are not here.

use super::super::parameter::{Parameter, Values, parameter};
use super::super::rule::{Rule, read_config, write_config};
use super::super::{Content, Row, delete, get, post};

/// Of the gate's own account too
const SHOWS_HASH: Rule = Rule::Closed("it shows the hash of a password; the users are listed by `…/users`");
const SHAPES: &[Parameter] =
    &[parameter("full", Values::Flag), parameter("simplifyPermissions", Values::Flag)];

pub(super) const ROWS: &[Row] = &[
    get("/proxy/coordinator/druid-ext/basic-security/authentication/loadStatus", read_config("security")),
    get("/proxy/coordinator/druid-ext/basic-security/authorization/loadStatus", read_config("security")),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authentication/db/{authenticator}/users",
        read_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authentication/db/{authenticator}/users/{user}",
        SHOWS_HASH,
    ),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authentication/db/{authenticator}/users/{user}",
        Content::EmptyOrObject,
        write_config("security"),
    ),
    delete(
        "/proxy/coordinator/druid-ext/basic-security/authentication/db/{authenticator}/users/{user}",
        write_config("security"),
    ),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authentication/db/{authenticator}/users/{user}/credentials",
        Content::Json,
        write_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/users",
        read_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/users/{user}",
        read_config("security"),
    )
    .with(SHAPES),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/users/{user}",
        Content::EmptyOrObject,
        write_config("security"),
    ),
    delete(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/users/{user}",
        write_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/groupMappings",
        read_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/groupMappings/{group}",
        read_config("security"),
    )
    .with(SHAPES),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/groupMappings/{group}",
        Content::Json,
        write_config("security"),
    ),
    delete(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/groupMappings/{group}",
        write_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/roles",
        read_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/roles/{role}",
        read_config("security"),
    )
    .with(SHAPES),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/roles/{role}",
        Content::EmptyOrObject,
        write_config("security"),
    ),
    delete(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/roles/{role}",
        write_config("security"),
    ),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/users/{user}/roles/{role}",
        Content::EmptyOrObject,
        write_config("security"),
    ),
    delete(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/users/{user}/roles/{role}",
        write_config("security"),
    ),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/groupMappings/{group}/roles/{role}",
        Content::EmptyOrObject,
        write_config("security"),
    ),
    delete(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/groupMappings/{group}/roles/{role}",
        write_config("security"),
    ),
    get(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/roles/{role}/permissions",
        read_config("security"),
    ),
    post(
        "/proxy/coordinator/druid-ext/basic-security/authorization/db/{authorizer}/roles/{role}/permissions",
        Content::Json,
        write_config("security"),
    ),
];
