//! DescribeGroups, ListGroups, DeleteGroups: what tools ask. A group that only ever committed
//! offsets, through whatever protocol, is an empty group.

use super::refusal;
use crate::context::RequestContext;
use crate::error::{self, NONE};
use crate::handlers::metadata::{OPERATIONS_UNKNOWN, text};
use gantry_core::Error;
use gantry_core::groups::classic::{GroupDescription, GroupState, MemberDescription};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// From this version an unknown group is an error, before it is a dead one.
const NOT_FOUND_FROM: i16 = 6;
/// A bit for each ACL operation on a group: read, delete, describe.
const GROUP_OPERATIONS: i32 = 0b1_0100_1000;
/// The kind of group whose members speak JoinGroup; the only one served.
const CLASSIC: &str = "classic";

/// Describes each group asked for.
pub(crate) fn describe_groups(
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let operations = if request.include_authorized_operations {
        GROUP_OPERATIONS
    } else {
        OPERATIONS_UNKNOWN
    };
    let describe = |id: GroupId| described(context, id).with_authorized_operations(operations);
    let groups = request.groups.into_iter().map(describe).collect();
    DescribeGroupsResponse::default().with_groups(groups)
}

fn described(context: &RequestContext, id: GroupId) -> DescribedGroup {
    let group = match refusal::group_name(&id) {
        Ok(group) => group,
        Err(code) => return dead(id).with_error_code(code),
    };
    if let Some(description) = context.server.groups.describe(&group) {
        return live(context.version, id, description);
    }
    if !context.client.committed_offsets(&group).is_empty() {
        return dead(id).with_group_state(text(&GroupState::Empty.to_string()));
    }
    if context.version < NOT_FOUND_FROM {
        return dead(id);
    }
    let message = StrBytes::from_string(format!("Group {group} not found."));
    dead(id)
        .with_error_code(ResponseError::GroupIdNotFound.code())
        .with_error_message(Some(message))
}

fn dead(id: GroupId) -> DescribedGroup {
    DescribedGroup::default()
        .with_error_code(NONE)
        .with_group_id(id)
        .with_group_state(text(&GroupState::Dead.to_string()))
}

fn live(version: i16, id: GroupId, description: GroupDescription) -> DescribedGroup {
    let member = |member: MemberDescription| {
        DescribedGroupMember::default()
            .with_member_id(text(member.id.as_str()))
            // Older versions do not know static members.
            .with_group_instance_id(
                member.instance_id.filter(|_| version >= 4).as_deref().map(text),
            )
            .with_client_id(StrBytes::from_string(member.client_id))
            .with_client_host(StrBytes::from_string(member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    DescribedGroup::default()
        .with_error_code(NONE)
        .with_group_id(id)
        .with_group_state(text(&description.state.to_string()))
        .with_protocol_type(StrBytes::from_string(description.protocol_type))
        .with_protocol_data(StrBytes::from_string(description.protocol))
        .with_members(description.members.into_iter().map(member).collect())
}

/// Lists groups with members and groups with offsets, in order of name.
pub(crate) fn list_groups(
    context: &RequestContext,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let offsets_only = |group| (group, (GroupState::Empty, String::new()));
    let mut groups: BTreeMap<_, _> = context
        .client
        .groups()
        .into_iter()
        .map(offsets_only)
        .collect();
    groups.extend(context.server.groups.list(|name, group| {
        (
            name.clone(),
            (group.state(), group.protocol_type().to_owned()),
        )
    }));
    let passes = |filter: &[StrBytes], value: &str| {
        filter.is_empty()
            || filter
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let mut listed = Vec::new();
    for (name, (state, protocol_type)) in groups {
        let state = state.to_string();
        if passes(&request.states_filter, &state) && passes(&request.types_filter, CLASSIC) {
            let known = |since: i16, value: &str| {
                if context.version >= since {
                    text(value)
                } else {
                    StrBytes::default()
                }
            };
            listed.push(
                ListedGroup::default()
                    .with_group_id(GroupId(text(name.as_str())))
                    .with_protocol_type(StrBytes::from_string(protocol_type))
                    .with_group_state(known(4, &state))
                    .with_group_type(known(5, CLASSIC)),
            );
        }
    }
    ListGroupsResponse::default()
        .with_error_code(NONE)
        .with_groups(listed)
}

/// Deletes groups without members, with their offsets.
pub(crate) fn delete_groups(
    context: &RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let delete = |id: GroupId| {
        let code = deleted(context, &id).err().unwrap_or(NONE);
        DeletableGroupResult::default()
            .with_group_id(id)
            .with_error_code(code)
    };
    let results = request.groups_names.into_iter().map(delete).collect();
    DeleteGroupsResponse::default().with_results(results)
}

fn deleted(context: &RequestContext, id: &GroupId) -> Result<(), i16> {
    let group = refusal::group_name(id)?;
    let had_members = context
        .server
        .groups
        .delete(&group)
        .map_err(|error| refusal::code(&error))?;
    match context.client.delete_group(&group) {
        Err(Error::GroupNotFound(_)) if had_members => Ok(()),
        outcome => outcome.map_err(|error| error::code(&error)),
    }
}
