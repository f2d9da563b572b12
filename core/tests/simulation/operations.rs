//! What clients do.

use crate::checks::{self, NAMESPACE, Verdict, ensure};
use crate::ledger::{Body, Fact, Produced, Sent};
use crate::world::World;
use bytes::Bytes;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind, crc32c};
use gantry_core::model::{
    GroupName, Message, QueueId, QueueOffset, Record, Timestamp, TopicName, TopicSpec,
};
use gantry_core::{Durability, Error, OffsetCommit, Payload, ProduceItem, Receipt, StoreHealth};

const TOPICS: [&str; 4] = ["orders", "events", "alerts", "audits"];
/// The one whose records are those of other topics too.
const FURTHER: &str = "%LMQ%all";

impl World {
    /// One operation of a client or of the household.
    pub fn operate(&mut self) -> Verdict {
        self.clock
            .advance(i64::try_from(self.random.below(50)).unwrap());
        // On a full disk what is refused must change nothing; where all records have one size,
        // nothing else is to come between them.
        let kinds = if self.is_uniform && self.random.chance(97) {
            70
        } else {
            100
        };
        let kind = if self.is_tight && self.random.chance(5) {
            78
        } else {
            self.random.below(kinds)
        };
        match kind {
            0..46 => self.produce(),
            46..56 if self.is_uniform => self.produce(),
            46..56 => self.produce_in_sequence(),
            56..64 => self.flush(),
            64..72 => self.keep(),
            72..75 => self.create_topic(),
            75..77 => self.alter_topic(),
            77..79 => self.delete_topic(),
            79..86 => self.commit(),
            86..87 => self.delete_group(),
            87..91 => self.put_document(),
            _ => self.read_back(),
        }?;
        self.look()
    }

    fn some_topic(&mut self) -> Option<(String, u32)> {
        let names: Vec<&String> = self.ledger.model.topics.keys().collect();
        let index = self.random.below(names.len() as u64) as usize;
        let name = (*names.get(index)?).clone();
        let queues = self.ledger.model.topics[&name].queues.len() as u64;
        Some((name, self.random.below(queues) as u32))
    }

    fn some_text(&mut self) -> String {
        self.bodies += 1;
        if self.is_uniform {
            return format!("{:0700}", self.bodies);
        }
        let length = match self.random.below(if self.is_tight { 5 } else { 20 }) {
            0 => 4_000 + self.random.below(8_000),
            1..6 => self.random.below(2_000),
            _ => self.random.below(200),
        };
        format!("{} {}", self.bodies, "x".repeat(length as usize))
    }

    /// A whole batch has to fit the smallest segment.
    fn some_short_text(&mut self) -> String {
        let mut text = self.some_text();
        text.truncate(3_000);
        text
    }

    fn some_record(&mut self) -> Option<(Produced, Payload)> {
        let (topic, queue) = self.some_topic()?;
        let (body, count, payload) = if !self.is_uniform && self.random.chance(30) {
            let count = 1 + self.random.below(4) as u32;
            let texts: Vec<String> = (0..count).map(|_| self.some_short_text()).collect();
            let (body, payload) = batch(&texts, None);
            (body, count, payload)
        } else {
            let body = Bytes::from(self.some_text());
            let message = Message::new(body.clone(), Timestamp::from_millis(5));
            (Body::Message(body), 1, Payload::Message(message))
        };
        let is_message = matches!(body, Body::Message(_));
        let further = self.ledger.model.topics.get(FURTHER);
        let also = further.filter(|_| {
            is_message && !self.is_uniform && topic != FURTHER && self.bodies.is_multiple_of(5)
        });
        let produced = Produced {
            uuid: self.ledger.model.topics[&topic].uuid,
            also: also.map(|further| (FURTHER.to_owned(), further.uuid, 0)),
            topic,
            queue,
            base: 0,
            count,
            body,
            producer: None,
        };
        Some((produced, payload))
    }

