//! A connection on the stream driver: channel 0, the channels, and what goes between them and the
//! log.

mod alarm;
mod channels;
mod input;
mod pulse;
mod waiting;

pub use input::Item;

use crate::alarms::Alarms;
use crate::channel::Session;
use crate::codec::method::connection;
use crate::codec::{ClientMethod, Frame, MethodId, Payload, ReplyCode};
use crate::consuming::{Outbox, Shared};
use crate::control::{Control, Credentials, Event, Secured};
use crate::fault::Fault;
use crate::ledger::{Asked, UPDATE_SECRET};
use crate::publishing::Publisher;
use crate::registry::{Entry, Full, Identity, Most, Octets, OpenConnection};
use crate::server::Server;
use crate::topology::Topology;
use alarm::{Alarm, is_publish, write_blocked, write_unblocked};
use bytes::BytesMut;
use channels::{Channels, Failure};
use gantry_connection::{Closed, Outgoing, Protocol, Replies, ReplyOrder};
use gantry_core::vhosts::{Credit, VirtualHost};
use input::Input;
use pulse::Pulse;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::Drain;

/// Why a connection has ended that did not just break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Both sides have said so, or the client does not speak this protocol.
    #[error("closed")]
    Closed,
    /// The client was silent for too long.
    #[error("given up")]
    GivenUp,
}

/// One client's connection, to be run by [`gantry_connection::run`].
#[derive(Debug)]
pub struct AmqpConnection {
    server: Arc<Server>,
    peer: SocketAddr,
    /// Where the client came to.
    local: SocketAddr,
    /// How it came there, if in TLS.
    secured: Option<Secured>,
    input: Input,
    pulse: Pulse,
    control: Control,
    /// Something came since the last look at the time.
    was_heard: bool,
    user: Option<Arc<str>>,
    /// From `connection.open` on.
    channels: Option<Channels>,
    /// The client has published while there is no room.
    alarm: Option<Alarm>,
    /// As others see it, as long as it is open.
    entry: Option<Entry>,
    octets: Octets,
}

impl AmqpConnection {
    /// A connection from `peer`. Must be made inside a tokio runtime with time enabled.
    #[must_use]
    pub fn new(server: Arc<Server>, peer: SocketAddr) -> Self {
        Self {
            input: Input::new(server.settings.offer.frame_max),
            control: Control::new(server.greeting()),
            server,
            peer,
            pulse: Pulse::new(),
            was_heard: false,
            user: None,
            channels: None,
            alarm: None,
            local: SocketAddr::new(peer.ip(), 0),
            secured: None,
            entry: None,
            octets: Octets::default(),
        }
    }

    /// The same, which came to `local`: others are told.
    #[must_use]
    pub fn at(mut self, local: SocketAddr) -> Self {
        self.local = local;
        self
    }

    /// The same, which came in TLS. Its certificate may say who it is.
    #[must_use]
    pub fn secured(mut self, secured: Secured) -> Self {
        if secured.certificate.is_some() {
            self.control.certify();
        }
        self.secured = Some(secured);
        self
    }

    /// Something was written; others are told how much by now.
    fn note_sent(&mut self, bytes: usize) {
        self.octets.sent += bytes as u64;
        self.octets.writes += 1;
        self.tell_octets();
        self.control.note_sent(self.pulse.now());
    }

    fn tell_octets(&self) {
        if let Some(entry) = &self.entry {
            entry.connection.note_octets(self.octets);
        }
    }

    /// Others are told whether its messages wait.
    fn note_blocked(&self, is_blocked: bool) {
        if let Some(entry) = &self.entry {
            entry.connection.note_blocked(is_blocked);
        }
    }

    /// Closes when others have asked for it.
    fn poll_close(&mut self, context: &Context<'_>, out: &mut Outgoing) {
        let entry = self.entry.as_ref();
        if let Some(reason) = entry.and_then(|entry| entry.connection.poll_close(context)) {
            // What the client has sent waits no more, so that its answer is heard.
            self.alarm = None;
            let fault = Fault::new(ReplyCode::ConnectionForced, reason);
            self.close(&fault, MethodId::NONE, out);
        }
    }

