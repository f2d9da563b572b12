//! Registers this process's broker with the NameServers of others, stock ones included.
//!
//! It is handed a connection and never makes one. All topics go when a connection begins, then
//! what changes, when it changes; a question for the version says that the broker lives.

mod config;
mod link;
mod table;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use link::LinkError;

use crate::nameserver::Advertised;
use bytes::Bytes;
use gantry_connection::Shutdown;
use gantry_core::Client;
use gantry_core::model::{Clock, Timestamp};
use gantry_remoting_protocol::RequestCode;
use gantry_remoting_protocol::body::{
    self, DataVersion, RegisterBrokerBody, Style, TopicConfig, TopicConfigWrapper,
};
use gantry_remoting_protocol::header::{BrokerIdentity, DataVersionChanged, RegisterBroker};
use link::Link;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use table::{News, Told};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// The broker's side of all registrations.
#[derive(Debug)]
pub struct Registrar {
    client: Client,
    broker: Advertised,
    config: Config,
    started_at: Timestamp,
    /// Counts registrations over all connections: stock NameServers take only topics that come
    /// with a version they have not seen.
    counter: AtomicI64,
}

impl Registrar {
    /// A registrar of the topics behind `client`, which are said to be where `broker` says.
    #[must_use]
    pub fn new(
        client: Client,
        broker: Advertised,
        config: Config,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            broker,
            config,
            started_at: clock.now(),
            counter: AtomicI64::new(0),
        })
    }

    /// Longest time to wait for a connection to a NameServer.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.config.connect_timeout_ms)
    }

    /// Time between two connections to the same NameServer.
    #[must_use]
    pub const fn retry_interval(&self) -> Duration {
        Duration::from_millis(self.config.retry_ms)
    }

    /// Keeps the broker registered over `stream`, until `shutdown` is asked for: then it
    /// unregisters. `registered` is called when the NameServer has been told everything.
    ///
    /// Must run inside a tokio runtime with time enabled.
    ///
    /// # Errors
    /// The connection or the NameServer failed; the broker is to connect anew.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        shutdown: &Shutdown,
        registered: impl FnOnce(),
    ) -> Result<(), LinkError> {
        let mut link = Link::new(stream, self.config.answer_timeout_ms);
        let mut changes = self.client.topic_changes();
        changes.mark_unchanged();
        let mut told = Told::default();
        let mut version = self.tell_news(&mut link, &mut told).await?;
        registered();
        let period = Duration::from_millis(self.config.heartbeat_ms.max(1));
        let mut heartbeats = interval_at(Instant::now() + period, period);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.requested() => return self.leave(&mut link).await,
                changed = changes.changed() => match changed {
                    Ok(()) => version = self.tell_news(&mut link, &mut told).await?.or(version),
                    // The store is closed, and with it everything else soon.
                    Err(_) => return self.leave(&mut link).await,
                },
                _ = heartbeats.tick() => {
                    if self.is_forgotten(&mut link, version).await? {
                        told = Told::default();
                        version = self.tell_news(&mut link, &mut told).await?.or(version);
                    }
                }
                // A NameServer asks a master for nothing, and an end shows here.
                unasked = link.read() => drop(unasked?),
            }
        }
    }

    /// Registers what is news; the version it has now, if there was any.
    async fn tell_news<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        link: &mut Link<S>,
        told: &mut Told,
    ) -> Result<Option<DataVersion>, LinkError> {
        let News { topics, deleted } = told.news(&self.client, &self.broker);
        let mut topics = topics.into_iter().peekable();
        let mut deleted = deleted.into_iter().peekable();
        let mut version = None;
        let max = self.config.topics_per_request_max.max(2);
        while topics.peek().is_some() || deleted.peek().is_some() {
            let some = topics.by_ref().take(max).collect();
            let gone: Vec<String> = deleted.by_ref().take(max).collect();
            version = Some(self.register(link, some, &gone).await?);
        }
        Ok(version)
    }

    async fn register<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        link: &mut Link<S>,
        topics: BTreeMap<String, TopicConfig>,
        deleted: &[String],
    ) -> Result<DataVersion, LinkError> {
        let data_version = DataVersion {
            counter: self.counter.fetch_add(1, Ordering::Relaxed),
            state_version: 0,
            timestamp: self.started_at.millis(),
        };
        let whole = RegisterBrokerBody {
            filter_server_list: Vec::new(),
            topic_config_serialize_wrapper: Some(TopicConfigWrapper {
                data_version,
                topic_config_table: topics,
                topic_queue_mapping_info_map: BTreeMap::new(),
            }),
        };
        let body = body::encode(&whole, Style::Standard);
        let deleted = (!deleted.is_empty()).then(|| deleted.join(","));
        let fields = RegisterBroker {
            broker_name: &self.broker.broker_name,
            broker_addr: &self.broker.address,
            cluster_name: &self.broker.cluster_name,
            // Nobody follows this broker.
            ha_server_addr: "",
            broker_id: 0,
            heartbeat_timeout_millis: None,
            enable_acting_master: None,
            compressed: false,
            body_crc32: body::registration_crc(&body),
            zone_name: None,
            deleted_topics: deleted.as_deref(),
        };
        link.ask(RequestCode::RegisterBroker, &fields, &body)
            .await?;
        Ok(data_version)
    }

    /// Says that the broker lives; whether the NameServer does not know what it was told.
    async fn is_forgotten<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        link: &mut Link<S>,
        version: Option<DataVersion>,
    ) -> Result<bool, LinkError> {
        let body = body::encode(&version.unwrap_or_default(), Style::Standard);
        let identity = self.identity();
        let answer = link
            .ask(RequestCode::QueryDataVersion, &identity, &body)
            .await?;
        let DataVersionChanged { changed } = answer.header()?;
        Ok(changed)
    }

    async fn leave<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        link: &mut Link<S>,
    ) -> Result<(), LinkError> {
        let identity = self.identity();
        let code = RequestCode::UnregisterBroker;
        link.ask(code, &identity, &Bytes::new()).await?;
        Ok(())
    }

    fn identity(&self) -> BrokerIdentity<'_> {
        BrokerIdentity {
            broker_name: &self.broker.broker_name,
            broker_addr: &self.broker.address,
            cluster_name: &self.broker.cluster_name,
            broker_id: 0,
        }
    }
}
