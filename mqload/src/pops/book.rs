//! What all consumers of a load of pops write into.

use crate::clock;
use crate::ledger::{Lease, LeaseStep, Ledger, Outcome, Recorder};
use crate::rocketmq::Popped;
use anyhow::Result;

#[derive(Debug)]
pub(super) struct Book {
    recorder: Recorder,
    /// The last one given; from the time on, so that no two loads of a group have one in common.
    leases: u64,
}

/// A message, and the lease under which it is held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) popped: Popped,
    lease: u64,
    /// When the lease ends at the earliest.
    pub(super) until_ns: u64,
}

impl Book {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            leases: clock::now(),
        }
    }

    /// Enters a message that was handed out.
    pub(super) fn handed_out(&mut self, popped: Popped, hold_ms: u32, invoked_ns: u64) -> Held {
        self.leases += 1;
        let held = Held {
            popped,
            lease: self.leases,
            until_ns: invoked_ns.saturating_add(u64::from(hold_ms) * 1_000_000),
        };
        let step = LeaseStep::HandedOut;
        self.enter(step, Outcome::Stored, &held, hold_ms, invoked_ns);
        held
    }

    /// Enters what was said of a message.
    pub(super) fn enter(
        &mut self,
        step: LeaseStep,
        outcome: Outcome,
        held: &Held,
        hold_ms: u32,
        invoked_ns: u64,
    ) {
        self.recorder.lease(&Lease {
            step,
            outcome,
            lease: held.lease,
            attempt: held.popped.attempt,
            id: held.popped.id,
            queue: held.popped.queue,
            offset: held.popped.offset,
            hold_ms,
            invoked_ns,
            settled_ns: clock::now(),
        });
    }

    pub(super) fn finish(self) -> Result<Ledger> {
        self.recorder.finish()
    }
}
