//! People and roles in Druid's own security, made by its administrator

use http::Method;
use serde_json::{Value, json};

use super::druid::Druid;

/// Makes them
pub(crate) struct People<'a> {
    pub(crate) admin: &'a Druid,
}

impl People<'_> {
    async fn post(&self, path: &str, body: Value) {
        let path = format!("/proxy/coordinator/druid-ext/basic-security/{path}");
        let (status, text) = self.admin.ask(Method::POST, &path, Some(&body)).await;
        assert!(status.is_success() || text.contains("already"), "{path}: {status} {text}");
    }

    /// A role that grants this
    pub(crate) async fn role(&self, name: &str, sentence: &str) {
        let words: Vec<_> = sentence.splitn(3, ' ').collect();
        let permission = json!([{"resource": {"type": words[1], "name": words[2]}, "action": words[0]}]);
        self.post(&format!("authorization/db/basic/roles/{name}"), json!({})).await;
        self.post(&format!("authorization/db/basic/roles/{name}/permissions"), permission).await;
    }

    /// The password of a person, without the ten thousand rounds that each request would take at each node
    pub(crate) async fn password(&self, name: &str, password: &str) {
        let path = format!("authentication/db/basic/users/{name}/credentials");
        self.post(&path, json!({"password": password, "iterations": 1})).await;
    }

    /// Somebody with the password `pw` who is in these roles
    pub(crate) async fn person(&self, name: &str, roles: &[impl AsRef<str>]) {
        self.post(&format!("authentication/db/basic/users/{name}"), json!({})).await;
        self.password(name, "pw").await;
        self.post(&format!("authorization/db/basic/users/{name}"), json!({})).await;
        for role in roles {
            self.post(&format!("authorization/db/basic/users/{name}/roles/{}", role.as_ref()), json!({}))
                .await;
        }
    }

    /// One name for whoever has the same roles
    pub(crate) fn name(base: &str, roles: &[&str]) -> String {
        roles.iter().fold(base.to_owned(), |name, role| name + "_" + role.trim_start_matches("changes_"))
    }
}
