//! Sockets become requests, and answers go back: each wait with a deadline

pub mod activity;
pub mod connection;
mod framing;
pub mod listener;
pub mod outgoing;
mod pace;
pub mod proxy_protocol;
mod shares;
