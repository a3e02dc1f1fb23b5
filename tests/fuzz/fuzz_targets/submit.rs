//! Bodies of statement endpoints: no panic, and what is written for Druid reads back as what was judged
#![no_main]

use libfuzzer_sys::fuzz_target;
use msq_gate_fuzz::check;
use msq_gate_fuzz::druid::Owner;
use msq_gate_fuzz::resource_actions::submit::Submit;

fuzz_target!(|bytes: &[u8]| {
    let Ok(submit) = Submit::read(bytes, 64) else { return };
    check(&submit.query, &submit.parameters);
    let written = submit.body(&submit.query, &Owner::new("i", "a"));
    // The owner's key is reserved: what the gate has written it does not take from a client.
    assert!(Submit::read(&written, 64).is_err());
    let written = String::from_utf8(written).unwrap().replace("\"msqGateOwner\":\"i|a\"", "\"x\":1");
    let again = Submit::read(written.as_bytes(), 64).unwrap();
    assert_eq!((&again.query, &again.parameters), (&submit.query, &submit.parameters));
    assert_eq!(again.context_keys.len(), submit.context_keys.len() + 1);
});