    /// Takes the next item, unless it waits for room.
    fn take(&mut self, item: Item, out: &mut Outgoing) -> Result<(), Ended> {
        if self.alarm.is_none() && is_publish(&item) {
            let alarms = self.server.alarms();
            if alarms.is_any() {
                self.raise(alarms, out);
            }
        }
        match &mut self.alarm {
            Some(alarm) => {
                alarm.stalled.push_back(item);
                Ok(())
            }
            None => self.accept(item, out),
        }
    }

    fn raise(&mut self, alarms: Alarms, out: &mut Outgoing) {
        self.alarm = Some(Alarm::new(self.pulse.now()));
        self.note_blocked(true);
        if self.control.client().takes_blocked() && self.control.is_running() {
            write_blocked(alarms.reason(), out.head());
        }
    }

    /// Goes on once there is room.
    fn poll_alarm(&mut self, context: &mut Context<'_>, out: &mut Outgoing) -> Result<(), Ended> {
        let Some(alarm) = &mut self.alarm else {
            return Ok(());
        };
        // What the client sends is not read: it cannot be heard.
        self.was_heard = true;
        while self.pulse.poll(alarm.next_look, context) {
            if self.server.alarms().is_any() {
                alarm.look_later(self.pulse.now());
                continue;
            }
            let stalled = std::mem::take(&mut alarm.stalled);
            self.alarm = None;
            self.note_blocked(false);
            if self.control.client().takes_blocked() && self.control.is_running() {
                write_unblocked(out.head());
            }
            for item in stalled {
                self.take(item, out)?;
            }
            self.finish_work(out);
            return Ok(());
        }
        Ok(())
    }

    fn accept(&mut self, item: Item, out: &mut Outgoing) -> Result<(), Ended> {
        let event = match item {
            Item::Header(header) => self.control.greet(header, out.head()),
            Item::Broken(error) => {
                self.finish_work(out);
                self.control.fail(&error, self.pulse.now(), out.head());
                self.let_go();
                None
            }
            Item::Frame(Frame {
                payload: Payload::Heartbeat,
                ..
            }) => None,
            Item::Frame(Frame {
                channel: 0,
                payload,
            }) => self.accept_control(payload, out),
            Item::Frame(frame) => {
                self.accept_frame(frame, out);
                None
            }
        };
        match event {
            None => Ok(()),
            Some(event) => self.obey(event, out),
        }
    }

    fn accept_control(&mut self, payload: Payload, out: &mut Outgoing) -> Option<Event> {
        self.finish_work(out);
        let now = self.pulse.now();
        let decoded = match &payload {
            Payload::Method(method) => ClientMethod::decode(method),
            // Content has been refused as a frame.
            _ => return None,
        };
        match decoded {
            Ok(method) => {
                let event = self.control.accept(method, now, out.head());
                self.input.catch_up();
                if self.control.is_closing() {
                    self.let_go();
                }
                event
            }
            Err(error) => {
                self.control.fail(&error, now, out.head());
                self.let_go();
                None
            }
        }
    }

    /// A frame of a channel.
    fn accept_frame(&mut self, frame: Frame, out: &mut Outgoing) {
        if self.control.is_closing() {
            return;
        }
        let Some(channels) = &mut self.channels else {
            let text = "unexpected frame before connection.open-ok";
            self.close(
                &Fault::new(ReplyCode::ChannelError, text),
                MethodId::NONE,
                out,
            );
            return;
        };
        if let Err((fault, method)) = channels.accept(frame, out) {
            self.close(&fault, method, out);
        }
    }

    fn obey(&mut self, event: Event, out: &mut Outgoing) -> Result<(), Ended> {
        match event {
            Event::Authenticate(credentials) => self.authenticate(&credentials, out),
            Event::OpenVirtualHost(name) => self.open(name.as_str(), out),
            // A password is asked for once; there are no tokens that end.
            Event::UpdateSecret(_) => {
                self.server.ledger.note(Asked::Method, UPDATE_SECRET);
                self.control.secret_updated(out.head());
            }
            Event::Finished => return Err(Ended::Closed),
            Event::Drop => return Err(Ended::GivenUp),
        }
        Ok(())
    }

