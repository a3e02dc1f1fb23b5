//! The lexer: no text makes it panic, and a text of several pieces has at most as many as bytes
#![no_main]

use libfuzzer_sys::fuzz_target;
use msq_gate_fuzz::resource_actions::sql::{SqlLimits, pieces};

fuzz_target!(|text: &str| {
    let count = pieces(text, &SqlLimits::default());
    assert!(count.is_err() || count.is_ok_and(|count| count <= text.len()));
});
