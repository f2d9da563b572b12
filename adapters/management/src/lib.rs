//! RabbitMQ's management HTTP API: what its tools and clients ask of port 15672, with its paths,
//! status codes and JSON (reference/management.md H.1).
//!
//! It keeps nothing. What it tells is what core and AMQP's endpoint know; what it is told is done
//! with the methods of AMQP, their checks and their texts, as the user who asks. It binds no port.

mod caller;
mod config;
mod describe;
mod query;
mod rates;
mod refusal;
mod request;
mod routes;
mod server;
mod values;

pub use config::Config;
pub use server::{Listening, Management};
