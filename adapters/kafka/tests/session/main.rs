//! A session over a real broker in a temporary directory, spoken to in frames.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod bad_input;
mod cluster;
mod configs;
mod delays;
mod fetch;
mod groups;
mod offsets;
mod peer;
mod produce;
mod records;
mod restart;
mod socket;
mod topics;
