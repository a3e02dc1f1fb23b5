//! `msq-gate token`: a token signed with the development keys of `certs`, in the shape that proxy.toml expects

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::load::{Tell, load};
use super::{Exit, fail, say};
use crate::authenticate::Algorithm;
use crate::authenticate::key_keeper::KeyPlace;
use crate::base::pem::{self, PemError};
use crate::base::redact::Shown;
use crate::config::{Config, IssuerConfig};
use crate::development::ThrowAwayIssuer;
use crate::development::issuer::DEVELOPMENT_KEY;

/// What was typed
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The configuration, which says what a token has to look like
    #[arg(long, default_value = "proxy.toml", value_name = "FILE")]
    config: PathBuf,
    /// The caller's name
    #[arg(long, value_name = "NAME")]
    sub: String,
    /// His roles
    #[arg(long, value_name = "A,B", default_value = "")]
    roles: String,
    /// How many hours it is good
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=720))]
    hours: u32,
}

#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error(
        "no issuer here has development keys; run `msq-gate certs`, and give an issuer `jwks_file = \"certs/jwks.json\"` \
         and ES256 among its `algorithms`"
    )]
    NoDevelopmentKeys,
    #[error(transparent)]
    Key(#[from] PemError),
    #[error("{0}: it is not the key of the `jwks_file` beside it; run `msq-gate certs --replace`")]
    OtherKey(String),
    #[error("the system gives no randomness")]
    Randomness(#[from] aws_lc_rs::error::Unspecified),
}

pub(super) fn run(asked: &Asked) -> Result<(), Exit> {
    let config = load(&asked.config, Tell::Faults)?;
    let token = token(&config, asked);
    let file = asked.config.display();
    say(token.map_err(|error| fail(Exit::NoInput, format_args!("{file}: {error}")))?);
    Ok(())
}

fn token(config: &Config, asked: &Asked) -> Result<String, TokenError> {
    let (issuer, set) =
        config.issuers.iter().find_map(development_set).ok_or(TokenError::NoDevelopmentKeys)?;
    let file = set.with_file_name("issuer.key");
    let signer = ThrowAwayIssuer::from_pkcs8(DEVELOPMENT_KEY, pem::private_key(&file)?.secret_der());
    let signer = signer.ok().filter(|signer| is_set_of(set, signer));
    let signer = signer.ok_or_else(|| TokenError::OtherKey(Shown(&file).to_string()))?;
    let roles: Vec<_> =
        asked.roles.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned).collect();
    let mut claims = issuer.issuer.claims_of(&asked.sub, &roles);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    claims.insert("iat".to_owned(), json!(now.as_secs()));
    claims.insert("exp".to_owned(), json!((now + Duration::from_secs(3_600) * asked.hours).as_secs()));
    Ok(signer.token(&Value::Object(claims))?)
}

/// An issuer with keys from a file that has a private key beside it
fn development_set(issuer: &IssuerConfig) -> Option<(&IssuerConfig, &Path)> {
    let KeyPlace::File(set) = &issuer.keys else { return None };
    let takes_it = issuer.issuer.algorithms().contains(&Algorithm::Es256);
    (takes_it && set.with_file_name("issuer.key").exists()).then_some((issuer, set.as_path()))
}

fn is_set_of(set: &Path, signer: &ThrowAwayIssuer) -> bool {
    let bytes = std::fs::read(set).unwrap_or_default();
    let keys = serde_json::from_slice::<Value>(&bytes).ok().and_then(|set| set.get("keys").cloned());
    let listed = keys.as_ref().and_then(Value::as_array);
    let own = signer.jwks();
    let mut own = own.get("keys").and_then(Value::as_array).into_iter().flatten();
    own.all(|key| listed.is_some_and(|listed| listed.contains(key)))
}
