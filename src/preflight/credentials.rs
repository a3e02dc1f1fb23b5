//! Credentials, found where Druid finds them and in its order (`AWSCredentialsUtils`)
//!
//! Its properties, its file of session credentials, the environment, a web identity, a profile file, the role of
//! the container, the role of the instance. Java's system properties are Druid's own and cannot be seen from here.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, EnvCredentialProvider,
    IMDSv2CredentialProvider, ProfileCredentialProvider,
};
use reqsign_core::{Context, FileRead, HttpSend, ProvideCredential, StaticEnv};

use super::wire::Wire;
use crate::base::connector::causes;
use crate::base::fetch::is_loopback;
use crate::durable_storage::druid_properties::Configured;
use crate::durable_storage::problem::NoAnswer;
use crate::durable_storage::properties;
use crate::durable_storage::report::Source;

/// Where credentials are looked for
#[derive(Debug)]
pub struct Chain {
    /// What is configured
    pub configured: Configured,
    /// What the environment says
    pub environment: Environment,
    /// The way to the services that hand out credentials
    pub wire: Wire,
    /// The region of the service of web identities
    pub region: String,
}

/// The environment of the process, by the names that libraries know
pub struct Environment {
    variables: HashMap<String, String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Environment")
    }
}

/// Names that Amazon's SDK for Java read besides in its first version, which Druid had for long
const OTHER_NAMES: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
    ("AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_CREDENTIAL_PROFILES_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
];

impl Environment {
    /// The environment with these variables
    pub fn new(mut variables: HashMap<String, String>) -> Self {
        variables.retain(|_, value| !value.is_empty());
        for (other, name) in OTHER_NAMES {
            if let (Some(value), false) = (variables.get(other).cloned(), variables.contains_key(name)) {
                variables.insert(name.to_owned(), value);
            }
        }
        Self { variables }
    }

    /// This process's; what is no text is nobody's credential
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::new(std::env::vars_os().filter_map(text).collect())
    }

    /// One of its variables
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// What a source has: credentials, none, or a reason why they cannot be read
type Has = Result<Option<Credential>, String>;

impl Chain {
    /// The first credentials there are, as Druid takes them, and where; and the faults that were found before
    pub async fn find(&self) -> (Option<(Source, Credential)>, Vec<String>) {
        let context = self.context();
        let mut faults = Vec::new();
        for source in Source::ALL {
            match self.look_in(source, &context).await {
                Ok(Some(credential)) => return (Some((source, trimmed(credential))), faults),
                Ok(None) => {}
                Err(why) => faults.push(format!("{}: {why}", source.words())),
            }
        }
        (None, faults)
    }

    async fn look_in(&self, source: Source, context: &Context) -> Has {
        match source {
            Source::Properties => Ok(self.configured.keys.clone().map(|(id, key)| credential(id, key, None))),
            Source::SessionFile => self.configured.session_file.as_deref().map_or(Ok(None), session),
            Source::Environment => self.in_environment(context).await,
            // The endpoint of the region answers where the global one may not be reached.
            Source::WebIdentity => {
                let sts = AssumeRoleWithWebIdentityCredentialProvider::new();
                provided(&sts.with_region(self.region.clone()).with_regional_sts_endpoint(), context).await
            }
            Source::Profile => self.in_profile(context).await,
            Source::Container => provided(&ECSCredentialProvider::new(), context).await,
            Source::Instance => provided(&IMDSv2CredentialProvider::new(), context).await,
        }
    }

    async fn in_environment(&self, context: &Context) -> Has {
        let there = |name| self.environment.variable(name).is_some();
        match (there("AWS_ACCESS_KEY_ID"), there("AWS_SECRET_ACCESS_KEY")) {
            (true, false) => Err("AWS_SECRET_ACCESS_KEY is not set".to_owned()),
            (false, true) => Err("AWS_ACCESS_KEY_ID is not set".to_owned()),
            _ => provided(&EnvCredentialProvider::new(), context).await,
        }
    }

    async fn in_profile(&self, context: &Context) -> Has {
        let found = provided(&ProfileCredentialProvider::new(), context).await?;
        match (&found, self.environment.variable("AWS_PROFILE")) {
            (None, Some(profile)) => Err(format!(
                "profile `{profile}` has no keys; a role or a process that it names is not followed"
            )),
            _ => Ok(found),
        }
    }

    fn context(&self) -> Context {
        let envs = self.environment.variables.clone();
        let home_dir = envs.get("HOME").map(PathBuf::from);
        let sts = envs.get("AWS_ENDPOINT_URL_STS").cloned();
        Context::new()
            .with_file_read(Files)
            .with_http_send(Services { wire: self.wire.clone(), sts })
            .with_env(StaticEnv { home_dir, envs })
    }
}

