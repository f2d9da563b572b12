//! Clients that keep themselves known by heartbeats (RocketMQ's way): who consumes for a group
//! and with which subscriptions, who produces for one, and who is to be told of changes.
//!
//! A member is its client id within a group. A heartbeat from another session moves it there,
//! so a client that reconnects before its old session is found dead neither leaves nor joins.

use super::subscription::Subscription;
use crate::Error;
use crate::model::{GroupName, Timestamp, TopicName};
use crate::transactions::{CheckAnswer, HalfCheck};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// What bounds the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryLimits {
    /// A member that did not beat for longer is gone, milliseconds.
    pub member_expiry_millis: u64,
    /// Groups that one session may consume or produce for.
    pub groups_per_session_max: usize,
    /// Topics one group may subscribe to.
    pub subscriptions_per_group_max: usize,
    /// Events kept for a session that does not take them; more are dropped, as clients look by
    /// themselves now and then.
    pub events_per_session_max: usize,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self {
            member_expiry_millis: 120_000,
            groups_per_session_max: 4_096,
            subscriptions_per_group_max: 10_000,
            events_per_session_max: 256,
        }
    }
}

/// One connection, for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// What a session is told without having asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Members or subscriptions of a group it consumes for have changed.
    GroupChanged(GroupName),
    /// A transaction of a group it produces for has no end yet: how did it end?
    CheckTransaction(Arc<HalfCheck>),
}

/// How a group's members share its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageModel {
    /// Each queue has one member that reads it.
    Clustering,
    /// Every member reads every queue and keeps its own progress, so changes concern nobody.
    Broadcasting,
}

/// What a consumer says of itself when it beats.
#[derive(Clone, Debug)]
pub struct ConsumerBeat {
    /// The group it consumes for.
    pub group: GroupName,
    /// How that group shares.
    pub model: MessageModel,
    /// All the group's topics; `None` leaves them as they are.
    pub subscriptions: Option<Vec<Subscription>>,
    /// A hash of the client's own over what it subscribes to, 0 when it has none.
    pub fingerprint: i32,
}

/// What a consumer's beat did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatOutcome {
    /// The client's subscriptions are not those it said last: it must send them.
    pub wants_subscriptions: bool,
}

#[derive(Debug)]
struct Member {
    session: SessionId,
    seen_at: Timestamp,
    fingerprint: i32,
}

/// A member as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its client id.
    pub client: Arc<str>,
    /// Where it beats.
    pub session: SessionId,
    /// When it did so last.
    pub seen_at: Timestamp,
}

#[derive(Debug)]
struct ConsumerGroup {
    model: MessageModel,
    members: BTreeMap<Arc<str>, Member>,
    subscriptions: HashMap<TopicName, Arc<Subscription>>,
}

#[derive(Debug)]
struct Session {
    events: mpsc::Sender<Event>,
    consumes: HashSet<GroupName>,
    produces: HashSet<GroupName>,
}

#[derive(Debug, Default)]
struct Tables {
    next_session: u64,
    sessions: HashMap<SessionId, Session>,
    consumers: HashMap<GroupName, ConsumerGroup>,
    producers: HashMap<GroupName, BTreeMap<Arc<str>, Member>>,
}

/// All sessions, and the groups they consume and produce for.
#[derive(Debug)]
pub struct ClientRegistry {
    tables: RwLock<Tables>,
    limits: RegistryLimits,
    /// Whose turn it is among the producers of a group.
    turn: AtomicUsize,
}

impl ClientRegistry {
    /// Nobody yet.
    #[must_use]
    pub fn new(limits: RegistryLimits) -> Self {
        Self {
            tables: RwLock::default(),
            limits,
            turn: AtomicUsize::new(0),
        }
    }

    /// A new session, and where its events come out. [`ClientRegistry::disconnect`] ends it.
    #[must_use]
    pub fn connect(&self) -> (SessionId, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(self.limits.events_per_session_max.max(1));
        let mut tables = self.tables.write();
        let id = SessionId(tables.next_session);
        tables.next_session = tables.next_session.saturating_add(1);
        let session = Session {
            events,
            consumes: HashSet::new(),
            produces: HashSet::new(),
        };
        tables.sessions.insert(id, session);
        (id, receiver)
    }

