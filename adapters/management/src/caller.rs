//! Who asks, and what for.

use crate::refusal::Refusal;
use crate::server::Management;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gantry_amqp::operators::Operator;
use gantry_core::vhosts::VirtualHost;
use std::net::SocketAddr;
use std::sync::Arc;

const ADMINISTRATOR: &str = "administrator";
const MONITORING: [&str; 2] = [ADMINISTRATOR, "monitoring"];
const POLICYMAKER: &str = "policymaker";
const MANAGEMENT: &str = "management";

/// A user who may use the API at all.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) from: SocketAddr,
    management: Arc<Management>,
}

impl FromRequestParts<Arc<Management>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        management: &Arc<Management>,
    ) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let Some(ConnectInfo(from)) = peer.copied() else {
            return Err(Refusal::internal("a request without a peer"));
        };
        let given = parts.headers.get(AUTHORIZATION);
        let given = given.and_then(|given| given.to_str().ok());
        let given = given.ok_or_else(Refusal::anonymous)?;
        let (name, password) = basic(given).ok_or_else(Refusal::login_failed)?;
        let accounts = management.amqp.accounts();
        let account = accounts.authenticate(&name, password.as_bytes(), from.ip());
        let Some(account) = account else {
            tracing::info!(user = name, peer = %from, "a login to management was refused");
            return Err(Refusal::login_failed());
        };
        let caller = Self {
            name,
            tags: account.tags,
            from,
            management: Arc::clone(management),
        };
        if caller.is_monitor() || caller.has(POLICYMAKER) || caller.has(MANAGEMENT) {
            Ok(caller)
        } else {
            Err(Refusal::not_authorised("Not management user"))
        }
    }
}

fn basic(given: &str) -> Option<(String, String)> {
    let (scheme, rest) = given.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

impl Caller {
    fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|known| known == tag)
    }

    /// Whether it may see what others do.
    pub(crate) fn is_monitor(&self) -> bool {
        MONITORING.iter().any(|tag| self.has(tag))
    }

    /// # Errors
    /// It may not see what others do.
    pub(crate) fn monitors(&self) -> Result<(), Refusal> {
        if self.is_monitor() {
            return Ok(());
        }
        Err(Refusal::not_authorised("Not monitor user"))
    }

    /// # Errors
    /// It may not change accounts and virtual hosts.
    pub(crate) fn administers(&self) -> Result<(), Refusal> {
        if self.has(ADMINISTRATOR) {
            return Ok(());
        }
        Err(Refusal::not_authorised("Not administrator user"))
    }

    /// # Errors
    /// It may not set policies, or not those of the virtual host.
    pub(crate) fn makes_policies(&self, vhost: Option<&str>) -> Result<(), Refusal> {
        let may_open = vhost.is_none_or(|vhost| self.may_open(vhost));
        if self.has(ADMINISTRATOR) || (self.has(POLICYMAKER) && may_open) {
            return Ok(());
        }
        Err(Refusal::not_authorised(
            "User not authorised to access object",
        ))
    }

    fn may_open(&self, vhost: &str) -> bool {
        let accounts = self.management.amqp.accounts();
        accounts.permission(vhost, &self.name).is_some()
    }

    /// The virtual hosts it may look into.
    pub(crate) fn vhosts(&self) -> Vec<Arc<VirtualHost>> {
        let mut all = self.management.amqp.client().virtual_hosts();
        all.retain(|host| self.is_monitor() || self.may_open(host.name()));
        all
    }

    /// A virtual host to look into by its name, which a monitor may only among all others.
    ///
    /// # Errors
    /// It is not there, or not for this user.
    pub(crate) fn vhost(&self, name: &str) -> Result<Arc<VirtualHost>, Refusal> {
        let host = self.management.amqp.client().virtual_host(name);
        let host = host.ok_or_else(Refusal::not_found)?;
        if self.has(ADMINISTRATOR) || self.may_open(name) {
            return Ok(host);
        }
        Err(no_access())
    }

    /// Its hand in a virtual host.
    ///
    /// # Errors
    /// As [`Caller::vhost`].
    pub(crate) fn operator(&self, vhost: &str) -> Result<Operator, Refusal> {
        self.management.vhost_named(vhost)?;
        let operator = Operator::new(&self.management.amqp, vhost, &self.name, self.from);
        operator.ok_or_else(no_access)
    }
}

fn no_access() -> Refusal {
    Refusal::not_authorised("User not authorised to access virtual host")
}
