//! What stock clients sent, and what Apache Kafka answered.

use super::shapes::crate_decode;
use super::{answer_to, requests};
use crate::api::{self, API_VERSIONS};
use crate::handlers::api_versions;
use crate::wire::shape;

/// APIs of later issues that the recorded clients also used.
const NOT_SERVED: &[i16] = &[
    21, 24, 26, 28, 35, 44, 47, 61, 65, 66, 68, 69, 75, 76, 78, 79,
];
/// Topic ids in group offsets, which `kafka-protocol` 0.18 does not have.
const NOT_SERVED_VERSIONS: &[(i16, i16)] = &[(8, 10), (9, 10), (API_VERSIONS, 5)];

#[test]
fn every_recorded_request_is_served_and_decodes() {
    let mut decoded = 0;
    for recorded in requests() {
        let named = (recorded.key, recorded.version);
        if NOT_SERVED.contains(&recorded.key) || NOT_SERVED_VERSIONS.contains(&named) {
            continue;
        }
        let Some(api) = recorded.api() else {
            panic!("{named:?} of {} is not served", recorded.file);
        };
        let body = recorded.body();
        if matches!(api.key, api::PRODUCE | api::FETCH) {
            continue; // compared field by field elsewhere
        }
        let walked = shape::check(&body, &api.body, recorded.version, 1000).unwrap();
        assert_eq!(walked, body.len(), "{named:?} of {}", recorded.file);
        let answer = crate_decode(api.key, recorded.version, &body);
        assert_eq!(answer, Some((true, 0)), "{named:?} of {}", recorded.file);
        decoded += 1;
    }
    assert!(decoded > 100, "{decoded}");
}

#[test]
fn an_unknown_api_versions_version_is_answered_as_kafka_does() {
    let recorded: Vec<_> = requests()
        .into_iter()
        .filter(|request| request.key == API_VERSIONS && request.version == 5)
        .collect();
    assert!(!recorded.is_empty());
    for request in recorded {
        let answer = api_versions::unsupported(request.correlation_id).unwrap();
        let recorded = answer_to(&request).unwrap();
        assert_eq!(&answer.chunks[0][4..], &recorded[..], "{}", request.file);
    }
}
