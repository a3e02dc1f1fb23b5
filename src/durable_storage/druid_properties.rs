//! Durable storage as Druid's own `common.runtime.properties` say it
//!
//! `druid.msq.intermediate.storage.*` (`S3StorageConnectorProvider`) and `druid.s3.*` (`AWSCredentialsConfig`,
//! `AWSClientConfig`, `AWSEndpointConfig`, `AWSProxyConfig`).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::place::{self, Addressing, Location, Place};
use super::properties::{self, BadEscape, Property};
use super::surroundings::{Surroundings, interpolated, variable};

const STORAGE: &str = "druid.msq.intermediate.storage";

/// What the properties say
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DruidStorage {
    /// Where durable storage is
    pub place: Place,
    /// What they say of credentials
    pub configured: Configured,
    /// `druid.storage.sse`
    pub encryption: Encryption,
    /// What Druid does and a preflight does not
    pub differences: Vec<String>,
}

/// What Druid's properties say of credentials
#[derive(Clone, Default, PartialEq, Eq)]
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

/// How S3 is told to encrypt what it stores (`ServerSideEncryption`)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket does by itself
    #[default]
    Unasked,
    /// `druid.storage.sse.type=s3`
    S3,
    /// `druid.storage.sse.type=kms`, with `druid.storage.sse.kms.keyId` where it is given
    Kms(Option<String>),
}

impl Encryption {
    /// The header fields that ask for it
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        const BY: &str = "x-amz-server-side-encryption";
        match self {
            Self::Unasked => Vec::new(),
            Self::S3 => vec![(BY, "AES256".to_owned())],
            Self::Kms(key) => {
                let key = key.iter().map(|key| ("x-amz-server-side-encryption-aws-kms-key-id", key.clone()));
                std::iter::once((BY, "aws:kms".to_owned())).chain(key).collect()
            }
        }
    }
}

/// A property that cannot be used
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyFault {
    /// Its line; 0 where it is missing
    pub line: usize,
    /// Its key
    pub key: String,
    /// What is wrong, and what to write instead
    pub what: String,
}

/// Reads the text of a properties file
///
/// # Errors
///
/// Every property that cannot be used, and each that is missing.
pub fn read(text: &str, surroundings: &dyn Surroundings) -> Result<DruidStorage, Vec<PropertyFault>> {
    let properties = properties::read(text).map_err(|BadEscape(line)| {
        vec![PropertyFault { line, key: "escape".to_owned(), what: "is none that Java reads".to_owned() }]
    })?;
    let mut reader = Reader { properties, faults: Vec::new(), surroundings };
    let storage = reader.storage();
    match storage {
        Some(storage) if reader.faults.is_empty() => Ok(storage),
        Some(_) | None => {
            reader.faults.sort_by_key(|fault| fault.line);
            Err(reader.faults)
        }
    }
}

struct Reader<'a> {
    properties: BTreeMap<String, Property>,
    faults: Vec<PropertyFault>,
    surroundings: &'a dyn Surroundings,
}

