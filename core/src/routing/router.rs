//! The exchanges of one virtual host and how messages go through them.

use super::arguments::Arguments;
use super::exchange::{Binding, Destination, ExchangeSpec};
use super::matcher::{IllegalBinding, Matcher, Routable};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use thiserror::Error;

/// Exchanges and their bindings.
#[derive(Debug, Default)]
pub struct Router {
    exchanges: HashMap<Arc<str>, Exchange>,
    /// Which exchanges have bindings that lead somewhere.
    sources: HashMap<Destination, BTreeSet<Arc<str>>>,
}

#[derive(Debug)]
struct Exchange {
    spec: ExchangeSpec,
    /// Where a policy sends messages for which it has no binding, unless its declaration does.
    ruled_alternate: Option<Arc<str>>,
    /// By destination and key; more than one differ in their arguments.
    bindings: BTreeMap<Destination, BTreeMap<Box<str>, Vec<Arguments>>>,
    matcher: Matcher,
}

/// What went at once, because one went without which the others make no sense.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removed {
    /// Exchanges.
    pub exchanges: Vec<Arc<str>>,
    /// Bindings.
    pub bindings: Vec<Binding>,
}

/// Something is there that differs from what was declared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("inequivalent arg '{argument}': received {received} but current is {current}")]
pub struct Inequivalent {
    /// `type`, `durable`, `auto_delete`, `internal` or `alternate-exchange`.
    pub argument: &'static str,
    /// What was declared.
    pub received: String,
    /// What there is.
    pub current: String,
}

/// Why a binding was not made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// There is no such exchange.
    #[error("no exchange '{0}'")]
    NoExchange(Arc<str>),
    /// It makes no sense to its exchange.
    #[error(transparent)]
    Illegal(#[from] IllegalBinding),
}

impl Router {
    /// Whether an exchange would be new.
    ///
    /// # Errors
    /// One of that name is there and differs.
    pub fn is_new(&self, name: &str, spec: &ExchangeSpec) -> Result<bool, Inequivalent> {
        match self.exchanges.get(name) {
            Some(known) => known.spec.check_same(spec).map(|()| false),
            None => Ok(true),
        }
    }

    /// Makes an exchange; `false` when it is there already.
    ///
    /// # Errors
    /// One of that name is there and differs.
    pub fn declare(&mut self, name: &str, spec: ExchangeSpec) -> Result<bool, Inequivalent> {
        if !self.is_new(name, &spec)? {
            return Ok(false);
        }
        let exchange = Exchange {
            matcher: Matcher::of(&spec.kind),
            ruled_alternate: None,
            bindings: BTreeMap::new(),
            spec,
        };
        self.exchanges.insert(name.into(), exchange);
        Ok(true)
    }

    /// An exchange as it was declared.
    #[must_use]
    pub fn exchange(&self, name: &str) -> Option<&ExchangeSpec> {
        self.exchanges.get(name).map(|exchange| &exchange.spec)
    }

    /// Gives an exchange the alternate that a policy says, which counts where it was declared with
    /// none.
    pub fn rule_alternate(&mut self, name: &str, alternate: Option<Arc<str>>) {
        if let Some(exchange) = self.exchanges.get_mut(name) {
            exchange.ruled_alternate = alternate;
        }
    }

    /// All exchanges, in no order.
    pub fn exchanges(&self) -> impl Iterator<Item = (&Arc<str>, &ExchangeSpec)> {
        let exchanges = self.exchanges.iter();
        exchanges.map(|(name, exchange)| (name, &exchange.spec))
    }

    /// Whether an exchange has bindings.
    #[must_use]
    pub fn is_source(&self, name: &str) -> bool {
        let exchange = self.exchanges.get(name);
        exchange.is_some_and(|exchange| !exchange.bindings.is_empty())
    }

    /// Makes a binding; `false` when it is there already.
    ///
    /// # Errors
    /// No such exchange at either end, or a binding it cannot have.
    pub fn bind(&mut self, binding: &Binding) -> Result<bool, BindError> {
        if let Destination::Exchange(name) = &binding.destination
            && !self.exchanges.contains_key(name)
        {
            return Err(BindError::NoExchange(Arc::clone(name)));
        }
        let Some(source) = self.exchanges.get_mut(&binding.source) else {
            return Err(BindError::NoExchange(Arc::clone(&binding.source)));
        };
        let is_new = source.bind(binding)?;
        let sources = self.sources.entry(binding.destination.clone()).or_default();
        sources.insert(Arc::clone(&binding.source));
        Ok(is_new)
    }