    /// The session is gone, and with it the members it kept alive.
    pub fn disconnect(&self, session: SessionId) {
        let mut tables = self.tables.write();
        let Some(gone) = tables.sessions.remove(&session) else {
            return;
        };
        for group in &gone.consumes {
            tables.remove_consumers(group, |_, member| member.session == session);
        }
        for group in &gone.produces {
            tables.remove_producers(group, |_, member| member.session == session);
        }
    }

    /// A consumer is alive. A new member, or another set of subscriptions, is told to all
    /// members, the newcomer included.
    ///
    /// # Errors
    /// [`Error::Busy`] when a limit is reached; nothing has changed then.
    pub fn consumer_beat(
        &self,
        session: SessionId,
        client: &str,
        beat: ConsumerBeat,
        now: Timestamp,
    ) -> Result<BeatOutcome, Error> {
        let subscriptions = beat.subscriptions.as_ref().map_or(0, Vec::len);
        if subscriptions > self.limits.subscriptions_per_group_max {
            return Err(Error::Busy("subscriptions of one group"));
        }
        let mut tables = self.tables.write();
        tables.admit(session, &beat.group, &self.limits)?;
        let consumes = |entry: &mut Session| entry.consumes.insert(beat.group.clone());
        tables.sessions.get_mut(&session).map(consumes);

        let group = tables.consumers.entry(beat.group.clone());
        let group = group.or_insert_with(|| ConsumerGroup::new(beat.model));
        group.model = beat.model;
        let known = group.members.get(client).map_or(0, |m| m.fingerprint);
        let fingerprint = if beat.subscriptions.is_some() {
            beat.fingerprint
        } else {
            known
        };
        let outcome = BeatOutcome {
            wants_subscriptions: fingerprint == 0 || fingerprint != beat.fingerprint,
        };
        let joined = note_beat(&mut group.members, client, session, fingerprint, now);
        let resubscribed = beat
            .subscriptions
            .is_some_and(|subscriptions| group.subscribe(subscriptions));
        if joined || resubscribed {
            tables.tell_members(&beat.group);
        }
        Ok(outcome)
    }

    /// A producer is alive.
    ///
    /// # Errors
    /// [`Error::Busy`] when a limit is reached.
    pub fn producer_beat(
        &self,
        session: SessionId,
        client: &str,
        group: &GroupName,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tables = self.tables.write();
        tables.admit(session, group, &self.limits)?;
        let produces = |entry: &mut Session| entry.produces.insert(group.clone());
        tables.sessions.get_mut(&session).map(produces);
        let members = tables.producers.entry(group.clone()).or_default();
        note_beat(members, client, session, 0, now);
        Ok(())
    }

