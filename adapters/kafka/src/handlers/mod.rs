//! One file a family of requests. A cold handler is a function from a request of
//! `kafka-protocol` to its response; `api.rs` says who answers what.

pub(crate) mod api_versions;
pub(crate) mod fetch;
pub(crate) mod groups;
pub(crate) mod visible;
