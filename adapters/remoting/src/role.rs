//! The broker role: what all of its connections share.

use crate::config::Config;
use crate::message::PropertyStage;
use crate::unique_key::UniqueKeys;
use gantry_core::Client;
use gantry_core::groups::locks::QueueLocks;
use gantry_core::groups::registry::{ClientRegistry, RegistryLimits};
use gantry_core::model::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A RocketMQ broker over core. The VIP port serves the same one.
#[derive(Debug)]
pub struct BrokerRole {
    pub(crate) client: Client,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) clients: ClientRegistry,
    pub(crate) locks: QueueLocks,
    pub(crate) unique_keys: UniqueKeys,
    pub(crate) started_at: Timestamp,
    next_queue: AtomicU32,
    next_opaque: AtomicU32,
}

impl BrokerRole {
    /// A broker that keeps its messages behind `client`.
    #[must_use]
    pub fn new(client: Client, config: Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        let started_at = clock.now();
        let limits = RegistryLimits {
            member_expiry_millis: config.client_expiry_ms,
            groups_per_session_max: config.groups_per_connection_max,
            subscriptions_per_group_max: config.subscriptions_per_group_max,
            ..RegistryLimits::default()
        };
        Arc::new(Self {
            client,
            clients: ClientRegistry::new(limits),
            locks: QueueLocks::new(config.locks_per_group_max),
            unique_keys: UniqueKeys::new(config.advertised_address.ip(), started_at),
            started_at,
            config,
            clock,
            next_queue: AtomicU32::new(0),
            next_opaque: AtomicU32::new(0),
        })
    }

    /// Forgets clients and locks whose time is over. Call it every few seconds.
    pub fn expire(&self) {
        let now = self.clock.now();
        self.clients.expire(now);
        self.locks.expire(now);
    }

    /// A stage for what this broker adds to every single message.
    pub(crate) fn property_stage(&self) -> PropertyStage {
        PropertyStage::new(&[
            ("MSG_REGION", &self.config.region),
            ("CLUSTER", &self.config.cluster_name),
            ("TRACE_ON", self.trace_on()),
        ])
    }

    pub(crate) fn trace_on(&self) -> &'static str {
        if self.config.trace_on {
            "true"
        } else {
            "false"
        }
    }

    /// Some queue below `count`, each in turn.
    pub(crate) fn any_queue(&self, count: u32) -> u32 {
        let turn = self.next_queue.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(count).unwrap_or(0)
    }

    /// The number of the next request this broker makes.
    pub(crate) fn next_opaque(&self) -> i32 {
        self.next_opaque
            .fetch_add(1, Ordering::Relaxed)
            .cast_signed()
    }
}
