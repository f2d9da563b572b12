//! JoinGroup and SyncGroup: the two steps of a rebalance. Both may wait for other members.

use super::{identity, instance, refusal};
use crate::context::RequestContext;
use crate::error::NONE;
use crate::handlers::metadata::text;
use bytes::Bytes;
use gantry_core::groups::classic::{
    GroupError, JoinRequest, Joined, JoinedMember, MemberId, Protocol, SyncRequest, Synced,
};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

/// From this version a member is given an id first (KIP-394).
const ID_REQUIRED_FROM: i16 = 4;
/// From this version the answer names the group's type, and the protocol may be null.
const TYPE_ANSWERED_FROM: i16 = 7;
/// From this version a leader can be told not to assign anew (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// From this version SyncGroup's answer names type and protocol.
const SYNC_TYPE_ANSWERED_FROM: i16 = 5;

/// Answers when the rebalance has everybody, or at once when there is none.
pub(crate) async fn join_group(
    context: RequestContext,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let version = context.version;
    let group = match refusal::group_name(&request.group_id) {
        Ok(group) => group,
        Err(code) => return join_refused(version, code, request.member_id),
    };
    let asked_by = request.member_id.clone();
    let request = join_request(&context, request);
    match context.server.groups.join(&group, &request).await {
        Ok(joined) => joined_response(version, joined),
        Err(error) => {
            let code = refusal::code(&error);
            let member_id = match error {
                GroupError::MemberIdRequired(given) => text(given.as_str()),
                _ => asked_by,
            };
            join_refused(version, code, member_id)
        }
    }
}

fn join_request(context: &RequestContext, request: JoinGroupRequest) -> JoinRequest {
    let session_timeout_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
    let protocol = |protocol: JoinGroupRequestProtocol| Protocol {
        name: protocol.name.as_str().to_owned(),
        metadata: own(&protocol.metadata),
    };
    JoinRequest {
        member_id: MemberId::new(&request.member_id),
        instance_id: instance(request.group_instance_id.as_ref()),
        client_id: context.client_id.as_deref().unwrap_or_default().to_owned(),
        // As Java prints an address, which is what tools show.
        client_host: format!("/{}", context.peer.ip()),
        session_timeout_ms,
        // Version 0 has no rebalance timeout.
        rebalance_timeout_ms: u64::try_from(request.rebalance_timeout_ms)
            .unwrap_or(session_timeout_ms),
        protocol_type: request.protocol_type.as_str().to_owned(),
        protocols: request.protocols.into_iter().map(protocol).collect(),
        id_required: context.version >= ID_REQUIRED_FROM,
        may_skip_assignment: context.version >= SKIP_ASSIGNMENT_FROM,
    }
}

/// A copy, so that a small field does not keep the whole frame alive.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn joined_response(version: i16, joined: Joined) -> JoinGroupResponse {
    let member = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.id.as_str()))
            // Older versions do not know static members.
            .with_group_instance_id(
                member.instance_id.filter(|_| version >= 5).as_deref().map(text),
            )
            .with_metadata(member.metadata)
    };
    JoinGroupResponse::default()
        .with_error_code(NONE)
        .with_generation_id(joined.generation)
        .with_protocol_type((version >= TYPE_ANSWERED_FROM).then(|| text(&joined.protocol_type)))
        .with_protocol_name(Some(text(&joined.protocol)))
        .with_leader(text(joined.leader.as_str()))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(joined.member_id.as_str()))
        .with_members(joined.members.into_iter().map(member).collect())
}

fn join_refused(version: i16, code: i16, member_id: StrBytes) -> JoinGroupResponse {
    let nothing = (version < TYPE_ANSWERED_FROM).then(StrBytes::default);
    JoinGroupResponse::default()
        .with_error_code(code)
        .with_generation_id(-1)
        .with_protocol_name(nothing)
        .with_member_id(member_id)
}

/// Answers when the leader has brought the assignments.
pub(crate) async fn sync_group(
    context: RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let group = match refusal::group_name(&request.group_id) {
        Ok(group) => group,
        Err(code) => return SyncGroupResponse::default().with_error_code(code),
    };
    let assignments = request
        .assignments
        .iter()
        .filter_map(|part| Some((MemberId::new(&part.member_id)?, own(&part.assignment))));
    let asked = SyncRequest {
        identity: identity(&request.member_id, request.group_instance_id.as_ref()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(|name| name.as_str().to_owned()),
        protocol: request.protocol_name.map(|name| name.as_str().to_owned()),
        assignments: assignments.collect(),
    };
    match context.server.groups.sync(&group, asked).await {
        Ok(synced) => synced_response(context.version, synced),
        Err(error) => SyncGroupResponse::default().with_error_code(refusal::code(&error)),
    }
}

fn synced_response(version: i16, synced: Synced) -> SyncGroupResponse {
    let named = |name: &str| (version >= SYNC_TYPE_ANSWERED_FROM).then(|| text(name));
    SyncGroupResponse::default()
        .with_error_code(NONE)
        .with_protocol_type(named(&synced.protocol_type))
        .with_protocol_name(named(&synced.protocol))
        .with_assignment(synced.assignment)
}
