//! AMQP 0-9-1 as RabbitMQ speaks it.
//!
//! So far this is the codec and channel 0, both sans I/O, and over core what is declared, published
//! and consumed; no connection serves them yet. Codec and channel 0 know no socket, no clock and no
//! core, and nothing in them panics on, or allocates from, what a peer merely claims.

pub mod codec;
pub mod consuming;
pub mod control;
mod fault;
pub mod message;
mod output;
pub mod publishing;
#[cfg(test)]
mod testdata;
pub mod topology;

pub use fault::Fault;
pub use output::Output;
