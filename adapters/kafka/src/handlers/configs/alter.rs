//! AlterConfigs, which replaces all settings of a topic, and IncrementalAlterConfigs, which changes
//! those it names.

use super::describe::{BROKER, Refusal, TOPIC};
use super::topic::{Kind, TOPIC_SETTINGS, check, setting_of};
use crate::context::RequestContext;
use crate::error::NONE;
use crate::handlers::visible;
use gantry_core::Topic;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterableConfig;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig as Operation;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

/// The operations on a setting.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// New values by name; none removes one.
type Changes = BTreeMap<String, Option<String>>;

/// Replaces all settings of each topic, or with `validate_only` says whether it could.
pub(crate) fn replace(
    context: &RequestContext,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let key = |kind: i8, name: &StrBytes| (kind, name.clone());
    let resources = request.resources.iter();
    let repeated = repeated(resources.map(|asked| key(asked.resource_type, &asked.resource_name)));
    let responses = request.resources.into_iter().map(|asked| {
        let resource = key(asked.resource_type, &asked.resource_name);
        let altered = topic(context, &resource, &repeated).and_then(|topic| {
            let changes = replacing(&asked.configs)?;
            apply(context, &topic, changes, request.validate_only)
        });
        let (code, message) = outcome(altered);
        AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

/// Changes the settings of each topic that are named, or with `validate_only` says whether it could.
pub(crate) fn alter(
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let key = |kind: i8, name: &StrBytes| (kind, name.clone());
    let resources = request.resources.iter();
    let repeated = repeated(resources.map(|asked| key(asked.resource_type, &asked.resource_name)));
    let responses = request.resources.into_iter().map(|asked| {
        let resource = key(asked.resource_type, &asked.resource_name);
        let altered = topic(context, &resource, &repeated).and_then(|topic| {
            let changes = changing(context, &topic, &asked.configs)?;
            apply(context, &topic, changes, request.validate_only)
        });
        let (code, message) = outcome(altered);
        IncrementalResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn refuse<T>(error: ResponseError, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(error, message.into()))
}

fn repeated<T: Eq + Hash + Clone>(items: impl Iterator<Item = T>) -> HashSet<T> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    let more = counts.into_iter().filter(|(_, count)| *count > 1);
    more.map(|(item, _)| item).collect()
}

fn outcome(altered: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match altered {
        Ok(()) => (NONE, None),
        Err(Refusal(error, message)) => (error.code(), Some(StrBytes::from_string(message))),
    }
}

/// The topic a resource names; nothing else can be altered.
fn topic(
    context: &RequestContext,
    resource: &(i8, StrBytes),
    repeated: &HashSet<(i8, StrBytes)>,
) -> Result<std::sync::Arc<Topic>, Refusal> {
    if repeated.contains(resource) {
        return refuse(
            ResponseError::InvalidRequest,
            "Each resource must appear at most once.",
        );
    }
    let (kind, name) = resource;
    match *kind {
        TOPIC if !visible::is_legal_name(name) => refuse(
            ResponseError::InvalidTopicException,
            "the name is not legal",
        ),
        TOPIC => match visible::by_name(&context.client, name) {
            Some(topic) => Ok(topic),
            None => refuse(
                ResponseError::UnknownTopicOrPartition,
                format!("topic {name} does not exist"),
            ),
        },
        BROKER => refuse(
            ResponseError::InvalidRequest,
            "a broker's settings are in its configuration file, none can be changed while it runs",
        ),
        other => refuse(
            ResponseError::InvalidRequest,
            format!("Unsupported resource type: {other}"),
        ),
    }
}

/// What is not named goes back to its default.
fn replacing(asked: &[AlterableConfig]) -> Result<Changes, Refusal> {
    check_names(asked.iter().map(|asked| &asked.name))?;
    let names = TOPIC_SETTINGS.iter().map(|setting| setting.name.to_owned());
    let mut changes: Changes = names.map(|name| (name, None)).collect();
    for asked in asked {
        let value = value_of(&asked.name, asked.value.as_ref())?;
        changes.insert(asked.name.to_string(), Some(checked(&asked.name, value)?));
    }
    Ok(changes)
}

fn changing(
    context: &RequestContext,
    topic: &Topic,
    asked: &[Operation],
) -> Result<Changes, Refusal> {
    check_names(asked.iter().map(|asked| &asked.name))?;
    let spec = topic.spec();
    let mut changes = Changes::new();
    for asked in asked {
        let name = &*asked.name;
        let Some(setting) = setting_of(name) else {
            return refuse(
                ResponseError::InvalidConfig,
                format!("Unknown topic config name: {name}"),
            );
        };
        let value = match asked.config_operation {
            SET => Some(value_of(name, asked.value.as_ref())?),
            DELETE => None,
            APPEND | SUBTRACT if setting.kind == Kind::List => {
                let (present, _) = super::topic_value(context, &spec.attributes, setting);
                let items = value_of(name, asked.value.as_ref())?;
                Some(if asked.config_operation == APPEND {
                    appended(&present, &items)
                } else {
                    subtracted(&present, &items)
                })
            }
            APPEND | SUBTRACT => {
                return refuse(
                    ResponseError::InvalidConfig,
                    format!("{name} is no list that a value can be added to or taken from"),
                );
            }
            other => {
                return refuse(
                    ResponseError::InvalidRequest,
                    format!("Unknown operation {other} on {name}"),
                );
            }
        };
        let value = value.map(|value| checked(name, value)).transpose()?;
        changes.insert(name.to_owned(), value);
    }
    Ok(changes)
}

fn check_names<'a>(names: impl Iterator<Item = &'a StrBytes>) -> Result<(), Refusal> {
    let twice = repeated(names);
    match twice.iter().next() {
        None => Ok(()),
        Some(name) => refuse(
            ResponseError::InvalidRequest,
            format!("{name} is there more than once"),
        ),
    }
}

fn value_of(name: &str, value: Option<&StrBytes>) -> Result<String, Refusal> {
    match value {
        Some(value) => Ok(value.to_string()),
        None => refuse(
            ResponseError::InvalidRequest,
            format!("Null value not supported for : {name}"),
        ),
    }
}

fn checked(name: &str, value: String) -> Result<String, Refusal> {
    match check(name, Some(&value)) {
        Ok(()) => Ok(value),
        Err(message) => refuse(ResponseError::InvalidConfig, message),
    }
}

fn items(list: &str) -> Vec<&str> {
    let items = list.split(',').map(str::trim);
    items.filter(|item| !item.is_empty()).collect()
}

fn appended(present: &str, more: &str) -> String {
    let mut all = items(present);
    for item in items(more) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all.join(",")
}

fn subtracted(present: &str, less: &str) -> String {
    let mut all = items(present);
    let less = items(less);
    all.retain(|item| !less.contains(item));
    all.join(",")
}

fn apply(
    context: &RequestContext,
    topic: &Topic,
    changes: Changes,
    validate_only: bool,
) -> Result<(), Refusal> {
    if !validate_only {
        context.client.alter_attributes(topic.name(), changes)?;
    }
    Ok(())
}
