//! The broker role: what all of its connections share.

use crate::acl::Acl;
use crate::config::Config;
use crate::consumer_facts::ConsumerFacts;
use crate::held_pops::HeldPops;
use crate::message::PropertyStage;
use crate::peers::Peers;
use crate::resets::Resets;
use crate::statistics::Statistics;
use crate::subscription_groups::{NAMESPACE, SubscriptionGroups};
use crate::unique_key::UniqueKeys;
use gantry_core::groups::locks::QueueLocks;
use gantry_core::groups::registry::{ClientRegistry, RegistryLimits};
use gantry_core::model::{Clock, Permission, PhysicalOffset, Timestamp};
use gantry_core::{Client, Error};
use gantry_remoting_protocol::record::MessageId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The document of what clients may do with any topic.
const PERMISSION_KEY: &str = "broker-permission";

fn stored_permission(client: &Client) -> Permission {
    let stored = client.document(NAMESPACE, PERMISSION_KEY);
    let bits = stored.and_then(|bits| bits.parse().ok());
    bits.map_or(Permission::READ_WRITE, Permission::from_bits)
}

/// A RocketMQ broker over core. The VIP port serves the same one.
#[derive(Debug)]
pub struct BrokerRole {
    pub(crate) client: Client,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` when nobody needs to sign.
    pub(crate) acl: Option<Arc<Acl>>,
    pub(crate) clients: ClientRegistry,
    pub(crate) groups: SubscriptionGroups,
    pub(crate) statistics: Statistics,
    pub(crate) peers: Peers,
    pub(crate) consumer_facts: ConsumerFacts,
    pub(crate) resets: Resets,
    pub(crate) locks: QueueLocks,
    pub(crate) held_pops: Arc<HeldPops>,
    pub(crate) unique_keys: UniqueKeys,
    pub(crate) started_at: Timestamp,
    permission: AtomicU8,
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
        let groups_max = config.subscription_groups_max;
        Arc::new(Self {
            groups: SubscriptionGroups::open(client.clone(), groups_max, started_at.millis()),
            statistics: Statistics::new(config.counted_groups_max),
            peers: Peers::new(config.calls_per_connection_max),
            consumer_facts: ConsumerFacts::default(),
            resets: Resets::new(config.pending_resets_max),
            permission: AtomicU8::new(stored_permission(&client).bits()),
            client,
            acl: Acl::new(&config.acl),
            clients: ClientRegistry::new(limits),
            locks: QueueLocks::new(config.locks_per_group_max),
            held_pops: HeldPops::new(config.held_pops_per_queue_max, config.held_pops_max),
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
        self.consumer_facts.expire(&self.clients);
        self.statistics.expire(now);
    }

    /// What clients may do with any topic.
    pub(crate) fn permission(&self) -> Permission {
        Permission::from_bits(self.permission.load(Ordering::Relaxed))
    }

    /// Sets what clients may do with any topic, now and after a restart.
    ///
    /// # Errors
    /// A failed store.
    pub(crate) fn set_permission(&self, permission: Permission) -> Result<(), Error> {
        let bits = permission.bits();
        self.client
            .put_document(NAMESPACE, PERMISSION_KEY, Some(bits.to_string()))?;
        self.permission.store(bits, Ordering::Relaxed);
        Ok(())
    }

    /// Has producers asked how their transactions ended, for as long as it is polled.
    pub async fn run_transaction_checks(&self) {
        let mut checks = self.client.transaction_checks();
        while let Some(check) = checks.recv().await {
            let answer = self.clients.ask_producer(&check);
            self.client.answer_check(check, answer);
        }
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

    /// The offset message id of what stands at `position` of this broker's log.
    pub(crate) fn message_id(&self, position: PhysicalOffset) -> MessageId {
        MessageId {
            host: self.config.advertised_address,
            offset: position.get().cast_signed(),
        }
    }

    /// The number of the next request this broker makes.
    pub(crate) fn next_opaque(&self) -> i32 {
        self.next_opaque
            .fetch_add(1, Ordering::Relaxed)
            .cast_signed()
    }
}
