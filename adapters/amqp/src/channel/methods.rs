//! Methods that are answered at once.

use super::{Channel, Mode, Session, Transaction};
use crate::codec::method::{access, basic, channel, confirm, exchange, queue, tx};
use crate::codec::{ClientMethod, ReplyCode, ServerMethod};
use crate::consuming::{Letter, REPLY_TO, is_reply_address};
use crate::fault::Fault;
use crate::ledger::{ACCESS_REQUEST, Asked};
use gantry_connection::Outgoing;
use std::collections::VecDeque;

/// What a method is done with.
pub(crate) struct Desk<'a> {
    pub(crate) session: &'a Session,
    /// Taken out of the outbox, and not written yet.
    pub(crate) letters: &'a mut VecDeque<Letter>,
    pub(crate) out: &'a mut Outgoing,
}

impl Desk<'_> {
    fn say(&mut self, channel: u16, method: impl Into<ServerMethod>) {
        method.into().encode(channel, self.out.head());
    }

    fn say_unless(&mut self, no_wait: bool, channel: u16, method: impl Into<ServerMethod>) {
        if !no_wait {
            self.say(channel, method);
        }
    }
}

impl Channel {
    /// Does what is asked and answers it. Messages and acknowledgements, `tx.commit` and
    /// `channel.close` are others' to do.
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub(crate) fn accept(
        &mut self,
        method: ClientMethod,
        desk: &mut Desk<'_>,
    ) -> Result<(), Fault> {
        match method {
            ClientMethod::ExchangeDeclare(_)
            | ClientMethod::ExchangeDelete(_)
            | ClientMethod::ExchangeBind(_)
            | ClientMethod::ExchangeUnbind(_) => self.exchange(&method, desk),
            ClientMethod::QueueDeclare(_)
            | ClientMethod::QueueBind(_)
            | ClientMethod::QueuePurge(_)
            | ClientMethod::QueueDelete(_)
            | ClientMethod::QueueUnbind(_) => self.queue(&method, desk),
            ClientMethod::ConfirmSelect(_)
            | ClientMethod::TxSelect(_)
            | ClientMethod::TxRollback(_) => self.select(&method, desk),
            ClientMethod::ChannelFlow(channel::Flow { active }) => {
                if !active {
                    return Err(Fault::new(ReplyCode::NotImplemented, "active=false"));
                }
                desk.say(self.number, channel::FlowOk { active });
                Ok(())
            }
            ClientMethod::AccessRequest(_) => {
                let ledger = &desk.session.server.ledger;
                ledger.note(Asked::Method, ACCESS_REQUEST);
                desk.say(self.number, access::RequestOk { ticket: 1 });
                Ok(())
            }
            method => self.basic(method, desk),
        }
    }

    fn exchange(&self, method: &ClientMethod, desk: &mut Desk<'_>) -> Result<(), Fault> {
        let (topology, number) = (&desk.session.topology, self.number);
        match method {
            ClientMethod::ExchangeDeclare(method) => {
                topology.declare_exchange(method)?;
                desk.say_unless(method.no_wait, number, exchange::DeclareOk {});
            }
            ClientMethod::ExchangeDelete(method) => {
                topology.delete_exchange(method)?;
                desk.say_unless(method.no_wait, number, exchange::DeleteOk {});
            }
            ClientMethod::ExchangeBind(method) => {
                topology.bind_exchange(method)?;
                desk.say_unless(method.no_wait, number, exchange::BindOk {});
            }
            ClientMethod::ExchangeUnbind(method) => {
                topology.unbind_exchange(method)?;
                desk.say_unless(method.no_wait, number, exchange::UnbindOk {});
            }
            _ => return Err(unimplemented()),
        }
        Ok(())
    }

    fn queue(&mut self, method: &ClientMethod, desk: &mut Desk<'_>) -> Result<(), Fault> {
        let (topology, number) = (&desk.session.topology, self.number);
        let last = self.last_queue.as_ref();
        match method {
            ClientMethod::QueueDeclare(method) if is_reply_name(desk, method) => {
                let declared = queue::DeclareOk {
                    queue: method.queue.clone(),
                    message_count: 0,
                    consumer_count: 1,
                };
                desk.say_unless(method.no_wait, number, declared);
            }
            ClientMethod::QueueDeclare(method) => {
                let declared = topology.declare_queue(method, &mut self.last_queue)?;
                desk.say_unless(method.no_wait, number, declared);
            }
            ClientMethod::QueueBind(method) => {
                topology.bind_queue(method, last)?;
                desk.say_unless(method.no_wait, number, queue::BindOk {});
            }
            ClientMethod::QueueUnbind(method) => {
                topology.unbind_queue(method, last)?;
                desk.say(number, queue::UnbindOk {});
            }
            ClientMethod::QueuePurge(method) => {
                let message_count = topology.purge_queue(method, last)?;
                desk.say_unless(method.no_wait, number, queue::PurgeOk { message_count });
            }
            ClientMethod::QueueDelete(method) => {
                let message_count = topology.delete_queue(method, last)?;
                desk.say_unless(method.no_wait, number, queue::DeleteOk { message_count });
            }
            _ => return Err(unimplemented()),
        }
        Ok(())
    }

