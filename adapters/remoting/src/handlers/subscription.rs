//! Which messages a pull wants: as it says itself, or as its group's heartbeats said.

use crate::error::Refusal;
use crate::role::BrokerRole;
use gantry_core::TagFilter;
use gantry_core::groups::subscription::Selector;
use gantry_remoting_protocol::ResponseCode;
use gantry_remoting_protocol::header::PullRequest;
use std::sync::Arc;

/// The one expression language served now; also what its absence means.
const TAG: &str = "TAG";

/// Whether the language of an expression is that of tags.
pub(super) fn is_tags(language: Option<&str>) -> bool {
    language.is_none_or(|language| language.is_empty() || language == TAG)
}

/// The refusal of a language that is not [`TAG`], in stock brokers' words.
pub(super) fn unsupported(language: Option<&str>) -> Refusal {
    let language = language.unwrap_or(TAG);
    let remark = format!("The broker does not support consumer to filter message by {language}");
    Refusal::new(ResponseCode::SystemError, remark)
}

/// The refusal of an expression that does not parse.
pub(super) fn unparsable() -> Refusal {
    let remark = "parse the consumer's subscription failed";
    Refusal::new(ResponseCode::SubscriptionParseFailed, remark)
}

/// The tags a pull is for; `None` for every message.
pub(super) fn filter_of(
    role: &BrokerRole,
    pull: &PullRequest<'_>,
) -> Result<Option<Arc<TagFilter>>, Refusal> {
    let selector = if pull.flags().has_subscription() {
        if !is_tags(pull.expression_type) {
            return Err(unsupported(pull.expression_type));
        }
        Selector::from_tags(pull.subscription.unwrap_or_default()).ok_or_else(unparsable)?
    } else {
        registered(role, pull)?
    };
    match selector {
        Selector::All => Ok(None),
        Selector::Tags(filter) => Ok(Some(filter)),
        Selector::Expression(_) => Err(unsupported(pull.expression_type)),
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
