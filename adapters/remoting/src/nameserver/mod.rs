//! The NameServer role: tells clients which broker has which queues of a topic.
//!
//! It keeps nothing. The broker is in the same process, so routes are made of core's topics when
//! they are asked for; no broker registers, and none is ever found dead.

mod cluster;
mod config;
mod connection;
mod order_conf;
mod route;
#[cfg(test)]
mod tests;

pub use config::{Advertised, Config};
pub use connection::NameServerConnection;

use crate::error::Refusal;
use crate::names;
use crate::reply::Frame;
use bytes::Bytes;
use gantry_core::{Client, Topic};
use gantry_remoting_protocol::{Answer, Command, RequestCode, ResponseCode};
use std::net::SocketAddr;
use std::sync::Arc;

/// A NameServer for the one broker of this process; its connections share it.
#[derive(Debug)]
pub struct NameServer {
    client: Client,
    advertised: Advertised,
    config: Config,
}

impl NameServer {
    /// A NameServer that tells of `client`'s topics and says they are at `advertised`.
    #[must_use]
    pub fn new(client: Client, advertised: Advertised, config: Config) -> Arc<Self> {
        Arc::new(Self {
            client,
            advertised,
            config,
        })
    }

    /// The answer to `command`, a request of `peer`'s; a refusal is one too.
    pub(crate) fn answer(&self, command: &Command, peer: SocketAddr) -> Frame {
        let answered = match command.request_code() {
            RequestCode::GetRouteInfoByTopic => route::route(self, command),
            RequestCode::GetBrokerClusterInfo => Ok(cluster::info(self, command)),
            RequestCode::GetAllTopicListFromNameServer => Ok(cluster::all_topics(self, command)),
            RequestCode::GetTopicsByCluster => cluster::topics_of(self, command),
            RequestCode::GetSystemTopicListFromNameServer => {
                Ok(cluster::system_topics(self, command))
            }
            RequestCode::PutKvConfig => order_conf::put(self, command),
            RequestCode::GetKvConfig => order_conf::get(self, command),
            RequestCode::DeleteKvConfig => order_conf::delete(self, command),
            RequestCode::GetKvListByNamespace => order_conf::list(self, command),
            // The route is gone as soon as the broker has deleted the topic.
            RequestCode::DeleteTopicInNameServer => {
                Ok(Frame::answer(command.reply_to(), &Answer::OK))
            }
            code => {
                let remark = format!(" request type {} not supported", code.value());
                Err(Refusal::new(ResponseCode::RequestCodeNotSupported, remark))
            }
        };
        answered.unwrap_or_else(|refusal| {
            let code = command.request_code().name();
            tracing::debug!(%peer, code, remark = refusal.remark, "request refused");
            Frame::refusal(command.reply_to(), &refusal)
        })
    }

    /// Topics clients may know of, in order of name.
    fn visible_topics(&self) -> impl Iterator<Item = Arc<Topic>> {
        let topics = self.client.topics().into_iter();
        topics.filter(|topic| !names::is_hidden_topic(topic.name().as_str()))
    }
}

/// A successful answer that is its body.
fn with_body(command: &Command, body: Bytes) -> Frame {
    Frame::with_body(command.reply_to(), &Answer::OK, vec![body])
}
