//! Fetch, version 4, of one queue from its start to its end.

use super::connection::Connection;
use super::{put_header, put_text, record_batch};
use crate::body::MessageId;
use crate::drain::Stalled;
use crate::kafka::connection::topic_name;
use crate::seen::{Extent, SeenMessage};
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest};

const FETCH: i16 = 1;
const VERSION: i16 = 4;
const BYTES_MAX: i32 = 4 << 20;
const WAIT_MS: i32 = 100;
const LIST_OFFSETS: i16 = 5;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// The queue's extent now, and all in it that can be read.
pub(crate) async fn read_queue(
    leader: &str,
    topic: &str,
    queue: u32,
) -> Result<(Extent, Vec<SeenMessage>)> {
    let mut connection = Connection::open(leader).await?;
    let partition = i32::try_from(queue)?;
    let extent = Extent {
        queue,
        start: offset_at(&mut connection, topic, partition, EARLIEST).await?,
        end: offset_at(&mut connection, topic, partition, LATEST).await?,
    };
    let mut messages = Vec::new();
    let mut next = extent.start;
    let mut stalled = Stalled::default();
    while next < extent.end {
        let records = fetch(&mut connection, topic, partition, next).await?;
        let reached = record_batch::read(records, |offset, body| {
            // A batch may begin before what was asked for.
            if (next..extent.end).contains(&offset) {
                messages.push(SeenMessage {
                    queue,
                    offset,
                    id: MessageId::of(body),
                    crc: crc32fast::hash(body),
                    waited_ms: None,
                });
            }
        });
        match reached.with_context(|| format!("queue {queue} from {next}"))? {
            Some(reached) if reached > next => {
                next = reached;
                stalled = Stalled::default();
            }
            _ if stalled.is_for_long() => break,
            _ => {}
        }
    }
    Ok((extent, messages))
}

async fn offset_at(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    time: i64,
) -> Result<i64> {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_timestamp(time);
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    let answer = connection.ask(LIST_OFFSETS, &request).await?;
    let topic = answer.topics.first();
    let partition = topic.and_then(|topic| topic.partitions.first());
    let partition = partition.context("no queue in the answer")?;
    ensure!(
        partition.error_code == 0,
        "no offsets: error {}",
        partition.error_code
    );
    Ok(partition.offset)
}

/// The batches from `offset` on; none when there is an error that may pass.
async fn fetch(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Bytes> {
    let request = |out: &mut bytes::BytesMut, correlation| {
        put_header(out, FETCH, VERSION, correlation);
        out.put_i32(-1); // no replica
        out.put_i32(WAIT_MS);
        out.put_i32(1);
        out.put_i32(BYTES_MAX);
        out.put_i8(0);
        out.put_i32(1);
        put_text(out, topic);
        out.put_i32(1);
        out.put_i32(partition);
        out.put_i64(offset);
        out.put_i32(BYTES_MAX);
    };
    let mut answer = connection.ask_plain(request).await?;
    let _throttled = answer.try_get_i32()?;
    ensure!(answer.try_get_i32()? == 1, "an answer of another shape");
    let name = usize::try_from(answer.try_get_i16()?)?;
    ensure!(name <= answer.len(), "an answer of another shape");
    answer.advance(name);
    ensure!(answer.try_get_i32()? == 1, "an answer of another shape");
    let _partition = answer.try_get_i32()?;
    let _error = answer.try_get_i16()?;
    let _high_watermark = answer.try_get_i64()?;
    let _stable = answer.try_get_i64()?;
    for _ in 0..answer.try_get_i32()?.max(0) {
        let _aborted = (answer.try_get_i64()?, answer.try_get_i64()?);
    }
    let length = usize::try_from(answer.try_get_i32()?.max(0))?;
    ensure!(length <= answer.len(), "records longer than their answer");
    Ok(answer.split_to(length))
}
