//! `gantry consume`: messages of a topic on standard output.

use super::topic::{EARLIEST, LATEST, offsets};
use super::wire::{Broker, Connection, check, topic_name};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use gantry_core::batch::{BatchHeader, RecordBatch, RecordView};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write, stdout};
use std::time::Duration;

const FETCH_VERSION: i16 = 12;
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
/// How long the broker waits for something to come.
const WAIT_MS: u64 = 500;

/// Print the messages of a topic, whatever protocol they came by, until interrupted.
#[derive(Debug, Args)]
pub(crate) struct Consume {
    /// The topic.
    topic: String,
    /// Begin with the oldest messages instead of those to come.
    #[arg(long, conflicts_with = "offset")]
    from_beginning: bool,
    /// Begin with this offset of the queue.
    #[arg(long, requires = "partition")]
    offset: Option<i64>,
    /// Only this queue (Kafka's partition).
    #[arg(long, value_name = "NUMBER")]
    partition: Option<i32>,
    /// Stop after so many messages.
    #[arg(long)]
    count: Option<u64>,
    /// Stop when nothing has come for so long, in milliseconds.
    #[arg(long, value_name = "MS")]
    idle_ms: Option<u64>,
    /// Print a JSON object a message: place, time, key, headers and value.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: Broker,
}

impl Consume {
    pub(crate) fn run(self) -> Result<()> {
        let topic = self.topic.clone();
        let consumed = Consumer::new(self)
            .and_then(|mut consumer| consumer.run())
            .or_else(|error| match error.downcast_ref::<std::io::Error>() {
                // Whoever read our output has enough.
                Some(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            });
        consumed.with_context(|| format!("consuming {topic}"))
    }
}

struct Consumer {
    arguments: Consume,
    connection: Connection,
    /// The next offset of each partition.
    positions: BTreeMap<i32, i64>,
    left: u64,
}

impl Consumer {
    fn new(arguments: Consume) -> Result<Self> {
        let mut connection = arguments.broker.connect()?;
        let mut partitions = connection.partitions(&arguments.topic, false)?;
        if let Some(wanted) = arguments.partition {
            ensure!(partitions.contains(&wanted), "there is no queue {wanted}");
            partitions = vec![wanted];
        }
        let start = if arguments.from_beginning {
            EARLIEST
        } else {
            LATEST
        };
        let mut positions = offsets(&mut connection, &arguments.topic, &partitions, start)?;
        if let (Some(partition), Some(offset)) = (arguments.partition, arguments.offset) {
            positions.insert(partition, offset);
        }
        let left = arguments.count.unwrap_or(u64::MAX);
        Ok(Self {
            arguments,
            connection,
            positions,
            left,
        })
    }

    fn run(&mut self) -> Result<()> {
        let patience = self.arguments.idle_ms.map(Duration::from_millis);
        let mut idle = Duration::ZERO;
        while self.left > 0 {
            let wait = patience.map_or(Duration::from_millis(WAIT_MS), |patience| {
                patience
                    .saturating_sub(idle)
                    .min(Duration::from_millis(WAIT_MS))
            });
            if self.fetch(wait)? {
                idle = Duration::ZERO;
            } else {
                idle += wait;
                if patience.is_some_and(|patience| idle >= patience) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Fetches and prints; says whether anything came.
    fn fetch(&mut self, wait: Duration) -> Result<bool> {
        let partition = |(&number, &offset): (&i32, &i64)| {
            FetchPartition::default()
                .with_partition(number)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(offset)
                .with_last_fetched_epoch(-1)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(PARTITION_BYTES)
        };
        let topic = FetchTopic::default()
            .with_topic(topic_name(&self.arguments.topic))
            .with_partitions(self.positions.iter().map(partition).collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(wait.as_millis())?)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer = self.connection.call(FETCH_VERSION, &request)?;
        check(answer.error_code, None)?;
        let mut came = false;
        for partition in answer
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions)
        {
            check(partition.error_code, None)
                .with_context(|| format!("queue {}", partition.partition_index))?;
            came |= self.print(partition)?;
        }
        Ok(came)
    }

    fn print(&mut self, partition: PartitionData) -> Result<bool> {
        let number = partition.partition_index;
        let mut bytes = partition.records.unwrap_or_default();
        let position = self.positions.entry(number).or_default();
        let mut out = stdout().lock();
        let mut came = false;
        while let Some(batch) = next_batch(&mut bytes)? {
            let base = batch.header().base_offset;
            let end = base + i64::from(batch.header().last_offset_delta) + 1;
            let records = (!batch.header().is_control())
                .then(|| batch.records())
                .transpose()?;
            for record in records.iter().flat_map(|records| records.iter()) {
                let record = record?;
                let offset = base + i64::from(record.offset_delta);
                if offset < *position || self.left == 0 {
                    continue;
                }
                if self.arguments.json {
                    let place = (self.arguments.topic.as_str(), number, offset);
                    writeln!(out, "{}", in_json(place, &record))?;
                } else {
                    out.write_all(record.value.unwrap_or_default())?;
                    out.write_all(b"\n")?;
                }
                self.left -= 1;
                came = true;
            }
            *position = end.max(*position);
        }
        out.flush()?;
        Ok(came)
    }
}

/// Takes a whole batch off the front; a cut one at the end is fetched again.
fn next_batch(bytes: &mut Bytes) -> Result<Option<RecordBatch>> {
    let Ok(header) = BatchHeader::read(bytes) else {
        return Ok(None);
    };
    let length = header.total_bytes();
    if length > bytes.len() {
        return Ok(None);
    }
    Ok(Some(RecordBatch::stored(bytes.split_to(length))?))
}

fn in_json((topic, partition, offset): (&str, i32, i64), record: &RecordView<'_>) -> Value {
    let header = |header: gantry_core::batch::HeaderView<'_>| {
        let mut pair = Map::new();
        put(&mut pair, "name", Some(header.name));
        put(&mut pair, "value", header.value);
        Value::Object(pair)
    };
    let headers: Vec<Value> = record.headers.map(header).collect();
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(topic));
    object.insert("queue".to_owned(), json!(partition));
    object.insert("offset".to_owned(), json!(offset));
    object.insert("timestamp".to_owned(), json!(record.timestamp.millis()));
    put(&mut object, "key", record.key);
    object.insert("headers".to_owned(), Value::Array(headers));
    put(&mut object, "value", record.value);
    Value::Object(object)
}

/// Puts text as it is and other bytes as `<name>_base64`.
fn put(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => object.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), json!(text)),
        Some(Err(_)) => {
            let encoded = STANDARD.encode(bytes.unwrap_or_default());
            object.insert(format!("{name}_base64"), json!(encoded))
        }
    };
}
