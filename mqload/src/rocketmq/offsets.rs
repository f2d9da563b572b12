//! A group's offsets, committed (15) and asked for (14).

use super::connection::{Connection, broker, succeeded};
use super::pull;
use crate::target::Target;
use anyhow::Result;
use gantry_remoting_protocol::header::{OffsetResponse, QueryConsumerOffset, UpdateConsumerOffset};
use gantry_remoting_protocol::{RequestCode, ResponseCode};

/// A connection to the topic's broker.
#[derive(Debug)]
pub(crate) struct Committer {
    connection: Connection,
    topic: String,
    group: String,
}

impl Committer {
    pub(crate) async fn open(target: &Target, group: &str) -> Result<Self> {
        let mut connection = Connection::open(&broker(&target.address).await?).await?;
        // A broker makes a group known when it pulls, and takes no commits of one it does not know.
        let request = pull::request(group, &target.topic, 0, 0);
        connection.ask(RequestCode::PullMessage, &request).await?;
        Ok(Self {
            connection,
            topic: target.topic.clone(),
            group: group.to_owned(),
        })
    }

    /// The answer's code, 0 for success.
    pub(crate) async fn commit(&mut self, queue: u32, offset: i64) -> Result<i32> {
        let request = UpdateConsumerOffset {
            group: &self.group,
            topic: &self.topic,
            queue_id: i32::try_from(queue)?,
            commit_offset: Some(offset),
        };
        let code = RequestCode::UpdateConsumerOffset;
        Ok(self.connection.ask(code, &request).await?.code)
    }

    /// The committed offset, -1 for none.
    pub(crate) async fn committed(&mut self, queue: u32) -> Result<i64> {
        let request = QueryConsumerOffset {
            group: &self.group,
            topic: &self.topic,
            queue_id: i32::try_from(queue)?,
            set_zero_if_not_found: false,
        };
        let code = RequestCode::QueryConsumerOffset;
        let answer = self.connection.ask(code, &request).await?;
        if answer.response_code() == ResponseCode::QueryNotFound {
            return Ok(-1);
        }
        succeeded(&answer)?;
        Ok(answer.header::<OffsetResponse>()?.offset)
    }
}
