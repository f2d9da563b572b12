//! AMQP 0-9-1 as RabbitMQ speaks it.
//!
//! Codec and channel 0 are sans I/O: they know no socket, no clock and no core. What is declared,
//! published and consumed stands over core, and a connection puts it all together on the stream
//! driver. Nothing panics on, or allocates from, what a peer merely claims.

pub mod accounts;
mod alarms;
mod channel;
pub mod codec;
mod config;
mod connection;
pub mod consuming;
pub mod control;
mod fault;
pub mod ledger;
pub mod message;
pub mod operators;
mod output;
pub mod parameters;
pub mod publishing;
pub mod registry;
mod server;
#[cfg(test)]
mod testdata;
pub mod topology;

pub use alarms::{Alarms, MemoryUse};
pub use config::{Config, Memory, User};
pub use connection::{AmqpConnection, Ended, Item};
pub use fault::Fault;
pub use output::Output;
pub use server::{QueueChurn, Server};
