//! What all connections of the endpoint share.

use crate::config::{Config, User};
use crate::consuming::Replies;
use crate::control::{Credentials, Settings};
use crate::publishing::AmqpQueueProtocol;
use gantry_core::Client;
use gantry_core::model::Clock;
use std::net::IpAddr;
use std::sync::Arc;

/// The AMQP endpoint.
#[derive(Debug)]
pub struct Server {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) config: Config,
    pub(crate) replies: Arc<Replies>,
}

impl Server {
    /// An endpoint over `client`'s broker.
    #[must_use]
    pub fn new(client: Client, config: Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        client.set_queue_protocol(Arc::new(AmqpQueueProtocol::new(client.clone())));
        Arc::new(Self {
            settings: config.settings(),
            client,
            clock,
            config,
            replies: Arc::default(),
        })
    }

    /// Looks after queues whose messages expire, or that do. Never returns; to be run once, on
    /// any runtime, as long as connections are served.
    pub async fn run_queues(&self) {
        self.client.run_work_queues().await;
    }

    /// The name of the user that somebody is who connects from `ip`, when they may.
    pub(crate) fn authenticate(&self, credentials: &Credentials, ip: IpAddr) -> Option<Arc<str>> {
        let Credentials::Password { user, password } = credentials else {
            return None;
        };
        let known = self.config.users.iter().find(|known| known.name == *user)?;
        let is_let_in = is_same(known.password.as_bytes(), password) && may_come_from(known, ip);
        is_let_in.then(|| known.name.as_str().into())
    }
}

fn may_come_from(user: &User, ip: IpAddr) -> bool {
    user.remote || ip.to_canonical().is_loopback()
}

/// Takes the same time wherever they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differing == 0
}
