//! Lengths of time as people say them

use std::time::Duration;

/// A length of time in its largest unit alone
pub(super) fn span(length: Duration) -> String {
    span_of_parts(length, 1)
}

/// Two lengths, in as many units as tell them apart
pub(super) fn spans_apart(left: Duration, right: Duration) -> (String, String) {
    let told = |parts| (span_of_parts(left, parts), span_of_parts(right, parts));
    (1..UNITS.len()).map(told).find(|(left, right)| left != right).unwrap_or_else(|| told(UNITS.len()))
}

/// Of which lengths are told, in seconds, the largest first
const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];

/// `2 hours 1 minute`: so many units that are not nothing, from the largest; what is left over is dropped
fn span_of_parts(length: Duration, most: usize) -> String {
    let mut left = length.as_secs();
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        let count = left / length;
        left %= length;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.truncate(most);
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_unit_and_finer_where_that_tells_two_apart() {
        let seconds = Duration::from_secs;
        for (length, told) in
            [(0, "0 seconds"), (1, "1 second"), (119, "1 minute"), (3_600, "1 hour"), (172_800, "2 days")]
        {
            assert_eq!(span(seconds(length)).to_string(), told);
        }
        for (left, right, told) in [
            (10_800, 7_200, ("3 hours", "2 hours")),
            (7_260, 7_200, ("2 hours 1 minute", "2 hours")),
            (7_201, 7_200, ("2 hours 1 second", "2 hours")),
            (93_785, 93_784, ("1 day 2 hours 3 minutes 5 seconds", "1 day 2 hours 3 minutes 4 seconds")),
            (60, 59, ("1 minute", "59 seconds")),
        ] {
            let (left, right) = spans_apart(seconds(left), seconds(right));
            assert_eq!((left.to_string().as_str(), right.to_string().as_str()), told);
        }
    }
}
