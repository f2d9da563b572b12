//! What becomes of a transaction: a function of its message's number, so that whoever is asked
//! knows it.

use crate::body::{MessageId, mix};
use crate::ledger::Decision;

/// How the broker comes to know the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is told at once, without an answer.
    OneWay,
    /// It is told at once, and answers.
    Answered,
    /// It has to ask.
    Asked,
    /// It has to ask twice.
    AskedAgain,
}

/// What becomes of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) decision: Decision,
    pub(super) told: Told,
}

impl Plan {
    pub(super) fn of(id: MessageId) -> Self {
        let dice = mix(mix(id.sequence).wrapping_add(u64::from(id.producer)));
        Self {
            decision: if dice % 8 < 5 {
                Decision::Commit
            } else {
                Decision::Rollback
            },
            told: match dice / 8 % 16 {
                0..6 => Told::OneWay,
                6..11 => Told::Answered,
                11..14 => Told::Asked,
                _ => Told::AskedAgain,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_every_decision() {
        let plans = (0..1_000).map(|sequence| {
            Plan::of(MessageId {
                producer: 3,
                sequence,
            })
        });
        let plans: Vec<Plan> = plans.collect();
        for told in [Told::OneWay, Told::Answered, Told::Asked, Told::AskedAgain] {
            for decision in [Decision::Commit, Decision::Rollback] {
                let plan = Plan { decision, told };
                let count = plans.iter().filter(|one| **one == plan).count();
                assert!(count > 20, "{plan:?}: {count}");
            }
        }
    }
}
