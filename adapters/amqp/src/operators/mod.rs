//! What a user does to a virtual host without a connection of AMQP, as RabbitMQ's management API
//! lets it: the same methods, checks and texts.

use crate::accounts::Rights;
use crate::codec::method::{basic, exchange, queue};
use crate::codec::{Content, FrameMax, Properties, ShortString};
use crate::consuming::delivered_of;
use crate::fault::Fault;
use crate::message::Delivered;
use crate::publishing::{Batch, Publisher};
use crate::server::Server;
use crate::topology::Topology;
use bytes::{Bytes, BytesMut};
use gantry_core::vhosts::{Dealt, Death, VirtualHost, WorkQueue};
use gantry_core::{Client, LeaseSession, Receipt};
use std::net::SocketAddr;
use std::sync::Arc;

/// A user's hand in a virtual host.
#[derive(Debug)]
pub struct Operator {
    client: Client,
    server: Arc<Server>,
    host: Arc<VirtualHost>,
    topology: Topology,
    publisher: Publisher,
    session: LeaseSession,
}

/// What becomes of messages that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// They are done with.
    Acknowledge,
    /// They return to their places.
    Requeue,
    /// They are dead letters, or gone.
    Reject,
}

/// A message of a queue.
#[derive(Clone, Debug)]
pub struct Got {
    /// The message.
    pub message: Delivered,
    /// It was handed out before.
    pub is_redelivered: bool,
    /// How many were ready behind it.
    pub left: u64,
}

/// What became of a message.
#[derive(Debug)]
pub struct PublishOutcome {
    /// A queue was for it, and took it.
    pub is_routed: bool,
    /// To wait for, where it is not yet as durable as it is to be.
    pub receipt: Option<Receipt>,
}

impl Operator {
    /// The user's, who comes from `from`; `None` is that it may not.
    #[must_use]
    pub fn new(server: &Arc<Server>, vhost: &str, user: &str, from: SocketAddr) -> Option<Self> {
        let host = server.client.virtual_host(vhost)?;
        let rights = server.accounts.rights(host.name(), &user.into())?;
        Some(Self::with(server, host, rights, user, from))
    }

    /// One who may do everything.
    #[must_use]
    pub fn unlimited(server: &Arc<Server>, vhost: &str, from: SocketAddr) -> Option<Self> {
        let host = server.client.virtual_host(vhost)?;
        let rights = Rights::unlimited(host.name());
        Some(Self::with(server, host, rights, "", from))
    }

    fn with(
        server: &Arc<Server>,
        host: Arc<VirtualHost>,
        rights: Arc<Rights>,
        user: &str,
        from: SocketAddr,
    ) -> Self {
        let client = server.client.clone();
        let session = client.lease_session();
        let topology = Topology::new(client.clone(), Arc::clone(&host), session);
        Self {
            server: Arc::clone(server),
            topology: topology
                .limited_to(Arc::clone(&rights))
                .noting_in(&server.ledger, &server.churn),
            publisher: Publisher {
                client: client.clone(),
                host: Arc::clone(&host),
                user: user.into(),
                rights,
                replies: Arc::clone(&server.replies),
                from,
            },
            client,
            host,
            session,
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn host(&self) -> &Arc<VirtualHost> {
        &self.host
    }

    /// Longest body of a message.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.client.message_bytes_max()
    }

    /// `queue.declare`; whether the queue is new.
    ///
    /// # Errors
    /// What a channel would be told.
    pub fn declare_queue(&self, method: &queue::Declare) -> Result<bool, Fault> {
        let is_new = self.host.queue(method.queue.as_str()).is_none();
        self.topology.declare_queue(method, &mut None)?;
        Ok(is_new)
    }

    /// `exchange.declare`; whether the exchange is new.
    ///
    /// # Errors
    /// What a channel would be told.
    pub fn declare_exchange(&self, method: &exchange::Declare) -> Result<bool, Fault> {
        let is_new = self.host.exchange(method.exchange.as_str()).is_none();
        self.topology.declare_exchange(method)?;
        Ok(is_new)
    }

    /// All other methods that declare, delete and bind.
    #[must_use]
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// `basic.publish`
    ///
    /// # Errors
    /// What a channel would be told, or a failed store.
    pub fn publish(
        &self,
        exchange: &str,
        key: &str,
        properties: Properties,
        body: Bytes,
    ) -> Result<PublishOutcome, Fault> {
        let method = basic::Publish {
            ticket: 0,
            exchange: ShortString::cut(exchange),
            routing_key: ShortString::cut(key),
            mandatory: false,
            immediate: false,
        };
        let content = Content { properties, body };
        let mut batch = Batch::default();
        let at = self.server.clock.now();
        let routed = self
            .publisher
            .route(&method, &content, at, (&batch, None))?;
        let is_routed = !routed.is_unrouted && !routed.is_refused;
        batch.put(0, None, (method, content), routed);
        let from = (&self.client, &*self.server.replies);
        let mut unread = BytesMut::new();
        let mut stored = batch.store(from, FrameMax::LEAST, &mut unread);
        match stored.failed.pop() {
            Some((_, fault)) => Err(fault),
            None => Ok(PublishOutcome {
                is_routed,
                receipt: stored.last,
            }),
        }
    }

    /// Looks at messages of a queue: at least one, and then as long as they are not more than
    /// `bytes_max`.
    ///
    /// # Errors
    /// What a channel would be told, or a failed store.
    pub fn get(
        &self,
        queue: &str,
        (count, bytes_max): (usize, usize),
        after: After,
    ) -> Result<Vec<Got>, Fault> {
        let queue = self
            .topology
            .queue_or_last(&ShortString::cut(queue), None)?;
        self.topology.check_not_stream(&queue, "basic.get")?;
        let mut taken: Vec<Dealt> = Vec::new();
        let mut got = Vec::new();
        let looked = self.take(&queue, (count, bytes_max), &mut taken, &mut got);
        let receipts: Vec<_> = taken.into_iter().map(|dealt| dealt.receipt).collect();
        if !receipts.is_empty() {
            match after {
                After::Acknowledge => drop(self.client.ack(queue.group(), &receipts)?),
                After::Requeue => drop(self.client.give_back(queue.group(), &receipts)?),
                After::Reject => self.client.bury_taken(&queue, &receipts, Death::Rejected)?,
            }
        }
        self.client.end_session(self.session);
        self.client.dispatch(&queue)?;
        looked.map(|()| got)
    }

    fn take(
        &self,
        queue: &Arc<WorkQueue>,
        (count, bytes_max): (usize, usize),
        taken: &mut Vec<Dealt>,
        got: &mut Vec<Got>,
    ) -> Result<(), Fault> {
        let mut bytes = 0;
        while got.len() < count && bytes < bytes_max {
            let Some(dealt) = self.client.take_one(queue, self.session)? else {
                break;
            };
            let left = self.client.queue_counts(queue)?.ready;
            bytes += dealt.message.bytes.len();
            got.push(Got {
                message: delivered_of(queue, &dealt),
                is_redelivered: dealt.attempt > 1,
                left,
            });
            taken.push(dealt);
        }
        Ok(())
    }
}
