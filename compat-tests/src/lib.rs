//! Drives real clients of every ecosystem against a running gantry.
//!
//! This library is the harness: where things are, a server process, a client process, and the
//! lines they exchange. It links no part of the product, and knows of the protocols how one request
//! of RocketMQ's is asked: whether a NameServer knows a broker yet. The tests are one
//! binary, `tests/compat`; `cargo xtask test` installs the clients and runs them.

pub mod amqp_steps;
pub mod clients;
pub mod disks;
pub mod gantry;
pub mod http;
pub mod lines;
pub mod matrix;
mod original;
pub mod paths;
pub mod ports;
pub mod process;
pub mod rabbitmq_broker;
pub mod remoting;
pub mod rocketmq_broker;
