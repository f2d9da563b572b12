//! What of this broker's topics a NameServer has been told, and what is news to it.

use crate::handlers::{BROKER_TEMPLATE_QUEUES, CLUSTER_TEMPLATE_QUEUES, config_of};
use crate::names;
use crate::nameserver::{Advertised, TEMPLATE_PERMISSION};
use gantry_core::Client;
use gantry_core::model::TopicSpec;
use gantry_remoting_protocol::body::TopicConfig;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The settings of each topic as a NameServer was told them.
#[derive(Debug, Default)]
pub(super) struct Told {
    has_templates: bool,
    topics: HashMap<String, Arc<TopicSpec>>,
}

/// What it has to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// New topics, and those with other settings.
    pub(super) topics: BTreeMap<String, TopicConfig>,
    /// Topics that are gone.
    pub(super) deleted: Vec<String>,
}

impl Told {
    /// What has changed since, which is told now. To one that was told nothing it is everything,
    /// the templates included.
    pub(super) fn news(&mut self, client: &Client, broker: &Advertised) -> News {
        let mut news = News::default();
        if !std::mem::replace(&mut self.has_templates, true) {
            news.topics = templates(client, broker);
        }
        let mut now = HashMap::with_capacity(self.topics.len());
        for topic in client.topics() {
            let name = topic.name().as_str();
            if names::is_hidden_topic(name) || name == names::DEFAULT_TOPIC {
                continue;
            }
            let spec = topic.spec();
            let before = self.topics.remove(name);
            if before.is_none_or(|before| !Arc::ptr_eq(&before, &spec)) {
                news.topics.insert(name.to_owned(), config_of(&topic));
            }
            now.insert(name.to_owned(), spec);
        }
        news.deleted = self.topics.drain().map(|(name, _)| name).collect();
        self.topics = now;
        news
    }
}

/// Topics that are there for others to be made from. A stock NameServer takes no broker whose
/// first registration has but one topic, and these are two at least.
fn templates(client: &Client, broker: &Advertised) -> BTreeMap<String, TopicConfig> {
    let auto_create = client.auto_create_topics();
    let default = auto_create.then_some((names::DEFAULT_TOPIC, broker.auto_create_queues));
    let named = [
        (broker.cluster_name.as_str(), CLUSTER_TEMPLATE_QUEUES),
        (broker.broker_name.as_str(), BROKER_TEMPLATE_QUEUES),
    ];
    let templates = default.into_iter().chain(named);
    templates
        .map(|(name, queues)| (name.to_owned(), template(name, queues)))
        .collect()
}

fn template(name: &str, queues: u32) -> TopicConfig {
    let queues = i32::try_from(queues).unwrap_or(i32::MAX);
    TopicConfig {
        perm: i32::from(TEMPLATE_PERMISSION.bits()),
        read_queue_nums: queues,
        topic_name: name.to_owned(),
        write_queue_nums: queues,
        ..TopicConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gantry_core::Broker;
    use gantry_core::model::{SystemClock, TopicName};

    #[test]
    fn only_what_has_changed_is_news() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = gantry_core::Config::default();
        config.store.segment_bytes = 1 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let client = broker.anonymous();
        let advertised = Advertised::from(&crate::Config::default());
        let name = |text: &str| TopicName::new(text).unwrap();
        let mut told = Told::default();
        client
            .create_topic(&name("old"), TopicSpec::with_queues(3))
            .unwrap();
        client
            .create_topic(&name("same"), TopicSpec::with_queues(1))
            .unwrap();

        let news = told.news(&client, &advertised);
        let names: Vec<_> = news.topics.keys().collect();
        assert_eq!(names, ["DefaultCluster", "TBW102", "gantry", "old", "same"]);
        assert_eq!(news.topics["old"].write_queue_nums, 3);
        assert_eq!(news.topics["TBW102"].perm, 7);
        assert_eq!(told.news(&client, &advertised), News::default());

        client
            .alter_topic(&name("old"), TopicSpec::with_queues(5))
            .unwrap();
        client
            .create_topic(&name("new"), TopicSpec::with_queues(1))
            .unwrap();
        let news = told.news(&client, &advertised);
        assert_eq!(news.topics.keys().collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(news.topics["old"].write_queue_nums, 5);
        client.delete_topic(&name("old")).unwrap();
        let news = told.news(&client, &advertised);
        assert_eq!(
            (news.topics.len(), news.deleted),
            (0, vec!["old".to_owned()])
        );
    }
}
