//! Channel 0: how a connection begins, stays and ends, as RabbitMQ lets it.
//!
//! ```text
//! protocol header ─▶ start ─▶ start-ok ─▶ (who is it?) ─▶ tune ─▶ tune-ok, open ─▶ (may it?)
//! ─▶ open-ok ─▶ running ─▶ close ─▶ close-ok, or either of them when both sides close
//! ```
//!
//! It is fed with methods and the time and writes its answers; it knows no user, no virtual host
//! and no stream. Moments are counted from when the connection was accepted.

mod certificate;
mod client;
mod credentials;
mod heartbeat;
mod profile;
mod tuning;

pub use certificate::{Certificate, LoginFrom, Secured};
pub use client::ClientProperties;
pub use credentials::{Credentials, Mechanism};
pub use profile::{Profile, RABBITMQ_CAPABILITIES};
pub use tuning::{Offer, Tuned};

use crate::codec::method::{MethodId, connection};
use crate::codec::{
    ClientMethod, DecodeError, FrameMax, HEARTBEAT_FRAME, ProtocolHeader, ReplyCode, Scope,
    ServerMethod, ShortString,
};
use bytes::{Bytes, BytesMut};
use heartbeat::Heartbeat;
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take until its connection is open.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take to answer our close. Until then it may go on sending.
const CLOSE: Duration = Duration::from_secs(30);
/// The same when nothing of what it sends can be read any more, and how long a client that may
/// not be told why is kept waiting.
const CLOSE_UNREAD: Duration = Duration::from_secs(3);

/// What all connections of a listener have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the server says of itself.
    pub profile: Profile,
    /// The limits it offers.
    pub offer: Offer,
    /// Ways to authenticate, in the order they are offered.
    pub mechanisms: Vec<Mechanism>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            offer: Offer::default(),
            mechanisms: vec![Mechanism::AmqPlain, Mechanism::Plain],
        }
    }
}

/// What the connection is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Find out whether the client is who it says: [`Control::authenticated`] or
    /// [`Control::refuse_credentials`].
    Authenticate(Credentials),
    /// Find out whether the user may use it: [`Control::opened`] or [`Control::refuse_open`].
    OpenVirtualHost(ShortString),
    /// A token in place of the one the client came with: [`Control::secret_updated`], or a close.
    UpdateSecret(Bytes),
    /// The client has closed: its channels are gone. Close the stream once all is written.
    Finished,
    /// Close the stream, and do not wait.
    Drop,
}

/// Channel 0 of one connection.
#[derive(Debug)]
pub struct Control {
    settings: Arc<Settings>,
    state: State,
    client: ClientProperties,
    mechanism: Mechanism,
    /// Whether a certificate may say who the client is.
    is_certified: bool,
    tuned: Option<Tuned>,
    heartbeat: Option<Heartbeat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    StartOk,
    Authenticating,
    TuneOk,
    Open,
    Opening,
    Running,
    /// Nothing counts any more but the client's close-ok, or its own close.
    Closing(Duration),
    /// The same without a close that could be answered.
    Unheard(Duration),
    Finished,
}