    fn authenticate(&mut self, credentials: &Credentials, out: &mut Outgoing) {
        let secured = self.secured.as_ref();
        let certificate = secured.and_then(|secured| secured.certificate.as_ref());
        let ip = self.peer.ip();
        self.user = self.server.authenticate(credentials, certificate, ip);
        if self.user.is_some() {
            self.control.authenticated(out.head());
        } else {
            tracing::info!(peer = %self.peer, ?credentials, "an AMQP login was refused");
            let now = self.pulse.now();
            self.control.refuse_credentials(now, out.head());
        }
    }

    fn open(&mut self, name: &str, out: &mut Outgoing) {
        let client = self.server.client.clone();
        let (Some(host), Some(user)) = (client.virtual_host(name), self.user.clone()) else {
            return self.refuse_open(&format!("vhost {name} not found"), out);
        };
        let Some(rights) = self.server.accounts.rights(host.name(), &user) else {
            let reason = format!("access to vhost '{name}' refused for user '{user}'");
            return self.refuse_open(&reason, out);
        };
        let open = match self.enter(Arc::clone(&user), &host) {
            Ok(open) => open,
            Err(Full::Vhost(limit)) => {
                let reason = format!(
                    "access to vhost '{name}' refused for user '{user}': connection limit \
                     ({limit}) is reached"
                );
                return self.refuse_open(&reason, out);
            }
            Err(Full::User(limit)) => {
                let reason = format!(
                    "connection refused for user '{user}': user connection limit ({limit}) is \
                     reached"
                );
                return self.refuse_open(&reason, out);
            }
        };
        let patience = self.server.config.consumer_timeout_ms;
        let shared = Shared {
            client: client.clone(),
            host: Arc::clone(&host),
            outbox: Arc::new(Outbox::default()),
            room: Credit::of(Some(self.server.config.undelivered_max.max(1))),
            replies: Arc::clone(&self.server.replies),
            frame_max: self.control.frame_max(),
            takes_cancel: self.control.client().takes_consumer_cancel(),
            ledger: Arc::clone(&self.server.ledger),
            patience: (patience > 0).then(|| Duration::from_millis(patience)),
            accepted_at: self.pulse.started(),
        };
        let capabilities = self.control.client().capabilities();
        shared.ledger.note_table(Asked::Capability, capabilities);
        let session = Session {
            server: Arc::clone(&self.server),
            topology: Topology::new(client.clone(), Arc::clone(&host), open.session)
                .limited_to(Arc::clone(&rights))
                .noting_in(&self.server.ledger, &self.server.churn),
            publisher: Publisher {
                client,
                host,
                user,
                rights,
                replies: Arc::clone(&self.server.replies),
                from: self.peer,
            },
            shared,
            open,
        };
        let channels_max = self.control.tuned().map_or(1, |tuned| tuned.channel_max);
        self.channels = Some(Channels::new(session, channels_max));
        self.control.opened(out.head());
    }

    fn refuse_open(&mut self, reason: &str, out: &mut Outgoing) {
        let now = self.pulse.now();
        self.control.refuse_open(reason, now, out.head());
    }

    fn close(&mut self, fault: &Fault, method: MethodId, out: &mut Outgoing) {
        let now = self.pulse.now();
        self.control.close(fault.close(method), now, out.head());
        self.let_go();
    }

    /// Does what was published and acknowledged.
    fn finish_work(&mut self, out: &mut Outgoing) {
        let finished = self
            .channels
            .as_mut()
            .map_or(Ok(()), |channels| channels.finish_work(out));
        if let Err((fault, method)) = finished {
            self.close(&fault, method, out);
        }
    }

    /// What the registry is told of it.
    fn enter(&mut self, user: Arc<str>, host: &VirtualHost) -> Result<Arc<OpenConnection>, Full> {
        let most = Most {
            of_vhost: host.limits().and_then(|limits| limits.max_connections),
            of_user: self.server.accounts.user_limits(&user).max_connections,
        };
        let identity = Identity {
            ends: (self.peer, self.local),
            user,
            vhost: Arc::clone(host.name()),
            mechanism: self.control.mechanism().name(),
            secured: self.secured.clone(),
            client: self.control.client().clone(),
            tuned: self.control.tuned().copied(),
        };
        let session = self.server.client.lease_session();
        let opened_at = self.server.clock.now();
        let open = OpenConnection::new(identity, opened_at, session);
        let entry = self.server.registry.enter(open, most)?;
        let open = Arc::clone(&entry.connection);
        self.entry = Some(entry);
        Ok(open)
    }

