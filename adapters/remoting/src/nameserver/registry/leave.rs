//! How a broker is forgotten: it says so, its connection ends, or it is silent for too long.

use super::topics::WRITE;
use super::{Group, Registry};
use gantry_core::model::Timestamp;

impl Registry {
    /// 104: the broker leaves.
    pub(in crate::nameserver) fn unregister(&mut self, name: &str, address: &str) {
        if self.own_address.as_deref() == Some(address) {
            return;
        }
        // A stray request of another group's broker must not take this one's place.
        let live = self.live.get(address);
        if live.is_some_and(|live| live.broker_name == name) {
            self.remove(address);
        }
    }

    /// A connection ended: whoever registered over it is gone.
    pub(in crate::nameserver) fn disconnect(&mut self, session: u64) -> Vec<String> {
        self.remove_where(|live| live.session.id == session)
    }

    /// Forgets the brokers that have been silent for too long; their addresses.
    pub(in crate::nameserver) fn expire(&mut self, now: Timestamp) -> Vec<String> {
        self.remove_where(|live| now.millis_since(live.heard_at) > live.expiry_millis)
    }

    fn remove_where(&mut self, is_gone: impl Fn(&super::Live) -> bool) -> Vec<String> {
        let live = self.live.iter().filter(|(_, live)| is_gone(live));
        let gone: Vec<String> = live.map(|(address, _)| address.clone()).collect();
        for address in &gone {
            self.remove(address);
        }
        gone
    }

    pub(super) fn remove(&mut self, address: &str) {
        let Some(live) = self.live.remove(address) else {
            return;
        };
        let name = &live.broker_name;
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let min_before = group.min_id();
        group.addresses.retain(|_, member| member != address);
        if group.addresses.is_empty() {
            self.groups.remove(name);
            self.topics.remove_broker(name);
            return;
        }
        let is_led_by_slave = Group::is_led_by_slave(group);
        let is_min_gone = min_before != group.min_id();
        if is_led_by_slave {
            self.topics.change_permissions(name, |perm| perm & !WRITE);
        }
        if is_min_gone {
            self.tell_group(name, Some(address));
        }
    }
}