async fn provided(provider: &impl ProvideCredential<Credential = Credential>, context: &Context) -> Has {
    provider.provide_credential(context).await.map_err(|error| causes(&error))
}

/// Amazon's SDKs sign without the blanks that a file may have around a secret
fn trimmed(credential: Credential) -> Credential {
    let trim = |text: String| text.trim().to_owned();
    Credential {
        access_key_id: trim(credential.access_key_id),
        secret_access_key: trim(credential.secret_access_key),
        session_token: credential.session_token.map(trim),
        expires_in: credential.expires_in,
    }
}

fn credential(access_key_id: String, secret_access_key: String, session_token: Option<String>) -> Credential {
    Credential { access_key_id, secret_access_key, session_token, expires_in: None }
}

/// `sessionToken`, `accessKey` and `secretKey` of a properties file (`FileSessionCredentialsProvider`)
fn session(path: &str) -> Has {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let properties = properties::read(&text).map_err(|fault| format!("{path}:{fault}"))?;
    let value = |key: &str| {
        let property = properties.get(key).ok_or_else(|| format!("{path}: `{key}` is missing"))?;
        Ok::<_, String>(property.value.clone())
    };
    Ok(Some(credential(value("accessKey")?, value("secretKey")?, Some(value("sessionToken")?))))
}

/// Asks the services that hand out credentials
#[derive(Debug)]
struct Services {
    wire: Wire,
    /// Another address of the Security Token Service (`AWS_ENDPOINT_URL_STS`), as a VPC endpoint has
    sts: Option<String>,
}

impl HttpSend for Services {
    async fn http_send(&self, mut request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let is_sts = request.uri().host().is_some_and(|host| host.starts_with("sts."));
        if let Some(sts) = self.sts.as_ref().filter(|_| is_sts) {
            *request.uri_mut() = elsewhere(request.uri(), sts)?;
        }
        if !may_be_told(request.uri()) {
            let foreign = format!("{} is asked over plain http, and is not of this host", request.uri());
            return Err(reqsign_core::Error::config_invalid(foreign));
        }
        let failed = |error: NoAnswer| reqsign_core::Error::unexpected(error.to_string());
        let answer = self.wire.exchange(request).await.map_err(failed)?;
        // What a service says besides credentials may hold some, and would be told.
        let is_secretive = !is_sts && !answer.status().is_success();
        Ok(answer.map(|body| if is_secretive { Bytes::new() } else { body }))
    }
}

/// A token goes out over https, to this host, or to what every cloud has beside it
fn may_be_told(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let is_beside = host.starts_with("169.254.") || host.eq_ignore_ascii_case("[fd00:ec2::23]");
    uri.scheme_str() == Some("https") || is_loopback(host) || is_beside
}

/// The same path and query at another address
fn elsewhere(uri: &Uri, address: &str) -> reqsign_core::Result<Uri> {
    let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let moved = format!("{}{rest}", address.trim_end_matches('/')).parse();
    moved.map_err(|_| {
        reqsign_core::Error::config_invalid(format!("AWS_ENDPOINT_URL_STS: {address} is no URL"))
    })
}

/// Reads files for the library that finds credentials
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let unread = |error: std::io::Error| reqsign_core::Error::config_invalid(format!("{path}: {error}"));
        tokio::fs::read(path).await.map_err(unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_or_to_what_is_beside_this_host() {
        for address in [
            "https://sts.eu-west-1.amazonaws.com/",
            "https://credentials.test/x",
            "http://169.254.170.2/v2/x",
            "http://169.254.169.254/latest/api/token",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://127.0.0.1:51678/x",
            "http://localhost/x",
        ] {
            assert!(may_be_told(&address.parse().unwrap()), "{address}");
        }
        for address in
            ["http://192.0.2.2/x", "http://credentials.test/x", "http://169.25.4.1/x", "http://a.169.254.1/"]
        {
            assert!(!may_be_told(&address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_older_name_counts_where_the_newer_one_is_not_set() {
        let environment = |pairs: &[(&str, &str)]| {
            Environment::new(
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            )
        };
        let old = environment(&[("AWS_ACCESS_KEY", "old")]);
        assert_eq!(old.variable("AWS_ACCESS_KEY_ID"), Some("old"));
        let both = environment(&[("AWS_ACCESS_KEY", "old"), ("AWS_ACCESS_KEY_ID", "new")]);
        assert_eq!(both.variable("AWS_ACCESS_KEY_ID"), Some("new"));
        assert_eq!(environment(&[("AWS_REGION", "")]).variable("AWS_REGION"), None);
    }
}
