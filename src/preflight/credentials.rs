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
use crate::durable_storage::problem::NoAnswer;
use crate::durable_storage::properties;

/// Where credentials are looked for
#[derive(Debug)]
pub struct Chain {
    /// What is configured
    pub configured: Configured,
    /// What the environment says
    pub environment: Environment,
    /// The way to the services that hand out credentials
    pub wire: Wire,
    /// The region of the storage, for the service of web identities
    pub region: String,
}

/// What Druid's properties say of credentials
#[derive(Default)]
pub struct Configured {
    /// `druid.s3.accessKey` and `secretKey`
    pub keys: Option<(String, String)>,
    /// `druid.s3.fileSessionCredentials`
    pub session_file: Option<String>,
}

impl fmt::Debug for Configured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Configured")
    }
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

/// Names that Amazon's SDK for Java reads besides
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

    /// One of its variables
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// Credentials, and where they come from
pub struct Found {
    /// Where they come from, in words
    pub source: &'static str,
    /// The credentials
    pub credential: Credential,
}

impl fmt::Debug for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Found({})", self.source)
    }
}

/// What a source has: credentials, none, or a reason why they cannot be read
type Has = Result<Option<Credential>, String>;

impl Chain {
    /// The first credentials there are
    ///
    /// # Errors
    ///
    /// Where there are none: what each source has instead.
    pub async fn find(&self) -> Result<Found, Vec<String>> {
        let mut looked = Vec::new();
        let context = self.context();
        let region = self.region.clone();
        for source in Source::ALL {
            match self.look_in(source, &context, &region).await {
                Ok(Some(credential)) => return Ok(Found { source: source.words(), credential }),
                Ok(None) => looked.push(format!("{}: none", source.words())),
                Err(why) => looked.push(format!("{}: {why}", source.words())),
            }
        }
        Err(looked)
    }

    async fn look_in(&self, source: Source, context: &Context, region: &str) -> Has {
        let sts = AssumeRoleWithWebIdentityCredentialProvider::new();
        match source {
            Source::Properties => Ok(self.configured.keys.clone().map(credential_of_pair)),
            Source::SessionFile => self.configured.session_file.as_deref().map_or(Ok(None), session),
            Source::Environment => provided(&EnvCredentialProvider::new(), context).await,
            // The endpoint of the region answers where the global one may not be reached.
            Source::WebIdentity => {
                let sts = sts.with_region(region.to_owned()).with_regional_sts_endpoint();
                provided(&sts, context).await
            }
            Source::Profile => provided(&ProfileCredentialProvider::new(), context).await,
            Source::Container => provided(&ECSCredentialProvider::new(), context).await,
            Source::Instance => provided(&IMDSv2CredentialProvider::new(), context).await,
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

/// A place where credentials may be, in Druid's order
#[derive(Clone, Copy, Debug)]
enum Source {
    Properties,
    SessionFile,
    Environment,
    WebIdentity,
    Profile,
    Container,
    Instance,
}

impl Source {
    const ALL: [Self; 7] = [
        Self::Properties,
        Self::SessionFile,
        Self::Environment,
        Self::WebIdentity,
        Self::Profile,
        Self::Container,
        Self::Instance,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Properties => "druid.s3.accessKey and druid.s3.secretKey",
            Self::SessionFile => "the file in druid.s3.fileSessionCredentials",
            Self::Environment => "the environment, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::WebIdentity => "the web identity in AWS_WEB_IDENTITY_TOKEN_FILE",
            Self::Profile => "the profile file",
            Self::Container => "the role of the container",
            Self::Instance => "the role of the instance",
        }
    }
}

async fn provided(provider: &impl ProvideCredential<Credential = Credential>, context: &Context) -> Has {
    provider.provide_credential(context).await.map_err(|error| error.to_string())
}

fn credential_of_pair((access_key_id, secret_access_key): (String, String)) -> Credential {
    Credential { access_key_id, secret_access_key, session_token: None, expires_in: None }
}

/// `sessionToken`, `accessKey` and `secretKey` of a properties file (`FileSessionCredentialsProvider`)
fn session(path: &str) -> Has {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let properties = properties::read(&text);
    let value = |key: &str| {
        let property = properties.iter().rev().find(|property| property.key == key);
        property.map(|property| property.value.clone()).ok_or_else(|| format!("{path}: `{key}` is missing"))
    };
    Ok(Some(Credential {
        access_key_id: value("accessKey")?,
        secret_access_key: value("secretKey")?,
        session_token: Some(value("sessionToken")?),
        expires_in: None,
    }))
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
        if let Some(sts) = &self.sts
            && request.uri().host().is_some_and(|host| host.starts_with("sts."))
        {
            *request.uri_mut() = elsewhere(request.uri(), sts)?;
        }
        let failed = |error: NoAnswer| reqsign_core::Error::unexpected(error.to_string());
        self.wire.exchange(request).await.map_err(failed)
    }
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
