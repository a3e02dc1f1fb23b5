//! `[durable_storage]`: what `preflight s3` probes, and the report that the gate reads

use super::section::Section;
use super::{DurableStorage, StorageReport, Unproven};
use crate::base::redact::{address, word};
use crate::durable_storage::place::{self, Location};
use crate::durable_storage::{Address, Addressing, Place};

pub(super) fn read(section: &Section<'_>) -> DurableStorage {
    let address = Address { location: read_location(section), endpoint: read_endpoint(section) };
    DurableStorage {
        place: read_place(section, &address),
        ca_file: section.file("ca_file"),
        report: read_report(section, address),
    }
}

fn read_place(section: &Section<'_>, address: &Address) -> Option<Place> {
    let region = section.string("region");
    if let Some(region) = region.as_ref().filter(|region| !place::is_region(region)) {
        let instead = "write it in small letters, digits and hyphens, as `eu-central-1`";
        section.error("region", format!("{} is no region", word(region)), instead);
    }
    let addressing = section.either("path_style", Addressing::PathStyle, Addressing::VirtualHosted);
    let Address { location, endpoint } = address.clone();
    Some(Place { location: location?, endpoint, region, addressing })
}

/// Bucket and prefix: both or neither
fn read_location(section: &Section<'_>) -> Option<Location> {
    let (bucket, prefix) = (section.string("bucket"), section.string("prefix"));
    let missing = match (&bucket, &prefix) {
        (Some(_), None) if !section.mentions("prefix") => Some("prefix"),
        (None, Some(_)) if !section.mentions("bucket") => Some("bucket"),
        _ => None,
    };
    if let Some(key) = missing {
        let instead = format!("write the value of druid.msq.intermediate.storage.{key}");
        section.error(key, "is missing", instead);
    }
    let (bucket, prefix) = (bucket?, prefix?);
    check(section, "bucket", &bucket, place::is_bucket);
    check(section, "prefix", &prefix, place::is_prefix);
    Some(Location { bucket, prefix })
}

fn check(section: &Section<'_>, key: &str, text: &str, is_right: impl FnOnce(&str) -> bool) {
    if !is_right(text) {
        let shown = if text.contains("://") { address(text) } else { word(text) };
        section.error(key, format!("{shown} is no {key}"), "write it as Druid's properties have it");
    }
}

fn read_endpoint(section: &Section<'_>) -> Option<String> {
    let endpoint = section.string("endpoint")?;
    let read = place::endpoint(&endpoint, "https");
    if read.is_none() {
        let what = format!("{} is no address of an S3 server", address(&endpoint));
        section.error("endpoint", what, "write `https://host` or `http://host:port`, without a path");
    }
    read
}

fn read_report(section: &Section<'_>, address: Address) -> Option<StorageReport> {
    let file = section.file("report");
    let stale = section.seconds("report_stale_seconds");
    let required = section.switch("required");
    match &file {
        None if section.mentions("report") => {}
        Some(_) if required => advise_a_place(section),
        Some(_) => {}
        None => miss_the_report(section, required),
    }
    let unproven = if required { Unproven::Refuse } else { Unproven::Forward };
    Some(StorageReport { file: file?, stale, address, unproven })
}

/// What is there for a report, and no report
fn miss_the_report(section: &Section<'_>, required: bool) {
    let instead = "name the file that `preflight s3 --json` writes in `report`";
    if required {
        section.error("required", "rests on a report, and there is none", instead);
    }
    if section.has("report_stale_seconds") {
        section.warn("report_stale_seconds", "is of no use without a report", instead);
    }
}

/// A report of another bucket would let queries through that fail
fn advise_a_place(section: &Section<'_>) {
    if !section.has("bucket") && !section.has("prefix") {
        let what = "any report counts, whichever storage it is of";
        section.warn("required", what, "write `bucket` and `prefix` as Druid's properties have them");
    }
}
