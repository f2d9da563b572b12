use super::CLIENT;
use crate::frame::{Incoming, connect};
use crate::target::Target;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::AsyncWriteExt as _;

const METADATA: i16 = 9;

/// A connection on which one request is asked at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    incoming: Incoming,
    correlation: i32,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self> {
        Ok(Self {
            incoming: Incoming::new(connect(address).await?),
            correlation: 0,
        })
    }

    /// Asks in the library's words.
    pub(crate) async fn ask<Q: Request>(
        &mut self,
        version: i16,
        request: &Q,
    ) -> Result<Q::Response> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut out = BytesMut::new();
        out.put_i32(0);
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT)));
        header.encode(&mut out, Q::header_version(version))?;
        request.encode(&mut out, version)?;
        let mut answer = self.exchange(out).await?;
        ResponseHeader::decode(&mut answer, Q::Response::header_version(version))?;
        Q::Response::decode(&mut answer, version)
    }

    /// Asks in our own bytes: `body` appends the request behind a length that is put in after it.
    /// The answer comes without its correlation id.
    pub(crate) async fn ask_plain(
        &mut self,
        body: impl FnOnce(&mut BytesMut, i32),
    ) -> Result<Bytes> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut out = BytesMut::new();
        out.put_i32(0);
        body(&mut out, self.correlation);
        let mut answer = self.exchange(out).await?;
        answer.advance(4);
        Ok(answer)
    }

    /// Sends a frame whose length is still to be put in; the answer with its correlation id.
    async fn exchange(&mut self, mut out: BytesMut) -> Result<Bytes> {
        let length = i32::try_from(out.len())?.saturating_sub(4);
        if let Some(place) = out.first_chunk_mut::<4>() {
            *place = length.to_be_bytes();
        }
        self.incoming.stream.write_all(&out).await?;
        let answer = self.incoming.next(take_frame).await?;
        let correlation = answer.first_chunk::<4>().context("an answer of no bytes")?;
        ensure!(
            i32::from_be_bytes(*correlation) == self.correlation,
            "an answer to another request"
        );
        Ok(answer)
    }
}

/// Takes a frame, without its length, off the front of `buffer`.
pub(super) fn take_frame(buffer: &mut BytesMut) -> Result<Option<Bytes>> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(i32::from_be_bytes(*length))?;
    if buffer.len().saturating_sub(4) < length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Where the topic's queues are led: of several brokers the one that leads queue 0.
///
/// # Errors
/// The broker cannot be asked, or the topic has no leader there.
pub(crate) async fn leader(target: &Target) -> Result<String> {
    let mut connection = Connection::open(&target.address).await?;
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(&target.topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(false);
    let answer = connection.ask(METADATA, &request).await?;
    let topic = answer.topics.first().context("no topic in the answer")?;
    let queues = topic.partitions.len();
    if topic.error_code != 0 || queues < usize::try_from(target.queues)? {
        bail!(
            "{}: error {}, {queues} queues",
            target.topic,
            topic.error_code
        );
    }
    let first = topic.partitions.iter().find(|one| one.partition_index == 0);
    let leader = first.context("no queue 0")?.leader_id;
    let broker = answer.brokers.iter().find(|one| one.node_id == leader);
    let broker = broker.context("queue 0 has no leader")?;
    Ok(format!("{}:{}", &*broker.host, broker.port))
}

pub(super) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
