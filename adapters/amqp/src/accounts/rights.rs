//! What one user may do in one virtual host.

use super::pattern::Pattern;
use super::{Permission, TopicPermission};
use crate::codec::ReplyCode;
use crate::fault::Fault;
use crate::topology::{Named, describe};
use arc_swap::ArcSwap;
use gantry_core::routing::ExchangeKind;
use gantry_core::vhosts::VirtualHost;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is done to an exchange or a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// It is declared or deleted.
    Configure,
    /// Messages come to it.
    Write,
    /// Messages leave it.
    Read,
}

/// Rights of a user in a virtual host, the same for all who have asked for them, and always as
/// the accounts say.
#[derive(Debug)]
pub struct Rights {
    pub(super) vhost: Arc<str>,
    pub(super) user: Arc<str>,
    granted: ArcSwap<Granted>,
}

/// They at one moment.
#[derive(Debug)]
pub(super) struct Granted {
    configure: Pattern,
    write: Pattern,
    read: Pattern,
    /// Which keys may be written and read, by topic exchange. Any where it is not in here.
    topics: BTreeMap<Arc<str>, (Pattern, Pattern)>,
}

impl Rights {
    pub(super) fn new(vhost: &Arc<str>, user: &Arc<str>, granted: Granted) -> Self {
        Self {
            vhost: Arc::clone(vhost),
            user: Arc::clone(user),
            granted: ArcSwap::from_pointee(granted),
        }
    }

    /// To everything, for who asks on nobody's behalf.
    #[must_use]
    pub fn unlimited(vhost: &Arc<str>) -> Arc<Self> {
        let granted = Granted {
            configure: Pattern::Everything,
            write: Pattern::Everything,
            read: Pattern::Everything,
            topics: BTreeMap::new(),
        };
        Arc::new(Self::new(vhost, &"".into(), granted))
    }

    /// Whose they are.
    #[must_use]
    pub const fn user(&self) -> &Arc<str> {
        &self.user
    }

    pub(super) fn replace(&self, granted: Granted) {
        self.granted.store(Arc::new(granted));
    }

    /// # Errors
    /// 403: the user may not.
    pub(crate) fn check(
        &self,
        host: &VirtualHost,
        right: Right,
        named: Named<'_>,
    ) -> Result<(), Fault> {
        let (named, name) = match named {
            Named::Exchange("") => (Named::Exchange(DEFAULT_EXCHANGE), DEFAULT_EXCHANGE),
            Named::Exchange(name) | Named::Queue(name) => (named, name),
        };
        if self.granted.load().pattern(right).has(name) {
            return Ok(());
        }
        let (what, user) = (describe(host, named), &self.user);
        let text = format!("access to {what} refused for user '{user}'");
        Err(Fault::new(ReplyCode::AccessRefused, text))
    }

    /// Whether messages with these keys may be written to, or bound from, an exchange that may be.
    ///
    /// # Errors
    /// 403: the user may not.
    pub(crate) fn check_keys(
        &self,
        host: &VirtualHost,
        right: Right,
        exchange: &str,
        keys: &[&str],
    ) -> Result<(), Fault> {
        let granted = self.granted.load();
        let Some((write, read)) = granted.topics.get(exchange) else {
            return Ok(());
        };
        let spec = host.exchange(exchange);
        if !spec.is_some_and(|spec| spec.kind == ExchangeKind::Topic) {
            return Ok(());
        }
        let pattern = if right == Right::Write { write } else { read };
        match keys.iter().find(|key| !pattern.has(key)) {
            None => Ok(()),
            Some(key) => {
                let (vhost, user) = (host.name(), &self.user);
                let text = format!(
                    "access to topic '{key}' in exchange '{exchange}' in vhost '{vhost}' refused for \
                     user '{user}'"
                );
                Err(Fault::new(ReplyCode::AccessRefused, text))
            }
        }
    }
}

/// An expression over routing keys, with what its variables say.
pub(super) fn expanded(text: &str, vhost: &str, user: &str) -> String {
    let text = text.replace("{vhost}", vhost);
    text.replace("{username}", user)
}

/// As permissions call the exchange without a name.
const DEFAULT_EXCHANGE: &str = "amq.default";

impl Granted {
    pub(super) fn nothing() -> Self {
        Self {
            configure: Pattern::Nothing,
            write: Pattern::Nothing,
            read: Pattern::Nothing,
            topics: BTreeMap::new(),
        }
    }

    pub(super) fn of<'a>(
        (vhost, user): (&str, &str),
        permission: &Permission,
        topics: impl Iterator<Item = (&'a Arc<str>, &'a TopicPermission)>,
    ) -> Self {
        let expand = |text: &str| Pattern::of(&expanded(text, vhost, user));
        let topics = topics.map(|(exchange, topic)| {
            let patterns = (expand(&topic.write), expand(&topic.read));
            (Arc::clone(exchange), patterns)
        });
        Self {
            configure: Pattern::of(&permission.configure),
            write: Pattern::of(&permission.write),
            read: Pattern::of(&permission.read),
            topics: topics.collect(),
        }
    }

    const fn pattern(&self, right: Right) -> &Pattern {
        match right {
            Right::Configure => &self.configure,
            Right::Write => &self.write,
            Right::Read => &self.read,
        }
    }
}
