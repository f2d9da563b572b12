//! A Kafka client that encodes with `kafka-protocol`, and the broker it speaks to.

use bytes::{Buf, Bytes, BytesMut};
use gantry_core::Broker;
use gantry_core::batch::{BatchBuilder, Codec, TimestampKind};
use gantry_core::model::{Header, QueueOffset, Record, SystemClock, Timestamp};
use gantry_kafka::{Answer, Closed, Config, Reply, Server, Session};
use kafka_protocol::messages::{ApiKey, RequestHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A broker on a directory of its own.
pub struct Host {
    pub server: Arc<Server>,
    pub broker: Broker,
    core: gantry_core::Config,
    directory: TempDir,
}

impl Host {
    pub fn new() -> Self {
        let mut core = gantry_core::Config::default();
        core.store.segment_bytes = 8 << 20;
        core.store.stretch_bytes = 4 << 20;
        Self::with(core, Config::default())
    }

    pub fn with(core: gantry_core::Config, config: Config) -> Self {
        Self::on(tempfile::tempdir().unwrap(), core, config)
    }

    /// What would start if this process were killed now: a broker on a copy of the files.
    pub fn after_kill(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_files(self.directory.path(), copy.path());
        Self::on(copy, self.core.clone(), Config::default())
    }

    fn on(directory: TempDir, core: gantry_core::Config, config: Config) -> Self {
        let broker = Broker::open(directory.path(), core.clone(), Arc::new(SystemClock)).unwrap();
        let server = Server::new(broker.clone(), config).unwrap();
        Self {
            server,
            broker,
            core,
            directory,
        }
    }

    pub fn connect(&self) -> Peer {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        Peer {
            session: Session::new(Arc::clone(&self.server), address),
        }
    }
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It blocks, which tokio forbids on a runtime's thread.
        let broker = self.broker.clone();
        std::thread::spawn(move || broker.shutdown().unwrap())
            .join()
            .unwrap();
    }
}

/// One connection.
pub struct Peer {
    pub session: Session,
}

impl Peer {
    /// Sends a request and waits for its answer.
    pub async fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let answer = self.exchange(version, request).await.unwrap();
        decode_answer::<Q>(version, &answer.expect("an answer"))
    }

    /// Sends a request; the answer's frame, if there is one.
    pub async fn exchange<Q: Request>(
        &mut self,
        version: i16,
        request: &Q,
    ) -> Result<Option<Answer>, Closed> {
        let mut replies = Vec::new();
        let started = self.session.begin([frame(version, request)], &mut replies);
        let mut answers = finish(replies).await;
        started?;
        Ok(answers.pop())
    }
}

/// A request's frame without its length.
pub fn frame<Q: Request>(version: i16, request: &Q) -> Bytes {
    let crate_version = version.min(Q::VERSIONS.max);
    let header_version = ApiKey::try_from(Q::KEY)
        .unwrap()
        .request_header_version(crate_version);
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(Q::KEY)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(StrBytes::from_static_str("tests")))
        .encode(&mut frame, header_version)
        .unwrap();
    request.encode(&mut frame, crate_version).unwrap();
    frame.freeze()
}

/// Waits for replies in their order.
pub async fn finish(replies: Vec<Reply>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for reply in replies {
        answers.push(match reply {
            Reply::Ready(answer) => answer,
            Reply::Pending(pending) | Reply::Held(pending) => pending.await.unwrap(),
        });
    }
    answers
}

/// An answer's body; asserts its length, its correlation id, and that nothing is left over.
pub fn decode_answer<Q: Request>(version: i16, answer: &Answer) -> Q::Response {
    let mut bytes: Bytes = answer.chunks.concat().into();
    assert_eq!(bytes.get_u32() as usize, bytes.len());
    assert_eq!(bytes.get_i32(), 7);
    if Q::Response::header_version(version.min(Q::VERSIONS.max)) == 1 {
        assert_eq!(bytes.get_u8(), 0);
    }
    let version = version.min(<Q::Response as Message>::VERSIONS.max);
    let response = Q::Response::decode(&mut bytes, version).unwrap();
    assert!(bytes.is_empty(), "{} bytes left over", bytes.len());
    response
}

pub fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

/// The current time, so that no record is too far ahead.
pub fn now() -> Timestamp {
    use gantry_core::model::Clock;
    SystemClock.now()
}

/// A batch of `values` as a producer sends it.
pub fn batch(values: &[&str], codec: Codec) -> Bytes {
    batch_at(values, codec, now())
}

pub fn batch_at(values: &[&str], codec: Codec, at: Timestamp) -> Bytes {
    let mut builder = BatchBuilder::with_capacity(0);
    for (index, value) in values.iter().enumerate() {
        let record = Record {
            key: Some(Bytes::from(format!("key-{index}"))),
            value: Some(Bytes::from((*value).to_owned())),
            headers: vec![Header {
                name: Bytes::from_static(b"h"),
                value: None,
            }],
            timestamp: Timestamp::from_millis(at.millis() + index as i64),
        };
        builder.push(&record).unwrap();
    }
    builder
        .build(QueueOffset::ZERO, -1, TimestampKind::Create, codec)
        .unwrap()
}
