//! Signed requests, as ACL 1.0 and 2.0 of RocketMQ share them: every request names its user and
//! carries an HMAC of all it says. Secrets stay in here.

mod config;
mod permission;
mod signature;
#[cfg(test)]
mod tests;

pub use config::{AclConfig, AclConfigError, Secret, UserConfig};

use crate::error::Refusal;
use gantry_remoting_protocol::{Command, ResponseCode};
use signature::Key;
use std::collections::HashMap;
use std::sync::Arc;

/// The field that names the user.
const ACCESS_KEY: &str = "AccessKey";

/// The users who may ask for something.
#[derive(Debug)]
pub struct Acl {
    users: HashMap<String, User>,
}

#[derive(Debug)]
struct User {
    key: Key,
    is_admin: bool,
}

impl Acl {
    /// The users of `config`; `None` when anybody may ask for anything.
    #[must_use]
    pub fn new(config: &AclConfig) -> Option<Arc<Self>> {
        if !config.enabled {
            return None;
        }
        let users = config.users.iter().map(|user| {
            let known = User {
                key: Key::new(&user.secret_key),
                is_admin: user.admin,
            };
            (user.access_key.clone(), known)
        });
        let users = users.collect();
        Some(Arc::new(Self { users }))
    }

    /// Whether `command` is signed by a user who may ask for it. The remarks are stock brokers'.
    pub(crate) fn check(&self, command: &Command) -> Result<(), Refusal> {
        let Some(name) = command
            .fields
            .text(ACCESS_KEY)
            .filter(|name| !name.is_empty())
        else {
            return Err(refusal("username cannot be null."));
        };
        let Some(user) = self.users.get(name) else {
            return Err(refusal(format!("User:{name} is not found.")));
        };
        if !user.key.has_signed(command) {
            return Err(refusal("check signature failed."));
        }
        if user.is_admin || permission::is_everybodys(command.request_code()) {
            return Ok(());
        }
        let code = command.code;
        Err(refusal(format!(
            "User:{name} has no permission for request code {code}, which needs an admin."
        )))
    }
}

fn refusal(remark: impl Into<String>) -> Refusal {
    Refusal::new(ResponseCode::NoPermission, remark)
}