    /// Asks a producer of the group how a transaction ended: each in turn, and the next one when
    /// one does not take what it is told.
    pub fn ask_producer(&self, check: &Arc<HalfCheck>) -> CheckAnswer {
        let tables = self.tables.read();
        let Some(members) = tables.producers.get(&check.group) else {
            return CheckAnswer::NobodyThere;
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(members.len()).unwrap_or(0);
        let in_turn = members.values().cycle().skip(first).take(members.len());
        let mut sessions = in_turn.filter_map(|member| tables.sessions.get(&member.session));
        let event = || Event::CheckTransaction(Arc::clone(check));
        if sessions.any(|session| session.events.try_send(event()).is_ok()) {
            CheckAnswer::Asked
        } else {
            CheckAnswer::Busy
        }
    }

    /// The client no longer consumes for `group`.
    pub fn consumer_leaves(&self, client: &str, group: &GroupName) {
        let mut tables = self.tables.write();
        tables.remove_consumers(group, |id, _| id == client);
    }

    /// The client no longer produces for `group`.
    pub fn producer_leaves(&self, client: &str, group: &GroupName) {
        let mut tables = self.tables.write();
        tables.remove_producers(group, |id, _| id == client);
    }

    /// Removes who has been silent for too long by `now`.
    pub fn expire(&self, now: Timestamp) {
        let expiry = self.limits.member_expiry_millis;
        let is_silent = |_: &str, member: &Member| now.millis_since(member.seen_at) > expiry;
        let mut tables = self.tables.write();
        let consumers: Vec<_> = tables.consumers.keys().cloned().collect();
        for group in &consumers {
            tables.remove_consumers(group, is_silent);
        }
        let producers: Vec<_> = tables.producers.keys().cloned().collect();
        for group in &producers {
            tables.remove_producers(group, is_silent);
        }
    }

    /// The client ids that consume for `group`, in order; none for an unknown group.
    #[must_use]
    pub fn consumers(&self, group: &GroupName) -> Vec<Arc<str>> {
        let tables = self.tables.read();
        let ids = |group: &ConsumerGroup| group.members.keys().cloned().collect();
        tables.consumers.get(group).map(ids).unwrap_or_default()
    }

    /// The members that consume for `group`, in order of client id.
    #[must_use]
    pub fn consumer_members(&self, group: &GroupName) -> Vec<MemberView> {
        let tables = self.tables.read();
        let members = |group: &ConsumerGroup| views(&group.members);
        tables.consumers.get(group).map(members).unwrap_or_default()
    }

    /// The members that produce for `group`, in order of client id.
    #[must_use]
    pub fn producer_members(&self, group: &GroupName) -> Vec<MemberView> {
        let tables = self.tables.read();
        tables.producers.get(group).map(views).unwrap_or_default()
    }

    /// The connection on which a client produces, for whatever group.
    #[must_use]
    pub fn producer_session(&self, client: &str) -> Option<SessionId> {
        let tables = self.tables.read();
        let mut groups = tables.producers.values();
        groups.find_map(|members| members.get(client).map(|member| member.session))
    }

    /// What `group` wants, in no order; nothing when nobody consumes for it.
    #[must_use]
    pub fn subscriptions(&self, group: &GroupName) -> Vec<Arc<Subscription>> {
        let tables = self.tables.read();
        let all = |group: &ConsumerGroup| group.subscriptions.values().cloned().collect();
        tables.consumers.get(group).map(all).unwrap_or_default()
    }

    /// Groups that have producers, in no order.
    #[must_use]
    pub fn producer_groups(&self) -> Vec<GroupName> {
        self.tables.read().producers.keys().cloned().collect()
    }

    /// Groups that have consumers, in no order.
    #[must_use]
    pub fn consumer_groups(&self) -> Vec<GroupName> {
        self.tables.read().consumers.keys().cloned().collect()
    }

    /// The client ids that produce for `group`, in order.
    #[must_use]
    pub fn producers(&self, group: &GroupName) -> Vec<Arc<str>> {
        let tables = self.tables.read();
        let ids = |members: &BTreeMap<Arc<str>, Member>| members.keys().cloned().collect();
        tables.producers.get(group).map(ids).unwrap_or_default()
    }

    /// How `group` shares its topics; `None` when nobody consumes for it now.
    #[must_use]
    pub fn model(&self, group: &str) -> Option<MessageModel> {
        self.tables
            .read()
            .consumers
            .get(group)
            .map(|group| group.model)
    }

    /// What `group` wants of `topic`. Takes text so that a look-up allocates nothing.
    #[must_use]
    pub fn subscription(&self, group: &str, topic: &str) -> Option<Arc<Subscription>> {
        let tables = self.tables.read();
        tables
            .consumers
            .get(group)?
            .subscriptions
            .get(topic)
            .cloned()
    }
}

impl Tables {
    /// Whether `session` may name one more group.
    fn admit(
        &self,
        session: SessionId,
        group: &GroupName,
        limits: &RegistryLimits,
    ) -> Result<(), Error> {
        let Some(entry) = self.sessions.get(&session) else {
            return Err(Error::ShuttingDown);
        };
        let is_known = entry.consumes.contains(group) || entry.produces.contains(group);
        let count = entry.consumes.len().saturating_add(entry.produces.len());
        if is_known || count < limits.groups_per_session_max {
            Ok(())
        } else {
            Err(Error::Busy("groups of one session"))
        }
    }

