//! One file a family of requests. A cold handler is a function from a request of
//! `kafka-protocol` to its response; `api.rs` says who answers what.

pub(crate) mod api_versions;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod fetch;
pub(crate) mod groups;
pub(crate) mod list_offsets;
pub(crate) mod metadata;
pub(crate) mod produce;
pub(crate) mod producer_id;
pub(crate) mod topics;
pub(crate) mod visible;