    /// Takes a binding back, if it is there.
    pub fn unbind(&mut self, binding: &Binding) -> Removed {
        let mut removed = Removed::default();
        let source = self.exchanges.get_mut(&binding.source);
        if source.is_some_and(|source| source.unbind(binding)) {
            removed.bindings.push(binding.clone());
            self.loosen(&binding.source, &binding.destination, &mut removed);
        }
        removed
    }

    /// Deletes an exchange with all bindings from and to it; it is the first that went.
    pub fn delete_exchange(&mut self, name: &str) -> Removed {
        let mut removed = Removed::default();
        self.remove_exchange(name, &mut removed);
        removed
    }

    /// Removes all bindings to a queue.
    pub fn delete_queue(&mut self, name: &str) -> Removed {
        let mut removed = Removed::default();
        self.remove_destination(&Destination::Queue(name.into()), &mut removed);
        removed
    }

    /// All bindings of an exchange.
    #[must_use]
    pub fn bindings_of(&self, source: &str) -> Vec<Binding> {
        let Some((name, exchange)) = self.exchanges.get_key_value(source) else {
            return Vec::new();
        };
        let destinations = exchange.bindings.keys();
        destinations
            .flat_map(|destination| exchange.bindings_to(name, destination))
            .collect()
    }

    /// All bindings that lead somewhere.
    #[must_use]
    pub fn bindings_to(&self, destination: &Destination) -> Vec<Binding> {
        let sources = self.sources.get(destination).into_iter().flatten();
        let sources = sources.filter_map(|name| self.exchanges.get_key_value(name));
        sources
            .flat_map(|(name, exchange)| exchange.bindings_to(name, destination))
            .collect()
    }

    /// The queues of a message that is published to an exchange with these keys (its own, and
    /// those of `CC` and `BCC`), each once: through exchanges bound to one another, and through
    /// the alternate of each that has no binding for it.
    #[must_use]
    pub fn route(&self, exchange: &str, keys: &[&str], message: &dyn Routable) -> Vec<Arc<str>> {
        let mut queues = Vec::new();
        let (mut seen, mut found): (HashSet<&Destination>, HashSet<&str>) = Default::default();
        let mut next = vec![exchange];
        while let Some(name) = next.pop() {
            let Some(exchange) = self.exchanges.get(name) else {
                continue;
            };
            if !found.insert(name) {
                continue;
            }
            let mut is_routed = false;
            for key in keys {
                exchange.matcher.matching(key, message, |destination| {
                    is_routed = true;
                    if seen.insert(destination) {
                        match destination {
                            Destination::Queue(name) => queues.push(Arc::clone(name)),
                            Destination::Exchange(name) => next.push(name),
                        }
                    }
                });
            }
            if !is_routed {
                next.extend(exchange.alternate());
            }
        }
        queues
    }

    /// The last binding from `source` to `destination` may have gone, and the last from `source`.
    fn loosen(&mut self, source: &Arc<str>, destination: &Destination, removed: &mut Removed) {
        let Some(exchange) = self.exchanges.get(source) else {
            return;
        };
        if !exchange.bindings.contains_key(destination)
            && let Some(sources) = self.sources.get_mut(destination)
        {
            sources.remove(source);
            if sources.is_empty() {
                self.sources.remove(destination);
            }
        }
        if exchange.spec.is_auto_delete && exchange.bindings.is_empty() {
            self.remove_exchange(source, removed);
        }
    }

    fn remove_exchange(&mut self, name: &str, removed: &mut Removed) {
        let Some((name, exchange)) = self.exchanges.remove_entry(name) else {
            return;
        };
        for destination in exchange.bindings.keys() {
            removed
                .bindings
                .extend(exchange.bindings_to(&name, destination));
            if let Some(sources) = self.sources.get_mut(destination) {
                sources.remove(&name);
                if sources.is_empty() {
                    self.sources.remove(destination);
                }
            }
        }
        removed.exchanges.push(Arc::clone(&name));
        self.remove_destination(&Destination::Exchange(name), removed);
    }

