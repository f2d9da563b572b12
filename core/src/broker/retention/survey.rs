//! What is still wanted of the segments that may go.

use super::plan::{Plan, Reason};
use crate::broker::shared::Shared;
use crate::index::{Entry, Lane, RunView};
use crate::model::{KeptFor, QueueOffset, Timestamp, TopicRules, property};
use crate::queue::{Queue, Settled};
use crate::state::Bounds;
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One run with entries that outlive their segment.
#[derive(Debug)]
pub(super) struct Survivor {
    pub(super) queue: Arc<Queue>,
    pub(super) lane: Lane,
    pub(super) run: RunView,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) rules: Rules,
    pub(super) survivors: Vec<Survivor>,
    /// Bytes of all survivors.
    pub(super) live_bytes: u64,
    /// Each queue's end within the segments, by number.
    ends: BTreeMap<u32, QueueOffset>,
}

/// Which messages are still wanted.
#[derive(Debug)]
pub(super) struct Rules {
    now: Timestamp,
    /// Messages of topics without rules of their own are not.
    default_goes: bool,
    topics: HashMap<u32, (Arc<Queue>, TopicRules)>,
    /// What is settled of the queues whose records wait for an outcome, or for an acknowledgement.
    waiting: HashMap<u32, Settled>,
}

impl Rules {
    fn of(shared: &Shared, plan: &Plan) -> Self {
        let (mut topics, mut waiting) = (HashMap::new(), HashMap::new());
        let state = shared.state.read();
        for topic in shared.topics.all() {
            let rules = topic.rules();
            let name = topic.name().as_str();
            let is_waiting = property::is_waiting_topic(name);
            for (queue, id) in topic.queues().iter().zip(0..) {
                if is_waiting {
                    let settled = state.settled.get(&queue.number());
                    waiting.insert(queue.number(), settled.cloned().unwrap_or_default());
                } else if rules.is_work_queue {
                    // Whoever takes from it is the group of its name.
                    let progress = state.progress_of(name, name, id).unwrap_or_default();
                    waiting.insert(queue.number(), progress.settled);
                }
                topics.insert(queue.number(), (Arc::clone(queue), rules));
            }
        }
        Self {
            now: shared.clock.now(),
            default_goes: plan.reason != Reason::Dead,
            topics,
            waiting,
        }
    }

    fn is_work(&self, queue: &Queue) -> bool {
        let known = self.topics.get(&queue.number());
        known.is_some_and(|(_, rules)| rules.is_work_queue)
    }

    fn kept_for(&self, queue: &Queue) -> Option<KeptFor> {
        self.topics.get(&queue.number())?.1.kept_for
    }

    /// Whether the message of an entry is still wanted.
    pub(super) fn is_alive(&self, queue: &Queue, lane: Lane, entry: &Entry) -> bool {
        let is_kept = match (self.waiting.get(&queue.number()), self.kept_for(queue)) {
            (Some(settled), _) => !settled.contains(entry.base.get()),
            (None, Some(KeptFor::Ever)) => true,
            (None, Some(KeptFor::Millis(millis))) => {
                self.now.millis_since(entry.stored_at) < millis
            }
            (None, None) => !self.default_goes,
        };
        is_kept
            && !queue.is_deleted()
            && entry.end() > queue.start()
            && (lane == Lane::Main || entry.base < queue.main())
    }

    fn live_bytes(&self, queue: &Queue, lane: Lane, run: &RunView) -> u64 {
        let is_waiting = self.waiting.contains_key(&queue.number());
        let is_dead = queue.is_deleted()
            || run.end() <= queue.start()
            || (!is_waiting && self.kept_for(queue).is_none() && self.default_goes);
        if is_dead {
            return 0;
        }
        let is_whole = run.base() >= queue.start()
            && lane == Lane::Main
            && !is_waiting
            && !matches!(self.kept_for(queue), Some(KeptFor::Millis(_)));
        if is_whole {
            return run.bytes();
        }
        let alive = run
            .entries()
            .filter(|entry| self.is_alive(queue, lane, entry));
        alive.map(|entry| u64::from(entry.size)).sum()
    }
}

impl Survey {
    /// Looks at every run of the planned segments.
    pub(super) fn of(store: &Store, shared: &Shared, plan: &Plan) -> Self {
        let rules = Rules::of(shared, plan);
        let (mut survivors, mut ends) = (Vec::new(), BTreeMap::new());
        let mut live_bytes = 0;
        for stretch in store.stretches.before(plan.end) {
            for (number, lane, run) in stretch.runs() {
                if lane == Lane::Main {
                    ends.insert(number, run.end());
                }
                let Some((queue, _)) = rules.topics.get(&number) else {
                    continue;
                };
                let bytes = rules.live_bytes(queue, lane, &run);
                if bytes > 0 {
                    live_bytes += bytes;
                    let queue = Arc::clone(queue);
                    survivors.push(Survivor { queue, lane, run });
                }
            }
        }
        Self {
            rules,
            survivors,
            live_bytes,
            ends,
        }
    }

    /// Whether a wanted message is another topic's record, indexed here too, so that its segment
    /// stays. That of a work queue is none's own, and a copy is made in the queue's topic.
    pub(super) fn has_shared_records(&self, store: &Store) -> bool {
        let survivors = self.survivors.iter();
        let mut others = survivors.filter(|found| !self.rules.is_work(&found.queue));
        others.any(|found| {
            let entries = found.run.entries();
            let mut alive =
                entries.filter(|entry| self.rules.is_alive(&found.queue, found.lane, entry));
            alive.any(|entry| store.is_shared(&found.queue, &entry))
        })
    }

    /// Names of the topics that still want something, each once.
    pub(super) fn topics(&self) -> Vec<String> {
        let names = self.survivors.iter();
        let names: BTreeSet<&str> = names.map(|found| found.queue.topic().as_str()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Where queues begin once the segments are gone.
    pub(super) fn bounds(&self, shared: &Shared) -> BTreeMap<u32, Bounds> {
        let surviving: BTreeSet<u32> = self
            .survivors
            .iter()
            .map(|found| found.queue.number())
            .collect();
        let mut bounds = BTreeMap::new();
        for (number, end) in &self.ends {
            let queue = match self.rules.topics.get(number) {
                Some((queue, _)) => queue,
                None if *number == shared.state_queue.number() => &shared.state_queue,
                None => continue,
            };
            let main = queue.main().max(*end);
            let keeps_older = surviving.contains(number) || self.rules.kept_for(queue).is_some();
            let start = if let Some(settled) = self.rules.waiting.get(number) {
                queue.start().max(QueueOffset::new(settled.floor()))
            } else if keeps_older {
                queue.start()
            } else {
                queue.start().max(main)
            };
            let (start, main) = (start.get(), main.get());
            bounds.insert(*number, Bounds { start, main });
        }
        bounds
    }
}
