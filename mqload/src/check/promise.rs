use crate::ledger::{Commit, Entry};

/// What a broker promises of what it acknowledges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// Instants at which the broker was cut off, by [`crate::clock`]; each taken when it was
    /// certainly down.
    pub cuts_ns: Vec<u64>,
    /// A cut may take messages acknowledged up to this long before it. 0: it may take none.
    pub messages_ns: u64,
    /// A cut may take commits acknowledged up to this long before it. 0: it may take none.
    pub commits_ns: u64,
    /// A cut may take acknowledgements under leases, and how often messages were handed out, when
    /// that was answered up to this long before it, or before the last message was stored if none
    /// could be stored for a while. 0: it may take none. Whatever this is, a cut ends all leases.
    pub leases_ns: u64,
    /// Messages that one producer sent without waiting for the answer to the one before may
    /// overtake each other, as where a pool of threads serves a connection.
    pub may_overtake: bool,
}

impl Promise {
    /// All that was acknowledged is kept, in order.
    pub const KEEPS_ALL: Self = Self {
        cuts_ns: Vec::new(),
        messages_ns: 0,
        commits_ns: 0,
        leases_ns: 0,
        may_overtake: false,
    };

    /// Whether a cut may have taken the message.
    pub(super) fn may_lose(&self, entry: &Entry) -> bool {
        self.cuts_ns.iter().any(|cut| {
            // What was sent again and answered after the cut was stored after it.
            let before = entry.settled_ns <= *cut || entry.attempts <= 1;
            before && spans(entry.invoked_ns, entry.settled_ns, *cut, self.messages_ns)
        })
    }

    /// Whether a cut before `until` may have taken the commit.
    pub(super) fn may_forget(&self, commit: &Commit, until: u64) -> bool {
        let mut cuts = self.cuts_ns.iter().filter(|cut| **cut <= until);
        cuts.any(|cut| spans(commit.invoked_ns, commit.settled_ns, *cut, self.commits_ns))
    }

    /// Whether there was a cut.
    pub(super) fn is_cut(&self, from: u64, until: u64) -> bool {
        let mut cuts = self.cuts_ns.iter();
        cuts.any(|cut| (from..=until).contains(cut))
    }
}

/// Whether something asked before `cut` was answered no longer than `window` before it. The answer
/// may be read after the cut: it lay in the connection.
const fn spans(invoked: u64, settled: u64, cut: u64, window: u64) -> bool {
    window > 0 && invoked <= cut && settled.saturating_add(window) >= cut
}
