//! What a broker may have forgotten of its leases when it was cut off.

use super::super::Promise;
use crate::ledger::{Lease, Ledger, Outcome};

/// The cuts, each with when what it may have taken began.
#[derive(Debug)]
pub(in crate::check) struct Memory {
    cuts: Vec<(u64, u64)>,
}

impl Memory {
    /// A broker notes what became of leases where it stores messages: while it could store none,
    /// it could not note any. So the time the promise gives it ends with the last message that
    /// was stored before the cut.
    pub(in crate::check) fn new(ledgers: &[Ledger], promise: &Promise) -> Self {
        let entries = || ledgers.iter().flat_map(|ledger| &ledger.entries);
        let stored = entries().filter(|entry| entry.outcome == Outcome::Stored);
        let mut stored: Vec<u64> = stored.map(|entry| entry.settled_ns).collect();
        stored.sort_unstable();
        let since = |cut: u64| {
            let before = stored.partition_point(|at| *at <= cut);
            let last = before.checked_sub(1).and_then(|at| stored.get(at));
            last.unwrap_or(&cut).saturating_sub(promise.leases_ns)
        };
        let cuts = promise.cuts_ns.iter().filter(|_| promise.leases_ns > 0);
        Self {
            cuts: cuts.map(|cut| (*cut, since(*cut))).collect(),
        }
    }

    /// Whether a cut before `until` may have taken what happened to a lease.
    pub(super) fn may_lack(&self, lease: &Lease, until: u64) -> bool {
        let mut cuts = self.cuts.iter().filter(|(cut, _)| *cut <= until);
        cuts.any(|(cut, since)| lease.invoked_ns <= *cut && lease.settled_ns >= *since)
    }
}
