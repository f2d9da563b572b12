//! What groups take from topics, for tools. What is produced is counted by core.

use dashmap::DashMap;
use gantry_core::model::{QueueId, QueueOffset, Timestamp};
use gantry_core::traffic::{Amount, Traffic};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// What nobody has used for this long is forgotten, in milliseconds: no span reaches further back.
const IDLE_MS: u64 = 2 * 86_400_000;
/// Upper bounds of the times a send may take, in milliseconds, as RocketMQ names the classes.
const CLASSES: [(u64, &str); 13] = [
    (0, "<=0ms"),
    (10, "0~10ms"),
    (50, "10~50ms"),
    (100, "50~100ms"),
    (200, "100~200ms"),
    (500, "200~500ms"),
    (1_000, "500ms~1s"),
    (2_000, "1~2s"),
    (3_000, "2~3s"),
    (4_000, "3~4s"),
    (5_000, "4~5s"),
    (10_000, "5~10s"),
    (u64::MAX, "10s~"),
];

/// A group's dealings with one topic.
#[derive(Debug, Default)]
pub(crate) struct GroupTraffic {
    /// Messages it was given.
    pub(crate) pulled: Traffic,
    /// Messages it sent back to be tried again.
    pub(crate) sent_back: Traffic,
    /// Woken when an operator moves the group's progress, as its pulls may be held.
    pub(crate) moved: Notify,
    /// Where it goes on pulling, by queue; 0 where it has not pulled.
    positions: RwLock<Vec<AtomicU64>>,
}

impl GroupTraffic {
    /// Notes that the group was told to go on at `next`.
    pub(crate) fn note_position(&self, queue: QueueId, next: QueueOffset) {
        let index = usize::try_from(queue.get()).unwrap_or(usize::MAX);
        if let Some(position) = self.positions.read().get(index) {
            position.store(next.get(), Ordering::Relaxed);
            return;
        }
        let mut positions = self.positions.write();
        // The queue exists, so that its number is within a topic's limit of queues.
        let needed = index.saturating_add(1);
        if positions.len() < needed {
            positions.resize_with(needed, AtomicU64::default);
        }
        if let Some(position) = positions.get(index) {
            position.store(next.get(), Ordering::Relaxed);
        }
    }

    /// Where the group goes on pulling; `None` when it has not pulled.
    pub(crate) fn position(&self, queue: QueueId) -> Option<QueueOffset> {
        let index = usize::try_from(queue.get()).ok()?;
        let positions = self.positions.read();
        let next = positions.get(index)?.load(Ordering::Relaxed);
        (next > 0).then(|| QueueOffset::new(next))
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let is_old = |at: Option<Timestamp>| at.is_none_or(|at| now.millis_since(at) > IDLE_MS);
        is_old(self.pulled.counted_at()) && is_old(self.sent_back.counted_at())
    }
}

/// How long something took, how often.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    classes: [AtomicU64; CLASSES.len()],
    longest: AtomicU64,
}

impl Durations {
    /// Counts one that took `millis`.
    pub(crate) fn count(&self, millis: u64) {
        let class = CLASSES.iter().position(|(bound, _)| millis <= *bound);
        if let Some(counter) = class.and_then(|class| self.classes.get(class)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.longest.fetch_max(millis, Ordering::Relaxed);
    }

    /// The longest, in milliseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }

    /// How many of each class, as RocketMQ writes it: `[<=0ms]:7 [0~10ms]:1 …`.
    pub(crate) fn distribution(&self) -> String {
        let classes = self.classes.iter().zip(CLASSES);
        let texts = classes.map(|(counter, (_, name))| {
            let count = counter.load(Ordering::Relaxed);
            format!("[{name}]:{count} ")
        });
        texts.collect()
    }
}

/// The counters of a broker role.
#[derive(Debug)]
pub(crate) struct Statistics {
    /// Messages given to all groups; how often is how many pulls found some.
    pub(crate) pulled: Traffic,
    /// Pulls that found nothing.
    pub(crate) missed: Traffic,
    /// How long producing what came together took.
    pub(crate) sends: Durations,
    /// How long looking for messages took.
    pub(crate) pulls: Durations,
    /// By topic, then by group, so that a look-up makes no text.
    groups: DashMap<Box<str>, HashMap<Box<str>, Arc<GroupTraffic>>>,
    count: AtomicUsize,
    count_max: usize,
}

impl Statistics {
    /// Counters of at most `count_max` pairs of topic and group; others count in the sums alone.
    pub(crate) fn new(count_max: usize) -> Self {
        Self {
            pulled: Traffic::default(),
            missed: Traffic::default(),
            sends: Durations::default(),
            pulls: Durations::default(),
            groups: DashMap::new(),
            count: AtomicUsize::new(0),
            count_max,
        }
    }

