//! ApiVersions: what is served, told before anything else is agreed.

use crate::answer::{Answer, Unanswerable};
use crate::api::{self, API_VERSIONS, Api};
use crate::context::RequestContext;
use crate::error::NONE;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

/// The table of what is served. Clients of version 3 name themselves; a name Kafka would refuse
/// is answered with INVALID_REQUEST and an empty table, and the connection stays open.
pub(crate) fn answer(context: &RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let named = is_software_name(&request.client_software_name)
        && is_software_name(&request.client_software_version);
    if context.version >= 3 && !named {
        return ApiVersionsResponse::default()
            .with_error_code(ResponseError::InvalidRequest.code());
    }
    let mut served: Vec<&Api> = api::all().collect();
    served.sort_unstable_by_key(|api| api.key);
    ApiVersionsResponse::default()
        .with_error_code(NONE)
        .with_api_keys(served.into_iter().map(row).collect())
}

/// The answer to an ApiVersions request of a version that is not served: the body of version 0
/// with the one range the client needs to try again. Its own body is not looked at.
pub(crate) fn unsupported(correlation_id: i32) -> Result<Answer, Unanswerable> {
    let own = api::served(API_VERSIONS).map(row);
    let response = ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own.into_iter().collect());
    Answer::encode(correlation_id, false, &response, 0)
}

fn row(api: &Api) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(api.key)
        .with_min_version(api.advertised_first())
        .with_max_version(api.last)
}

/// Kafka's rule: `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().copied().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kafkas_rule() {
        for name in ["a", "apache-kafka-java", "4.3.1", "A9"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a.", "a b", "a_b"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}
