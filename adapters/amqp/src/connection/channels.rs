//! The channels of an open connection.

use super::waiting::{Answer, Waiting};
use crate::channel::{Channel, Desk, Session, Transaction, unimplemented};
use crate::codec::method::{basic, channel};
use crate::codec::{
    ClientMethod, Command, Content, Frame, MethodId, Payload, ReplyCode, Scope, ServerMethod,
};
use crate::consuming::{Consuming, Letter, sooner};
use crate::fault::Fault;
use crate::publishing::{Batch, Stored};
use gantry_connection::Outgoing;
use std::collections::{HashMap, VecDeque};
use std::task::Context;
use std::time::Duration;

/// What ends the connection, and at which method.
pub(super) type Failure = (Fault, MethodId);

/// All of them, with what waits to be done and written.
#[derive(Debug)]
pub(super) struct Channels {
    session: Session,
    /// Most at a time.
    channels_max: u16,
    by_number: HashMap<u16, Slot>,
    /// Published, and not in the log yet.
    batch: Batch,
    /// Channels that have acknowledged what is not done yet.
    settling: Vec<u16>,
    waiting: Waiting,
    /// Taken out of the outbox, and not written yet.
    letters: VecDeque<Letter>,
    /// When an acknowledgement may be late.
    next_look: Option<Duration>,
}

/// A channel's number that is in use.
#[derive(Debug)]
enum Slot {
    Open(Box<Channel>),
    /// It was closed by us; what comes is dropped until the client says that it knows.
    Closing,
}

impl Channels {
    pub(super) fn new(session: Session, channels_max: u16) -> Self {
        Self {
            session,
            channels_max,
            by_number: HashMap::new(),
            batch: Batch::default(),
            settling: Vec::new(),
            waiting: Waiting::default(),
            letters: VecDeque::new(),
            next_look: None,
        }
    }

    /// Takes the next frame of a channel.
    ///
    /// # Errors
    /// What ends the connection.
    pub(super) fn accept(&mut self, frame: Frame, out: &mut Outgoing) -> Result<(), Failure> {
        let Frame { channel, payload } = frame;
        let command = match self.by_number.get_mut(&channel) {
            Some(Slot::Open(open)) => open.assembler.accept(payload),
            Some(Slot::Closing) => return self.accept_closing(channel, &payload, out),
            None => return self.open(channel, &payload, out),
        };
        match command {
            Ok(None) => Ok(()),
            Ok(Some(Command::Publish(method, content))) => {
                self.publish(channel, (method, content), out)
            }
            Ok(Some(Command::Method(method))) => self.call(channel, method, out),
            Err(error) => {
                let fault = Fault::new(error.reply_code(), &error);
                self.finish_and_fail(channel, fault, error.method(), out)
            }
        }
    }

    /// A frame of a channel that is not open.
    fn open(&mut self, number: u16, payload: &Payload, out: &mut Outgoing) -> Result<(), Failure> {
        let unopened = |method| {
            let text = "expected 'channel.open'";
            Err((Fault::new(ReplyCode::ChannelError, text), method))
        };
        let Payload::Method(method) = payload else {
            return unopened(MethodId::NONE);
        };
        let method = ClientMethod::decode(method)
            .map_err(|error| (Fault::new(error.reply_code(), &error), error.method()))?;
        let ClientMethod::ChannelOpen(_) = method else {
            return unopened(method.id());
        };
        let (count, most) = (self.by_number.len(), self.channels_max);
        if count >= usize::from(most) {
            let text = format!(
                "number of channels opened ({count}) has reached the negotiated channel_max ({most})"
            );
            return Err((Fault::new(ReplyCode::NotAllowed, text), MethodId::NONE));
        }
        self.check_user_limit()?;
        let opened = Channel::new(&self.session, number);
        self.by_number.insert(number, Slot::Open(Box::new(opened)));
        say(number, channel::OpenOk::default(), out);
        Ok(())
    }

