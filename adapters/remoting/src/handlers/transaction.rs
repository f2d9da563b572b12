//! Transactions: their ends (37), the question how one ended (39), and asking again (323).

use crate::connection::BrokerConnection;
use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_connection::Replies;
use gantry_core::model::{PhysicalOffset, QueueOffset, property};
use gantry_core::record::RecordView;
use gantry_core::transactions::{EndError, HalfCheck, TransactionEnd, TransactionOutcome};
use gantry_core::{Durability, Ended, Error};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::{CheckTransaction, EndTransaction, ResumeCheck};
use gantry_remoting_protocol::record::MessageId;
use gantry_remoting_protocol::{Answer, Command, Request, RequestCode, ResponseCode};
use std::sync::Arc;

/// Ends of transactions of one connection that wait to be written together.
#[derive(Debug)]
pub(crate) struct EndStage {
    role: Arc<BrokerRole>,
    ends: Vec<TransactionEnd>,
    /// Who hears of each; nobody of a one-way request.
    reply_to: Vec<Option<ReplyTo>>,
}

impl EndStage {
    pub(crate) const fn new(role: Arc<BrokerRole>) -> Self {
        Self {
            role,
            ends: Vec::new(),
            reply_to: Vec::new(),
        }
    }

    /// Takes an end. What must be answered before it goes to `replies`.
    pub(crate) fn add(&mut self, command: &Command, replies: &mut Replies<BrokerConnection>) {
        let reply_to = (!command.flag.is_oneway()).then(|| command.reply_to());
        match end_of(command) {
            Ok(end) => {
                self.ends.push(end);
                self.reply_to.push(reply_to);
            }
            Err(refusal) => refuse(reply_to, &refusal, replies),
        }
    }

    /// Ends what was taken, and answers it.
    pub(crate) fn finish(&mut self, replies: &mut Replies<BrokerConnection>) {
        if self.ends.is_empty() {
            return;
        }
        let ends = std::mem::take(&mut self.ends);
        let ended = self
            .role
            .client
            .end_transactions(&ends, Durability::Configured);
        for (ended, reply_to) in ended.into_iter().zip(self.reply_to.drain(..)) {
            match (ended, reply_to) {
                (Ok(ended), Some(to)) => answer(ended, to, replies),
                (Ok(_), None) => {}
                (Err(error), to) => refuse(to, &refusal_of(error), replies),
            }
        }
    }
}

fn end_of(command: &Command) -> Result<TransactionEnd, Refusal> {
    let request: EndTransaction<'_> = command.header()?;
    let outcome = match request.outcome {
        EndTransaction::UNKNOWN => TransactionOutcome::Unknown,
        EndTransaction::COMMIT => TransactionOutcome::Commit,
        EndTransaction::ROLLBACK => TransactionOutcome::Rollback,
        other => {
            let remark = format!("commitOrRollback is {other}, neither 0, 8 nor 12");
            return Err(Refusal::new(ResponseCode::SystemError, remark));
        }
    };
    let position = u64::try_from(request.position).map_err(|_| refusal_of(EndError::NotFound))?;
    let offset = QueueOffset::from_wire(request.half_offset);
    Ok(TransactionEnd {
        group: request.group.to_owned(),
        position: PhysicalOffset::new(position),
        offset: offset.ok_or_else(|| refusal_of(EndError::WrongOffset))?,
        outcome,
        answers_check: request.is_from_check,
    })
}

/// Answers once the outcome is as durable as was asked.
fn answer(ended: Ended, to: ReplyTo, replies: &mut Replies<BrokerConnection>) {
    if ended.is_durable() {
        return Frame::answer(to, &Answer::OK).write(replies.ready());
    }
    replies.pending(Box::pin(async move {
        match ended.durable().await {
            Ok(()) => Frame::answer(to, &Answer::OK),
            Err(Error::FlushTimeout) => {
                Frame::answer(to, &Answer::of(ResponseCode::FlushDiskTimeout))
            }
            Err(error) => Frame::refusal(to, &error.into()),
        }
    }));
}

fn refuse(to: Option<ReplyTo>, refusal: &Refusal, replies: &mut Replies<BrokerConnection>) {
    tracing::debug!(remark = refusal.remark, "end of a transaction refused");
    if let Some(to) = to {
        Frame::refusal(to, refusal).write(replies.ready());
    }
}

fn refusal_of(error: EndError) -> Refusal {
    let (code, remark) = match error {
        EndError::NotFound | EndError::Ended => (
            ResponseCode::SystemError,
            "Find prepared transaction message failed",
        ),
        EndError::WrongGroup => (ResponseCode::SystemError, "The producer group wrong"),
        EndError::WrongOffset => (
            ResponseCode::SystemError,
            "The transaction state table offset wrong",
        ),
        EndError::WrongPosition => (ResponseCode::SystemError, "The commit log offset wrong"),
        EndError::TooLate => (
            ResponseCode::IllegalOperation,
            "the time the message gave its producer (CHECK_IMMUNITY_TIME_IN_SECONDS) is over",
        ),
        EndError::Other(error) => return error.into(),
    };
    Refusal::new(code, remark)
}

/// 39: asks a producer how the transaction of a half message ended.
pub(super) fn question(role: &BrokerRole, check: &HalfCheck) -> Option<Frame> {
    let record = RecordView::parse(&check.record).ok()?;
    let properties = record.properties();
    let unique_key = properties.value(property::UNIQ_KEY);
    let position = check.position.get().cast_signed();
    let offset_message_id = role.message_id(check.position).to_string();
    let header = CheckTransaction {
        topic: Some(property::HALF_TOPIC),
        broker_name: Some(&role.config.broker_name),
        half_offset: check.offset.to_wire(),
        position,
        message_id: unique_key,
        transaction_id: unique_key,
        offset_message_id: Some(&offset_message_id),
    };
    let request = Request {
        code: RequestCode::CheckTransactionState,
        opaque: role.next_opaque(),
        is_oneway: true,
        fields: Some(&header),
        body_len: 0,
    };
    Some(Frame::request(request, vec![check.record.clone()]))
}

/// 323: a message whose transaction was given up waits again, and its producer is asked again.
pub(super) fn resume(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: ResumeCheck<'_> = command.header()?;
    let failed = |remark: String| Refusal::new(ResponseCode::SystemError, remark);
    let id: MessageId = request
        .message_id
        .parse()
        .map_err(|_| failed(format!("{} is no message id", request.message_id)))?;
    let position = u64::try_from(id.offset).map_err(|_| refusal_of(EndError::NotFound))?;
    let resumed = role
        .client
        .resume_transaction(PhysicalOffset::new(position));
    resumed.map_err(|error| match error {
        EndError::Other(error) => error.into(),
        _ => failed("Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed.".to_owned()),
    })?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}
