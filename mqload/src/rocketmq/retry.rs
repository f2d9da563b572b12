//! A group that pulls its topic, and sends back (36) what it is to get again.

use super::connection::{Connection, broker, succeeded};
use super::pull;
use crate::body::MessageId;
use crate::target::Target;
use anyhow::{Result, bail};
use gantry_remoting_protocol::header::{PullResponse, QueueRequest, SendMessageBack};
use gantry_remoting_protocol::record::records;
use gantry_remoting_protocol::{RequestCode, ResponseCode};

/// A member of a group.
#[derive(Debug)]
pub(crate) struct RetryConsumer {
    connection: Connection,
    group: String,
    origin: String,
}

/// A message that was pulled.
#[derive(Clone, Debug)]
pub(crate) struct Pulled {
    pub(crate) id: MessageId,
    /// The first time is 1.
    pub(crate) attempt: u16,
    /// Of the topic it was pulled from.
    pub(crate) next_offset: i64,
    position: i64,
}

impl RetryConsumer {
    pub(crate) async fn open(target: &Target, group: &str) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(&broker(&target.address).await?).await?,
            group: group.to_owned(),
            origin: target.topic.clone(),
        })
    }

    /// Where `queue` of `topic` ends.
    pub(crate) async fn end(&mut self, topic: &str, queue: u32) -> Result<i64> {
        let asked = QueueRequest {
            topic,
            queue_id: i32::try_from(queue)?,
        };
        pull::offset(&mut self.connection, RequestCode::GetMaxOffset, &asked).await
    }

    /// What stands in `queue` of `topic` from `offset` on; nothing of a topic that is not there
    /// yet.
    pub(crate) async fn pull(
        &mut self,
        topic: &str,
        queue: u32,
        offset: i64,
    ) -> Result<(Vec<Pulled>, i64)> {
        let request = pull::request(&self.group, topic, i32::try_from(queue)?, offset);
        let code = RequestCode::PullMessage;
        let answer = self.connection.ask(code, &request).await?;
        match answer.response_code() {
            ResponseCode::Success => {}
            ResponseCode::TopicNotExist | ResponseCode::PullNotFound => {
                return Ok((Vec::new(), offset));
            }
            ResponseCode::PullRetryImmediately | ResponseCode::PullOffsetMoved => {
                let next = answer.header::<PullResponse>()?.next_offset;
                return Ok((Vec::new(), next));
            }
            code => bail!(
                "{}: {}",
                code.name(),
                answer.remark.as_deref().unwrap_or_default()
            ),
        }
        let pulled = records(answer.body.clone()).map(|record| {
            let record = record?;
            Ok(Pulled {
                id: MessageId::of(&record.body),
                attempt: u16::try_from(record.reconsume_times)?.saturating_add(1),
                next_offset: record.queue_offset.saturating_add(1),
                position: record.physical_offset,
            })
        });
        let pulled = pulled.collect::<Result<_>>()?;
        Ok((pulled, answer.header::<PullResponse>()?.next_offset))
    }

    /// Has the message come again after the delay of `level`, or become a dead letter when it has
    /// come `attempts_max` times.
    pub(crate) async fn send_back(
        &mut self,
        pulled: &Pulled,
        level: i32,
        attempts_max: u16,
    ) -> Result<()> {
        let request = SendMessageBack {
            offset: pulled.position,
            group: &self.group,
            delay_level: level,
            origin_message_id: None,
            origin_topic: Some(&self.origin),
            unit_mode: false,
            max_reconsume_times: Some(i32::from(attempts_max.saturating_sub(1))),
        };
        let code = RequestCode::ConsumerSendMessageBack;
        succeeded(&self.connection.ask(code, &request).await?)
    }
}
