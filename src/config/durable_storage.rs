//! `[durable_storage]`: what `preflight s3` probes, and the report that the gate reads

use std::path::Path;
use std::time::Duration;

use super::section::{At, Findings, Section};
use super::{DurableStorage, StorageReport, Unproven};
use crate::durable_storage::place::{self, Location};
use crate::durable_storage::{Addressing, Place};

/// Four weeks: longer than any timer that is of use
const MOST_STALE: u64 = 28 * 86_400;

pub(super) fn read(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> DurableStorage {
    DurableStorage {
        place: read_place(section, findings),
        ca_file: section.string("ca_file", findings).map(|file| folder.join(file.value)),
        report: read_report(section, folder, findings),
    }
}

fn read_place(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Place> {
    let bucket = section.string("bucket", findings);
    let prefix = section.string("prefix", findings);
    let endpoint = section.string("endpoint", findings);
    let region = section.string("region", findings).map(|region| checked_region(section, region, findings));
    let addressing = if section.boolean("path_style", false, findings) {
        Addressing::PathStyle
    } else {
        Addressing::VirtualHosted
    };
    let endpoint = endpoint.and_then(|endpoint| checked_endpoint(section, endpoint, findings));
    let (bucket, prefix) = match (bucket, prefix) {
        (Some(bucket), Some(prefix)) => (bucket, prefix),
        (Some(_), None) => {
            let instead = "write the value of druid.msq.intermediate.storage.prefix";
            findings.error(section.offset, &section.path("prefix"), "is missing", instead);
            return None;
        }
        (None, Some(_)) => {
            let instead = "write the value of druid.msq.intermediate.storage.bucket";
            findings.error(section.offset, &section.path("bucket"), "is missing", instead);
            return None;
        }
        (None, None) => return None,
    };
    for (key, text, is_right) in [
        ("bucket", &bucket, place::is_bucket(&bucket.value)),
        ("prefix", &prefix, place::is_prefix(&prefix.value)),
    ] {
        if !is_right {
            let what = format!("`{}` is no {key}", text.value.escape_debug());
            findings.error(text.offset, &section.path(key), what, "write it as Druid's properties have it");
        }
    }
    let location = Location { bucket: bucket.value, prefix: prefix.value };
    Some(Place { location, endpoint, region, addressing })
}

fn checked_region(section: &Section<'_>, region: At<String>, findings: &mut Findings<'_>) -> String {
    if !place::is_region(&region.value) {
        let what = format!("`{}` is no region", region.value.escape_debug());
        let instead = "write it in small letters, digits and hyphens, as `eu-central-1`";
        findings.error(region.offset, &section.path("region"), what, instead);
    }
    region.value
}

fn checked_endpoint(
    section: &Section<'_>,
    endpoint: At<String>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let read = place::endpoint(&endpoint.value, "https");
    if read.is_none() {
        let what = format!("`{}` is no address of an S3 server", endpoint.value.escape_debug());
        let instead = "write `https://host` or `http://host:port`, without a path";
        findings.error(endpoint.offset, &section.path("endpoint"), what, instead);
    }
    read
}

fn read_report(section: &Section<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<StorageReport> {
    let file = section.string("report", findings);
    let stale = Duration::from_secs(section.number("report_stale_seconds", 7_200, 1..=MOST_STALE, findings));
    let required = section.boolean("required", false, findings);
    if file.is_none() && required {
        let instead = "name the file that `preflight s3 --json` writes in `report`";
        findings.error(
            section.offset_of("required"),
            &section.path("required"),
            "rests on a report, and there is none",
            instead,
        );
    }
    Some(StorageReport {
        file: folder.join(file?.value),
        stale,
        unproven: if required { Unproven::Refuse } else { Unproven::Forward },
    })
}