    fn basic(&mut self, method: ClientMethod, desk: &mut Desk<'_>) -> Result<(), Fault> {
        let number = self.number;
        match method {
            ClientMethod::BasicQos(method) => {
                self.consuming.limit(&method)?;
                desk.say(number, basic::QosOk {});
            }
            ClientMethod::BasicConsume(method) => return self.consume(&method, desk),
            ClientMethod::BasicCancel(method) => return self.cancel(method, desk),
            ClientMethod::BasicGet(method) => {
                let last = self.last_queue.as_ref();
                let topology = &desk.session.topology;
                let queue = topology.queue_or_last(&method.queue, last)?;
                topology.check_not_stream(&queue, "basic.get")?;
                return self.consuming.get(&method, &queue, desk.out);
            }
            ClientMethod::BasicNack(method) => {
                return self.give_up(method.delivery_tag, method.multiple, method.requeue);
            }
            ClientMethod::BasicReject(method) => {
                return self.give_up(method.delivery_tag, false, method.requeue);
            }
            ClientMethod::BasicRecover(method) => {
                self.consuming.recover(method.requeue)?;
                desk.say(number, basic::RecoverOk {});
            }
            ClientMethod::BasicRecoverAsync(method) => self.consuming.recover(method.requeue)?,
            // No server asks for what these answer, but for the last, which is not waited for.
            ClientMethod::BasicCancelOk(_) => {}
            _ => return Err(unimplemented()),
        }
        Ok(())
    }

    fn consume(&mut self, method: &basic::Consume, desk: &mut Desk<'_>) -> Result<(), Fault> {
        let limit = desk.session.server.config.consumers_per_channel_max;
        if self.consuming.consumer_count() >= limit {
            let text = format!("reached maximum ({limit}) of consumers per channel");
            return Err(Fault::new(ReplyCode::NotAllowed, text));
        }
        let consumer_tag = if method.queue.as_str() == REPLY_TO {
            self.consuming.consume_replies(method)?
        } else {
            let last = self.last_queue.as_ref();
            let queue = desk.session.topology.queue_or_last(&method.queue, last)?;
            self.consuming.consume(method, queue)?
        };
        let answer = basic::ConsumeOk {
            consumer_tag: consumer_tag.clone(),
        };
        desk.say_unless(method.no_wait, self.number, answer);
        self.consuming.begin(&consumer_tag)
    }

    fn cancel(&mut self, method: basic::Cancel, desk: &mut Desk<'_>) -> Result<(), Fault> {
        self.consuming.stop(&method.consumer_tag)?;
        // What is on its way to the consumer comes before the answer.
        let outbox = &desk.session.shared.outbox;
        for letter in outbox.take_for(self.number, desk.letters) {
            self.consuming.write(letter, desk.out)?;
        }
        self.consuming.forget(&method.consumer_tag)?;
        let answer = basic::CancelOk {
            consumer_tag: method.consumer_tag,
        };
        desk.say_unless(method.no_wait, self.number, answer);
        Ok(())
    }

    fn give_up(&mut self, tag: u64, multiple: bool, requeue: bool) -> Result<(), Fault> {
        let taken = self.consuming.take(tag, multiple)?;
        self.consuming.check_may_give_up(&taken)?;
        match (&mut self.mode, requeue) {
            (Mode::Transacting(transaction), true) => transaction.requeue(taken),
            (Mode::Transacting(transaction), false) => transaction.reject(taken),
            (_, true) => return self.consuming.requeue(taken),
            (_, false) => return self.consuming.reject(taken),
        }
        Ok(())
    }

    fn select(&mut self, method: &ClientMethod, desk: &mut Desk<'_>) -> Result<(), Fault> {
        let refuse = |text| Err(Fault::new(ReplyCode::PreconditionFailed, text));
        match (method, &mut self.mode) {
            (ClientMethod::ConfirmSelect(_), Mode::Transacting(_)) => {
                return refuse("cannot switch from tx to confirm mode");
            }
            (ClientMethod::ConfirmSelect(method), mode) => {
                if matches!(mode, Mode::Plain) {
                    *mode = Mode::Confirming { last: 0 };
                }
                desk.say_unless(method.no_wait, self.number, confirm::SelectOk {});
            }
            (ClientMethod::TxSelect(_), Mode::Confirming { .. }) => {
                return refuse("cannot switch from confirm to tx mode");
            }
            (ClientMethod::TxSelect(_), mode) => {
                if matches!(mode, Mode::Plain) {
                    *mode = Mode::Transacting(Transaction::default());
                }
                desk.say(self.number, tx::SelectOk {});
            }
            (ClientMethod::TxRollback(_), Mode::Transacting(transaction)) => {
                self.consuming.put_back(transaction.abandon());
                desk.say(self.number, tx::RollbackOk {});
            }
            (ClientMethod::TxRollback(_), _) => return refuse(NOT_TRANSACTIONAL),
            _ => return Err(unimplemented()),
        }
        Ok(())
    }

    /// What `tx.commit` is to do.
    ///
    /// # Errors
    /// A channel's fault.
    pub(crate) fn take_transaction(&mut self) -> Result<Transaction, Fault> {
        match &mut self.mode {
            Mode::Transacting(transaction) => Ok(std::mem::take(transaction)),
            _ => Err(Fault::new(ReplyCode::PreconditionFailed, NOT_TRANSACTIONAL)),
        }
    }
}

/// Whether a declared queue is where answers go.
fn is_reply_name(desk: &Desk<'_>, method: &queue::Declare) -> bool {
    let name = &method.queue;
    name.as_str() == REPLY_TO
        || (is_reply_address(name.as_str()) && desk.session.shared.replies.is_open(name))
}

const NOT_TRANSACTIONAL: &str = "channel is not transactional";

/// A method that has no place on a channel, or none from a client.
pub(crate) fn unimplemented() -> Fault {
    Fault::new(ReplyCode::CommandInvalid, "unimplemented method")
}
