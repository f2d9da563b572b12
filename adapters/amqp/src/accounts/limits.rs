//! How much a user may have at a time.

use super::book::{Entry, Key, UserLimits};
use super::{AccountError, Accounts};
use crate::parameters::limits;
use serde_json::{Map, Value};
use std::sync::Arc;

impl UserLimits {
    /// What a request says.
    ///
    /// # Errors
    /// Something else than RabbitMQ's limits of users.
    pub fn read(fields: &Map<String, Value>) -> Result<Self, AccountError> {
        let read = limits(fields, ["max-channels", "max-connections"], "user-limits");
        let [max_channels, max_connections] =
            read.map_err(|wrong| AccountError::Limits(wrong.join("\n")))?;
        Ok(Self {
            max_channels,
            max_connections,
        })
    }
}

impl Accounts {
    /// How much a user may have at a time.
    #[must_use]
    pub fn user_limits(&self, user: &Arc<str>) -> UserLimits {
        match self.book.read().0.get(&Key::UserLimits(Arc::clone(user))) {
            Some(Entry::UserLimits(limits)) => *limits,
            _ => UserLimits::default(),
        }
    }

    /// Limits how much a user may have at a time from now on; what it has it keeps.
    ///
    /// # Errors
    /// No such user, too many accounts, or a failed store.
    pub fn limit_user(&self, user: &str, limits: UserLimits) -> Result<(), AccountError> {
        if self.user(user).is_none() {
            return Err(AccountError::NoUser(user.to_owned()));
        }
        let key = Key::UserLimits(user.into());
        if limits == UserLimits::default() {
            self.remove(|known| *known == key)?;
        } else {
            self.put(key, Entry::UserLimits(limits))?;
        }
        Ok(())
    }
}
