//! The broker role over real sockets, with a client of the wire.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

mod acl;
mod admin;
mod captures;
mod consume;
mod delay;
mod filters;
mod flush;
mod groups;
mod pop;
mod reply;
mod requests;
mod send;
mod subscription_groups;
mod support;
mod topics;
mod transactions;
