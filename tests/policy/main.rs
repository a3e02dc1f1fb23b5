//! What statements need: cases of the project's own, properties that hold for all of them, and the corpora
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so loudly")]

mod corpora;
mod support;
