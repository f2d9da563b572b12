use crate::frame::{Incoming, connect};
use crate::target::Target;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use gantry_remoting_protocol::body::{self, ClusterInfo};
use gantry_remoting_protocol::header::CreateTopic;
use gantry_remoting_protocol::{
    Command, FRAME_BYTES_MAX, NoFields, Request, RequestCode, ResponseCode, WriteFields, decode,
};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

/// Read and write.
const PERMISSION: i32 = 6;

/// A connection on which one request is asked at a time.
#[derive(Debug)]
pub(super) struct Connection {
    incoming: Incoming,
    opaque: i32,
    /// What the broker has asked meanwhile.
    asked: VecDeque<Command>,
}

impl Connection {
    pub(super) async fn open(address: &str) -> Result<Self> {
        Ok(Self {
            incoming: Incoming::new(connect(address).await?),
            opaque: 0,
            asked: VecDeque::new(),
        })
    }

    /// Asks without a body.
    pub(super) async fn ask(
        &mut self,
        code: RequestCode,
        fields: &dyn WriteFields,
    ) -> Result<Command> {
        self.ask_with(code, fields, &[]).await
    }

    /// Asks with a body.
    pub(super) async fn ask_with(
        &mut self,
        code: RequestCode,
        fields: &dyn WriteFields,
        body: &[u8],
    ) -> Result<Command> {
        self.put(code, fields, body, false).await?;
        loop {
            let frame = self.incoming.next(take).await?;
            if !frame.flag.is_response() {
                self.asked.push_back(frame);
            } else if frame.opaque == self.opaque {
                return Ok(frame);
            }
        }
    }

    /// Says something that is not answered.
    pub(super) async fn tell(&mut self, code: RequestCode, fields: &dyn WriteFields) -> Result<()> {
        self.put(code, fields, &[], true).await
    }

    /// What the broker asks next, within `wait`.
    pub(super) async fn asked(&mut self, wait: Duration) -> Result<Option<Command>> {
        let deadline = Instant::now() + wait;
        while self.asked.is_empty() {
            match timeout_at(deadline, self.incoming.next(take)).await {
                Ok(frame) => self.asked.push_back(frame?),
                Err(_) => return Ok(None),
            }
            // An answer that comes now is to nobody.
            self.asked.retain(|frame| !frame.flag.is_response());
        }
        Ok(self.asked.pop_front())
    }

    async fn put(
        &mut self,
        code: RequestCode,
        fields: &dyn WriteFields,
        body: &[u8],
        is_oneway: bool,
    ) -> Result<()> {
        self.opaque = self.opaque.wrapping_add(1);
        let request = Request {
            code,
            opaque: self.opaque,
            is_oneway,
            fields: Some(fields),
            body_len: body.len(),
        };
        let mut out = BytesMut::new();
        request.encode(&mut out);
        out.extend_from_slice(body);
        Ok(self.incoming.stream.write_all(&out).await?)
    }
}

/// Takes a frame off the front of `buffer`.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Command>> {
    Ok(decode(buffer, FRAME_BYTES_MAX)?)
}

/// Fails unless `answer` says success.
pub(super) fn succeeded(answer: &Command) -> Result<()> {
    ensure!(
        answer.response_code() == ResponseCode::Success,
        "{}: {}",
        answer.response_code().name(),
        answer.remark.as_deref().unwrap_or_default()
    );
    Ok(())
}

/// The address of the cluster's first master.
///
/// # Errors
/// The NameServer cannot be asked, or knows no broker.
pub(crate) async fn broker(namesrv: &str) -> Result<String> {
    let mut connection = Connection::open(namesrv).await?;
    let answer = connection
        .ask(RequestCode::GetBrokerClusterInfo, &NoFields)
        .await?;
    succeeded(&answer)?;
    let cluster: ClusterInfo = body::decode(&answer.body)?;
    let mut brokers = cluster.broker_addr_table.into_values();
    let master = brokers.find_map(|mut broker| broker.broker_addrs.remove(&0));
    master.context("no broker has registered")
}

/// Creates the topic; one that is there already gets the target's number of queues.
pub(crate) async fn create_topic(target: &Target) -> Result<()> {
    let mut connection = Connection::open(&broker(&target.address).await?).await?;
    let queues = i32::try_from(target.queues)?;
    let header = CreateTopic {
        topic: &target.topic,
        default_topic: Some("TBW102"),
        read_queues: queues,
        write_queues: queues,
        permission: PERMISSION,
        filter_type: Some("SINGLE_TAG"),
        sys_flag: 0,
        is_ordered: false,
        attributes: None,
    };
    let answer = connection
        .ask(RequestCode::UpdateAndCreateTopic, &header)
        .await?;
    match answer.response_code() {
        ResponseCode::Success | ResponseCode::TopicExistAlready => Ok(()),
        code => bail!(
            "{}: {}: {}",
            target.topic,
            code.name(),
            answer.remark.as_deref().unwrap_or_default()
        ),
    }
}
