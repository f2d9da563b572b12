//! The commands' side of the Kafka protocol: one connection, one request at a time.

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use clap::Args;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{MetadataRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

const CLIENT_ID: &str = "gantry";
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Longest silence of a broker that owes an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often, and how far apart, a topic that is just being created is asked for.
const TOPIC_TRIES: u32 = 50;
const TOPIC_INTERVAL: Duration = Duration::from_millis(100);
const METADATA_VERSION: i16 = 9;

/// Which broker a command talks to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Broker {
    /// Where Gantry serves Kafka clients.
    #[arg(
        long = "broker",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092"
    )]
    address: String,
}

impl Broker {
    /// Connects to it.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.address)
            .with_context(|| format!("no broker at {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            correlation_id: 0,
        })
    }
}

/// One connection to a broker.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    correlation_id: i32,
}

impl Connection {
    /// Sends `request` and waits for its answer.
    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        let mut frame = BytesMut::new();
        frame.put_u32(0);
        header.encode(&mut frame, R::header_version(version))?;
        request.encode(&mut frame, version)?;
        let length = u32::try_from(frame.len() - 4).context("the request is too long")?;
        if let Some(place) = frame.first_chunk_mut::<4>() {
            *place = length.to_be_bytes();
        }
        self.stream
            .write_all(&frame)
            .context("the broker went away")?;
        let mut answer = self.read_frame().context("the broker gave no answer")?;
        let header_version = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut answer, header_version)?;
        ensure!(
            header.correlation_id == self.correlation_id,
            "an answer to another request"
        );
        R::Response::decode(&mut answer, version)
    }

    fn read_frame(&mut self) -> Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
        let mut frame = Vec::new();
        (&self.stream).take(length).read_to_end(&mut frame)?;
        ensure!(frame.len() as u64 == length, "the connection closed");
        Ok(frame.into())
    }

    /// What there is to know of all topics.
    pub(crate) fn topics(&mut self) -> Result<Vec<MetadataResponseTopic>> {
        let request = MetadataRequest::default()
            .with_topics(None)
            .with_allow_auto_topic_creation(false);
        Ok(self.call(METADATA_VERSION, &request)?.topics)
    }

    /// The numbers of a topic's partitions, in order. `create` lets the broker create it.
    pub(crate) fn partitions(&mut self, topic: &str, create: bool) -> Result<Vec<i32>> {
        let wanted = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![wanted]))
            .with_allow_auto_topic_creation(create);
        for _ in 0..TOPIC_TRIES {
            let answer = self.call(METADATA_VERSION, &request)?;
            let topic = answer
                .topics
                .first()
                .context("an answer without the topic")?;
            match ResponseError::try_from_code(topic.error_code) {
                None => {
                    let number = |partition: &_| number_of(partition);
                    let mut numbers: Vec<i32> = topic.partitions.iter().map(number).collect();
                    numbers.sort_unstable();
                    return Ok(numbers);
                }
                Some(error) if create && error.is_retriable() => thread::sleep(TOPIC_INTERVAL),
                Some(error) => bail!(error),
            }
        }
        bail!("the topic was not created in time")
    }
}

const fn number_of(
    partition: &kafka_protocol::messages::metadata_response::MetadataResponsePartition,
) -> i32 {
    partition.partition_index
}

/// A name as the protocol carries it.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// An error unless `code` is none; `message` is the broker's own word on it.
pub(crate) fn check(code: i16, message: Option<&StrBytes>) -> Result<()> {
    let Some(error) = ResponseError::try_from_code(code) else {
        return Ok(());
    };
    Err(match message {
        Some(message) if !message.is_empty() => anyhow!("{message}"),
        _ => anyhow!(error),
    })
}
