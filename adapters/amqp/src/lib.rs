//! AMQP 0-9-1 as RabbitMQ speaks it.
//!
//! So far this is the codec and channel 0, both sans I/O; nothing serves them yet. They know no
//! socket, no clock and no core, and nothing in them panics on, or allocates from, what a peer
//! merely claims.

pub mod codec;
pub mod control;
pub mod message;
mod output;
#[cfg(test)]
mod testdata;

pub use output::Output;
