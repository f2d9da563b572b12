//! The broker role over real sockets, with a client of the wire.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

mod captures;
mod consume;
mod groups;
mod requests;
mod send;
mod support;
mod topics;
