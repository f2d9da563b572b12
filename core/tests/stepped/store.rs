//! The broker, its directory and its clock.

use crate::files::copy;
use gantry_core::model::{Clock as _, ManualClock, QueueId, Timestamp, TopicName, TopicSpec};
use gantry_core::record::RecordView;
use gantry_core::transactions::HalfCheck;
use gantry_core::vfs::RealVfs;
use gantry_core::{
    Broker, Client, Config, Durability, Error, FetchQueue, Payload, ProduceItem, Receipt, Steps,
    Topic,
};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

/// When each begins, in milliseconds.
pub(crate) const START: i64 = 1_764_000_000_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) struct Store {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Config,
    pub(crate) broker: Broker,
    pub(crate) steps: Steps,
    /// What producers are asked.
    pub(crate) checks: Receiver<Arc<HalfCheck>>,
}

impl Store {
    pub(crate) fn new(configure: impl Fn(&mut Config)) -> Self {
        let mut config = Config::default();
        config.store.segment_bytes = 64 << 10;
        config.store.stretch_bytes = 16 << 10;
        // Whatever disk this runs on.
        config.store.disk_force_clean_percent = 0;
        config.store.disk_read_only_percent = 0;
        configure(&mut config);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(START)));
        Self::on(tempfile::tempdir().unwrap(), config, clock)
    }

    fn on(directory: TempDir, config: Config, clock: Arc<ManualClock>) -> Self {
        let (vfs, time) = (Arc::new(RealVfs), Arc::clone(&clock));
        let opened = Broker::open_stepped(vfs, directory.path(), config.clone(), time);
        let (broker, steps) = opened.unwrap();
        let checks = broker.anonymous().transaction_checks();
        Self {
            directory,
            clock,
            config,
            broker,
            steps,
            checks,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.broker.anonymous()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The topic, made with one queue when it is missing.
    pub(crate) fn topic(&self, name: &str) -> Arc<Topic> {
        self.topic_with(name, &[])
    }

    /// The same with attributes.
    pub(crate) fn topic_with(&self, name: &str, attributes: &[(&str, &str)]) -> Arc<Topic> {
        if let Some(topic) = self.client().topic(name) {
            return topic;
        }
        let mut spec = TopicSpec::with_queues(1);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        spec.attributes.extend(attributes.iter().map(owned));
        let name = TopicName::new(name).unwrap();
        self.client().create_topic(&name, spec).unwrap()
    }

    /// Appends to a topic's queue.
    pub(crate) fn produce(&self, topic: &str, payload: Payload) -> Result<Receipt, Error> {
        let item = ProduceItem {
            topic: self.topic(topic),
            queue: QueueId::new(0),
            payload,
            also: Vec::new(),
        };
        let sent = self.client().produce(vec![item], Durability::Configured);
        sent.into_iter().next().unwrap()
    }

    /// The bodies in a topic's queue.
    pub(crate) fn bodies(&self, topic: &str) -> Vec<String> {
        self.records(topic).iter().map(text).collect()
    }

    /// What is in a topic's queue.
    pub(crate) fn records(&self, topic: &str) -> Vec<RecordView> {
        let (topic, client) = (self.topic(topic), self.client());
        let range = client.offset_range(&topic, QueueId::new(0)).unwrap();
        let (mut offset, mut found) = (range.start, Vec::new());
        loop {
            let wanted = FetchQueue {
                topic: Arc::clone(&topic),
                queue: QueueId::new(0),
                offset,
                bytes_max: 1 << 20,
                messages_max: u32::MAX,
                filter: None,
            };
            let fetched = client.fetch_now(&[wanted], 1 << 20).remove(0).unwrap();
            if fetched.records.is_empty() {
                return found;
            }
            offset = fetched.next_offset;
            let parsed = fetched.records.iter();
            found.extend(parsed.map(|record| RecordView::parse(&record.bytes).unwrap()));
        }
    }

    /// Delivers what is due after `millis` more.
    pub(crate) fn relay_after(&mut self, millis: i64) {
        self.clock.advance(millis);
        self.steps.relay();
    }

    pub(crate) fn keep(&mut self) {
        self.steps.flush().unwrap();
        self.steps.keep();
    }

    /// Ends as `kill -9` does, and opens again; `derived`: with the files made from the log.
    pub(crate) fn reopen(&mut self, derived: bool) {
        self.reopen_spoiled(derived, |_| {});
    }

    /// The same after `spoil` was done to the files.
    pub(crate) fn reopen_spoiled(&mut self, derived: bool, spoil: impl Fn(&Path)) {
        let image = tempfile::tempdir().unwrap();
        copy(self.directory.path(), image.path());
        if !derived {
            std::fs::remove_dir_all(image.path().join("index")).unwrap();
            std::fs::remove_dir_all(image.path().join("state")).unwrap();
        }
        spoil(image.path());
        *self = Self::on(image, self.config.clone(), Arc::clone(&self.clock));
    }

    /// What is found at the same time where the files are as `kill -9` would leave them now, after
    /// `spoil` was done to them.
    pub(crate) fn image(&self, spoil: impl Fn(&Path)) -> Self {
        let image = tempfile::tempdir().unwrap();
        copy(self.directory.path(), image.path());
        spoil(image.path());
        Self::on(image, self.config.clone(), Arc::clone(&self.clock))
    }
}

/// The text of a record's body.
pub(crate) fn text(record: &RecordView) -> String {
    String::from_utf8(record.body().to_vec()).unwrap()
}
