//! How a broker becomes known and stays so (`RouteInfoManager.registerBroker`).

use super::topics::{WRITE, queues_of};
use super::{Group, Live, MASTER_ID, MinBrokerChange, Registry, Session};
use gantry_core::model::Timestamp;
use gantry_remoting_protocol::body::{DataVersion, Registration, TopicQueueMapping};
use std::collections::BTreeMap;

/// What a broker says of itself.
#[derive(Clone, Debug)]
pub(in crate::nameserver) struct Broker<'a> {
    pub(in crate::nameserver) cluster: &'a str,
    pub(in crate::nameserver) name: &'a str,
    pub(in crate::nameserver) id: i64,
    pub(in crate::nameserver) address: &'a str,
    pub(in crate::nameserver) ha_address: &'a str,
    /// Milliseconds of silence after which it is gone.
    pub(in crate::nameserver) expiry_millis: Option<u64>,
    pub(in crate::nameserver) acting_master: Option<bool>,
    pub(in crate::nameserver) zone: Option<&'a str>,
    /// Topics it no longer has.
    pub(in crate::nameserver) deleted_topics: Vec<&'a str>,
}

/// Whom a slave follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::nameserver) struct Leader {
    pub(in crate::nameserver) address: String,
    pub(in crate::nameserver) ha_address: String,
}

/// How a registration went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::nameserver) enum Registered {
    /// It is known; a slave hears whom it follows, if that one lives.
    Known(Option<Leader>),
    /// Another with the same id is newer. The broker is told nothing of it, as by RocketMQ.
    Outdated,
}

/// Why a broker is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::nameserver) enum RegisterError {
    /// A first registration with one topic is an addition to a whole that never came.
    #[error("register broker failed")]
    NeverWhole,
    /// Two would answer for the same queues.
    #[error("the broker in this NameServer's own process has that name or address")]
    Own,
    /// No more brokers are taken.
    #[error("there are namesrv.protocol.brokers_max brokers already")]
    TooManyBrokers,
    /// It has too many topics.
    #[error("the broker has more topics than namesrv.protocol.topics_per_broker_max")]
    TooManyTopics,
}

impl Registry {
    /// 103: notes a broker with its topics.
    ///
    /// # Errors
    /// It is not taken.
    pub(in crate::nameserver) fn register(
        &mut self,
        broker: &Broker<'_>,
        registration: Registration,
        session: &Session,
        now: Timestamp,
    ) -> Result<Registered, RegisterError> {
        if self.is_own(broker)? {
            return Ok(Registered::Known(None));
        }
        self.leave_former_connection(broker, session);
        let held = self.groups.get(broker.name).map(|group| &group.addresses);
        let holder = held
            .and_then(|addresses| addresses.get(&broker.id))
            .cloned();
        if let Some(holder) = holder.as_deref().filter(|holder| *holder != broker.address) {
            let newest = self
                .live
                .get(holder)
                .map(|live| live.data_version.state_version);
            if newest.is_some_and(|newest| newest > registration.data_version.state_version) {
                self.live.remove(broker.address);
                return Ok(Registered::Outdated);
            }
        }
        let is_unknown = holder.is_none();
        if is_unknown && registration.topics.len() == 1 {
            return Err(RegisterError::NeverWhole);
        }
        if is_unknown && self.broker_count() >= self.bounds.brokers_max {
            return Err(RegisterError::TooManyBrokers);
        }
        self.check_topics(broker.name, &registration)?;
        if let Some(former) = holder.filter(|holder| holder != broker.address) {
            self.live.remove(&former);
        }
        let min_before = self.join(broker);
        let data_version = registration.data_version;
        self.take_topics(broker, registration, is_unknown);
        self.note(broker, data_version, session, now);
        self.tell_if_smallest(broker, min_before);
        Ok(Registered::Known(self.leader_of(broker)))
    }

    /// Whether it is this process's own broker, which needs not register.
    fn is_own(&self, broker: &Broker<'_>) -> Result<bool, RegisterError> {
        let Some(own) = &self.own_address else {
            return Ok(false);
        };
        let group = self.groups.get(broker.name);
        let is_ours = group.is_some_and(|group| group.addresses.get(&MASTER_ID) == Some(own));
        let is_us = own == broker.address;
        match (is_ours && broker.id == MASTER_ID, is_us) {
            (true, true) => Ok(true),
            (false, false) => Ok(false),
            (true, false) | (false, true) => Err(RegisterError::Own),
        }
    }

    /// A connection made anew replaces one that has not been seen to end.
    fn leave_former_connection(&mut self, broker: &Broker<'_>, session: &Session) {
        let former = self.live.get(broker.address);
        if former.is_some_and(|live| live.session.id != session.id) {
            self.remove(broker.address);
        }
    }

    fn check_topics(&self, broker: &str, registration: &Registration) -> Result<(), RegisterError> {
        let topics = registration.topics.keys();
        let new = topics
            .filter(|topic| !self.topics.has(topic, broker))
            .count();
        let all = self.topics.count_of(broker).saturating_add(new);
        if all > self.bounds.topics_per_broker_max {
            return Err(RegisterError::TooManyTopics);
        }
        Ok(())
    }

