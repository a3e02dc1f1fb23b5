//! The schemes of places, and what may stand behind their `://`

use super::host;

/// What a place is reached by
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `s3`, of which Hadoop's `s3a` and `s3n` are spellings
    S3,
    /// `gs`: Google's storage
    Gs,
    /// `azure`: a container of the account that Druid has
    Azure,
    /// `azureStorage`: a storage account
    AzureStorage,
    /// `oss`: Alibaba's storage
    Oss,
    /// `hdfs`
    Hdfs,
    /// `file`: a file of the server on which Druid runs
    File,
}

impl Scheme {
    /// Every scheme, in the order in which people are told of them
    pub const ALL: [Self; 9] = [
        Self::S3,
        Self::Gs,
        Self::Azure,
        Self::AzureStorage,
        Self::Oss,
        Self::Https,
        Self::Http,
        Self::Hdfs,
        Self::File,
    ];

    /// How it is written
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Azure => "azure",
            Self::AzureStorage => "azureStorage",
            Self::Oss => "oss",
            Self::Hdfs => "hdfs",
            Self::File => "file",
        }
    }

    /// The scheme of an address, in either case, and what stands behind its `://`
    pub(super) fn split(address: &str) -> Option<(Self, &str)> {
        let (word, rest) = address.split_once("://")?;
        let is_s3 = ["s3a", "s3n"].iter().any(|alias| word.eq_ignore_ascii_case(alias));
        let known = Self::ALL.into_iter().find(|scheme| scheme.word().eq_ignore_ascii_case(word));
        Some((known.or(is_s3.then_some(Self::S3))?, rest))
    }

    pub(super) fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// What stands between `://` and the path, in its one spelling
    pub(super) fn authority(self, written: &str) -> Option<String> {
        match self {
            Self::Http => host_and_port(written, Some(80)),
            Self::Https => host_and_port(written, Some(443)),
            Self::Hdfs => host_and_port(written, Some(8020)),
            Self::File => written.is_empty().then(String::new),
            Self::S3 | Self::Gs | Self::Azure | Self::AzureStorage | Self::Oss => bucket(written),
        }
    }
}

/// A bucket's name: what has capitals is another bucket to some clients and the same to others
fn bucket(written: &str) -> Option<String> {
    let may_stand = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let is_plain = !written.is_empty() && !written.starts_with('.') && written.bytes().all(may_stand);
    is_plain.then(|| written.to_owned())
}

fn host_and_port(written: &str, default: Option<u16>) -> Option<String> {
    // The colons within `[…]` are the host's.
    let port = written.rfind(':').filter(|colon| written.rfind(']').is_none_or(|bracket| bracket < *colon));
    let (host, port) = port.map_or((written, None), |colon| {
        let (host, port) = written.split_at(colon);
        (host, port.strip_prefix(':'))
    });
    let host = host::canonical(host)?;
    let Some(digits) = port else { return Some(host) };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = digits.parse().ok().filter(|port| is_number && *port != 0)?;
    Some(if Some(port) == default { host } else { format!("{host}:{port}") })
}
