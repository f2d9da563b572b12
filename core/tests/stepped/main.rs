//! A broker whose work is done step by step at a time the test sets, through the calls adapters use.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "tests"
)]

mod delayed_batches;
#[path = "../files/mod.rs"]
mod files;
mod retention;
mod store;
mod timers;
mod transactions;