impl Reader<'_> {
    fn storage(&mut self) -> Option<DruidStorage> {
        self.expect_enabled();
        self.expect_s3();
        let bucket = self.checked(&format!("{STORAGE}.bucket"), place::is_bucket, "the name of the bucket");
        let prefix =
            self.checked(&format!("{STORAGE}.prefix"), place::is_prefix, "what every key in it begins with");
        let endpoint = self.endpoint();
        let mut differences = self.differences();
        let region = self.region(endpoint.as_deref(), &mut differences);
        let is_in_the_path = self.boolean("druid.s3.enablePathStyleAccess");
        let addressing = if is_in_the_path { Addressing::PathStyle } else { Addressing::VirtualHosted };
        let configured = Configured {
            // Half a pair is none, and both are looked at.
            keys: match (self.password("druid.s3.accessKey"), self.password("druid.s3.secretKey")) {
                (Some(key), Some(secret)) => Some((key, secret)),
                (Some(_), None) | (None, _) => None,
            },
            session_file: self.value("druid.s3.fileSessionCredentials"),
        };
        let encryption = self.encryption();
        let location = Location { bucket: bucket?, prefix: prefix? };
        let place = Place { location, endpoint, region, addressing };
        Some(DruidStorage { place, configured, encryption, differences })
    }

    /// Read before all else, raw, and by `Boolean.parseBoolean` (`MSQDurableStorageModule`)
    fn expect_enabled(&mut self) {
        let key = format!("{STORAGE}.enable");
        let raw = self.properties.get(&key).map(|property| property.value.eq_ignore_ascii_case("true"));
        match raw {
            Some(true) => {}
            Some(false) => self.fault(&key, "is not `true`: durable storage is off"),
            None => self.fault(&key, "is missing, and durable storage is off without it; write `true`"),
        }
    }

    fn expect_s3(&mut self) {
        let key = format!("{STORAGE}.type");
        match self.value(&key).as_deref() {
            Some("s3") => {}
            Some(_) => self.fault(&key, "is not `s3`: only storage of this type can be probed"),
            None => self.fault(&key, "is missing; write `s3`"),
        }
    }

    fn endpoint(&mut self) -> Option<String> {
        let scheme =
            self.value("druid.s3.protocol").unwrap_or_else(|| "https".to_owned()).to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            self.fault("druid.s3.protocol", "is neither http nor https; write one of them");
        }
        let text = self.value("druid.s3.endpoint.url")?;
        let endpoint = place::endpoint(&text, &scheme);
        if endpoint.is_none() {
            self.fault("druid.s3.endpoint.url", "is no address of an S3 server; write `https://host:port`");
        }
        endpoint
    }

    /// Druid gives its client a region only together with an address
    fn region(&mut self, endpoint: Option<&str>, differences: &mut Vec<String>) -> Option<String> {
        const KEY: &str = "druid.s3.endpoint.signingRegion";
        let region = self.value(KEY)?;
        if !place::is_region(&region) {
            self.fault(KEY, "is no region; write it in small letters, digits and hyphens");
        }
        if endpoint.is_none() {
            differences.push(format!(
                "{KEY} counts only beside druid.s3.endpoint.url, so Druid finds its region elsewhere, as AWS_REGION says"
            ));
        }
        endpoint.map(|_| region)
    }

    fn encryption(&mut self) -> Encryption {
        match self.value("druid.storage.sse.type").as_deref() {
            None => Encryption::Unasked,
            Some("s3") => Encryption::S3,
            Some("kms") => Encryption::Kms(self.value("druid.storage.sse.kms.keyId")),
            Some(_) => {
                self.fault(
                    "druid.storage.sse.type",
                    "is a kind that cannot be tried here; known are `s3`, `kms`",
                );
                Encryption::Unasked
            }
        }
    }

    /// What would make Druid's requests go another way than ours
    fn differences(&mut self) -> Vec<String> {
        let proxy = self.value("druid.s3.proxy.host").map(|host| {
            format!("druid.s3.proxy.host is {host}: Druid asks S3 through that proxy, this preflight asks it directly")
        });
        let is_global = self.boolean("druid.s3.forceGlobalBucketAccessEnabled");
        let global = is_global.then(|| {
            "druid.s3.forceGlobalBucketAccessEnabled is on: Druid finds a bucket's region by itself, this preflight \
             asks the configured one"
                .to_owned()
        });
        proxy.into_iter().chain(global).collect()
    }

    /// A value, interpolated, and a string of JSON as what it says (`JsonConfigurator`); an empty one counts as none
    fn value(&mut self, key: &str) -> Option<String> {
        let property = self.properties.get(key)?;
        let value = interpolated(&property.value, self.surroundings);
        let value = self.good(key, value)?;
        Some(serde_json::from_str(&value).unwrap_or(value)).filter(|value| !value.is_empty())
    }

    /// A value that can be used; else that is a fault
    fn good<T>(&mut self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|what| self.fault(key, &what)).ok()
    }

    /// As Jackson reads one; false where it is not given
    fn boolean(&mut self, key: &str) -> bool {
        match self.value(key).as_deref().map(str::trim) {
            Some("true" | "True" | "TRUE") => true,
            None | Some("" | "false" | "False" | "FALSE") => false,
            Some(_) => {
                self.fault(key, "is neither true nor false; write one of them");
                false
            }
        }
    }

    fn checked(&mut self, key: &str, is_right: fn(&str) -> bool, meaning: &str) -> Option<String> {
        let value = self.value(key);
        match &value {
            None => self.fault(key, &format!("is missing; write {meaning}")),
            Some(value) if !is_right(value) => self.fault(key, &format!("cannot be {meaning}")),
            Some(_) => {}
        }
        value
    }

    /// A password as Druid's `PasswordProvider` reads it: itself, or JSON that says where it is
    fn password(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        let Ok(Value::Object(provider)) = serde_json::from_str(&value) else { return Some(value) };
        let text = |name: &str| provider.get(name).and_then(Value::as_str);
        let password = match (text("type"), text("password"), text("variable")) {
            (Some("default"), Some(password), _) => Ok(password.to_owned()),
            (Some("environment"), _, Some(name)) => variable(name, self.surroundings),
            _ => {
                Err("has a password provider that is not known here; known are `default`, `environment`"
                    .into())
            }
        };
        self.good(key, password)
    }

    fn fault(&mut self, key: &str, what: &str) {
        let line = self.properties.get(key).map_or(0, |property| property.line);
        self.faults.push(PropertyFault { line, key: key.to_owned(), what: what.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Here;

    impl Surroundings for Here {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "SECRET").then(|| "from-environment".to_owned())
        }

        fn file(&self, path: &str) -> Option<String> {
            (path == "/secret").then(|| "from-file".to_owned())
        }
    }

    const LEAST: &str = "druid.msq.intermediate.storage.enable=true
druid.msq.intermediate.storage.type=s3
druid.msq.intermediate.storage.bucket=druid
druid.msq.intermediate.storage.prefix=msq
";

    fn with(lines: &str) -> Result<DruidStorage, Vec<PropertyFault>> {
        read(&format!("{LEAST}{lines}"), &Here)
    }

    fn keys(lines: &str) -> Option<(String, String)> {
        with(lines).unwrap().configured.keys
    }

    #[test]
    fn the_least_that_druid_needs_is_enough() {
        let storage = with("").unwrap();
        assert_eq!(storage.place.location.to_string(), "s3://druid/msq/");
        assert_eq!((storage.configured == Configured::default(), storage.place.endpoint), (true, None));
        assert_eq!(storage.place.addressing, Addressing::VirtualHosted);
    }

    #[test]
    fn the_endpoint_has_the_protocol_unless_it_has_its_own() {
        let endpoint = |lines: &str| with(lines).unwrap().place.endpoint;
        let http = "druid.s3.protocol=http\ndruid.s3.endpoint.url=";
        assert_eq!(endpoint(&format!("{http}127.0.0.1:9000")).as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(endpoint(&format!("{http}https://s3.test/")).as_deref(), Some("https://s3.test"));
        assert_eq!(endpoint("druid.s3.endpoint.url=s3.test").as_deref(), Some("https://s3.test"));
    }

    #[test]
    fn keys_are_read_from_where_druid_reads_them() {
        let secret =
            |value: &str| keys(&format!("druid.s3.accessKey=AK\ndruid.s3.secretKey={value}")).unwrap().1;
        assert_eq!(secret("plain"), "plain");
        assert_eq!(secret(r#"{"type":"default","password":"p"}"#), "p");
        assert_eq!(secret(r#"{"type":"environment","variable":"SECRET"}"#), "from-environment");
        assert_eq!(secret("${env:SECRET}"), "from-environment");
        assert_eq!(secret("${file:UTF-8:/secret}"), "from-file");
        assert_eq!(secret("${env:NONE:-else}"), "else");
        assert_eq!(keys("druid.s3.accessKey=AK"), None, "half a pair is none, as in Druid");
    }

    #[test]
    fn what_cannot_be_used_is_a_fault_with_its_line() {
        for (property, what) in [
            (
                "druid.s3.secretKey=${env:NONE}",
                "names the environment variable `NONE`, which is not set here",
            ),
            (
                "druid.s3.secretKey=${sys:x}",
                "names with `${…}` what only Druid's own process knows; write its value",
            ),
            (
                r#"druid.s3.secretKey={"type":"vault"}"#,
                "has a password provider that is not known here; known are `default`, `environment`",
            ),
            ("druid.s3.endpoint.url=s3://x", "is no address of an S3 server; write `https://host:port`"),
            (
                "druid.s3.endpoint.signingRegion=eu west",
                "is no region; write it in small letters, digits and hyphens",
            ),
            ("druid.storage.sse.type=custom", "is a kind that cannot be tried here; known are `s3`, `kms`"),
            ("druid.msq.intermediate.storage.enable=false", "is not `true`: durable storage is off"),
            (
                "druid.msq.intermediate.storage.type=local",
                "is not `s3`: only storage of this type can be probed",
            ),
        ] {
            let (key, _) = property.split_once('=').unwrap();
            let fault = PropertyFault { line: 5, key: key.to_owned(), what: what.to_owned() };
            assert_eq!(with(property), Err(vec![fault]), "{property}");
        }
        assert_eq!(read("", &Here).unwrap_err().len(), 4, "all that is missing is told at once");
    }

    #[test]
    fn what_druid_does_otherwise_is_told() {
        assert_eq!(with("").unwrap().differences, Vec::<String>::new());
        let told =
            with("druid.s3.proxy.host=proxy.test\ndruid.s3.forceGlobalBucketAccessEnabled=true").unwrap();
        assert_eq!(told.differences.len(), 2, "{:?}", told.differences);
    }

    #[test]
    fn no_secret_is_shown_in_a_log() {
        let storage = with("druid.s3.accessKey=AK\ndruid.s3.secretKey=hush").unwrap();
        assert!(!format!("{storage:?}").contains("hush"));
    }

    #[test]
    fn switches_are_read_as_jackson_and_java_read_them() {
        let addressing = |value: &str| {
            with(&format!("druid.s3.enablePathStyleAccess={value}")).map(|read| read.place.addressing)
        };
        for on in ["true", "True", "TRUE", "true ", "\"true\""] {
            assert_eq!(addressing(on), Ok(Addressing::PathStyle), "{on}");
        }
        for off in ["false", "FALSE", ""] {
            assert_eq!(addressing(off), Ok(Addressing::VirtualHosted), "{off}");
        }
        for neither in ["yes", "1", "tRuE"] {
            assert!(addressing(neither).is_err(), "{neither}");
        }
        for on in ["TRUE", "tRuE"] {
            assert!(with(&format!("druid.msq.intermediate.storage.enable={on}")).is_ok(), "{on}");
        }
        for off in ["true ", "yes", "${env:SECRET}"] {
            assert!(with(&format!("druid.msq.intermediate.storage.enable={off}")).is_err(), "{off}");
        }
    }

    #[test]
    fn a_region_counts_only_beside_an_address() {
        let region = "druid.s3.endpoint.signingRegion=eu-west-1";
        let both = with(&format!("{region}\ndruid.s3.endpoint.url=s3.test")).unwrap();
        assert_eq!((both.place.region.as_deref(), both.differences.len()), (Some("eu-west-1"), 0));
        let alone = with(region).unwrap();
        assert_eq!((alone.place.region, alone.differences.len()), (None, 1));
    }

    #[test]
    fn encryption_is_asked_for_as_druid_asks() {
        let headers = |lines: &str| with(lines).unwrap().encryption.headers();
        assert_eq!(headers(""), []);
        assert_eq!(
            headers("druid.storage.sse.type=s3"),
            [("x-amz-server-side-encryption", "AES256".to_owned())]
        );
        let kms = headers("druid.storage.sse.type=kms\ndruid.storage.sse.kms.keyId=k");
        assert_eq!(kms.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["aws:kms", "k"]);
    }
}
