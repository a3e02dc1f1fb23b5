//! Which places an input source reads, and an export writes, told from its members
//!
//! Of each type a list says with which members it can be told. What is not on it, such as another endpoint, a proxy,
//! headers or somebody else's credentials, makes the place another than its text says, and so it is not told at all.

use serde_json::{Map, Value};

use crate::druid::place::Scheme;
use crate::druid::{Place, Reach};

const WEB: &[Scheme] = &[Scheme::Http, Scheme::Https];

/// The members by which it can be told what a source of this type reads; `systemFields` and filters of names only
/// narrow that
///
/// None of `delta` and `iceberg`, whose own files name others anywhere, nor of `sql`, whose database is another server's
/// business.
fn telling_members(kind: &str) -> &'static [&'static str] {
    match kind {
        "http" => &["type", "uris", "systemFields"],
        "s3" | "google" | "azure" | "azureStorage" | "oss" => {
            &["type", "uris", "prefixes", "objects", "objectGlob", "systemFields"]
        }
        "hdfs" => &["type", "paths", "systemFields"],
        "local" => &["type", "baseDir", "filter", "files", "systemFields"],
        _ => &[],
    }
}

/// What a source of this type reads, which is not one that combines others; never none
pub(super) fn of_source(kind: &str, source: &Map<String, Value>) -> Vec<Reach> {
    if matches!(kind, "inline" | "druid") {
        return vec![Reach::Nowhere];
    }
    let has_other = source
        .iter()
        .any(|(name, value)| !telling_members(kind).contains(&name.as_str()) && !value.is_null());
    told((!has_other).then(|| places(kind, source)).flatten())
}

/// All of them are told, or none
fn told(places: Option<Vec<Place>>) -> Vec<Reach> {
    match places {
        Some(places) if !places.is_empty() => places.into_iter().map(Reach::At).collect(),
        Some(_) | None => vec![Reach::Unknown],
    }
}

fn places(kind: &str, source: &Map<String, Value>) -> Option<Vec<Place>> {
    match kind {
        "http" => each(source, "uris", |uri| Place::at_uri(uri.as_str()?, WEB)),
        "s3" => of_objects(source, Scheme::S3),
        "google" => of_objects(source, Scheme::Gs),
        "azure" => of_objects(source, Scheme::Azure),
        "azureStorage" => of_objects(source, Scheme::AzureStorage),
        "oss" => of_objects(source, Scheme::Oss),
        "hdfs" => match source.get("paths")? {
            Value::String(paths) => of_hadoop(paths),
            Value::Array(paths) => {
                let each = paths.iter().map(|path| of_hadoop(path.as_str()?)).collect::<Option<Vec<_>>>();
                Some(each?.into_iter().flatten().collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        },
        "local" => {
            let files = each(source, "files", |file| Place::of_file(file.as_str()?))?;
            match source.get("baseDir") {
                None | Some(Value::Null) => Some(files),
                Some(folder) => {
                    Some(files.into_iter().chain([Place::below_file(folder.as_str()?)?]).collect())
                }
            }
        }
        _ => None,
    }
}

/// `CloudObjectInputSource`
fn of_objects(source: &Map<String, Value>, scheme: Scheme) -> Option<Vec<Place>> {
    let schemes = &[scheme];
    let uris = each(source, "uris", |uri| Place::at_uri(uri.as_str()?, schemes))?;
    let prefixes = each(source, "prefixes", |uri| Place::below_uri(uri.as_str()?, schemes))?;
    let objects = each(source, "objects", |object| {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let is_known = object.as_object()?.keys().all(|name| matches!(name.as_str(), "bucket" | "path"));
        Place::of_object(scheme, text("bucket")?, text("path")?).filter(|_| is_known)
    })?;
    Some([uris, prefixes, objects].concat())
}

/// What a text of paths reads
pub(super) fn of_hadoop_paths(paths: &str) -> Vec<Reach> {
    told(of_hadoop(paths))
}

/// A text of several paths has commas between them (`FileInputFormat.getPathStrings`)
fn of_hadoop(paths: &str) -> Option<Vec<Place>> {
    paths.split(',').map(Place::of_hadoop).collect()
}

/// The place of each item of a list; `None` where one cannot be told
fn each(
    source: &Map<String, Value>,
    name: &str,
    place: impl Fn(&Value) -> Option<Place>,
) -> Option<Vec<Place>> {
    match source.get(name) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(place).collect(),
        Some(_) => None,
    }
}

/// What an export of this type writes, by its properties (`S3ExportStorageProvider` and its like, since Druid 30)
pub(super) fn of_export<'a>(kind: &str, properties: &[(&'a str, &'a str)]) -> Reach {
    let mut names: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let value = |name: &str| properties.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let in_bucket = |scheme| {
        let is_known = names == ["bucket", "prefix"] || names == ["bucket"];
        Place::below_folder(scheme, value("bucket")?, value("prefix").unwrap_or("")).filter(|_| is_known)
    };
    let place = match kind {
        "s3" => in_bucket(Scheme::S3),
        "google" => in_bucket(Scheme::Gs),
        "local" if names == ["exportPath"] => value("exportPath").and_then(Place::below_file),
        _ => None,
    };
    place.map_or(Reach::Unknown, Reach::At)
}

/// What the table functions `HTTP` and `LOCALFILES` read, whose lists are these
pub(super) fn of_function(kind: &str, lists: &[(&str, Vec<&str>)]) -> Vec<Reach> {
    let member = |(name, items): &(&str, Vec<&str>)| {
        let value = match (*name, items.as_slice()) {
            ("baseDir" | "filter", [one]) => Value::from(*one),
            _ => Value::from(items.clone()),
        };
        ((*name).to_owned(), value)
    };
    of_source(kind, &lists.iter().map(member).collect())
}