    /// The counters of `group` in `topic`, if it has dealt with it.
    pub(crate) fn find(&self, topic: &str, group: &str) -> Option<Arc<GroupTraffic>> {
        self.groups.get(topic)?.get(group).map(Arc::clone)
    }

    /// The counters of `group` in `topic`; `None` beyond the limit.
    pub(crate) fn of(&self, topic: &str, group: &str) -> Option<Arc<GroupTraffic>> {
        if let Some(known) = self.find(topic, group) {
            return Some(known);
        }
        let mut groups = self.groups.entry(topic.into()).or_default();
        if let Some(known) = groups.get(group) {
            return Some(Arc::clone(known));
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.count_max {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let made = Arc::<GroupTraffic>::default();
        groups.insert(group.into(), Arc::clone(&made));
        Some(made)
    }

    /// Counts an answered pull.
    pub(crate) fn count_pull(&self, traffic: Option<&GroupTraffic>, found: Amount, now: Timestamp) {
        if found.messages == 0 {
            let times = Amount {
                times: 1,
                ..Amount::default()
            };
            self.missed.count(times, now);
            return;
        }
        self.pulled.count(found, now);
        if let Some(traffic) = traffic {
            traffic.pulled.count(found, now);
        }
    }

    /// Forgets the counters that nobody has used for long.
    pub(crate) fn expire(&self, now: Timestamp) {
        self.retain(|_, _, traffic| !traffic.is_idle(now));
    }

    /// Forgets the counters of a topic that is gone.
    pub(crate) fn forget_topic(&self, gone: &str) {
        self.retain(|topic, _, _| topic != gone);
    }

    /// Forgets the counters of a group that is gone.
    pub(crate) fn forget_group(&self, gone: &str) {
        self.retain(|_, group, _| group != gone);
    }

    fn retain(&self, keeps: impl Fn(&str, &str, &Arc<GroupTraffic>) -> bool) {
        self.groups.retain(|topic, groups| {
            let before = groups.len();
            // One that a pull holds is in use.
            groups.retain(|group, traffic| {
                Arc::strong_count(traffic) > 1 || keeps(topic, group, traffic)
            });
            let gone = before.saturating_sub(groups.len());
            self.count.fetch_sub(gone, Ordering::Relaxed);
            !groups.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn one() -> Amount {
        Amount {
            messages: 1,
            bytes: 100,
            times: 1,
        }
    }

    #[test]
    fn counters_beyond_the_limit_count_in_the_sum_alone() {
        let statistics = Statistics::new(2);
        for group in ["a", "b", "c"] {
            let traffic = statistics.of("T", group);
            assert_eq!(traffic.is_some(), group != "c");
            statistics.count_pull(traffic.as_deref(), one(), START);
        }
        assert_eq!(statistics.pulled.total().messages, 3);
        assert!(statistics.find("T", "a").is_some());
        statistics.forget_group("a");
        assert!(statistics.find("T", "a").is_none());
        assert!(statistics.of("T", "c").is_some(), "there is room again");
    }

    #[test]
    fn what_is_idle_for_long_is_forgotten() {
        let statistics = Statistics::new(10);
        let traffic = statistics.of("T", "G");
        statistics.count_pull(traffic.as_deref(), one(), START);
        drop(traffic);
        statistics.expire(START.plus_millis(IDLE_MS));
        assert!(statistics.find("T", "G").is_some());
        statistics.expire(START.plus_millis(IDLE_MS + 10_001));
        assert!(statistics.find("T", "G").is_none());
    }

    #[test]
    fn positions_are_kept_by_queue() {
        let traffic = GroupTraffic::default();
        assert_eq!(traffic.position(QueueId::new(3)), None);
        traffic.note_position(QueueId::new(3), QueueOffset::new(7));
        assert_eq!(traffic.position(QueueId::new(3)), Some(QueueOffset::new(7)));
        assert_eq!(traffic.position(QueueId::new(0)), None);
    }

    #[test]
    fn durations_fall_into_rocketmqs_classes() {
        let durations = Durations::default();
        for millis in [0, 0, 1, 10, 11, 20_000] {
            durations.count(millis);
        }
        assert_eq!(durations.longest(), 20_000);
        let text = durations.distribution();
        assert!(
            text.starts_with("[<=0ms]:2 [0~10ms]:2 [10~50ms]:1 "),
            "{text}"
        );
        assert!(text.ends_with("[10s~]:1 "), "{text}");
    }
}
