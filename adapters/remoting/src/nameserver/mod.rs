//! The NameServer role: tells clients which broker has which queues of a topic.
//!
//! Brokers register and are forgotten when they leave, die or fall silent. The broker of the same
//! process, if there is one, is known without: its routes are made of core's topics when they are
//! asked for. Only the key-value tables outlive a start.

mod brokers;
mod cluster;
mod config;
mod connection;
mod kv;
mod kv_requests;
mod operators;
mod own_broker;
mod registry;
mod route;
#[cfg(test)]
mod tests;

pub use config::{Advertised, Config};
pub use connection::NameServerConnection;
pub use kv::KvTables;
pub(crate) use own_broker::TEMPLATE_PERMISSION;

use crate::acl::Acl;
use crate::error::Refusal;
use crate::reply::Frame;
use bytes::Bytes;
use gantry_core::Client;
use gantry_core::model::Clock;
use gantry_remoting_protocol::{Answer, Command, RequestCode, ResponseCode};
use own_broker::OwnBroker;
use parking_lot::Mutex;
use registry::{Bounds, Registry, Session};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A NameServer; its connections share it.
#[derive(Debug)]
pub struct NameServer {
    own: Option<OwnBroker>,
    registry: Mutex<Registry>,
    kv: KvTables,
    config: Config,
    /// `None` when nobody needs to sign.
    acl: Option<Arc<Acl>>,
    switches: Mutex<Switches>,
    clock: Arc<dyn Clock>,
    next_session: AtomicU64,
}

/// Settings that may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "switches, each for itself")]
struct Switches {
    order_message_enable: bool,
    return_order_topic_config_to_broker: bool,
    enable_all_topic_list: bool,
    support_acting_master: bool,
}

/// How much a NameServer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Brokers, slaves and this process's own included.
    pub brokers: usize,
    /// Topics that were registered.
    pub registered_topics: usize,
}

impl NameServer {
    /// A NameServer that keeps its tables in `kv`, and knows without being told of the topics
    /// behind the client of `own`, which are said to be where it advertises. It answers those who
    /// may ask (`acl`).
    #[must_use]
    pub fn new(
        own: Option<(Client, Advertised)>,
        kv: KvTables,
        config: Config,
        acl: Option<Arc<Acl>>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let own = own.map(|(client, advertised)| OwnBroker::new(client, advertised));
        let bounds = Bounds {
            brokers_max: config.brokers_max,
            topics_per_broker_max: config.topics_per_broker_max,
            expiry_millis: config.broker_expiry_ms,
            expiry_millis_max: config.broker_expiry_max_ms,
        };
        let registry = Registry::new(bounds, own.as_ref().map(|own| &own.advertised));
        let switches = Switches {
            order_message_enable: config.order_message_enable,
            return_order_topic_config_to_broker: config.return_order_topic_config_to_broker,
            enable_all_topic_list: config.enable_all_topic_list,
            support_acting_master: config.support_acting_master,
        };
        Arc::new(Self {
            own,
            registry: Mutex::new(registry),
            kv,
            config,
            acl,
            switches: Mutex::new(switches),
            clock,
            next_session: AtomicU64::new(0),
        })
    }

    /// Forgets brokers that have been silent for too long. Call it every
    /// [`Config::scan_interval_ms`].
    pub fn expire(&self) {
        let gone = self.registry.lock().expire(self.clock.now());
        for address in gone {
            tracing::warn!(address, "broker silent for too long");
        }
    }

    /// How much it knows.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let registry = self.registry.lock();
        Figures {
            brokers: registry.broker_count(),
            registered_topics: registry.topic_count(),
        }
    }

    /// The answer to `command`, a request of `peer`'s; a refusal is one too.
    fn answer(&self, command: &Command, peer: SocketAddr, session: &Session) -> Frame {
        let admitted = self.acl.as_ref().map_or(Ok(()), |acl| acl.check(command));
        let answered = admitted.and_then(|()| self.handle(command, session));
        answered.unwrap_or_else(|refusal| {
            let code = command.request_code().name();
            tracing::debug!(%peer, code, remark = refusal.remark, "request refused");
            Frame::refusal(command.reply_to(), &refusal)
        })
    }

    fn handle(&self, command: &Command, session: &Session) -> Result<Frame, Refusal> {
        match command.request_code() {
            RequestCode::RegisterBroker => brokers::register(self, command, session),
            RequestCode::UnregisterBroker => brokers::unregister(self, command),
            RequestCode::RegisterTopicInNameServer => brokers::register_topic(self, command),
            RequestCode::QueryDataVersion => brokers::data_version(self, command),
            RequestCode::BrokerHeartbeat => brokers::heartbeat(self, command),
            RequestCode::GetBrokerMemberGroup => brokers::members(self, command),
            code => self.answer_client(code, command),
        }
    }

    fn answer_client(&self, code: RequestCode, command: &Command) -> Result<Frame, Refusal> {
        match code {
            RequestCode::GetRouteInfoByTopic => route::route(self, command),
            RequestCode::GetBrokerClusterInfo => Ok(cluster::info(self, command)),
            RequestCode::GetAllTopicListFromNameServer => cluster::all_topics(self, command),
            RequestCode::GetTopicsByCluster => cluster::topics_of(self, command),
            RequestCode::GetSystemTopicListFromNameServer => {
                Ok(cluster::system_topics(self, command))
            }
            RequestCode::GetUnitTopicList => Ok(cluster::unit_topics(self, command)),
            RequestCode::GetHasUnitSubTopicList => {
                Ok(cluster::unit_subscribed_topics(self, command))
            }
            RequestCode::GetHasUnitSubUnunitTopicList => {
                Ok(cluster::foreign_subscribed_topics(self, command))
            }
            RequestCode::PutKvConfig => kv_requests::put(self, command),
            RequestCode::GetKvConfig => kv_requests::get(self, command),
            RequestCode::DeleteKvConfig => kv_requests::delete(self, command),
            RequestCode::GetKvListByNamespace => kv_requests::list(self, command),
            RequestCode::DeleteTopicInNameServer => operators::remove_topic(self, command),
            RequestCode::WipeWritePermission => operators::wipe_permission(self, command),
            RequestCode::AddWritePermission => operators::add_permission(self, command),
            RequestCode::UpdateNameServerConfig => operators::change_settings(self, command),
            RequestCode::GetNameServerConfig => Ok(operators::settings(self, command)),
            code => {
                let remark = format!(" request type {} not supported", code.value());
                Err(Refusal::new(ResponseCode::RequestCodeNotSupported, remark))
            }
        }
    }

    /// The number of another connection.
    fn next_session(&self) -> u64 {
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// A broker's connection ended.
    fn disconnect(&self, session: u64) {
        let gone = self.registry.lock().disconnect(session);
        for address in gone {
            tracing::info!(address, "broker disconnected");
        }
    }

    fn switches(&self) -> Switches {
        *self.switches.lock()
    }

    fn set_switches(&self, switches: Switches) {
        *self.switches.lock() = switches;
    }
}

/// A successful answer that is its body.
fn with_body(command: &Command, body: Bytes) -> Frame {
    Frame::with_body(command.reply_to(), &Answer::OK, vec![body])
}
