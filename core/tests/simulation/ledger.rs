//! Everything that was attempted, in the order of the log, and what it adds up to.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub type Uuid = [u8; 16];

/// Batches a broker remembers of an idempotent producer.
const REMEMBERED: usize = 5;

/// One record of the log.
#[derive(Clone, Debug)]
pub enum Fact {
    Produced(Produced),
    Created {
        name: String,
        uuid: Uuid,
        queues: u32,
    },
    Altered {
        name: String,
        queues: u32,
        note: String,
    },
    Deleted {
        name: String,
    },
    Committed {
        group: String,
        topic: String,
        queue: u32,
        offset: u64,
    },
    GroupDeleted {
        group: String,
    },
    Document {
        key: String,
        value: Option<String>,
    },
}

#[derive(Clone, Debug)]
pub struct Produced {
    pub topic: String,
    pub uuid: Uuid,
    pub queue: u32,
    pub base: u64,
    pub count: u32,
    pub body: Body,
    /// Further topic, its incarnation and the offset there.
    pub also: Option<(String, Uuid, u64)>,
    /// An idempotent producer and the batch's first sequence number.
    pub producer: Option<(i64, i32)>,
}

/// What must be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Message(Bytes),
    /// The part of a batch that its checksum covers.
    Batch(Bytes),
}

#[derive(Clone, Debug)]
pub struct Entry {
    /// Its first byte in the log, or at least a byte of it.
    pub position: u64,
    pub fact: Fact,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    /// Written by a call that failed: they may be there after a restart, in this order.
    pub maybe: Vec<Fact>,
    /// What is before this was promised to survive a power cut.
    pub promised: u64,
    /// Positions of records that were damaged on purpose.
    pub damaged: BTreeSet<u64>,
    pub model: Model,
}

/// What all kept facts add up to.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub topics: BTreeMap<String, TopicModel>,
    pub groups: BTreeMap<String, BTreeMap<(String, u32), u64>>,
    pub documents: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub struct TopicModel {
    pub uuid: Uuid,
    pub note: String,
    pub queues: Vec<Vec<Stored>>,
    /// By queue and producer, the oldest first.
    pub producers: BTreeMap<(u32, i64), VecDeque<Sent>>,
}

/// A batch of an idempotent producer.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Its first sequence number.
    pub first: i32,
    pub count: u32,
    pub base: u64,
}

#[derive(Clone, Debug)]
pub struct Stored {
    pub base: u64,
    pub count: u32,
    pub position: u64,
    pub body: Body,
    /// It is not alone a plain message of this queue.
    pub is_special: bool,
}

impl Stored {
    pub const fn end(&self) -> u64 {
        self.base + self.count as u64
    }
}

impl Ledger {
    pub fn record(&mut self, position: u64, fact: Fact) {
        self.model.apply(position, &fact);
        self.entries.push(Entry { position, fact });
    }

    /// The log was found to end at `end`.
    pub fn cut(&mut self, end: u64) {
        self.entries.retain(|entry| entry.position < end);
        self.model = Model::default();
        for entry in &self.entries {
            self.model.apply(entry.position, &entry.fact);
        }
    }
}

impl Model {
    pub fn apply(&mut self, position: u64, fact: &Fact) {
        match fact.clone() {
            Fact::Produced(produced) => self.produce(position, produced),
            Fact::Created { name, uuid, queues } => {
                let topic = TopicModel {
                    uuid,
                    note: String::new(),
                    queues: vec![Vec::new(); queues as usize],
                    producers: BTreeMap::new(),
                };
                self.topics.insert(name, topic);
            }
            Fact::Altered { name, queues, note } => {
                let Some(topic) = self.topics.get_mut(&name) else {
                    return;
                };
                let count = topic.queues.len().max(queues as usize);
                topic.queues.resize(count, Vec::new());
                topic.note = note;
            }
            Fact::Deleted { name } => {
                self.topics.remove(&name);
                for progress in self.groups.values_mut() {
                    progress.retain(|(topic, _), _| *topic != name);
                }
            }
            Fact::Committed {
                group,
                topic,
                queue,
                offset,
            } => {
                let progress = self.groups.entry(group).or_default();
                progress.insert((topic, queue), offset);
            }
            Fact::GroupDeleted { group } => {
                self.groups.remove(&group);
            }
            Fact::Document {
                key,
                value: Some(value),
            } => {
                self.documents.insert(key, value);
            }
            Fact::Document { key, value: None } => {
                self.documents.remove(&key);
            }
        }
    }

    fn produce(&mut self, position: u64, produced: Produced) {
        let is_special = produced.also.is_some() || produced.producer.is_some();
        let stored = Stored {
            base: produced.base,
            count: produced.count,
            position,
            body: produced.body,
            is_special,
        };
        if let Some((name, uuid, base)) = produced.also
            && let Some(topic) = self.topics.get_mut(&name)
            && topic.uuid == uuid
        {
            topic.queues[0].push(Stored {
                base,
                count: 1,
                is_special: true,
                ..stored.clone()
            });
        }
        let Some(topic) = self.topics.get_mut(&produced.topic) else {
            return;
        };
        if topic.uuid != produced.uuid {
            return;
        }
        if let Some((id, first)) = produced.producer {
            let batches = topic.producers.entry((produced.queue, id)).or_default();
            batches.push_back(Sent {
                first,
                count: produced.count,
                base: produced.base,
            });
            if batches.len() > REMEMBERED {
                batches.pop_front();
            }
        }
        topic.queues[produced.queue as usize].push(stored);
    }

    pub fn end(&self, topic: &str, queue: u32) -> u64 {
        let queue = self
            .topics
            .get(topic)
            .and_then(|topic| topic.queues.get(queue as usize));
        queue.and_then(|queue| queue.last()).map_or(0, Stored::end)
    }
}
