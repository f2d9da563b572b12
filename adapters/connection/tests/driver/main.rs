//! What a connection promises, over a toy protocol.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::large_futures,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod backpressure;
mod ending;
mod framing;
mod ordering;
mod sockets;
mod streams;
mod toy;
mod writing;
