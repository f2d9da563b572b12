//! RocketMQ's broker and NameServer roles over core: translates requests and answers, and keeps nothing itself.

mod config;
mod connection;
mod error;
mod handlers;
mod message;
mod names;
pub mod nameserver;
mod reply;
mod role;
mod session;
mod unique_key;

pub use config::Config;
pub use connection::BrokerConnection;
pub use reply::{Frame, LaterFrame};
pub use role::BrokerRole;