impl Control {
    /// Of a connection just accepted.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            state: State::Header,
            client: ClientProperties::default(),
            mechanism: Mechanism::Plain,
            is_certified: false,
            tuned: None,
            heartbeat: None,
        }
    }

    /// The client has shown a certificate, which may say who it is.
    pub const fn certify(&mut self) {
        self.is_certified = true;
    }

    /// Ways to authenticate, in the order they are offered.
    fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let external = self.is_certified.then_some(Mechanism::External);
        self.settings.mechanisms.iter().copied().chain(external)
    }

    /// What the client says of itself; nothing before its `start-ok`.
    #[must_use]
    pub const fn client(&self) -> &ClientProperties {
        &self.client
    }

    /// What was agreed on; nothing before `tune-ok`.
    #[must_use]
    pub const fn tuned(&self) -> Option<&Tuned> {
        self.tuned.as_ref()
    }

    /// Longest frame the client may send by now, and may be sent.
    #[must_use]
    pub fn frame_max(&self) -> FrameMax {
        self.tuned
            .map_or(FrameMax::BEFORE_TUNE, |tuned| tuned.frame_max)
    }

    /// How the client says who it is.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether the connection is open, so that channels may be.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Whether all but channel 0 is to be dropped as it comes, undecoded.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(
            self.state,
            State::Closing(_) | State::Unheard(_) | State::Finished
        )
    }

    /// Answers the client's first eight bytes.
    pub fn greet(&mut self, header: ProtocolHeader, out: &mut BytesMut) -> Option<Event> {
        if let Some(refusal) = header.refusal() {
            out.extend_from_slice(&refusal);
            self.state = State::Finished;
            return Some(Event::Finished);
        }
        let names: Vec<_> = self.mechanisms().map(Mechanism::name).collect();
        let mechanisms = names.join(" ");
        self.state = State::StartOk;
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: self.settings.profile.table(),
            mechanisms: mechanisms.into(),
            locales: Bytes::from_static(b"en_US"),
        };
        say(start, out);
        None
    }

    /// Takes the next method of channel 0. Heartbeats are [`Control::note_received`]'s.
    pub fn accept(
        &mut self,
        method: ClientMethod,
        now: Duration,
        out: &mut BytesMut,
    ) -> Option<Event> {
        match (self.state, method) {
            (State::Closing(_), ClientMethod::ConnectionCloseOk(_)) => {
                self.state = State::Finished;
                Some(Event::Finished)
            }
            (State::Closing(_), ClientMethod::ConnectionClose(_)) => {
                // It still waits for an answer to its own, and may not answer ours.
                say(connection::CloseOk {}, out);
                None
            }
            (State::Closing(_) | State::Unheard(_) | State::Finished, _) => None,
            (_, ClientMethod::ConnectionClose(_)) => {
                say(connection::CloseOk {}, out);
                self.state = State::Finished;
                Some(Event::Finished)
            }
            (State::StartOk, ClientMethod::ConnectionStartOk(start)) => {
                self.authenticate(start, now, out)
            }
            (State::TuneOk, ClientMethod::ConnectionTuneOk(answer)) => {
                self.tune(&answer, now, out);
                None
            }
            (State::Open, ClientMethod::ConnectionOpen(open)) => {
                self.state = State::Opening;
                Some(Event::OpenVirtualHost(open.virtual_host))
            }
            (State::Running, ClientMethod::ConnectionUpdateSecret(update)) => {
                Some(Event::UpdateSecret(update.new_secret))
            }
            (_, method) => {
                let text = format!("unexpected method in connection state {}", self.name());
                self.refuse(ReplyCode::ChannelError, &text, method.id(), now, out);
                None
            }
        }
    }

    fn authenticate(
        &mut self,
        start: connection::StartOk,
        now: Duration,
        out: &mut BytesMut,
    ) -> Option<Event> {
        self.client = ClientProperties::new(start.client_properties);
        let mut offered = self.mechanisms();
        let asked = offered.find(|each| each.name() == start.mechanism.as_str());
        drop(offered);
        let Some(mechanism) = asked else {
            let text = format!("unknown authentication mechanism '{}'", start.mechanism);
            self.refuse(ReplyCode::CommandInvalid, &text, START_OK, now, out);
            return None;
        };
        self.mechanism = mechanism;
        let Some(credentials) = mechanism.read(&start.response) else {
            // Not with the response, which may be a secret in the wrong form.
            let text = format!("{} response invalid", self.mechanism.name());
            self.refuse(ReplyCode::SyntaxError, &text, START_OK, now, out);
            return None;
        };
        self.state = State::Authenticating;
        Some(Event::Authenticate(credentials))
    }

    /// The client is who it says.
    pub fn authenticated(&mut self, out: &mut BytesMut) {
        if self.state == State::Authenticating {
            self.state = State::TuneOk;
            say(self.settings.offer.tune(), out);
        }
    }

    /// The client is not let in. One that is too old to be told sees its stream end.
    pub fn refuse_credentials(&mut self, now: Duration, out: &mut BytesMut) {
        if !self.client.takes_authentication_close() {
            self.state = State::Unheard(now + CLOSE_UNREAD);
            return;
        }
        let text = format!(
            "Login was refused using authentication mechanism {}. For details see the broker \
             logfile.",
            self.mechanism.name()
        );
        self.refuse(ReplyCode::AccessRefused, &text, MethodId::NONE, now, out);
    }

    fn tune(&mut self, answer: &connection::TuneOk, now: Duration, out: &mut BytesMut) {
        match self.settings.offer.agree(answer) {
            Ok(tuned) => {
                self.tuned = Some(tuned);
                let heartbeat = |interval| Heartbeat::new(interval, now);
                self.heartbeat = tuned.heartbeat.map(heartbeat);
                self.state = State::Open;
            }
            Err(text) => self.refuse(ReplyCode::NotAllowed, &text, TUNE_OK, now, out),
        }
    }

    /// The client may use the virtual host.
    pub fn opened(&mut self, out: &mut BytesMut) {
        if self.state == State::Opening {
            self.state = State::Running;
            say(connection::OpenOk::default(), out);
        }
    }

    /// The client may not use the virtual host, for a reason as RabbitMQ words it: `vhost v not
    /// found`.
    pub fn refuse_open(&mut self, reason: &str, now: Duration, out: &mut BytesMut) {
        self.refuse(ReplyCode::NotAllowed, reason, OPEN, now, out);
    }

    /// The new secret is taken.
    pub fn secret_updated(&mut self, out: &mut BytesMut) {
        if self.state == State::Running {
            say(connection::UpdateSecretOk {}, out);
        }
    }

    /// Closes because of what the client sent, unless that ends no more than its channel.
    pub fn fail(&mut self, error: &DecodeError, now: Duration, out: &mut BytesMut) {
        if error.scope() == Scope::Channel {
            return;
        }
        self.close(error.close(), now, out);
        if error.ends_input() && matches!(self.state, State::Closing(_)) {
            self.state = State::Unheard(now + CLOSE_UNREAD);
        }
    }

    /// Closes the connection: tells the client, and waits for its answer while what it sends is
    /// dropped, so that it gets to read why.
    pub fn close(&mut self, close: connection::Close, now: Duration, out: &mut BytesMut) {
        match self.state {
            State::Closing(_) | State::Unheard(_) | State::Finished => {}
            // Nobody there speaks AMQP yet.
            State::Header => self.state = State::Unheard(now),
            _ => {
                self.state = State::Closing(now + CLOSE);
                say(close, out);
            }
        }
    }

    fn refuse(
        &mut self,
        code: ReplyCode,
        text: &str,
        method: MethodId,
        now: Duration,
        out: &mut BytesMut,
    ) {
        let close = connection::Close::new(code, code.text(text), method);
        self.close(close, now, out);
    }

    /// Something was read.
    pub fn note_received(&mut self, now: Duration) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.note_received(now);
        }
    }

    /// Something was written.
    pub fn note_sent(&mut self, now: Duration) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.note_sent(now);
        }
    }

    /// When to call [`Control::expire`]; to be asked again after every other call.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Finished => None,
            State::Closing(until) | State::Unheard(until) => Some(until),
            State::Running => self.heartbeat.map(|heartbeat| heartbeat.deadline()),
            _ => Some(HANDSHAKE),
        }
    }

    /// Does what is due: writes a heartbeat, or gives the client up.
    pub fn expire(&mut self, now: Duration, out: &mut BytesMut) -> Option<Event> {
        let is_over = match self.state {
            State::Finished => false,
            State::Running => self.beat(now, out),
            State::Closing(until) | State::Unheard(until) => now >= until,
            _ => now >= HANDSHAKE,
        };
        if is_over {
            self.state = State::Finished;
            return Some(Event::Drop);
        }
        None
    }

    /// Whether the peer is dead.
    fn beat(&mut self, now: Duration, out: &mut BytesMut) -> bool {
        let Some(heartbeat) = &mut self.heartbeat else {
            return false;
        };
        if heartbeat.is_due(now) {
            out.extend_from_slice(&HEARTBEAT_FRAME);
            heartbeat.note_sent(now);
        }
        heartbeat.is_dead(now)
    }

    const fn name(&self) -> &'static str {
        match self.state {
            State::Header | State::StartOk => "starting",
            State::Authenticating => "securing",
            State::TuneOk => "tuning",
            State::Open | State::Opening => "opening",
            State::Running => "running",
            State::Closing(_) | State::Unheard(_) => "closing",
            State::Finished => "closed",
        }
    }
}

const START_OK: MethodId = MethodId::new(10, 11);
const TUNE_OK: MethodId = MethodId::new(10, 31);
const OPEN: MethodId = MethodId::new(10, 40);

fn say(method: impl Into<ServerMethod>, out: &mut BytesMut) {
    method.into().encode(0, out);
}

#[cfg(test)]
mod tests;
