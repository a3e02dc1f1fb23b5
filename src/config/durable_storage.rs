//! `[durable_storage]`: what `preflight s3` probes, and the report that the gate reads

use std::path::Path;
use std::time::Duration;

use super::section::{At, Findings, Section};
use super::{DurableStorage, StorageReport, Unproven};
use crate::base::redact::{address, word};
use crate::durable_storage::place::{self, Location};
use crate::durable_storage::{Address, Addressing, Place};

/// Four weeks: longer than any timer that is of use
const MOST_STALE: u64 = 28 * 86_400;

pub(super) fn read(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> DurableStorage {
    let address =
        Address { location: read_location(section, findings), endpoint: read_endpoint(section, findings) };
    DurableStorage {
        place: read_place(section, &address, findings),
        ca_file: section.string("ca_file", findings).map(|file| folder.join(file.value)),
        report: read_report(section, folder, address, findings),
    }
}

fn read_place(section: &Section<'_>, address: &Address, findings: &mut Findings<'_>) -> Option<Place> {
    let region = section.string("region", findings).map(|region| checked_region(section, region, findings));
    let is_in_the_path = section.boolean("path_style", false, findings);
    let addressing = if is_in_the_path { Addressing::PathStyle } else { Addressing::VirtualHosted };
    Some(Place {
        location: address.location.clone()?,
        endpoint: address.endpoint.clone(),
        region,
        addressing,
    })
}

/// Bucket and prefix: both or neither
fn read_location(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Location> {
    let bucket = section.string("bucket", findings);
    let prefix = section.string("prefix", findings);
    let missing = match (&bucket, &prefix) {
        (Some(_), None) if !section.mentions("prefix") => Some("prefix"),
        (None, Some(_)) if !section.mentions("bucket") => Some("bucket"),
        _ => None,
    };
    if let Some(key) = missing {
        let instead = format!("write the value of druid.msq.intermediate.storage.{key}");
        findings.error(section.offset, &section.path(key), "is missing", instead);
    }
    let (bucket, prefix) = (bucket?, prefix?);
    check(section, "bucket", &bucket, place::is_bucket, findings);
    check(section, "prefix", &prefix, place::is_prefix, findings);
    Some(Location { bucket: bucket.value, prefix: prefix.value })
}

fn checked_region(section: &Section<'_>, region: At<String>, findings: &mut Findings<'_>) -> String {
    if !place::is_region(&region.value) {
        let what = format!("{} is no region", word(&region.value));
        let instead = "write it in small letters, digits and hyphens, as `eu-central-1`";
        findings.error(region.offset, &section.path("region"), what, instead);
    }
    region.value
}

fn check(
    section: &Section<'_>,
    key: &str,
    text: &At<String>,
    is_right: impl FnOnce(&str) -> bool,
    findings: &mut Findings<'_>,
) {
    if !is_right(&text.value) {
        let is_url = text.value.contains("://");
        let shown = if is_url { address(&text.value) } else { word(&text.value) };
        let what = format!("{shown} is no {key}");
        findings.error(text.offset, &section.path(key), what, "write it as Druid's properties have it");
    }
}

fn read_endpoint(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let endpoint = section.string("endpoint", findings)?;
    let read = place::endpoint(&endpoint.value, "https");
    if read.is_none() {
        let what = format!("{} is no address of an S3 server", address(&endpoint.value));
        let instead = "write `https://host` or `http://host:port`, without a path";
        findings.error(endpoint.offset, &section.path("endpoint"), what, instead);
    }
    read
}

fn read_report(
    section: &Section<'_>,
    folder: &Path,
    address: Address,
    findings: &mut Findings<'_>,
) -> Option<StorageReport> {
    let file = section.string("report", findings);
    let stale = Duration::from_secs(section.number("report_stale_seconds", 7_200, 1..=MOST_STALE, findings));
    let required = section.boolean("required", false, findings);
    match &file {
        None if section.mentions("report") => {}
        Some(_) if required => advise_a_place(section, findings),
        Some(_) => {}
        None => miss_the_report(section, required, findings),
    }
    Some(StorageReport {
        file: folder.join(file?.value),
        stale,
        address,
        unproven: if required { Unproven::Refuse } else { Unproven::Forward },
    })
}

/// What is there for a report, and no report
fn miss_the_report(section: &Section<'_>, required: bool, findings: &mut Findings<'_>) {
    let instead = "name the file that `preflight s3 --json` writes in `report`";
    if required {
        let what = "rests on a report, and there is none";
        findings.error(section.offset_of("required"), &section.path("required"), what, instead);
    }
    if section.has("report_stale_seconds") {
        let key = "report_stale_seconds";
        findings.warn(section.offset_of(key), &section.path(key), "is of no use without a report", instead);
    }
}

/// A report of another bucket would let queries through that fail
fn advise_a_place(section: &Section<'_>, findings: &mut Findings<'_>) {
    if !section.has("bucket") && !section.has("prefix") {
        let what = "any report counts, whichever storage it is of";
        let instead = "write `bucket` and `prefix` as Druid's properties have them";
        findings.warn(section.offset_of("required"), &section.path("required"), what, instead);
    }
}
