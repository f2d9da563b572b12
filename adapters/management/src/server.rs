//! What is managed.

use crate::Config;
use crate::rates::Rates;
use crate::refusal::Refusal;
use crate::routes;
use axum::Router;
use gantry_amqp::Server;
use gantry_core::model::Timestamp;
use gantry_core::vhosts::VirtualHost;
use std::net::SocketAddr;
use std::sync::Arc;

/// A socket of this process.
#[derive(Clone, Debug)]
pub struct Listening {
    /// As RabbitMQ calls what is spoken there: `amqp`, `http`.
    pub protocol: &'static str,
    /// Where.
    pub address: SocketAddr,
}

/// What is managed.
#[derive(Debug)]
pub struct Management {
    pub(crate) amqp: Arc<Server>,
    pub(crate) config: Config,
    pub(crate) listening: Vec<Listening>,
    pub(crate) started_at: Timestamp,
    pub(crate) rates: Rates,
}

impl Management {
    /// Of an endpoint, in a process that listens there.
    #[must_use]
    pub fn new(amqp: Arc<Server>, config: Config, listening: Vec<Listening>) -> Arc<Self> {
        Arc::new(Self {
            started_at: amqp.now(),
            rates: Rates::default(),
            amqp,
            config,
            listening,
        })
    }

    /// A virtual host to make something in, by its name.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn vhost_named(&self, name: &str) -> Result<Arc<VirtualHost>, Refusal> {
        let host = self.amqp.client().virtual_host(name);
        host.ok_or_else(Refusal::no_vhost)
    }

    /// What is asked of it. Who asks must be known as `ConnectInfo<SocketAddr>`.
    pub fn routes(self: Arc<Self>) -> Router {
        routes::all(self)
    }
}
