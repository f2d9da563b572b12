//! `gantry produce`: messages from the command line or standard input.

use super::wire::{Broker, Connection, check, topic_name};
use anyhow::{Context, Result, ensure};
use clap::Args;
use gantry_core::batch::{BatchBuilder, Codec, TimestampKind};
use gantry_core::model::{Clock, Header, QueueOffset, Record, SystemClock, key_hash};
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use std::io::{BufRead, BufReader, Write, stdin, stdout};

const PRODUCE_VERSION: i16 = 9;
/// Lines that are there are sent together up to so many bytes.
const BATCH_BYTES: usize = 256 * 1024;
const TIMEOUT_MS: i32 = 30_000;
/// Acknowledged as durably as the broker is set to.
const ACKS: i16 = -1;

/// Send messages and print where each is stored, as topic/queue@offset.
///
/// RocketMQ consumers see a header as a property of its name: TAGS is the tag, and the key is KEYS.
#[derive(Debug, Args)]
pub(crate) struct Produce {
    /// The topic; created when the broker allows it.
    topic: String,
    /// The messages; without any, each line of standard input is one.
    messages: Vec<String>,
    /// The key of every message.
    #[arg(long)]
    key: Option<String>,
    /// A header of every message; may be given several times.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = super::pair)]
    headers: Vec<(String, String)>,
    /// The queue (Kafka's partition); without it the key decides, or each batch takes the next.
    #[arg(long, value_name = "NUMBER")]
    partition: Option<i32>,
    #[command(flatten)]
    broker: Broker,
}

impl Produce {
    pub(crate) fn run(self) -> Result<()> {
        let topic = self.topic.clone();
        let mut producer = Producer::new(self).with_context(|| format!("opening {topic}"))?;
        producer
            .run()
            .with_context(|| format!("producing to {topic}"))
    }
}

struct Producer {
    arguments: Produce,
    connection: Connection,
    partitions: Vec<i32>,
    batches: usize,
    records: Vec<Record>,
    bytes: usize,
}

impl Producer {
    fn new(arguments: Produce) -> Result<Self> {
        let mut connection = arguments.broker.connect()?;
        let partitions = connection.partitions(&arguments.topic, true)?;
        if let Some(wanted) = arguments.partition {
            ensure!(partitions.contains(&wanted), "there is no queue {wanted}");
        }
        Ok(Self {
            arguments,
            connection,
            partitions,
            batches: 0,
            records: Vec::new(),
            bytes: 0,
        })
    }

    fn run(&mut self) -> Result<()> {
        for message in std::mem::take(&mut self.arguments.messages) {
            self.add(message.into_bytes())?;
        }
        if self.batches == 0 && self.records.is_empty() {
            self.send_lines()?;
        }
        self.send()
    }

    /// Sends standard input line by line, and together what came together.
    fn send_lines(&mut self) -> Result<()> {
        let mut input = BufReader::with_capacity(BATCH_BYTES, stdin().lock());
        loop {
            let mut line = Vec::new();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            self.add(line)?;
            if !input.buffer().contains(&b'\n') {
                self.send()?;
            }
        }
    }

    fn add(&mut self, value: Vec<u8>) -> Result<()> {
        let header = |(name, value): &(String, String)| Header {
            name: name.clone().into(),
            value: Some(value.clone().into()),
        };
        self.bytes += value.len();
        self.records.push(Record {
            key: self.arguments.key.clone().map(Into::into),
            value: Some(value.into()),
            headers: self.arguments.headers.iter().map(header).collect(),
            timestamp: SystemClock.now(),
        });
        if self.bytes >= BATCH_BYTES {
            self.send()
        } else {
            Ok(())
        }
    }

    fn send(&mut self) -> Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        let partition = self.partition()?;
        let mut batch = BatchBuilder::with_capacity(self.bytes);
        for record in &self.records {
            batch.push(record)?;
        }
        let zero = QueueOffset::ZERO;
        let batch = batch.build(zero, -1, TimestampKind::Create, Codec::None)?;
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch));
        let topic = TopicProduceData::default()
            .with_name(topic_name(&self.arguments.topic))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(ACKS)
            .with_timeout_ms(TIMEOUT_MS)
            .with_topic_data(vec![topic]);
        let answer = self.connection.call(PRODUCE_VERSION, &request)?;
        let stored = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        let stored = stored
            .into_iter()
            .next()
            .context("an answer without the queue")?;
        check(stored.error_code, stored.error_message.as_ref())?;
        let mut out = stdout().lock();
        for (offset, _) in (stored.base_offset..).zip(&self.records) {
            writeln!(out, "{}/{partition}@{offset}", self.arguments.topic)?;
        }
        out.flush()?;
        self.records.clear();
        self.bytes = 0;
        self.batches += 1;
        Ok(())
    }

    /// The next batch's partition; a key's is the one Java clients choose.
    fn partition(&self) -> Result<i32> {
        if let Some(partition) = self.arguments.partition {
            return Ok(partition);
        }
        let turn = match &self.arguments.key {
            Some(key) => usize::try_from(key_hash(key.as_bytes()) & 0x7fff_ffff)?,
            None => self.batches,
        };
        let place = turn.checked_rem(self.partitions.len());
        let partition = place.and_then(|place| self.partitions.get(place));
        partition.copied().context("the topic has no queue")
    }
}
