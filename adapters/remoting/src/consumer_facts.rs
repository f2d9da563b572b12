//! What consumers say of themselves that core does not need, kept for tools.

use dashmap::DashMap;
use gantry_core::groups::registry::ClientRegistry;
use gantry_core::model::GroupName;
use gantry_remoting_protocol::body::{ConsumerData, SubscriptionData};
use std::collections::HashSet;
use std::sync::Arc;

/// What each group said last.
#[derive(Debug, Default)]
pub(crate) struct ConsumerFacts {
    by_group: DashMap<GroupName, Arc<ConsumerData>>,
}

impl ConsumerFacts {
    /// Notes what an accepted heartbeat says of a group; one without subscriptions leaves those
    /// that are known.
    pub(crate) fn note(&self, group: &GroupName, said: &ConsumerData, has_subscriptions: bool) {
        let known = self.find(group);
        if let Some(known) = &known
            && (!has_subscriptions || **known == *said)
        {
            return;
        }
        self.by_group.insert(group.clone(), Arc::new(said.clone()));
    }

    /// What a group said last.
    pub(crate) fn find(&self, group: &GroupName) -> Option<Arc<ConsumerData>> {
        self.by_group.get(group).map(|data| Arc::clone(&data))
    }

    /// What a group wants of a topic.
    pub(crate) fn subscription(&self, group: &GroupName, topic: &str) -> Option<SubscriptionData> {
        let known = self.find(group)?;
        let mut all = known.subscription_data_set.iter();
        all.find(|data| data.topic == topic).cloned()
    }

    /// Forgets the groups that nobody consumes for any more.
    pub(crate) fn expire(&self, clients: &ClientRegistry) {
        let online: HashSet<GroupName> = clients.consumer_groups().into_iter().collect();
        self.by_group.retain(|group, _| online.contains(group));
    }
}
