//! RocketMQ's broker role over core: translates requests and answers, and keeps nothing itself.

mod config;
mod error;
mod handlers;
mod message;
mod names;
mod reply;
mod role;
mod session;
mod unique_key;

pub use config::Config;
pub use reply::{Frame, Reply};
pub use role::BrokerRole;
pub use session::Session;
