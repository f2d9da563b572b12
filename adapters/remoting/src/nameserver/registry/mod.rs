//! Which brokers there are and which topics they have: a state machine fed with the time. It is
//! learned anew from the brokers after every start.

mod leave;
mod register;
#[cfg(test)]
mod tests;
mod topics;

#[cfg(test)]
pub(super) use register::Leader;
pub(super) use register::{Broker, RegisterError, Registered};

use super::config::Advertised;
use gantry_core::model::Timestamp;
use gantry_remoting_protocol::body::{
    BrokerData, BrokerMemberGroup, ClusterInfo, DataVersion, QueueData, TopicQueueMapping,
};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::mpsc;
use topics::Topics;

/// The master's id; producers write to no other.
pub(super) const MASTER_ID: i64 = 0;

/// What brokers are told unasked, of a group they are in: the smallest id is another now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MinBrokerChange {
    pub(super) broker_name: String,
    pub(super) id: i64,
    pub(super) address: Option<String>,
    pub(super) gone: Option<String>,
    pub(super) ha_address: Option<String>,
}

/// A broker's connection.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) notices: mpsc::Sender<MinBrokerChange>,
}

/// How much may be registered, and how long a broker may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) brokers_max: usize,
    pub(super) topics_per_broker_max: usize,
    pub(super) expiry_millis: u64,
    pub(super) expiry_millis_max: u64,
}

/// All brokers and topics but the topics of this process's own broker.
#[derive(Debug)]
pub(super) struct Registry {
    bounds: Bounds,
    groups: BTreeMap<String, Group>,
    topics: Topics,
    /// By address for clients.
    live: HashMap<String, Live>,
    /// The address of this process's own broker, which needs not register.
    own_address: Option<String>,
}

/// A master and its slaves, which share a name.
#[derive(Clone, Debug, Default)]
struct Group {
    cluster: String,
    addresses: BTreeMap<i64, String>,
    /// Whether a slave stands in for the master; `None` for brokers that know nothing of it.
    acting_master: Option<bool>,
    zone: Option<String>,
}

impl Group {
    /// Whether nobody but a slave that may stand in for the master is there.
    fn is_led_by_slave(&self) -> bool {
        self.acting_master == Some(true) && !self.addresses.contains_key(&MASTER_ID)
    }

    fn min_id(&self) -> Option<i64> {
        self.addresses.keys().next().copied()
    }
}

/// A broker that registered.
#[derive(Debug)]
struct Live {
    broker_name: String,
    heard_at: Timestamp,
    expiry_millis: u64,
    data_version: DataVersion,
    session: Session,
    ha_address: String,
}

impl Registry {
    /// A registry that knows of this process's own broker, if there is one, and of no other.
    pub(super) fn new(bounds: Bounds, own: Option<&Advertised>) -> Self {
        let own_group = own.map(|own| {
            let group = Group {
                cluster: own.cluster_name.clone(),
                addresses: [(MASTER_ID, own.address.clone())].into(),
                ..Group::default()
            };
            (own.broker_name.clone(), group)
        });
        Self {
            bounds,
            groups: own_group.into_iter().collect(),
            topics: Topics::default(),
            live: HashMap::new(),
            own_address: own.map(|own| own.address.clone()),
        }
    }

    /// Brokers, slaves included.
    pub(super) fn broker_count(&self) -> usize {
        self.groups
            .values()
            .map(|group| group.addresses.len())
            .sum()
    }

    /// Topics that were registered.
    pub(super) fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// A master and its slaves, as routes show them.
    pub(super) fn broker(&self, name: &str) -> Option<BrokerData> {
        let group = self.groups.get(name)?;
        Some(BrokerData {
            broker_addrs: group.addresses.clone(),
            broker_name: name.to_owned(),
            cluster: group.cluster.clone(),
            enable_acting_master: group.acting_master.unwrap_or_default(),
            zone_name: group.zone.clone(),
        })
    }

    /// As [`Registry::broker`], for brokers; an unknown one has no addresses.
    pub(super) fn members(&self, cluster: &str, name: &str) -> BrokerMemberGroup {
        let group = self.groups.get(name);
        let addresses = group.map(|group| group.addresses.clone());
        BrokerMemberGroup {
            broker_addrs: addresses.unwrap_or_default(),
            broker_name: name.to_owned(),
            cluster: cluster.to_owned(),
        }
    }

    /// All brokers and the clusters they make up.
    pub(super) fn cluster_info(&self) -> ClusterInfo {
        let mut info = ClusterInfo::default();
        for (name, group) in &self.groups {
            let cluster = info.cluster_addr_table.entry(group.cluster.clone());
            cluster.or_default().push(name.clone());
            if let Some(broker) = self.broker(name) {
                info.broker_addr_table.insert(name.clone(), broker);
            }
        }
        info
    }

    /// Whether the broker is in that cluster.
    pub(super) fn is_in_cluster(&self, broker_name: &str, cluster: &str) -> bool {
        let group = self.groups.get(broker_name);
        group.is_some_and(|group| group.cluster == cluster)
    }

    /// The topic's queues, an entry a broker.
    pub(super) fn queues(&self, topic: &str) -> Vec<QueueData> {
        self.topics.queues(topic)
    }

    /// How a static topic's queues are spread, by broker name.
    pub(super) fn mappings(&self, topic: &str) -> Option<BTreeMap<String, TopicQueueMapping>> {
        self.topics.mappings(topic)
    }

    /// Names of registered topics that some broker has with a queue that `wanted` accepts, in
    /// order.
    pub(super) fn topics_where(&self, wanted: impl Fn(&QueueData) -> bool) -> Vec<String> {
        self.topics.names_where(wanted)
    }
}
