//! Consumer groups as clients see them, in every version of every request.

mod admin;
mod errors;
mod offsets;
mod rebalance;
mod versions;

use crate::peer::{Host, Peer};
use gantry_core::groups::classic::ClassicConfig;
use gantry_kafka::Config;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

pub const JOIN: i16 = 9;
pub const SYNC: i16 = 5;
pub const HEARTBEAT: i16 = 4;

/// A broker whose groups start at once.
pub fn host() -> Host {
    let groups = ClassicConfig {
        initial_rebalance_delay_ms: 0,
        ..ClassicConfig::default()
    };
    let config = Config {
        groups,
        ..Config::default()
    };
    Host::with(gantry_core::Config::default(), config)
}

pub fn group(name: &str) -> GroupId {
    GroupId(string(name))
}

pub fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn join_request(name: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(string("range"))
        .with_metadata(b"subscription".as_slice().into());
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(string(member))
        .with_protocol_type(string("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins as clients do: without an id, then with the one given.
pub async fn join(peer: &mut Peer, name: &str) -> JoinGroupResponse {
    let first = peer.call(JOIN, &join_request(name, "")).await;
    assert_eq!(first.error_code, ResponseError::MemberIdRequired.code());
    peer.call(JOIN, &join_request(name, &first.member_id)).await
}

pub fn sync_request(
    name: &str,
    member: &str,
    generation: i32,
    parts: &[(&str, &'static str)],
) -> SyncGroupRequest {
    let part = |(member, part): &(&str, &'static str)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(string(member))
            .with_assignment(part.as_bytes().into())
    };
    SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_member_id(string(member))
        .with_generation_id(generation)
        .with_protocol_type(Some(string("consumer")))
        .with_protocol_name(Some(string("range")))
        .with_assignments(parts.iter().map(part).collect())
}

pub async fn sync(
    peer: &mut Peer,
    name: &str,
    member: &str,
    generation: i32,
    parts: &[(&str, &'static str)],
) -> SyncGroupResponse {
    peer.call(SYNC, &sync_request(name, member, generation, parts))
        .await
}

/// The code of a heartbeat.
pub async fn beat(peer: &mut Peer, name: &str, member: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group(name))
        .with_member_id(string(member))
        .with_generation_id(generation);
    peer.call(HEARTBEAT, &request).await.error_code
}

/// A stable group of one member; its id.
pub async fn alone(peer: &mut Peer, name: &str) -> String {
    let joined = join(peer, name).await;
    let member = joined.member_id.as_str().to_owned();
    let synced = sync(
        peer,
        name,
        &member,
        joined.generation_id,
        &[(&member, "all")],
    )
    .await;
    assert_eq!(
        (synced.error_code, &synced.assignment[..]),
        (0, &b"all"[..])
    );
    member
}
