//! Consumer groups: membership, offsets, and what administrators ask about them.

use crate::api::Api;
use gantry_core::Client;

/// The group APIs, rows of the one table.
pub(crate) static APIS: &[Api] = &[];

/// All groups of the endpoint.
#[derive(Debug)]
pub(crate) struct Groups {
    client: Client,
}

impl Groups {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }
}