    /// Puts the broker into its group; the smallest id there was.
    fn join(&mut self, broker: &Broker<'_>) -> Option<i64> {
        let group = self.groups.entry(broker.name.to_owned()).or_default();
        let min_before = group.min_id();
        // An address has one role: one that changed it leaves its old id.
        group
            .addresses
            .retain(|id, address| address != broker.address || *id == broker.id);
        group.addresses.insert(broker.id, broker.address.to_owned());
        broker.cluster.clone_into(&mut group.cluster);
        group.acting_master = broker.acting_master;
        group.zone = broker.zone.map(str::to_owned);
        min_before
    }

    /// Only the master says what topics there are, or the slave that stands in for it.
    fn take_topics(&mut self, broker: &Broker<'_>, registration: Registration, is_first: bool) {
        let group = self.groups.get(broker.name);
        let min_id = group.and_then(Group::min_id);
        let is_prime_slave =
            broker.acting_master.is_some() && broker.id != MASTER_ID && min_id == Some(broker.id);
        if broker.id != MASTER_ID && !is_prime_slave {
            return;
        }
        let is_changed = is_first || self.is_changed(broker.address, registration.data_version);
        let may_not_write = is_prime_slave && broker.acting_master == Some(true);
        for (topic, config) in &registration.topics {
            if is_changed || !self.topics.has(topic, broker.name) {
                let mut queues = queues_of(broker.name, config);
                if may_not_write {
                    queues.perm &= !WRITE;
                }
                self.topics.put(topic, queues);
            }
        }
        for topic in &broker.deleted_topics {
            self.topics.remove(topic, broker.name);
        }
        if is_changed {
            self.take_mappings(broker.name, registration.mappings);
        }
    }

    fn take_mappings(&mut self, broker: &str, mappings: BTreeMap<String, TopicQueueMapping>) {
        for (topic, mapping) in mappings {
            self.topics.put_mapping(&topic, broker, mapping);
        }
    }

    fn note(
        &mut self,
        broker: &Broker<'_>,
        data_version: DataVersion,
        session: &Session,
        now: Timestamp,
    ) {
        let expiry = broker.expiry_millis.unwrap_or(self.bounds.expiry_millis);
        let live = Live {
            broker_name: broker.name.to_owned(),
            heard_at: now,
            expiry_millis: expiry.min(self.bounds.expiry_millis_max),
            data_version,
            session: session.clone(),
            ha_address: broker.ha_address.to_owned(),
        };
        self.live.insert(broker.address.to_owned(), live);
    }

    fn leader_of(&self, broker: &Broker<'_>) -> Option<Leader> {
        if broker.id == MASTER_ID {
            return None;
        }
        let address = self.groups.get(broker.name)?.addresses.get(&MASTER_ID)?;
        let live = self.live.get(address)?;
        Some(Leader {
            address: address.clone(),
            ha_address: live.ha_address.clone(),
        })
    }

    /// The others of the group hear of a smaller id than theirs.
    fn tell_if_smallest(&self, broker: &Broker<'_>, min_before: Option<i64>) {
        if min_before.is_some_and(|min| broker.id < min) {
            self.tell_group(broker.name, None);
        }
    }

    /// Tells the brokers of a group that take part who has the smallest id now, and who went. A
    /// broker that does not listen asks by itself sooner or later (901).
    pub(super) fn tell_group(&self, name: &str, gone: Option<&str>) {
        let Some(group) = self.groups.get(name) else {
            return;
        };
        let smallest = group.addresses.first_key_value();
        let (Some((id, address)), Some(true)) = (smallest, group.acting_master) else {
            return;
        };
        let change = MinBrokerChange {
            broker_name: name.to_owned(),
            id: *id,
            address: Some(address.clone()),
            gone: gone.map(str::to_owned),
            ha_address: self.live.get(address).map(|live| live.ha_address.clone()),
        };
        for (member, address) in &group.addresses {
            // Who has just come as the smallest knows it.
            let knows = gone.is_none() && member == id && group.addresses.len() > 1;
            if let Some(live) = self.live.get(address).filter(|_| !knows) {
                let _ = live.session.notices.try_send(change.clone());
            }
        }
    }

    /// Whether the broker's topics are known in another version, or not at all.
    fn is_changed(&self, address: &str, data_version: DataVersion) -> bool {
        let known = self.live.get(address).map(|live| live.data_version);
        known != Some(data_version)
    }

    /// 322: the version the broker's topics are known in, and whether it is another than
    /// `data_version`. If not, the broker has been heard.
    pub(in crate::nameserver) fn data_version(
        &mut self,
        address: &str,
        data_version: DataVersion,
        now: Timestamp,
    ) -> (Option<DataVersion>, bool) {
        let is_changed = self.is_changed(address, data_version);
        if !is_changed {
            self.hear(address, now);
        }
        let known = self.live.get(address).map(|live| live.data_version);
        (known, is_changed)
    }

    /// 904: the broker lives.
    pub(in crate::nameserver) fn hear(&mut self, address: &str, now: Timestamp) {
        if let Some(live) = self.live.get_mut(address) {
            live.heard_at = now;
        }
    }
}