    fn tell_members(&self, group: &GroupName) {
        let Some(entry) = self.consumers.get(group) else {
            return;
        };
        if entry.model == MessageModel::Broadcasting {
            return;
        }
        let sessions: HashSet<_> = entry
            .members
            .values()
            .map(|member| member.session)
            .collect();
        for session in sessions.iter().filter_map(|id| self.sessions.get(id)) {
            // A full channel has the like in it already, or its owner is stuck.
            let _ = session.events.try_send(Event::GroupChanged(group.clone()));
        }
    }

    fn remove_consumers(&mut self, group: &GroupName, is_gone: impl Fn(&str, &Member) -> bool) {
        let Some(entry) = self.consumers.get_mut(group) else {
            return;
        };
        let count = entry.members.len();
        let gone = remove(&mut entry.members, is_gone);
        let has_changed = entry.members.len() != count;
        let is_empty = entry.members.is_empty();
        for id in &gone {
            if let Some(session) = self.sessions.get_mut(id) {
                session.consumes.remove(group);
            }
        }
        if is_empty {
            self.consumers.remove(group);
        } else if has_changed {
            self.tell_members(group);
        }
    }

    fn remove_producers(&mut self, group: &GroupName, is_gone: impl Fn(&str, &Member) -> bool) {
        let Some(members) = self.producers.get_mut(group) else {
            return;
        };
        let gone = remove(members, is_gone);
        if members.is_empty() {
            self.producers.remove(group);
        }
        for id in &gone {
            if let Some(session) = self.sessions.get_mut(id) {
                session.produces.remove(group);
            }
        }
    }
}

impl ConsumerGroup {
    fn new(model: MessageModel) -> Self {
        Self {
            model,
            members: BTreeMap::new(),
            subscriptions: HashMap::new(),
        }
    }

