//! OpenMessaging over HTTP (reference/openmessaging_http.md E.1 to E.5): the specification's own
//! produce and pull, and resources for what it leaves out.
//!
//! It keeps no message: everything is a verb of core's client. It binds no port.

mod binary;
mod callbacks;
mod cloudevent;
mod config;
mod error;
mod head;
mod headers;
mod live;
mod message;
mod names;
mod openapi;
mod places;
mod produce;
mod receipt;
mod receive;
mod request;
mod routes;
mod server;
mod settle;
mod status;
mod transaction;
mod window;

pub use callbacks::{Allowed, CallbackFigures, Config as CallbacksConfig};
pub use config::Config;
pub use server::OpenMessaging;
