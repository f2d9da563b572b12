//! RocketMQ's broker and NameServer roles over core: translates requests and answers, and keeps nothing itself.

pub mod acl;
mod civil_time;
mod config;
mod connection;
mod consumer_facts;
mod error;
mod handlers;
mod held_pops;
mod message;
mod names;
pub mod nameserver;
mod peers;
pub mod registrar;
mod reply;
mod resets;
mod role;
mod session;
mod statistics;
mod subscription_groups;
mod unique_key;

pub use config::Config;
pub use connection::BrokerConnection;
pub use reply::{Frame, LaterFrame};
pub use role::BrokerRole;
