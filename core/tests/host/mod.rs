//! A broker with AMQP's first virtual host, and what of it outlives a kill.

use crate::files::copy;
use bytes::Bytes;
use gantry_core::model::SystemClock;
use gantry_core::routing::{Routable, Value};
use gantry_core::vhosts::{DEFAULT_VHOST, VirtualHost};
use gantry_core::{Broker, Client, Config};
use std::sync::Arc;
use tempfile::TempDir;

/// A message without headers.
pub(crate) struct Bare;

impl Routable for Bare {
    fn header(&self, _name: &str) -> Option<Value> {
        None
    }

    fn property(&self, _name: &str) -> Option<Bytes> {
        None
    }
}

pub(crate) struct Host {
    directory: TempDir,
    _broker: Broker,
    pub(crate) client: Client,
    pub(crate) host: Arc<VirtualHost>,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(directory: TempDir) -> Self {
        let mut config = Config::default();
        config.store.segment_bytes = 1 << 20;
        let clock = Arc::new(SystemClock);
        let broker = Broker::open(directory.path(), config, clock).unwrap();
        let client = broker.anonymous();
        let host = client.virtual_host(DEFAULT_VHOST).unwrap();
        Self {
            directory,
            _broker: broker,
            client,
            host,
        }
    }

    /// What would start if this process were killed now.
    pub(crate) fn after_kill(&self) -> Self {
        let image = tempfile::tempdir().unwrap();
        copy(self.directory.path(), image.path());
        Self::on(image)
    }
}