    /// # Errors
    /// Its user has as many channels as it may have, on all connections together.
    fn check_user_limit(&self) -> Result<(), Failure> {
        let (server, user) = (&self.session.server, &self.session.open.user);
        let limit = server.accounts.user_limits(user).max_channels;
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
            return Ok(());
        };
        if server.registry.channel_count(user) < limit {
            return Ok(());
        }
        let text = format!(
            "number of channels opened for user '{user}' has reached the maximum allowed user \
             limit of ({limit})"
        );
        Err((Fault::new(ReplyCode::NotAllowed, text), MethodId::NONE))
    }

    /// A frame of a channel that we have closed.
    fn accept_closing(
        &mut self,
        number: u16,
        payload: &Payload,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        let Payload::Method(method) = payload else {
            return Ok(());
        };
        match ClientMethod::decode(method) {
            Ok(ClientMethod::ChannelCloseOk(_)) => {
                self.by_number.remove(&number);
                Ok(())
            }
            Ok(ClientMethod::ChannelClose(_)) => {
                say(number, channel::CloseOk {}, out);
                Ok(())
            }
            Ok(method @ ClientMethod::ChannelOpen(_)) => Err((opened_twice(), method.id())),
            _ => Ok(()),
        }
    }

    fn publish(
        &mut self,
        number: u16,
        message: (basic::Publish, Content),
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        let Some(Slot::Open(open)) = self.by_number.get_mut(&number) else {
            return Ok(());
        };
        open.publish(&self.session, message, &mut self.batch)
            .or_else(|fault| self.finish_and_fail(number, fault, PUBLISH, out))
    }

    fn call(
        &mut self,
        number: u16,
        method: ClientMethod,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        let id = method.id();
        if let ClientMethod::BasicAck(method) = &method {
            return self.acknowledge(number, method, out);
        }
        // What was published and acknowledged before is to be seen.
        self.finish_work(out)?;
        let Some(Slot::Open(open)) = self.by_number.get_mut(&number) else {
            return Ok(());
        };
        let mut desk = Desk {
            session: &self.session,
            letters: &mut self.letters,
            out,
        };
        let done = match method {
            ClientMethod::ChannelClose(_) => {
                self.end(number);
                self.by_number.remove(&number);
                say(number, channel::CloseOk {}, out);
                return Ok(());
            }
            ClientMethod::ChannelOpen(_) => Err(opened_twice()),
            ClientMethod::TxCommit(_) => match open.take_transaction() {
                Ok(transaction) => return self.commit(number, transaction, out),
                Err(fault) => Err(fault),
            },
            method if method.id().class == CONNECTION => Err(unimplemented()),
            method => {
                let accepted = open.accept(method, &mut desk);
                open.note_all();
                self.next_look = sooner(self.next_look, open.consuming.next_look());
                accepted
            }
        };
        done.or_else(|fault| self.fail(number, fault, id, out))
    }

    fn acknowledge(
        &mut self,
        number: u16,
        method: &basic::Ack,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        let Some(Slot::Open(open)) = self.by_number.get_mut(&number) else {
            return Ok(());
        };
        match open.acknowledge(method) {
            Ok(is_to_settle) => {
                if is_to_settle {
                    self.settling.push(number);
                }
                Ok(())
            }
            Err(fault) => self.finish_and_fail(number, fault, ACK, out),
        }
    }

    fn commit(
        &mut self,
        number: u16,
        transaction: Transaction,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        let Transaction {
            published,
            settled,
            requeued,
            rejected,
            ..
        } = transaction;
        for (message, routed) in published {
            self.batch.put(number, None, message, routed);
        }
        self.batch.consume(&settled);
        let last = self.store(out)?;
        let Some(Slot::Open(open)) = self.by_number.get_mut(&number) else {
            // Its messages could not be kept.
            return Ok(());
        };
        // Those of which no record says so, too.
        let done = open.consuming.settle(settled);
        let done = done.and_then(|()| open.consuming.requeue(requeued));
        let done = done.and_then(|()| open.consuming.reject(rejected));
        if let Err(fault) = done {
            return self.fail(number, fault, COMMIT, out);
        }
        self.answer(Answer::Committed(number), last, out);
        Ok(())
    }

    /// Does what was published, then what was acknowledged.
    ///
    /// # Errors
    /// What ends the connection.
    pub(super) fn finish_work(&mut self, out: &mut Outgoing) -> Result<(), Failure> {
        if !self.batch.is_empty() {
            self.store(out)?;
        }
        for number in std::mem::take(&mut self.settling) {
            if let Some(Slot::Open(open)) = self.by_number.get_mut(&number)
                && let Err(fault) = open.settle()
            {
                self.fail(number, fault, ACK, out)?;
            }
        }
        Ok(())
    }

    /// Writes what was published to the log; the receipt of what is not yet durable of it.
    fn store(&mut self, out: &mut Outgoing) -> Result<Option<gantry_core::Receipt>, Failure> {
        let shared = &self.session.shared;
        let from = (&shared.client, &*shared.replies);
        let stored = self.batch.store(from, shared.frame_max, out);
        let Stored {
            outcomes,
            mut last,
            failed,
        } = stored;
        if !outcomes.is_empty() {
            self.answer(Answer::Outcomes(outcomes), last.take(), out);
        }
        for (number, fault) in failed {
            self.fail(number, fault, PUBLISH, out)?;
        }
        Ok(last)
    }

    /// Answers at once, or when it is durable and everything before it is answered.
    fn answer(
        &mut self,
        answer: Answer,
        receipt: Option<gantry_core::Receipt>,
        out: &mut Outgoing,
    ) {
        if receipt.is_none() && self.waiting.is_empty() {
            answer.write(out.head());
            self.note_answered(&answer);
        } else {
            self.waiting.put(answer, receipt);
        }
    }

    fn note_answered(&self, answer: &Answer) {
        for (number, tag) in answer.answered() {
            if let Some(Slot::Open(open)) = self.by_number.get(&number) {
                open.note_answered(tag);
            }
        }
    }

    /// Ends a channel because of `fault`, unless that ends the connection.
    fn fail(
        &mut self,
        number: u16,
        fault: Fault,
        method: MethodId,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        if fault.scope() == Scope::Connection {
            return Err((fault, method));
        }
        if !matches!(self.by_number.get(&number), Some(Slot::Open(_))) {
            return Ok(());
        }
        self.end(number);
        self.by_number.insert(number, Slot::Closing);
        say(number, channel::Close::from(fault.close(method)), out);
        Ok(())
    }

    /// The same once what came before is done.
    fn finish_and_fail(
        &mut self,
        number: u16,
        fault: Fault,
        method: MethodId,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        self.finish_work(out)?;
        self.fail(number, fault, method, out)
    }

    /// Gives back what a channel has, and forgets what it waits for.
    fn end(&mut self, number: u16) {
        if let Some(Slot::Open(open)) = self.by_number.get_mut(&number) {
            open.end();
        }
        self.waiting.forget(number);
        let shared = &self.session.shared;
        for letter in shared.outbox.take_for(number, &mut self.letters) {
            Consuming::discard(&shared.room, &letter);
        }
    }

    /// Writes something of what others have for the client, and wakes the task when there is more.
    ///
    /// # Errors
    /// What ends the connection.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        let mut given = Vec::new();
        let waited = self.waiting.poll(context, (out.head(), &mut given));
        given.iter().for_each(|answer| self.note_answered(answer));
        if let Err((channel, error)) = waited {
            self.fail(channel, error.into(), COMMIT, out)?;
        }
        if self.letters.is_empty() {
            self.letters = self.session.shared.outbox.take(context.waker());
        }
        let before = out.len();
        for _ in 0..SILENT_LETTERS_MAX {
            match self.letters.pop_front() {
                Some(letter) => self.write(letter, out)?,
                None => return Ok(()),
            }
            if out.len() > before {
                return Ok(());
            }
        }
        // Others are to have their turn.
        context.waker().wake_by_ref();
        Ok(())
    }

    fn write(&mut self, letter: Letter, out: &mut Outgoing) -> Result<(), Failure> {
        let number = letter.channel;
        match self.by_number.get_mut(&number) {
            Some(Slot::Open(open)) => match open.consuming.write(letter, out) {
                Ok(()) => {
                    open.note_deliveries();
                    self.next_look = sooner(self.next_look, open.consuming.next_look());
                    Ok(())
                }
                Err(fault) => self.fail(number, fault, DELIVER, out),
            },
            _ => {
                Consuming::discard(&self.session.shared.room, &letter);
                Ok(())
            }
        }
    }

    /// When to call [`Channels::expire`].
    pub(super) const fn next_look(&self) -> Option<Duration> {
        self.next_look
    }

    /// Closes channels whose acknowledgements are late.
    ///
    /// # Errors
    /// What ends the connection.
    pub(super) fn expire(&mut self, now: Duration, out: &mut Outgoing) -> Result<(), Failure> {
        let mut late = Vec::new();
        self.next_look = None;
        for (number, slot) in &mut self.by_number {
            let Slot::Open(open) = slot else { continue };
            match open.consuming.expire(now) {
                Ok(()) => {
                    self.next_look = sooner(self.next_look, open.consuming.next_look());
                }
                Err(fault) => late.push((*number, fault)),
            }
        }
        for (number, fault) in late {
            self.finish_and_fail(number, fault, MethodId::NONE, out)?;
        }
        Ok(())
    }

    /// Ends all of them, and gives back what the connection has to itself.
    pub(super) fn end_all(mut self) {
        if !self.batch.is_empty() {
            let mut unread = Outgoing::default();
            let _told = self.store(&mut unread);
        }
        for slot in self.by_number.values_mut() {
            if let Slot::Open(open) = slot {
                open.end();
            }
        }
        if let Err(fault) = self.session.topology.end() {
            tracing::warn!(%fault, "exclusive queues stay until the next start");
        }
    }
}

/// Letters that are looked at in one turn although nothing is written for them.
const SILENT_LETTERS_MAX: usize = 16;
/// The class of what belongs on channel 0.
const CONNECTION: u16 = 10;
const PUBLISH: MethodId = MethodId::new(60, 40);
const DELIVER: MethodId = MethodId::new(60, 60);
const ACK: MethodId = MethodId::new(60, 80);
const COMMIT: MethodId = MethodId::new(90, 20);

fn opened_twice() -> Fault {
    Fault::new(ReplyCode::ChannelError, "second 'channel.open' seen")
}

fn say(channel: u16, method: impl Into<ServerMethod>, out: &mut Outgoing) {
    method.into().encode(channel, out.head());
}
