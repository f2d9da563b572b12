//! Which messages a pull wants: as it says itself, or as its group's heartbeats said.

use crate::error::Refusal;
use crate::role::BrokerRole;
use gantry_core::Error;
use gantry_core::filter::Filter;
use gantry_core::groups::subscription::{Selector, Subscription};
use gantry_remoting_protocol::ResponseCode;
use gantry_remoting_protocol::header::PullRequest;
use std::sync::Arc;

/// The expression language of tags; also what its absence means.
const TAG: &str = "TAG";
/// The expression language over properties.
const SQL92: &str = "SQL92";

/// A subscription as a request says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// [`TAG`], [`SQL92`] or something unknown.
    pub(super) language: Option<&'a str>,
    /// The expression.
    pub(super) text: &'a str,
    /// By a Java class the broker would load, long gone from RocketMQ.
    pub(super) is_class: bool,
}

impl Wanted<'_> {
    fn is_tags(&self) -> bool {
        self.language
            .is_none_or(|language| language.is_empty() || language == TAG)
    }

    /// The messages it means. `known` is what the group said before: the same expression is not
    /// compiled again.
    pub(super) fn selector(
        &self,
        role: &BrokerRole,
        known: Option<&Subscription>,
    ) -> Result<Selector, Refusal> {
        if self.is_class {
            let remark = "class filters are gone since RocketMQ 5: subscribe by tags or SQL92";
            return Err(Refusal::new(ResponseCode::SystemError, remark));
        }
        if self.is_tags() {
            return Selector::from_tags(self.text).ok_or_else(|| unparsable("no tag in it"));
        }
        if self.language != Some(SQL92) || !role.config.property_filter_enabled {
            return Err(unsupported(self.language));
        }
        if let Some(Selector::Matching(filter)) = known.map(|known| &known.selector)
            && let Filter::Expression(expression) = filter.as_ref()
            && expression.text() == self.text
        {
            return Ok(Selector::Matching(Arc::clone(filter)));
        }
        match role.client.expression(self.text) {
            Ok(expression) => Ok(Selector::Matching(Arc::new(expression.into()))),
            Err(Error::Invalid(why)) => Err(unparsable(&why)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The refusal of a language that is not served, in stock brokers' words.
fn unsupported(language: Option<&str>) -> Refusal {
    let language = language.unwrap_or(TAG);
    let remark = format!("The broker does not support consumer to filter message by {language}");
    Refusal::new(ResponseCode::SystemError, remark)
}

/// The refusal of an expression that does not parse.
fn unparsable(why: &str) -> Refusal {
    let remark = format!("parse the consumer's subscription failed: {why}");
    Refusal::new(ResponseCode::SubscriptionParseFailed, remark)
}

/// What the messages of an expression that comes with the request itself must match; `None` for
/// every message.
pub(super) fn filter_of_expression(
    role: &BrokerRole,
    language: Option<&str>,
    expression: Option<&str>,
) -> Result<Option<Arc<Filter>>, Refusal> {
    let wanted = Wanted {
        language,
        text: expression.unwrap_or_default(),
        is_class: false,
    };
    match wanted.selector(role, None)? {
        Selector::All => Ok(None),
        Selector::Matching(filter) => Ok(Some(filter)),
        Selector::Unusable(why) => Err(unparsable(&why)),
    }
}

/// What a pull's messages must match; `None` for every message.
pub(super) fn filter_of(
    role: &BrokerRole,
    pull: &PullRequest<'_>,
) -> Result<Option<Arc<Filter>>, Refusal> {
    let flags = pull.flags();
    let selector = if flags.has_subscription() || flags.has_class_filter() {
        let known = role.clients.subscription(pull.group, pull.topic);
        let wanted = Wanted {
            language: pull.expression_type,
            text: pull.subscription.unwrap_or_default(),
            is_class: flags.has_class_filter(),
        };
        wanted.selector(role, known.as_deref())?
    } else {
        registered(role, pull)?
    };
    match selector {
        Selector::All => Ok(None),
        Selector::Matching(filter) => Ok(Some(filter)),
        Selector::Unusable(_) if !role.config.property_filter_enabled => {
            Err(unsupported(pull.expression_type.or(Some(SQL92))))
        }
        Selector::Unusable(why) => {
            let remark = format!("the consumer's expression in its heartbeat is unusable: {why}");
            Err(Refusal::new(ResponseCode::FilterDataNotExist, remark))
        }
    }
}

fn registered(role: &BrokerRole, pull: &PullRequest<'_>) -> Result<Selector, Refusal> {
    let not_exist = |remark| Refusal::new(ResponseCode::SubscriptionNotExist, remark);
    let Some(subscription) = role.clients.subscription(pull.group, pull.topic) else {
        return Err(match role.clients.model(pull.group) {
            None => not_exist("the consumer's group info not exist".to_owned()),
            Some(_) => not_exist(format!(
                "the consumer's subscription not exist, topic {}",
                pull.topic
            )),
        });
    };
    if subscription.version < pull.subscription_version {
        let remark = "the consumer's subscription not latest";
        return Err(Refusal::new(ResponseCode::SubscriptionNotLatest, remark));
    }
    Ok(subscription.selector.clone())
}
