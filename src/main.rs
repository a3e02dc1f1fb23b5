//! The process
fn main() {}