    fn remove_destination(&mut self, destination: &Destination, removed: &mut Removed) {
        for source in self.sources.remove(destination).into_iter().flatten() {
            if let Some(exchange) = self.exchanges.get_mut(&source) {
                removed
                    .bindings
                    .extend(exchange.bindings_to(&source, destination));
                exchange.unbind_all(destination);
                self.loosen(&source, destination, removed);
            }
        }
    }
}

impl Exchange {
    fn alternate(&self) -> Option<&str> {
        let declared = self.spec.alternate.as_deref();
        declared.or(self.ruled_alternate.as_deref())
    }

    fn bind(&mut self, binding: &Binding) -> Result<bool, IllegalBinding> {
        let (key, arguments) = (&binding.key, &binding.arguments);
        let keys = self.bindings.get(&binding.destination);
        let known = keys.and_then(|keys| keys.get(key));
        if known.is_some_and(|known| known.contains(arguments)) {
            return Ok(false);
        }
        // For most exchanges a binding with other arguments is the same to messages.
        if known.is_none() || self.matcher.reads_arguments() {
            self.matcher.insert(key, arguments, &binding.destination)?;
        }
        let keys = self.bindings.entry(binding.destination.clone());
        let known = keys.or_default().entry(key.clone()).or_default();
        known.push(arguments.clone());
        Ok(true)
    }

    /// Whether it was there.
    fn unbind(&mut self, binding: &Binding) -> bool {
        let (key, arguments) = (&binding.key, &binding.arguments);
        let Some(keys) = self.bindings.get_mut(&binding.destination) else {
            return false;
        };
        let Some(known) = keys.get_mut(key) else {
            return false;
        };
        let Some(at) = known.iter().position(|known| known == arguments) else {
            return false;
        };
        known.swap_remove(at);
        let is_last = known.is_empty();
        if is_last {
            keys.remove(key);
            if keys.is_empty() {
                self.bindings.remove(&binding.destination);
            }
        }
        if is_last || self.matcher.reads_arguments() {
            self.matcher.remove(key, arguments, &binding.destination);
        }
        true
    }

    fn unbind_all(&mut self, destination: &Destination) {
        for (key, known) in self.bindings.remove(destination).into_iter().flatten() {
            let count = if self.matcher.reads_arguments() {
                known.len()
            } else {
                1
            };
            for arguments in known.iter().take(count) {
                self.matcher.remove(&key, arguments, destination);
            }
        }
    }

    fn bindings_to(&self, source: &Arc<str>, destination: &Destination) -> Vec<Binding> {
        let keys = self.bindings.get(destination).into_iter().flatten();
        let binding = |key: &str, arguments: &Arguments| Binding {
            source: Arc::clone(source),
            destination: destination.clone(),
            key: key.into(),
            arguments: arguments.clone(),
        };
        keys.flat_map(|(key, known)| known.iter().map(|arguments| binding(key, arguments)))
            .collect()
    }
}

impl ExchangeSpec {
    fn check_same(&self, declared: &Self) -> Result<(), Inequivalent> {
        let alternate = |spec: &Self| {
            let name = spec.alternate.as_deref();
            name.map_or_else(|| "none".to_owned(), |name| format!("'{name}'"))
        };
        let said = |spec: &Self, argument: &'static str| match argument {
            "type" => format!("'{}'", spec.type_name()),
            "durable" => format!("'{}'", spec.is_durable),
            "auto_delete" => format!("'{}'", spec.is_auto_delete),
            "internal" => format!("'{}'", spec.is_internal),
            _ => alternate(spec),
        };
        let arguments = [
            "type",
            "durable",
            "auto_delete",
            "internal",
            "alternate-exchange",
        ];
        for argument in arguments {
            let (received, current) = (said(declared, argument), said(self, argument));
            let is_other_kind = argument == "type" && self.kind != declared.kind;
            if received != current || is_other_kind {
                return Err(Inequivalent {
                    argument,
                    received,
                    current,
                });
            }
        }
        Ok(())
    }
}
