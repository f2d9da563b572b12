//! The relay that has producers asked how their transactions ended, in rounds, and gives up those
//! of which nobody says anything.

use super::Next;
use super::checks::Posed;
use super::settle::Outcome;
use crate::Error;
use crate::broker::Client;
use crate::broker::shared::Shared;
use crate::index::Entry;
use crate::model::{GroupName, Message, QueueId, Timestamp, TopicName, property};
use crate::queue::Queue;
use crate::record::{Draft, Placement, RecordView};
use crate::state::Command;
use crate::store::group_tag;
use crate::transactions::{CheckAnswer, HalfCheck, TransactionConfig, immunity_ms};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

/// Groups of which is remembered that nobody is there; of the others it is found out again.
const ABSENT_MAX: usize = 10_000;
/// After what could not be appended, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// Asks for the outcome of half messages.
#[derive(Debug)]
pub(crate) struct TransactionRelay {
    round: Option<Round>,
    next_round: Timestamp,
}

/// One look at all half messages there were when it began. What is kept of it does not grow with
/// them.
#[derive(Debug)]
struct Round {
    began: Timestamp,
    cursor: u64,
    end: u64,
    /// The groups without a producer, as the index has them.
    absent: HashSet<i32>,
}

/// How far a round has come.
enum Came {
    /// There is more to look at.
    On,
    /// More questions must wait for answers.
    Stuck,
    ToItsEnd,
    Failed,
}

impl TransactionRelay {
    /// The first round is one interval from `now`: a restart takes producers away.
    pub(super) fn new(now: Timestamp, config: &TransactionConfig) -> Self {
        Self {
            round: None,
            next_round: now.plus_millis(config.check_interval_ms),
        }
    }

    /// Has some producers asked, if it is time.
    pub(super) fn step(&mut self, shared: &Arc<Shared>) -> Next {
        let Some((_, queue)) = shared.half_queue() else {
            return Next::Woken;
        };
        let now = shared.clock.now();
        if shared.store.health.check_admission().is_err() {
            return Next::At(now.plus_millis(RETRY_MS));
        }
        self.take_answers(shared, &queue);
        let interval = shared.config.transactions.check_interval_ms.max(1);
        // The clock may have been set back.
        self.next_round = self.next_round.min(now.plus_millis(interval));
        if self.round.is_none() {
            if now < self.next_round {
                return Next::At(self.next_round);
            }
            self.round = Some(Round {
                began: now,
                cursor: 0,
                end: queue.range(shared.store.appended()).end.get(),
                absent: HashSet::new(),
            });
        }
        let Some(round) = &mut self.round else {
            return Next::Now;
        };
        match round.go_on(shared, &queue, now) {
            Came::On => Next::Now,
            Came::Stuck => Next::Woken,
            Came::Failed => Next::At(now.plus_millis(RETRY_MS)),
            Came::ToItsEnd => {
                self.next_round = round.began.plus_millis(interval);
                self.round = None;
                Next::At(self.next_round)
            }
        }
    }

    /// Counts the questions that were put to somebody. One command for many of them: the half
    /// messages stay where they are, so that whoever holds on to their places finds them.
    fn take_answers(&mut self, shared: &Shared, queue: &Queue) {
        let mut offsets = Vec::new();
        for (check, answer) in shared.checks.take_answers() {
            match (answer, &mut self.round) {
                (CheckAnswer::Asked, _) => offsets.push(check.offset.get()),
                (CheckAnswer::NobodyThere, Some(round)) if round.absent.len() < ABSENT_MAX => {
                    round.absent.insert(group_tag(check.group.as_str()));
                }
                (CheckAnswer::NobodyThere | CheckAnswer::Busy, _) => {}
            }
        }
        if offsets.is_empty() {
            return;
        }
        let mut state = shared.state_mut();
        let queue = queue.number();
        offsets.retain(|offset| !state.is_settled(queue, *offset));
        if offsets.is_empty() {
            return;
        }
        if let Err(error) = shared.log(&mut state, Command::CountChecks { queue, offsets }) {
            tracing::warn!(%error, "checks of transactions could not be counted");
        }
    }
}

/// What a look at a half message found.
enum Look {
    Ask(HalfCheck),
    /// It is to be left alone.
    Leave,
    GiveUp(Outcome),
}

