//! The tables of `wire/shapes.rs` against the crate whose decoders they guard.

use super::Seeded;
use crate::api::{self, Api};
use crate::wire::shape::{self, Field, Kind};
use crate::wire::writer::{put_length, put_no_tagged_fields, put_nullable_text};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Message};

/// Decodes with the crate; answers whether it took the body, and how much of it is left.
pub(super) fn crate_decode(key: i16, version: i16, body: &Bytes) -> Option<(bool, usize)> {
    fn run<Q: Decodable + Message>(version: i16, body: &Bytes) -> Option<(bool, usize)> {
        let mut body = body.clone();
        let decoded = Q::decode(&mut body, version.min(Q::VERSIONS.max));
        Some((decoded.is_ok(), body.len()))
    }
    match key {
        2 => run::<ListOffsetsRequest>(version, body),
        3 => run::<MetadataRequest>(version, body),
        8 => run::<OffsetCommitRequest>(version, body),
        9 => run::<OffsetFetchRequest>(version, body),
        10 => run::<FindCoordinatorRequest>(version, body),
        11 => run::<JoinGroupRequest>(version, body),
        12 => run::<HeartbeatRequest>(version, body),
        13 => run::<LeaveGroupRequest>(version, body),
        14 => run::<SyncGroupRequest>(version, body),
        15 => run::<DescribeGroupsRequest>(version, body),
        16 => run::<ListGroupsRequest>(version, body),
        18 => run::<ApiVersionsRequest>(version, body),
        19 => run::<CreateTopicsRequest>(version, body),
        20 => run::<DeleteTopicsRequest>(version, body),
        21 => run::<DeleteRecordsRequest>(version, body),
        22 => run::<InitProducerIdRequest>(version, body),
        23 => run::<OffsetForLeaderEpochRequest>(version, body),
        32 => run::<DescribeConfigsRequest>(version, body),
        33 => run::<AlterConfigsRequest>(version, body),
        37 => run::<CreatePartitionsRequest>(version, body),
        42 => run::<DeleteGroupsRequest>(version, body),
        44 => run::<IncrementalAlterConfigsRequest>(version, body),
        60 => run::<DescribeClusterRequest>(version, body),
        _ => None,
    }
}

/// Every guarded API with each of its versions.
pub(super) fn guarded() -> Vec<(&'static Api, i16)> {
    api::all()
        .filter(|api| !matches!(api.key, api::PRODUCE | api::FETCH))
        .flat_map(|api| (api.first..=api.last).map(move |version| (api, version)))
        .collect()
}

/// A body of the table's shape with nothing null and no array empty.
pub(super) fn body_of(api: &Api, version: i16, random: &mut Seeded) -> Bytes {
    let mut body = BytesMut::new();
    put_fields(
        &mut body,
        api.body.fields,
        version,
        api.is_flexible(version),
        random,
    );
    body.freeze()
}

fn put_fields(
    body: &mut BytesMut,
    fields: &[Field],
    version: i16,
    flexible: bool,
    random: &mut Seeded,
) {
    for field in fields {
        if field.is_in(version) {
            put(body, field.kind(), version, flexible, random);
        }
    }
    if flexible && random.below(4) == 0 {
        body.put_slice(&[1, 77, 3, 1, 2, 3]); // one tagged field nobody knows
    } else {
        put_no_tagged_fields(body, flexible);
    }
}

fn put(body: &mut BytesMut, kind: &Kind, version: i16, flexible: bool, random: &mut Seeded) {
    match kind {
        Kind::Fixed(length) => (0..*length).for_each(|_| body.put_u8(random.next() as u8)),
        Kind::Text => {
            let text: String = (0..random.below(200)).map(|_| 'é').collect();
            put_nullable_text(body, Some(&text), flexible);
        }
        Kind::Blob => {
            let length = random.below(300);
            put_length(body, length, flexible);
            (0..length).for_each(|_| body.put_u8(random.next() as u8));
        }
        Kind::Array(element) => {
            let count = 1 + random.below(3);
            put_length(body, count, flexible);
            (0..count).for_each(|_| put(body, element, version, flexible, random));
        }
        Kind::Struct(fields) => put_fields(body, fields, version, flexible, random),
    }
}

#[test]
fn tables_and_crate_see_the_same_bytes_in_every_version() {
    for (api, version) in guarded() {
        for seed in 1..20 {
            let body = body_of(api, version, &mut Seeded::new(seed));
            let walked = shape::check(&body, &api.body, version, 1000).unwrap();
            assert_eq!(walked, body.len(), "key {} v{version}", api.key);
            let decoded = crate_decode(api.key, version, &body).unwrap();
            assert_eq!(decoded, (true, 0), "key {} v{version}", api.key);
        }
    }
}

#[test]
fn served_versions_are_what_the_crate_has() {
    // ListOffsets 11 has the bytes of 10.
    assert_eq!(ListOffsetsRequest::VERSIONS.max, 10);
    for api in api::all() {
        assert!(api.first <= api.last);
        for version in [api.first, api.last] {
            let header = ApiKey::try_from(api.key)
                .unwrap()
                .request_header_version(version);
            assert_eq!(
                header == 2,
                api.is_flexible(version),
                "key {} v{version}",
                api.key
            );
            let header = ApiKey::try_from(api.key)
                .unwrap()
                .response_header_version(version);
            assert_eq!(
                header == 1,
                api.has_flexible_response(version),
                "key {} v{version}",
                api.key
            );
        }
    }
}
