//! One policy.

use super::QueueKind;
use fancy_regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most bytes that one compiled expression may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// How often an expression with assertions may go back in one name before it does not match.
const BACKTRACKS_MAX: usize = 100_000;

/// Settings for all exchanges and queues of a virtual host whose names match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// A regular expression; it may stand anywhere in a name.
    pub pattern: String,
    /// What they must be.
    pub applies_to: AppliesTo,
    /// Of those that match the greatest counts, alone.
    pub priority: i64,
    /// Settings by RabbitMQ's names, which are those of arguments without `x-`.
    pub definition: Map<String, Value>,
}

/// Whose policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A user's; arguments of queues come before it.
    User,
    /// An operator's, who limits what users and their policies may ask for.
    Operator,
}

/// What a policy is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// Exchanges and queues.
    #[default]
    All,
    /// All queues.
    Queues,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Streams.
    Streams,
    /// Exchanges.
    Exchanges,
}

impl AppliesTo {
    /// What RabbitMQ calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Queues => "queues",
            Self::ClassicQueues => "classic_queues",
            Self::QuorumQueues => "quorum_queues",
            Self::Streams => "streams",
            Self::Exchanges => "exchanges",
        }
    }

    /// What RabbitMQ calls so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::All,
            Self::Queues,
            Self::ClassicQueues,
            Self::QuorumQueues,
            Self::Streams,
            Self::Exchanges,
        ];
        all.into_iter().find(|one| one.name() == name)
    }

    const fn has_exchanges(self) -> bool {
        matches!(self, Self::All | Self::Exchanges)
    }

    fn has_queues(self, kind: QueueKind) -> bool {
        match self {
            Self::All | Self::Queues => true,
            Self::ClassicQueues => kind == QueueKind::Classic,
            Self::QuorumQueues => kind == QueueKind::Quorum,
            Self::Streams => kind == QueueKind::Stream,
            Self::Exchanges => false,
        }
    }
}

/// A policy that can be looked for names with.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(super) policy: Policy,
    expression: Regex,
}

impl Rule {
    /// # Errors
    /// Its pattern is no regular expression, or one that gets too large: why.
    pub(crate) fn new(policy: Policy) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(&policy.pattern);
        let builder = builder.delegate_size_limit(COMPILED_BYTES_MAX);
        let built = builder.backtrack_limit(BACKTRACKS_MAX).build();
        Ok(Self {
            expression: built.map_err(|error| error.to_string())?,
            policy,
        })
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn is_for_queue(&self, name: &str, kind: QueueKind) -> bool {
        self.policy.applies_to.has_queues(kind)
            && self
                .policy
                .definition
                .keys()
                .all(|key| kind.has_use_for(key))
            && self.matches(name)
    }

    pub(super) fn is_for_exchange(&self, name: &str) -> bool {
        self.policy.applies_to.has_exchanges() && self.matches(name)
    }

    fn matches(&self, name: &str) -> bool {
        self.expression.is_match(name).unwrap_or(false)
    }
}
