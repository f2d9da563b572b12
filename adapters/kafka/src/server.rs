//! What all connections of the endpoint share.

use crate::Config;
use gantry_core::groups::classic::Coordinator;
use gantry_core::model::{Clock, SystemClock};
use gantry_core::{Broker, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Namespace of the Kafka endpoint's own durable facts.
const DOCUMENTS: &str = "kafka";
const CLUSTER_ID: &str = "cluster_id";

/// The Kafka endpoint. One a broker: consumer groups live in it.
#[derive(Debug)]
pub struct Server {
    pub(crate) broker: Broker,
    pub(crate) config: Config,
    pub(crate) cluster_id: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) groups: Coordinator,
    connections: AtomicU64,
}

impl Server {
    /// An endpoint over `broker`.
    ///
    /// # Errors
    /// The cluster id is not configured and cannot be kept.
    pub fn new(broker: Broker, config: Config) -> Result<Arc<Self>, Error> {
        let cluster_id = match &config.cluster_id {
            Some(configured) => configured.clone(),
            None => kept_cluster_id(&broker.anonymous())?,
        };
        Ok(Arc::new(Self {
            groups: Coordinator::new(config.groups),
            broker,
            config,
            cluster_id,
            clock: Arc::new(SystemClock),
            connections: AtomicU64::new(1),
        }))
    }

    /// The settings in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Makes time pass for consumer groups: ends the waits and drops members that died. Never
    /// returns; to be run once, on any runtime, as long as connections are served.
    pub async fn run_groups(&self) {
        self.groups.expire_members().await;
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}

fn kept_cluster_id(client: &gantry_core::Client) -> Result<String, Error> {
    if let Some(kept) = client.document(DOCUMENTS, CLUSTER_ID) {
        return Ok(kept);
    }
    let made = Uuid::new_v4().simple().to_string();
    client.put_document(DOCUMENTS, CLUSTER_ID, Some(made.clone()))?;
    Ok(made)
}