impl Round {
    fn go_on(&mut self, shared: &Arc<Shared>, queue: &Arc<Queue>, now: Timestamp) -> Came {
        let open = shared.open_halves(queue, self.cursor, self.end);
        self.cursor = open.first().map_or(self.end, |(first, _)| first.base.get());
        let client = Client {
            shared: Arc::clone(shared),
        };
        let mut outcomes = Vec::new();
        let mut came = if open.is_empty() {
            Came::ToItsEnd
        } else {
            Came::On
        };
        for (entry, checks) in open {
            let offset = entry.base.get();
            match self.look(&client, queue, &entry, checks, now) {
                Ok(Look::Leave) => {}
                Ok(Look::GiveUp(outcome)) => outcomes.push(outcome),
                Ok(Look::Ask(check)) => {
                    if shared.checks.pose(check) == Posed::Full {
                        came = Came::Stuck;
                        break;
                    }
                }
                // It left the log, or cannot be read.
                Err(error) => tracing::warn!(%error, offset, "a half message is passed over"),
            }
            self.cursor = entry.end().get();
        }
        match give_up(shared, queue, outcomes) {
            Ok(()) => came,
            Err(error) => {
                tracing::warn!(%error, "transactions could not be given up");
                Came::Failed
            }
        }
    }

    fn look(
        &self,
        client: &Client,
        queue: &Queue,
        entry: &Entry,
        checks: u32,
        now: Timestamp,
    ) -> Result<Look, Error> {
        let shared = &client.shared;
        let (config, retention) = (
            &shared.config.transactions,
            shared.config.store.retention_ms,
        );
        let age = now.millis_since(entry.stored_at);
        let is_old = retention > 0 && age > retention;
        let is_given_up = is_old || (checks >= config.check_max && age >= config.timeout_ms);
        if !is_given_up && (self.absent.contains(&entry.tag) || !shared.checks.has_asker()) {
            return Ok(Look::Leave);
        }
        let stored = client.stored(entry)?;
        let record =
            RecordView::parse(&stored.bytes).map_err(|error| Error::Storage(error.to_string()))?;
        let message = record.to_message();
        if is_given_up {
            let topic = shared.waiting_topic(property::GIVEN_UP_TOPIC)?;
            let id = QueueId::new(0);
            let outcome =
                Outcome::new(&client.shared, &topic, id, message, queue, entry.base.get())?;
            return Ok(Look::GiveUp(outcome));
        }
        let group = message.properties.value(property::PRODUCER_GROUP);
        let group = group.and_then(|group| GroupName::new(group).ok());
        let (Some(group), false) = (group, age < immunity_ms(&message.properties, config)) else {
            return Ok(Look::Leave);
        };
        Ok(Look::Ask(HalfCheck {
            group,
            position: entry.position,
            offset: entry.base,
            record: shown(message, &record, entry)?,
        }))
    }
}

/// Moves messages whose transactions nobody ended to where operators look for them.
fn give_up(shared: &Arc<Shared>, queue: &Queue, mut outcomes: Vec<Outcome>) -> Result<(), Error> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let _settling = shared.settling.lock();
    let state = shared.state.read();
    outcomes.retain(|outcome| !state.is_settled(queue.number(), outcome.offset));
    drop(state);
    let count = outcomes.len();
    tracing::warn!(
        count,
        topic = property::GIVEN_UP_TOPIC,
        "transactions are given up: no producer said how they ended"
    );
    let placed = shared.append_outcomes(queue, outcomes);
    placed
        .into_iter()
        .try_for_each(|(_, placed)| placed.map(|_| ()))
}

/// A half message as its producer gave it.
pub(super) fn shown(
    mut message: Message,
    record: &RecordView,
    entry: &Entry,
) -> Result<Bytes, Error> {
    let illegal = |error: &dyn std::fmt::Display| Error::Invalid(error.to_string());
    let properties = &message.properties;
    let named = properties.value(property::REAL_TOPIC).unwrap_or_default();
    let topic = TopicName::new(named).map_err(|error| illegal(&error))?;
    let id = properties.value(property::REAL_QUEUE);
    let id = QueueId::new(id.and_then(|id| id.parse().ok()).unwrap_or(0));
    let kept = properties.rewritten(property::is_internal, &[]);
    message.properties = kept.map_err(|error| illegal(&error))?;
    let draft = Draft::message(&topic, id, message, &[])
        .map_err(|size| Error::Invalid(format!("the properties have {size} bytes")))?;
    let place = Placement {
        position: entry.position,
        queue_offset: entry.base,
        also: &[],
        stored_at: entry.stored_at,
        store_host: record.store_host(),
    };
    Ok(draft.encode(&place).into_bytes())
}
