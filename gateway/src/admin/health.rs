//! `/healthz`: 200 when everything works, 503 with the reason when writes are refused.

use super::Watched;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gantry_core::StoreHealth;
use serde::Serialize;

/// What is said of the store.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    /// `healthy`, `read_only`, `disk_full` or `failed`.
    status: &'static str,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Stretches of the log that are damaged: reading them is an error, the rest is served.
    damaged_ranges: usize,
}

/// Answers a look at the health. A NameServer alone is well when it answers.
pub(super) async fn answer(State(watched): State<Watched>) -> (StatusCode, Json<Health>) {
    let store = watched.store.as_ref();
    let health = store.map_or(StoreHealth::Healthy, gantry_core::Broker::health);
    let code = match health {
        StoreHealth::Healthy => StatusCode::OK,
        StoreHealth::ReadOnly | StoreHealth::DiskFull | StoreHealth::Failed(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let health = Health {
        status: name(&health),
        reason: match health {
            StoreHealth::Healthy => None,
            StoreHealth::ReadOnly => {
                Some("the disk is fuller than store.disk_read_only_percent".to_owned())
            }
            StoreHealth::DiskFull => Some("there is no room for another segment".to_owned()),
            StoreHealth::Failed(reason) => Some(reason),
        },
        damaged_ranges: store.map_or(0, |store| store.damages().len()),
    };
    (code, Json(health))
}

/// The state's name, in `/healthz` and `/metrics`.
pub(super) const fn name(health: &StoreHealth) -> &'static str {
    match health {
        StoreHealth::Healthy => "healthy",
        StoreHealth::ReadOnly => "read_only",
        StoreHealth::DiskFull => "disk_full",
        StoreHealth::Failed(_) => "failed",
    }
}
