//! What AMQP's clients declare, delete and bind. What is durable is in the log when it is
//! answered.

use super::Topic;
use super::streams::stream_spec;
use crate::leases::LeaseSession;
use crate::model::{EXCHANGE, GroupName, StreamTopic, Timestamp, TopicName, TopicSpec, WORK_QUEUE};
use crate::routing::{Binding, Destination, ExchangeKind, ExchangeSpec, Removed};
use crate::state::Command;
use crate::vhosts::{
    DEFAULT_VHOST, Declared, DeleteOnly, Fact, Lives, QueueRules, QueueSpec, TopologyError,
    VirtualHost, WorkQueue, exchange_topic, is_queue_topic, queue_topic, spare_topic,
};
use crate::{Client, Error};
use std::collections::HashSet;
use std::sync::Arc;

impl Client {
    /// Random bytes that nobody had before.
    #[must_use]
    pub fn unique_id(&self) -> [u8; 16] {
        self.shared.clock.unique_id()
    }

    /// What the broker's clock says.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// A virtual host; the default one is always there.
    #[must_use]
    pub fn virtual_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        self.shared.vhosts.get(name)
    }

    /// All virtual hosts, in order of name.
    #[must_use]
    pub fn virtual_hosts(&self) -> Vec<Arc<VirtualHost>> {
        self.shared.vhosts.all()
    }

    /// The virtual host, made when it is missing.
    ///
    /// # Errors
    /// A failed store.
    pub fn create_virtual_host(&self, name: &str) -> Result<Arc<VirtualHost>, Error> {
        let (host, is_new) = self.shared.vhosts.get_or_make(name);
        if is_new {
            self.keep([Fact::vhost(host.name())])?;
        }
        Ok(host)
    }

    /// An exchange as it was declared. A topic that other protocols have made is one as well, of
    /// the kind `topic`, from when it is first asked for.
    #[must_use]
    pub fn find_exchange(&self, host: &VirtualHost, name: &str) -> Option<ExchangeSpec> {
        if let Some(known) = host.exchange(name) {
            return Some(known);
        }
        let topic = self.topic(exchange_topic(host.name(), name)?.as_str())?;
        // What AMQP itself has published to is gone with its exchange.
        let rules = topic.rules();
        if rules.is_work_queue
            || rules.stream == Some(StreamTopic::Own)
            || topic.spec().attributes.contains_key(EXCHANGE)
        {
            return None;
        }
        let spec = ExchangeSpec::durable(ExchangeKind::Topic);
        match self.declare_exchange(host, name, spec.clone()) {
            Ok(_) => Some(spec),
            Err(_) => host.exchange(name),
        }
    }

    /// Deletes a virtual host with all that is in it; `false` when it is not there. The default one
    /// cannot be deleted.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or a failed store; what is not deleted then is when it is asked again.
    pub fn delete_virtual_host(&self, name: &str) -> Result<bool, TopologyError> {
        if name == DEFAULT_VHOST {
            let text = format!("virtual host '{name}' is always there");
            return Err(Error::Forbidden(text).into());
        }
        let Some(host) = self.shared.vhosts.get(name) else {
            return Ok(false);
        };
        let mut declared = host.write();
        declared.is_gone = true;
        let queues: Vec<_> = declared.queues.values().cloned().collect();
        for queue in queues {
            self.drop_queue(&host, &mut declared, &queue)?;
        }
        let exchanges = declared.router.exchanges();
        let exchanges: Vec<_> = exchanges.map(|(name, _)| Arc::clone(name)).collect();
        for exchange in exchanges {
            self.remove(&host, &mut declared, |declared| {
                declared.router.delete_exchange(&exchange)
            })?;
        }
        self.keep(declared.end(host.name()))?;
        self.shared.vhosts.remove(name);
        Ok(true)
    }

    /// Makes an exchange; `false` when it is there already.
    ///
    /// # Errors
    /// [`TopologyError::Inequivalent`], or a failed store.
    pub fn declare_exchange(
        &self,
        host: &VirtualHost,
        name: &str,
        spec: ExchangeSpec,
    ) -> Result<bool, TopologyError> {
        let mut declared = host.write_to_declare()?;
        if !declared.router.is_new(name, &spec)? {
            return Ok(false);
        }
        if spec.is_durable {
            self.keep([Fact::exchange(host.name(), name, &spec)])?;
        }
        let is_new = declared.router.declare(name, spec)?;
        declared.rule_exchange(name);
        Ok(is_new)
    }

    /// Deletes an exchange with its bindings, if it is there; whether it was. With `if_unused`
    /// only one that is no binding's source.
    ///
    /// # Errors
    /// [`TopologyError::InUse`], or a failed store.
    pub fn delete_exchange(
        &self,
        host: &VirtualHost,
        name: &str,
        if_unused: bool,
    ) -> Result<bool, TopologyError> {
        let mut declared = host.write();
        if declared.router.exchange(name).is_none() {
            return Ok(false);
        }
        if if_unused && declared.router.is_source(name) {
            return Err(TopologyError::InUse(name.into()));
        }
        self.remove(host, &mut declared, |declared| {
            declared.router.delete_exchange(name)
        })?;
        Ok(true)
    }

    /// Makes a binding; `false` when it is there already. A queue of another connection than
    /// `asking` cannot be bound.
    ///
    /// # Errors
    /// What is missing or locked, an illegal binding, or a failed store.
    pub fn bind(
        &self,
        host: &VirtualHost,
        binding: &Binding,
        asking: Option<LeaseSession>,
    ) -> Result<bool, TopologyError> {
        let mut declared = host.write_to_declare()?;
        if let Destination::Queue(name) = &binding.destination {
            declared.queue_for(name, asking)?;
        }
        if !declared.router.bind(binding)? {
            return Ok(false);
        }
        if declared.is_kept(binding)
            && let Err(error) = self.keep([Fact::binding(host.name(), binding)])
        {
            declared.router.unbind(binding);
            return Err(error.into());
        }
        Ok(true)
    }

    /// Takes a binding back, if it is there; an exchange may go with it.
    ///
    /// # Errors
    /// [`TopologyError::Locked`], or a failed store.
    pub fn unbind(
        &self,
        host: &VirtualHost,
        binding: &Binding,
        asking: Option<LeaseSession>,
    ) -> Result<(), TopologyError> {
        let mut declared = host.write();
        if let Destination::Queue(name) = &binding.destination
            && let Err(error @ TopologyError::Locked(_)) = declared.queue_for(name, asking)
        {
            return Err(error);
        }
        self.remove(host, &mut declared, |declared| {
            declared.router.unbind(binding)
        })
    }

    /// The queue, made when it is missing; whether it was. An exclusive one is `asking`'s.
    ///
    /// # Errors
    /// [`TopologyError::Locked`], [`TopologyError::Inequivalent`], [`TopologyError::QueueLimit`],
    /// a limit of topics, or a failed store.
    pub fn declare_queue(
        &self,
        host: &VirtualHost,
        name: &str,
        spec: QueueSpec,
        asking: Option<LeaseSession>,
    ) -> Result<(Arc<WorkQueue>, bool), TopologyError> {
        let same = host.read().find_same(name, &spec, asking)?;
        if let Some(same) = same {
            self.note_use(&same);
            return Ok((same, false));
        }
        let mut declared = host.write_to_declare()?;
        if let Some(same) = declared.find_same(name, &spec, asking)? {
            self.note_use(&same);
            return Ok((same, false));
        }
        let limits = declared.limits.unwrap_or_default();
        if let Some(limit) = limits.queues_reached(declared.queues.len()) {
            return Err(TopologyError::QueueLimit(limit));
        }
        let rules = declared.rules_of(name, &spec);
        let stream = match rules.stream {
            Some(rules) => self.stream_topic(host.name(), name, rules)?,
            None => None,
        };
        let topic = match stream {
            Some(topic) => topic,
            None => self.make_queue_topic(host.name(), name, &rules)?,
        };
        let group = GroupName::new(topic.name().as_str())
            .map_err(|error| Error::Internal(format!("a queue has no group: {error}")))?;
        let owner = asking.filter(|_| spec.is_exclusive);
        let names = (host.name(), name);
        let queue = Arc::new(WorkQueue::new(names, spec, owner, (topic, group)));
        declared.rule_new(&queue, Lives::default());
        if queue.spec().is_kept() {
            self.keep([Fact::queue(host.name(), &queue, &queue.rules())])?;
        }
        declared
            .queues
            .insert(Arc::clone(queue.name()), Arc::clone(&queue));
        self.note_use(&queue);
        Ok((queue, true))
    }

    /// Deletes a queue with all its messages and bindings, if it may be; how many messages were
    /// ready.
    ///
    /// # Errors
    /// [`TopologyError::NoQueue`], [`TopologyError::Locked`], what `only` says, or a failed store.
    pub fn delete_queue(
        &self,
        host: &VirtualHost,
        name: &str,
        asking: Option<LeaseSession>,
        only: DeleteOnly,
    ) -> Result<u64, TopologyError> {
        let mut declared = host.write();
        let queue = Arc::clone(declared.queue_for(name, asking)?);
        let ready = self.queue_counts(&queue)?.ready;
        if only.if_unused && queue.consumer_count() > 0 {
            return Err(TopologyError::InUse(Arc::clone(queue.name())));
        }
        if only.if_empty && ready > 0 {
            return Err(TopologyError::NotEmpty(Arc::clone(queue.name())));
        }
        self.drop_queue(host, &mut declared, &queue)?;
        Ok(ready)
    }

    /// Deletes a queue that has lost its last consumer, unless it has found another.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_abandoned(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
    ) -> Result<(), TopologyError> {
        self.delete_if(host, queue, |queue| queue.consumer_count() == 0)
    }

    /// Deletes a queue that nobody has used for as long as it may be unused.
    pub(super) fn delete_expired(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
    ) -> Result<(), TopologyError> {
        let now = self.shared.clock.now();
        self.delete_if(host, queue, |queue| {
            queue.consumer_count() == 0 && queue.expires_at().is_some_and(|at| at <= now)
        })
    }

    pub(super) fn delete_if(
        &self,
        host: &VirtualHost,
        queue: &WorkQueue,
        is_done: impl FnOnce(&WorkQueue) -> bool,
    ) -> Result<(), TopologyError> {
        let mut declared = host.write();
        let known = declared.queues.get(queue.name()).cloned();
        match known.filter(|known| std::ptr::eq(&**known, queue)) {
            Some(known) if is_done(&known) => self.drop_queue(host, &mut declared, &known),
            _ => Ok(()),
        }
    }

    /// Deletes what a connection that ends has to itself.
    ///
    /// # Errors
    /// A failed store; everything is gone nevertheless, until a restart at the latest.
    pub fn delete_queues_of(
        &self,
        host: &VirtualHost,
        owner: LeaseSession,
    ) -> Result<(), TopologyError> {
        let mut declared = host.write();
        let queues = declared.queues.values();
        let owned = queues.filter(|queue| queue.owner() == Some(owner));
        let owned: Vec<_> = owned.cloned().collect();
        let mut outcome = Ok(());
        for queue in owned {
            let dropped = self.drop_queue(host, &mut declared, &queue);
            outcome = outcome.and(dropped);
        }
        outcome
    }

    /// Deletes the topics of queues that were not to outlive the last run, and of those whose
    /// deletion it did not finish.
    ///
    /// # Errors
    /// A failed store.
    pub(super) fn sweep_queue_topics(&self) -> Result<(), Error> {
        let kept = self.shared.vhosts.queue_topics();
        let kept: HashSet<_> = kept.iter().map(|topic| topic.name()).collect();
        for topic in self.topics() {
            if kept.contains(topic.name()) {
                continue;
            }
            if is_of_queue(&topic) {
                self.drop_topic(topic.name())?;
            } else if topic.rules().stream.is_some() {
                self.drop_stream_topic(&topic)?;
            }
        }
        Ok(())
    }

    /// The queue goes first, so that a crash leaves a topic without a queue, which the next start
    /// removes, and not the other way round.
    fn drop_queue(
        &self,
        host: &VirtualHost,
        declared: &mut Declared,
        queue: &WorkQueue,
    ) -> Result<(), TopologyError> {
        let fact = queue
            .spec()
            .is_kept()
            .then(|| Fact::gone_queue(host.name(), queue.name()));
        let kept = fact.map_or(Ok(()), |fact| self.keep([fact]));
        declared.queues.remove(queue.name());
        for consumer in queue.consumers().take_all() {
            consumer.mailbox.cancel();
        }
        let unbound = self.remove(host, declared, |declared| {
            declared.router.delete_queue(queue.name())
        });
        kept?;
        unbound?;
        if queue.is_topic() {
            self.drop_stream_topic(queue.topic())?;
        } else {
            self.drop_topic(queue.topic().name())?;
        }
        Ok(())
    }

    fn drop_topic(&self, name: &TopicName) -> Result<(), Error> {
        self.remove_topic(name)?;
        let Ok(group) = GroupName::new(name.as_str()) else {
            return Ok(());
        };
        match self.delete_group(&group) {
            // Nobody has consumed.
            Err(Error::GroupNotFound(_)) => Ok(()),
            outcome => outcome,
        }
    }

    /// A new topic for a queue.
    fn make_queue_topic(
        &self,
        vhost: &str,
        queue: &str,
        rules: &QueueRules,
    ) -> Result<Arc<Topic>, Error> {
        let spec = match rules.stream {
            Some(rules) => stream_spec(rules),
            None => {
                let priority_max = u32::from(rules.priority_max.unwrap_or(0));
                let mut spec = TopicSpec::with_queues(1 + priority_max);
                let is_work_queue = (WORK_QUEUE.to_owned(), "true".to_owned());
                spec.attributes.extend([is_work_queue]);
                spec
            }
        };
        if let Some(name) = queue_topic(vhost, queue) {
            if self
                .topic(name.as_str())
                .is_some_and(|topic| is_of_queue(&topic))
            {
                // Left of a deletion that failed in the middle.
                self.drop_topic(&name)?;
            }
            match self.create_topic(&name, spec.clone()) {
                // Somebody else's.
                Err(Error::AlreadyExists(_)) => {}
                outcome => return outcome,
            }
        }
        let name = spare_topic(self.unique_id());
        let name = name.ok_or_else(|| Error::Internal("a queue has no topic".to_owned()))?;
        self.create_topic(&name, spec)
    }

    /// Removes something, and from the log all that went.
    fn remove(
        &self,
        host: &VirtualHost,
        declared: &mut Declared,
        remove: impl FnOnce(&mut Declared) -> Removed,
    ) -> Result<(), TopologyError> {
        let removed = remove(declared);
        let vhost = host.name();
        let exchanges = removed.exchanges.iter();
        let exchanges = exchanges.map(|name| Fact::gone_exchange(vhost, name));
        let bindings = removed.bindings.iter();
        let bindings = bindings.map(|binding| Fact::binding(vhost, binding).gone());
        let facts: Vec<Fact> = exchanges.chain(bindings).collect();
        Ok(self.keep(facts)?)
    }

    /// Writes facts down, all or none of them.
    pub(super) fn keep(&self, facts: impl IntoIterator<Item = Fact>) -> Result<(), Error> {
        let mut state = self.shared.state_mut();
        let facts = facts.into_iter().filter_map(Fact::into_change);
        let known = state.documents.get(crate::vhosts::NAMESPACE);
        let is_news = |change: &crate::state::DocumentChange| {
            change.value.is_some() || known.is_some_and(|known| known.contains_key(&change.key))
        };
        let changes: Vec<_> = facts.filter(is_news).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let end = self
            .shared
            .log(&mut state, Command::PutDocuments { changes })?;
        drop(state);
        self.shared.settle(end)
    }
}

/// Whether the broker has made a topic for a queue.
fn is_of_queue(topic: &Topic) -> bool {
    let rules = topic.rules();
    (rules.is_work_queue || rules.stream.is_some()) && is_queue_topic(topic.name().as_str())
}
