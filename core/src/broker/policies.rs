//! Policies and limits of virtual hosts, set and taken back. What they change of queues is in force
//! when it is answered.

use crate::vhosts::{
    Amendment, Declared, Fact, Policies, Policy, PolicyKind, Rule, TopologyError, VhostLimits,
    VirtualHost,
};
use crate::{Client, Error};
use parking_lot::RwLockWriteGuard;
use std::sync::Arc;
use std::time::Duration;

/// Queues whose changes are written down together.
const CHUNK: usize = 1_000;
/// Times of messages are told apart by it.
const CLOCK_TICK: Duration = Duration::from_millis(1);

impl Client {
    /// Sets a policy; whether it is new.
    ///
    /// # Errors
    /// [`TopologyError::Pattern`], the virtual host is deleted, or a failed store.
    pub fn put_policy(
        &self,
        host: &VirtualHost,
        kind: PolicyKind,
        name: &str,
        policy: Policy,
    ) -> Result<bool, TopologyError> {
        let name: Arc<str> = name.into();
        let fact = Fact::policy(host.name(), kind, &name, &policy);
        let rule = Rule::new(policy).map_err(TopologyError::Pattern)?;
        let declared = host.write_to_declare()?;
        let mut policies = declared.policies.clone();
        let is_new = policies.put(kind, name, rule);
        self.rule(host, declared, policies, fact)?;
        Ok(is_new)
    }

    /// Takes a policy back; whether it was there.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_policy(
        &self,
        host: &VirtualHost,
        kind: PolicyKind,
        name: &str,
    ) -> Result<bool, TopologyError> {
        let declared = host.write();
        let mut policies = declared.policies.clone();
        if !policies.remove(kind, name) {
            return Ok(false);
        }
        let fact = Fact::gone_policy(host.name(), kind, &name.into());
        self.rule(host, declared, policies, fact)?;
        Ok(true)
    }

    /// Limits a virtual host; `None` is that nobody has ever limited it.
    ///
    /// # Errors
    /// The virtual host is deleted, or a failed store.
    pub fn limit_virtual_host(
        &self,
        host: &VirtualHost,
        limits: Option<VhostLimits>,
    ) -> Result<(), TopologyError> {
        let mut declared = host.write_to_declare()?;
        self.keep([Fact::limits(host.name(), limits.as_ref())])?;
        declared.limits = limits;
        Ok(())
    }

    /// Puts policies in force once `fact` is written down, by which they differ from those before.
    fn rule(
        &self,
        host: &VirtualHost,
        mut declared: RwLockWriteGuard<'_, Declared>,
        policies: Policies,
        fact: Fact,
    ) -> Result<(), Error> {
        let amendments = declared.amendments(&policies, self.shared.clock.now());
        self.keep([fact])?;
        self.keep_lives(host, &amendments)?;
        self.keep_streams(&amendments)?;
        let changes_lives = amendments.iter().any(Amendment::changes_lives);
        let queues = declared.rule(policies, amendments);
        drop(declared);
        for queue in &queues {
            // How long a queue may be unused counts from now, as RabbitMQ has it.
            self.note_use(queue);
        }
        self.dispatch_all(queues);
        if changes_lives {
            // What comes after the answer is told by its time from what was there before.
            std::thread::sleep(CLOCK_TICK);
        }
        Ok(())
    }

    /// How long streams keep what they have is their topics' to say.
    fn keep_streams(&self, amendments: &[Amendment]) -> Result<(), Error> {
        for one in amendments {
            if let Some(rules) = one.stream() {
                self.alter_stream(one.queue.topic(), rules)?;
            }
        }
        Ok(())
    }

    /// A crash in between has a queue's later lives be those of all its messages.
    fn keep_lives(&self, host: &VirtualHost, amendments: &[Amendment]) -> Result<(), Error> {
        let kept = amendments.iter().filter(|one| {
            let is_kept = one.queue.spec().is_kept();
            is_kept && one.changes_lives()
        });
        let kept: Vec<_> = kept.collect();
        for chunk in kept.chunks(CHUNK) {
            let facts = chunk.iter();
            self.keep(facts.map(|one| Fact::queue(host.name(), &one.queue, &one.rules)))?;
        }
        Ok(())
    }
}
