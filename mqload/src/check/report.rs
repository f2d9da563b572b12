use std::collections::BTreeMap;
use std::fmt;

/// Examples kept of each finding.
const EXAMPLES_MAX: usize = 5;

/// What a broker must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// A message was acknowledged and is not there.
    Lost,
    /// A message is there that nobody sent, or whose sending was refused.
    Phantom,
    /// A message is there more than once, though it was sent once or numbered.
    Duplicate,
    /// A message is elsewhere than it was acknowledged to be, or in another queue than it was
    /// sent to.
    Moved,
    /// A message came before its time.
    Early,
    /// A message is there whose transaction was rolled back.
    RolledBack,
    /// A message is there before, or without, its transaction's commit being asked for.
    Undecided,
    /// A message's body is not the one that was sent.
    Damaged,
    /// A queue lacks an offset between its start and its end.
    Hole,
    /// One place holds different messages at different times or in different protocols.
    Disagreement,
    /// Two messages of a producer in a queue are not in the order they were sent.
    ProducerOrder,
    /// A message lies behind one that was sent only after it was acknowledged.
    RealTimeOrder,
    /// A message was handed out, or became a dead letter, after it was acknowledged.
    HandedOutAgain,
    /// A message was handed out while somebody else had it.
    SharedLease,
    /// A message was handed out for no more than the time it was handed out before.
    AttemptBack,
    /// A group's offset is lower than one committed or read before.
    CommitBack,
    /// A group's offset is higher than any that was committed.
    CommitPhantom,
}

/// What was counted and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages that were acknowledged.
    pub stored: u64,
    /// Messages that were refused.
    pub failed: u64,
    /// Messages whose fate was not told.
    pub unknown: u64,
    /// Messages seen, in all drains.
    pub seen: u64,
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Transactions that were ended.
    pub ended: u64,
    /// Of those, the ones the broker asked for.
    pub asked: u64,
    /// Leases: messages handed out.
    pub leases: u64,
    /// Of those, the ones that were handed out again.
    pub redelivered: u64,
    /// Leases that ended with an acknowledgement.
    pub consumed: u64,
    /// Messages that were sent back.
    pub sent_back: u64,
    /// Dead letters.
    pub dead: u64,
    /// Acknowledged messages that are not there, which the promise allows.
    pub excused: u64,
    findings: BTreeMap<Finding, Examples>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Examples {
    count: u64,
    first: Vec<String>,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How often `finding` was found.
    #[must_use]
    pub fn count(&self, finding: Finding) -> u64 {
        self.findings.get(&finding).map_or(0, |found| found.count)
    }

    /// Each finding with how often it was found and its first examples.
    pub fn findings(&self) -> impl Iterator<Item = (Finding, u64, &[String])> {
        let findings = self.findings.iter();
        findings.map(|(finding, found)| (*finding, found.count, &found.first[..]))
    }

    pub(super) fn add(&mut self, finding: Finding, example: impl FnOnce() -> String) {
        let found = self.findings.entry(finding).or_default();
        found.count += 1;
        if found.first.len() < EXAMPLES_MAX {
            found.first.push(example());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stored,
            failed,
            unknown,
            seen,
            commits,
            ended,
            asked,
            leases,
            redelivered,
            consumed,
            sent_back,
            dead,
            excused,
            findings,
        } = self;
        writeln!(
            out,
            "{stored} acknowledged, {failed} refused, {unknown} unknown, {seen} seen, \
             {commits} commits acknowledged"
        )?;
        if *ended > 0 {
            writeln!(
                out,
                "{ended} transactions ended, {asked} of them when asked"
            )?;
        }
        if *leases > 0 {
            writeln!(
                out,
                "{leases} leases, {redelivered} of them again, {consumed} acknowledged"
            )?;
        }
        if *leases + *sent_back > 0 {
            writeln!(out, "{sent_back} sent back, {dead} dead letters")?;
        }
        if *excused > 0 {
            writeln!(out, "{excused} acknowledged and lost as the promise allows")?;
        }
        if findings.is_empty() {
            return write!(out, "nothing found");
        }
        write!(out, "FOUND:")?;
        for (finding, found) in findings {
            write!(out, "\n{finding:?}: {}", found.count)?;
            for example in &found.first {
                write!(out, "\n    {example}")?;
            }
        }
        Ok(())
    }
}