    fn item(&self, produced: &Produced, payload: Payload) -> Result<ProduceItem, String> {
        let topic = self.client().topic(&produced.topic);
        let also = produced.also.iter().map(|(name, ..)| {
            let further = self.client().topic(name);
            let further = further.ok_or_else(|| format!("topic {name} is gone"))?;
            Ok((further, QueueId::new(0)))
        });
        Ok(ProduceItem {
            topic: topic.ok_or_else(|| format!("topic {} is gone", produced.topic))?,
            queue: QueueId::new(produced.queue),
            payload,
            also: also.collect::<Result<_, String>>()?,
        })
    }

    fn some_durability(&mut self) -> Durability {
        if self.random.chance(40) {
            Durability::Flushed
        } else {
            Durability::Appended
        }
    }

    fn produce(&mut self) -> Verdict {
        let mut records = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            records.extend(self.some_record());
        }
        self.produce_all(records)
    }

    /// A message that takes most of the smallest segment.
    pub fn produce_large(&mut self) -> Verdict {
        let Some((mut produced, _)) = self.some_record() else {
            return Ok(());
        };
        self.bodies += 1;
        let body = Bytes::from(format!("{:012000}", self.bodies));
        let message = Message::new(body.clone(), Timestamp::from_millis(5));
        (produced.body, produced.count) = (Body::Message(body), 1);
        self.produce_all(vec![(produced, Payload::Message(message))])
    }

    fn produce_all(&mut self, wanted: Vec<(Produced, Payload)>) -> Verdict {
        let (mut records, mut items) = (Vec::new(), Vec::new());
        for (produced, payload) in wanted {
            items.push(self.item(&produced, payload)?);
            records.push(produced);
        }
        let durability = self.some_durability();
        let outcomes = self.client().produce(items, durability);
        self.trace
            .note(format!("produce {} {durability:?}", records.len()));
        let facts = records.iter().cloned().map(Fact::Produced).collect();
        if let Some(Err(error)) = outcomes.iter().find(|outcome| outcome.is_err()) {
            self.refused(facts, &error.clone())?;
        }
        for (produced, outcome) in records.into_iter().zip(outcomes) {
            match outcome {
                Ok(receipt) => self.accepted(produced, receipt)?,
                Err(error) => {
                    self.trace.note(format!("  refused: {error}"));
                    self.check_allowed(&error)?;
                }
            }
        }
        Ok(())
    }

    fn accepted(&mut self, produced: Produced, receipt: Receipt) -> Verdict {
        ensure!(
            !self.has_failed,
            "a produce is acknowledged after a failure"
        );
        let produced = self.placed(produced);
        let (got, base) = (receipt.base_offset.get(), produced.base);
        self.trace.note(format!(
            "  {} {} at {got}, {}",
            produced.topic, produced.queue, receipt.position
        ));
        ensure!(got == base, "offset {got} is given, {base} is next");
        ensure!(
            !receipt.is_duplicate,
            "offset {got} is taken for a duplicate"
        );
        self.ledger
            .record(receipt.position.get(), Fact::Produced(produced));
        self.wait_for(receipt);
        Ok(())
    }

    fn wait_for(&mut self, receipt: Receipt) {
        let end = self.end();
        // What was not asked to be flushed is no promise.
        if !receipt.is_durable() {
            self.session().waiting.push((receipt, end));
        }
    }

    /// An idempotent producer's next batch, or one it has sent before, or one too far ahead.
    fn produce_in_sequence(&mut self) -> Verdict {
        let Some((topic, queue)) = self.some_topic() else {
            return Ok(());
        };
        let id = 100 + self.random.below(2) as i64;
        let model = &self.ledger.model.topics[&topic];
        let (uuid, sent) = (
            model.uuid,
            model
                .producers
                .get(&(queue, id))
                .cloned()
                .unwrap_or_default(),
        );
        let next = sent.back().map_or(0, |last| last.first + last.count as i32);
        let again = match self.random.below(4) {
            0 | 1 if !sent.is_empty() => Some(sent[self.random.below(sent.len() as u64) as usize]),
            _ => None,
        };
        let is_ahead = again.is_none() && !sent.is_empty() && self.random.chance(10);
        let next = next + i32::from(is_ahead);
        let first = again.map_or(next, |again| again.first);
        let count = again.map_or_else(|| 1 + self.random.below(3) as u32, |again| again.count);
        let texts: Vec<String> = (0..count).map(|_| self.some_short_text()).collect();
        let (body, payload) = batch(&texts, Some((id, first)));
        let producer = Some((id, first));
        let produced = Produced {
            topic,
            uuid,
            queue,
            base: 0,
            count,
            body,
            also: None,
            producer,
        };
        let item = self.item(&produced, payload)?;
        let durability = self.some_durability();
        let outcome = self.client().produce(vec![item], durability).remove(0);
        self.trace.note(format!(
            "producer {id} sends {first} x {count} {durability:?}"
        ));
        match (outcome, again) {
            (Ok(receipt), Some(Sent { base, .. })) => {
                ensure!(receipt.is_duplicate, "a batch sent again is not recognised");
                let got = receipt.base_offset.get();
                ensure!(got == base, "a batch at {base}, sent again, is at {got}");
                self.wait_for(receipt);
                Ok(())
            }
            (Ok(_), None) if is_ahead => {
                Err("a gap in a producer's sequence is accepted".to_owned())
            }
            (Ok(receipt), None) => self.accepted(produced, receipt),
            (Err(Error::OutOfOrderSequence { .. }), None) if is_ahead => Ok(()),
            (Err(error), Some(_)) => self.check_allowed(&error),
            (Err(error), None) => self.refused(vec![Fact::Produced(produced)], &error),
        }
    }

    pub fn flush(&mut self) -> Verdict {
        let end = self.end();
        let outcome = self.session().steps.flush();
        self.trace
            .note(format!("flush to {end}: {}", outcome.is_ok()));
        match outcome {
            Ok(()) => {
                ensure!(!self.has_failed, "a flush succeeds after a failure");
                self.look()?;
                self.ledger.promised = self.ledger.promised.max(end);
                let forgotten = self.session().waiting.len();
                ensure!(
                    forgotten == 0,
                    "{forgotten} producers still wait after a flush"
                );
                Ok(())
            }
            Err(error) => {
                self.check_allowed(&error)?;
                let health = self.session().broker.health();
                ensure!(
                    matches!(health, StoreHealth::Failed(_)),
                    "a failed flush leaves {health:?}"
                );
                self.look()?;
                let forgotten = self.session().waiting.len();
                ensure!(
                    forgotten == 0,
                    "{forgotten} producers still wait after a failure"
                );
                Ok(())
            }
        }
    }

    pub fn keep(&mut self) -> Verdict {
        self.session().steps.keep();
        self.trace.note("keep".to_owned());
        Ok(())
    }

    pub fn create_topic(&mut self) -> Verdict {
        let free = |name: &&&str| !self.ledger.model.topics.contains_key(**name);
        let further = (!self.is_uniform).then_some(&FURTHER);
        let Some(name) = TOPICS.iter().chain(further).find(free) else {
            return Ok(());
        };
        let queues = if *name == FURTHER {
            1
        } else {
            1 + self.random.below(3) as u32
        };
        let topic = TopicName::new(name).unwrap();
        let outcome = self
            .client()
            .create_topic(&topic, TopicSpec::with_queues(queues));
        self.trace
            .note(format!("create {name} {queues}: {}", outcome.is_ok()));
        let (name, uuid) = ((*name).to_owned(), self.clock.last_id());
        self.settle(Fact::Created { name, uuid, queues }, outcome)?;
        Ok(())
    }

    fn alter_topic(&mut self) -> Verdict {
        let Some((name, _)) = self.some_topic() else {
            return Ok(());
        };
        let queues = 1 + self.random.below(4) as u32;
        let note = self.random.below(100).to_string();
        let mut spec = TopicSpec::with_queues(queues);
        spec.attributes.insert("note".to_owned(), note.clone());
        let outcome = self
            .client()
            .alter_topic(&TopicName::new(&name).unwrap(), spec);
        self.trace
            .note(format!("alter {name} {queues} {note}: {}", outcome.is_ok()));
        self.settle(Fact::Altered { name, queues, note }, outcome)?;
        Ok(())
    }

    fn delete_topic(&mut self) -> Verdict {
        let Some((name, _)) = self.some_topic() else {
            return Ok(());
        };
        let outcome = self.client().delete_topic(&TopicName::new(&name).unwrap());
        self.trace
            .note(format!("delete {name}: {}", outcome.is_ok()));
        self.settle(Fact::Deleted { name }, outcome)?;
        Ok(())
    }

    fn commit(&mut self) -> Verdict {
        let Some((topic, queue)) = self.some_topic() else {
            return Ok(());
        };
        let group = format!("group-{}", self.random.below(3));
        let offset = self.random.below(1_000);
        let commit = OffsetCommit {
            topic: TopicName::new(&topic).unwrap(),
            queue: QueueId::new(queue),
            offset: QueueOffset::new(offset),
            leader_epoch: -1,
            metadata: String::new(),
        };
        let name = GroupName::new(&group).unwrap();
        let outcome = self.client().commit_offsets(&name, vec![commit]);
        self.trace.note(format!(
            "commit {group} {topic} {queue} {offset}: {}",
            outcome.is_ok()
        ));
        self.settle(
            Fact::Committed {
                group,
                topic,
                queue,
                offset,
            },
            outcome,
        )?;
        Ok(())
    }

    fn delete_group(&mut self) -> Verdict {
        let Some(group) = self.ledger.model.groups.keys().next().cloned() else {
            return Ok(());
        };
        let outcome = self.client().delete_group(&GroupName::new(&group).unwrap());
        self.trace
            .note(format!("delete {group}: {}", outcome.is_ok()));
        self.settle(Fact::GroupDeleted { group }, outcome)?;
        Ok(())
    }

    fn put_document(&mut self) -> Verdict {
        let key = format!("key-{}", self.random.below(5));
        let value = self.random.chance(80).then(|| self.some_text());
        let outcome = self.client().put_document(NAMESPACE, &key, value.clone());
        self.trace.note(format!("put {key}: {}", outcome.is_ok()));
        self.settle(Fact::Document { key, value }, outcome)?;
        Ok(())
    }

    /// A consumer reads a queue from its beginning.
    fn read_back(&mut self) -> Verdict {
        let Some((name, queue)) = self.some_topic() else {
            return Ok(());
        };
        // A part of a failed call may be there.
        let is_in_doubt = !self.ledger.maybe.is_empty();
        if is_in_doubt || self.vfs.is_off() || self.vfs.has_faults() {
            return Ok(());
        }
        let client = self.client();
        let topic = client.topic(&name).ok_or("a topic is gone")?;
        let stored = &self.ledger.model.topics[&name].queues[queue as usize];
        self.trace
            .note(format!("read {name} {queue}: {}", stored.len()));
        checks::queue_is(&client, &topic, queue, stored, &self.ledger.damaged)
            .map_err(|text| format!("{name} queue {queue}: {text}"))?;
        if !self.ledger.damaged.is_empty() || stored.is_empty() {
            return Ok(());
        }
        let fetched =
            checks::fetch(&client, &topic, queue, 0).map_err(|error| error.to_string())?;
        let views = client.messages(&fetched, QueueOffset::ZERO, u32::MAX, None);
        let (views, _) = views.map_err(|error| error.to_string())?;
        let is_dense = views
            .iter()
            .map(|view| view.offset.get())
            .eq(0..fetched.next_offset.get());
        ensure!(is_dense, "{name} queue {queue} has holes");
        Ok(())
    }
}

/// A batch of messages, perhaps an idempotent producer's.
fn batch(texts: &[String], producer: Option<(i64, i32)>) -> (Body, Payload) {
    let mut builder = BatchBuilder::with_capacity(1024);
    for text in texts {
        let value = Some(Bytes::copy_from_slice(text.as_bytes()));
        let timestamp = Timestamp::from_millis(7);
        builder
            .push(&Record {
                value,
                timestamp,
                ..Record::default()
            })
            .unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None);
    let mut bytes = built.unwrap().to_vec();
    if let Some((id, sequence)) = producer {
        bytes[43..51].copy_from_slice(&id.to_be_bytes());
        bytes[51..53].copy_from_slice(&0_i16.to_be_bytes());
        bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    let bytes = Bytes::from(bytes);
    let body = checks::body_of(&bytes, true);
    (body, Payload::Batch(RecordBatch::parse(bytes).unwrap()))
}