    /// Takes over the subscriptions; whether the set of topics has changed.
    fn subscribe(&mut self, subscriptions: Vec<Subscription>) -> bool {
        let wanted: HashMap<_, _> = subscriptions
            .into_iter()
            .map(|subscription| (subscription.topic.clone(), subscription))
            .collect();
        let count = self.subscriptions.len();
        self.subscriptions
            .retain(|topic, _| wanted.contains_key(topic));
        let mut changed = self.subscriptions.len() != count;
        for (topic, subscription) in wanted {
            let known = self.subscriptions.get(&topic);
            changed |= known.is_none();
            if known.is_none_or(|known| known.version < subscription.version) {
                self.subscriptions.insert(topic, Arc::new(subscription));
            }
        }
        changed
    }
}

fn views(members: &BTreeMap<Arc<str>, Member>) -> Vec<MemberView> {
    let view = |(client, member): (&Arc<str>, &Member)| MemberView {
        client: Arc::clone(client),
        session: member.session,
        seen_at: member.seen_at,
    };
    members.iter().map(view).collect()
}

/// Notes that `client` is alive in `session`; whether it is new.
fn note_beat(
    members: &mut BTreeMap<Arc<str>, Member>,
    client: &str,
    session: SessionId,
    fingerprint: i32,
    now: Timestamp,
) -> bool {
    let member = Member {
        session,
        seen_at: now,
        fingerprint,
    };
    if let Some(known) = members.get_mut(client) {
        *known = member;
        false
    } else {
        members.insert(client.into(), member);
        true
    }
}

/// Removes the members that `is_gone` names and returns the sessions that have none left.
fn remove(
    members: &mut BTreeMap<Arc<str>, Member>,
    is_gone: impl Fn(&str, &Member) -> bool,
) -> Vec<SessionId> {
    let mut gone = Vec::new();
    members.retain(|client, member| {
        let keeps = !is_gone(client, member);
        if !keeps {
            gone.push(member.session);
        }
        keeps
    });
    gone.retain(|id| !members.values().any(|member| member.session == *id));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::subscription::Selector;
    use crate::model::{PhysicalOffset, QueueOffset};

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn registry() -> ClientRegistry {
        ClientRegistry::new(RegistryLimits::default())
    }

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    fn subscription(topic: &str, version: i64) -> Subscription {
        Subscription {
            topic: TopicName::new(topic).unwrap(),
            version,
            selector: Selector::All,
        }
    }

    fn beat_for(name: &str, topics: &[&str]) -> ConsumerBeat {
        ConsumerBeat {
            group: group(name),
            model: MessageModel::Clustering,
            subscriptions: Some(topics.iter().map(|topic| subscription(topic, 1)).collect()),
            fingerprint: 0,
        }
    }

    fn count(events: &mut mpsc::Receiver<Event>) -> usize {
        std::iter::from_fn(|| events.try_recv().ok()).count()
    }

    #[test]
    fn joining_and_leaving_is_told_to_all_members() {
        let registry = registry();
        let (a, mut events_a) = registry.connect();
        let (b, mut events_b) = registry.connect();
        let beat = || beat_for("G", &["T"]);
        registry.consumer_beat(a, "a", beat(), START).unwrap();
        assert_eq!(
            events_a.try_recv(),
            Ok(Event::GroupChanged(group("G"))),
            "the newcomer hears of itself"
        );
        registry.consumer_beat(b, "b", beat(), START).unwrap();
        assert_eq!((count(&mut events_a), count(&mut events_b)), (1, 1));
        registry.consumer_beat(a, "a", beat(), START).unwrap();
        assert_eq!(count(&mut events_b), 0, "a beat that changes nothing");
        registry.consumer_leaves("b", &group("G"));
        assert_eq!((count(&mut events_a), count(&mut events_b)), (1, 0));
        assert_eq!(registry.consumers(&group("G")), ["a".into()]);
    }

    #[test]
    fn a_lost_session_takes_its_members_with_it() {
        let registry = registry();
        let (a, mut events_a) = registry.connect();
        let (b, _events_b) = registry.connect();
        registry
            .consumer_beat(a, "a", beat_for("G", &["T"]), START)
            .unwrap();
        registry
            .consumer_beat(b, "b", beat_for("G", &["T"]), START)
            .unwrap();
        registry.producer_beat(b, "b", &group("P"), START).unwrap();
        count(&mut events_a);
        registry.disconnect(b);
        assert_eq!(count(&mut events_a), 1);
        assert_eq!(registry.consumers(&group("G")), ["a".into()]);
        assert!(registry.producers(&group("P")).is_empty());
        registry.disconnect(a);
        assert_eq!(registry.model("G"), None);
        assert_eq!(registry.subscription("G", "T"), None);
    }

    #[test]
    fn a_client_that_reconnects_stays_a_member() {
        let registry = registry();
        let (old, _events) = registry.connect();
        let (new, mut events) = registry.connect();
        registry
            .consumer_beat(old, "a", beat_for("G", &["T"]), START)
            .unwrap();
        registry
            .consumer_beat(new, "a", beat_for("G", &["T"]), START)
            .unwrap();
        registry.disconnect(old);
        assert_eq!(registry.consumers(&group("G")), ["a".into()]);
        registry
            .consumer_beat(new, "b", beat_for("G", &["T"]), START)
            .unwrap();
        assert_eq!(count(&mut events), 1, "told once for both of its clients");
        registry.consumer_leaves("b", &group("G"));
        registry.disconnect(new);
        assert!(registry.consumers(&group("G")).is_empty());
    }

    #[test]
    fn the_silent_are_removed_after_120_s() {
        let registry = registry();
        let (a, _events_a) = registry.connect();
        let (b, mut events_b) = registry.connect();
        let at = |seconds: u64| START.plus_millis(seconds * 1000);
        registry
            .consumer_beat(a, "a", beat_for("G", &["T"]), START)
            .unwrap();
        registry.producer_beat(a, "a", &group("P"), START).unwrap();
        registry
            .consumer_beat(b, "b", beat_for("G", &["T"]), at(60))
            .unwrap();
        count(&mut events_b);
        registry.expire(at(120));
        assert_eq!(registry.consumers(&group("G")).len(), 2);
        registry.expire(at(121));
        assert_eq!(registry.consumers(&group("G")), ["b".into()]);
        assert!(registry.producers(&group("P")).is_empty());
        assert_eq!(count(&mut events_b), 1);
    }

    #[test]
    fn the_newest_version_of_a_subscription_counts() {
        let registry = registry();
        let (a, mut events) = registry.connect();
        let version = || registry.subscription("G", "T").map(|known| known.version);
        let mut beat = beat_for("G", &["T", "U"]);
        registry.consumer_beat(a, "a", beat.clone(), START).unwrap();
        count(&mut events);
        beat.subscriptions = Some(vec![subscription("T", 3), subscription("U", 1)]);
        registry.consumer_beat(a, "a", beat.clone(), START).unwrap();
        assert_eq!((version(), count(&mut events)), (Some(3), 0));
        beat.subscriptions = Some(vec![subscription("T", 2)]);
        registry.consumer_beat(a, "a", beat, START).unwrap();
        assert_eq!(version(), Some(3), "an older one does not");
        assert_eq!(registry.subscription("G", "U"), None);
        assert_eq!(count(&mut events), 1, "a topic less is told");
    }

    #[test]
    fn a_short_beat_keeps_the_subscriptions_it_does_not_repeat() {
        let registry = registry();
        let (a, _events) = registry.connect();
        let mut full = beat_for("G", &["T"]);
        full.fingerprint = 7;
        let mut short = full.clone();
        short.subscriptions = None;
        let wants = |beat: &ConsumerBeat| {
            let outcome = registry.consumer_beat(a, "a", beat.clone(), START);
            outcome.unwrap().wants_subscriptions
        };
        assert!(wants(&short), "it has never said them");
        assert!(wants(&short));
        assert!(!wants(&full));
        assert!(!wants(&short));
        short.fingerprint = 8;
        assert!(wants(&short) && wants(&short));
        assert!(registry.subscription("G", "T").is_some());
    }

    #[test]
    fn broadcasting_groups_are_not_told() {
        let registry = registry();
        let (a, mut events) = registry.connect();
        let mut beat = beat_for("G", &["T"]);
        beat.model = MessageModel::Broadcasting;
        registry.consumer_beat(a, "a", beat, START).unwrap();
        assert_eq!(count(&mut events), 0);
        assert_eq!(registry.model("G"), Some(MessageModel::Broadcasting));
    }

    #[test]
    fn producers_of_a_group_are_asked_in_turn() {
        let registry = ClientRegistry::new(RegistryLimits {
            events_per_session_max: 3,
            ..RegistryLimits::default()
        });
        let check = Arc::new(HalfCheck {
            group: group("P"),
            position: PhysicalOffset::ZERO,
            offset: QueueOffset::ZERO,
            record: bytes::Bytes::new(),
        });
        assert_eq!(registry.ask_producer(&check), CheckAnswer::NobodyThere);
        let (a, mut events_a) = registry.connect();
        let (b, mut events_b) = registry.connect();
        let (c, mut events_c) = registry.connect();
        registry.producer_beat(a, "a", &group("P"), START).unwrap();
        registry.producer_beat(b, "b", &group("P"), START).unwrap();
        registry.producer_beat(c, "c", &group("Q"), START).unwrap();
        let ask =
            |times: usize| (0..times).all(|_| registry.ask_producer(&check) == CheckAnswer::Asked);
        assert!(ask(4));
        assert_eq!((count(&mut events_a), count(&mut events_b)), (2, 2));
        assert!(ask(6));
        assert_eq!(registry.ask_producer(&check), CheckAnswer::Busy);
        assert_eq!((count(&mut events_a), count(&mut events_b)), (3, 3));
        registry.disconnect(a);
        assert!(ask(3), "whoever is left");
        assert_eq!((count(&mut events_b), count(&mut events_c)), (3, 0));
        registry.disconnect(b);
        assert_eq!(registry.ask_producer(&check), CheckAnswer::NobodyThere);
    }

    #[test]
    fn a_session_names_no_more_groups_than_its_limit() {
        let registry = ClientRegistry::new(RegistryLimits {
            groups_per_session_max: 2,
            ..RegistryLimits::default()
        });
        let (a, _events) = registry.connect();
        registry
            .consumer_beat(a, "a", beat_for("G", &[]), START)
            .unwrap();
        registry.producer_beat(a, "a", &group("P"), START).unwrap();
        registry.producer_beat(a, "a", &group("P"), START).unwrap();
        let refused = registry.producer_beat(a, "a", &group("Q"), START);
        assert!(matches!(refused, Err(Error::Busy(_))));
        registry.producer_leaves("a", &group("P"));
        registry.producer_beat(a, "a", &group("Q"), START).unwrap();
    }
}
