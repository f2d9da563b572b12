//! Consumer groups: membership, offsets, and what administrators ask about them. The state is
//! core's; this is Kafka's words for it.

mod admin;
mod commit;
mod join;
mod membership;
mod progress;
mod refusal;

use crate::api::{Api, Handler, answer, answer_later, api};
use crate::wire::shapes;
use gantry_core::groups::classic::{Identity, MemberId};
use kafka_protocol::protocol::StrBytes;

/// The group APIs, rows of the one table.
pub(crate) static APIS: &[Api] = &[
    api(
        8,
        2,
        9,
        shapes::OFFSET_COMMIT,
        Handler::Now(|context, body| answer(context, body, commit::offset_commit)),
    ),
    api(
        9,
        1,
        9,
        shapes::OFFSET_FETCH,
        Handler::Now(|context, body| answer(context, body, progress::offset_fetch)),
    ),
    api(
        11,
        0,
        9,
        shapes::JOIN_GROUP,
        Handler::Later(|context, body| answer_later(context, body, join::join_group)),
    ),
    api(
        12,
        0,
        4,
        shapes::HEARTBEAT,
        Handler::Now(|context, body| answer(context, body, membership::heartbeat)),
    ),
    api(
        13,
        0,
        5,
        shapes::LEAVE_GROUP,
        Handler::Now(|context, body| answer(context, body, membership::leave_group)),
    ),
    api(
        14,
        0,
        5,
        shapes::SYNC_GROUP,
        Handler::Later(|context, body| answer_later(context, body, join::sync_group)),
    ),
    api(
        15,
        0,
        6,
        shapes::DESCRIBE_GROUPS,
        Handler::Now(|context, body| answer(context, body, admin::describe_groups)),
    ),
    api(
        16,
        0,
        5,
        shapes::LIST_GROUPS,
        Handler::Now(|context, body| answer(context, body, admin::list_groups)),
    ),
    api(
        42,
        0,
        2,
        shapes::DELETE_GROUPS,
        Handler::Now(|context, body| answer(context, body, admin::delete_groups)),
    ),
];

fn identity(member_id: &str, instance_id: Option<&StrBytes>) -> Identity {
    Identity {
        member_id: MemberId::new(member_id),
        instance_id: instance(instance_id),
    }
}

fn instance(instance_id: Option<&StrBytes>) -> Option<String> {
    instance_id
        .filter(|id| !id.is_empty())
        .map(|id| id.as_str().to_owned())
}
