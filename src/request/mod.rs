//! What is asked: a head, an endpoint and a body, each with one reading

pub mod arrived;
pub mod body;
pub mod head;
pub mod route;
mod unasked;
