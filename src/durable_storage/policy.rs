//! The least policy that lets Druid use durable storage

use serde_json::{Value, json};

use super::action::Action;
use super::place::{Location, partition};

/// Stands where only the operator knows the name
pub const SOME_PRINCIPAL: &str = "arn:aws:iam::ACCOUNT:role/NAME";

/// To attach to the user or the role whose credentials Druid has
pub fn of_identity(location: &Location, region: &str) -> Value {
    policy(statement(location, region))
}

/// To attach to the bucket, for this user or role
pub fn of_bucket(location: &Location, region: &str, principal: &str) -> Value {
    let mut statement = statement(location, region);
    if let Some(members) = statement.as_object_mut() {
        members.insert("Principal".to_owned(), json!({"AWS": principal}));
    }
    policy(statement)
}

fn policy(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn statement(location: &Location, region: &str) -> Value {
    let Location { bucket, prefix } = location;
    let resource = format!("arn:{}:s3:::{bucket}/{}/*", partition(region), literal(prefix));
    json!({
        "Sid": "DruidDurableStorage",
        "Effect": "Allow",
        "Action": Action::ALL.map(Action::name),
        "Resource": resource,
    })
}

/// A text that means itself in a policy (IAM's reference, "Policy variables": `${*}`, `${?}`, `${$}`)
fn literal(text: &str) -> String {
    text.chars().fold(String::new(), |mut written, character| {
        match character {
            '*' | '?' | '$' => written.extend(['$', '{', character, '}']),
            other => written.push(other),
        }
        written
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(prefix: &str) -> Location {
        Location { bucket: "druid".to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn the_policy_names_four_actions_below_one_prefix() {
        assert_eq!(
            of_identity(&location("msq"), "eu-west-1"),
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "DruidDurableStorage",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"],
                "Resource": "arn:aws:s3:::druid/msq/*",
            }]})
        );
    }

    #[test]
    fn the_policy_of_a_bucket_names_who_may() {
        let policy = of_bucket(&location("msq"), "cn-north-1", "arn:aws-cn:iam::1:role/druid");
        assert_eq!(policy["Statement"][0]["Principal"]["AWS"], "arn:aws-cn:iam::1:role/druid");
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws-cn:s3:::druid/msq/*");
    }

    #[test]
    fn a_star_in_a_prefix_is_a_star_and_no_pattern() {
        let policy = of_identity(&location("a*b?c$d"), "us-east-1");
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::druid/a${*}b${?}c${$}d/*");
    }
}
