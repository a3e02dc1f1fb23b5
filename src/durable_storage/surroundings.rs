//! What Druid reads from its surroundings, as its properties ask for it

/// What Druid reads from its surroundings while it reads its properties
pub trait Surroundings {
    /// An environment variable
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file
    fn file(&self, path: &str) -> Option<String>;
}

/// `${env:NAME}`, `${env:NAME:-default}` and `${file:UTF-8:PATH}` in a value (Druid's manual, "Configuration
/// interpolation")
pub(super) fn interpolated(value: &str, surroundings: &dyn Surroundings) -> Result<String, String> {
    let mut written = String::new();
    let mut rest = value;
    while let Some((before, inside)) = rest.split_once("${") {
        let Some((inside, after)) = inside.split_once('}') else { break };
        written.push_str(before);
        written.push_str(&found(inside, surroundings)?);
        rest = after;
    }
    written.push_str(rest);
    Ok(written)
}

fn found(inside: &str, surroundings: &dyn Surroundings) -> Result<String, String> {
    let (name, default) =
        inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    let found = if let Some(name) = name.strip_prefix("env:") {
        variable(name, surroundings)
    } else if let Some(path) = name.strip_prefix("file:UTF-8:") {
        surroundings.file(path).ok_or_else(|| format!("names the file `{path}`, which cannot be read here"))
    } else {
        // What stands there may be a part of a secret.
        Err("names with `${…}` what only Druid's own process knows; write its value".to_owned())
    };
    found.or_else(|what| default.map(str::to_owned).ok_or(what))
}

/// An environment variable that has to be there
pub(super) fn variable(name: &str, surroundings: &dyn Surroundings) -> Result<String, String> {
    let unset = || format!("names the environment variable `{name}`, which is not set here");
    surroundings.variable(name).ok_or_else(unset)
}
