//! Heartbeat and LeaveGroup.

use super::{identity, refusal};
use crate::context::RequestContext;
use crate::error::NONE;
use gantry_core::groups::classic::{GroupError, Identity};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse,
};

/// From this version several members leave at once, each with its own verdict.
const MANY_LEAVE_FROM: i16 = 3;

/// Keeps a member's session alive and tells it of a rebalance.
pub(crate) fn heartbeat(context: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    let member = identity(&request.member_id, request.group_instance_id.as_ref());
    let verdict = refusal::group_name(&request.group_id).and_then(|group| {
        let groups = &context.server.groups;
        let beat = groups.heartbeat(&group, &member, request.generation_id);
        beat.map_err(|error| refusal::code(&error))
    });
    HeartbeatResponse::default().with_error_code(verdict.err().unwrap_or(NONE))
}

/// Takes members out of their group.
pub(crate) fn leave_group(
    context: &RequestContext,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let group = match refusal::group_name(&request.group_id) {
        Ok(group) => group,
        Err(code) => return LeaveGroupResponse::default().with_error_code(code),
    };
    let leave = |leavers: &[Identity]| {
        let verdicts = context.server.groups.leave(&group, leavers);
        verdicts.unwrap_or_else(|| vec![Err(GroupError::UnknownMember); leavers.len()])
    };
    let code =
        |verdict: &Result<(), GroupError>| verdict.as_ref().err().map_or(NONE, refusal::code);
    if context.version < MANY_LEAVE_FROM {
        let verdicts = leave(&[identity(&request.member_id, None)]);
        let code = verdicts.first().map_or(NONE, code);
        return LeaveGroupResponse::default().with_error_code(code);
    }
    let leaver =
        |member: &MemberIdentity| identity(&member.member_id, member.group_instance_id.as_ref());
    let leavers: Vec<_> = request.members.iter().map(leaver).collect();
    let verdicts = leave(&leavers);
    let member = |(member, verdict): (MemberIdentity, &Result<(), GroupError>)| {
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(code(verdict))
    };
    let members = request
        .members
        .into_iter()
        .zip(&verdicts)
        .map(member)
        .collect();
    LeaveGroupResponse::default()
        .with_error_code(NONE)
        .with_members(members)
}