    /// Ends all channels, and gives back what the connection has to itself.
    fn let_go(&mut self) {
        if let Some(channels) = self.channels.take() {
            channels.end_all();
        }
        self.entry = None;
    }

    fn poll_clock(&mut self, context: &mut Context<'_>, out: &mut Outgoing) -> Result<(), Ended> {
        if std::mem::take(&mut self.was_heard) {
            self.control.note_received(self.pulse.now());
        }
        while let Some(deadline) = self.control.deadline()
            && self.pulse.poll(deadline, context)
        {
            if let Some(event) = self.control.expire(self.pulse.now(), out.head()) {
                return self.obey(event, out);
            }
        }
        Ok(())
    }

    /// Closes channels whose acknowledgements are late.
    fn poll_overdue(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        while let Some(channels) = &mut self.channels
            && let Some(look) = channels.next_look()
            && self.pulse.poll(look, context)
        {
            channels.expire(self.pulse.now(), out)?;
        }
        Ok(())
    }
}

impl Protocol for AmqpConnection {
    type Frame = Item;
    type Pending = std::future::Pending<Infallible>;
    type Error = Ended;

    const ORDER: ReplyOrder = ReplyOrder::AsReady;

    fn frame_bytes_max(&self) -> usize {
        self.server.settings.offer.frame_max.received_bytes()
    }

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, Ended> {
        self.was_heard = true;
        let before = buffer.len();
        let item = self.input.next(buffer, self.control.frame_max());
        self.octets.received += before.saturating_sub(buffer.len()) as u64;
        Ok(item)
    }

    fn handle(&mut self, items: Drain<'_, Item>, replies: &mut Replies<Self>) -> Result<(), Ended> {
        let out = replies.ready();
        let before = out.len();
        for item in items {
            self.take(item, out)?;
        }
        self.finish_work(out);
        self.octets.reads += 1;
        match out.len().saturating_sub(before) {
            0 => self.tell_octets(),
            bytes => self.note_sent(bytes),
        }
        Ok(())
    }

    fn finish(output: Infallible, _: &mut Outgoing) -> Result<(), Ended> {
        match output {}
    }

    fn poll_notice(
        &mut self,
        context: &mut Context<'_>,
        notice: &mut Outgoing,
    ) -> Poll<Result<(), Ended>> {
        let before = notice.len();
        self.poll_alarm(context, notice)?;
        self.poll_clock(context, notice)?;
        self.poll_close(context, notice);
        let told = match &mut self.channels {
            Some(channels) => channels.poll(context, notice),
            None => Ok(()),
        };
        let told = told.and_then(|()| self.poll_overdue(context, notice));
        if let Err((fault, method)) = told {
            self.close(&fault, method, notice);
        }
        match notice.len().saturating_sub(before) {
            0 => Poll::Pending,
            bytes => {
                self.note_sent(bytes);
                Poll::Ready(Ok(()))
            }
        }
    }

    fn takes_more(&self) -> bool {
        self.alarm.is_none()
    }

    fn may_be_silent(&self) -> bool {
        self.channels.is_some()
    }

    fn end(&mut self, closed: &Closed<Ended>, farewell: &mut Outgoing) {
        if matches!(closed, Closed::Shutdown) {
            let text = "broker forced connection closure with reason 'shutdown'";
            let close = connection::Close::new(
                ReplyCode::ConnectionForced,
                ReplyCode::ConnectionForced.text(text),
                MethodId::NONE,
            );
            self.control.close(close, self.pulse.now(), farewell.head());
        }
        self.let_go();
    }
}

/// A connection whose future is dropped has ended as well.
impl Drop for AmqpConnection {
    fn drop(&mut self) {
        self.let_go();
    }
}
