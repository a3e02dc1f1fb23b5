//! Judge and printer: no panic, and what is forwarded is a fixed point with the same needs
#![no_main]

use libfuzzer_sys::fuzz_target;
use msq_gate_fuzz::{check, statement};

fuzz_target!(|bytes: &[u8]| {
    if let Some(text) = statement(bytes) {
        check(&text, &[]);
    }
});
