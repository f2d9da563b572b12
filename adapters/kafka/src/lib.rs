//! Kafka wire over gantry-core. A [`Session`] turns the frames of one connection into replies in
//! their order; who reads and writes the socket is not its concern.

mod answer;
mod api;
mod config;
mod connection;
mod context;
mod error;
mod handlers;
mod server;
mod session;
#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests"
)]
mod tests;
pub mod wire;

pub use answer::{Answer, Unanswerable};
pub use api::Pending;
pub use config::Config;
pub use connection::KafkaConnection;
pub use error::response_error;
pub use server::Server;
pub use session::{Closed, Reply, Session};
