//! Where the workspace, the installed clients and the server's binary are.

use std::env;
use std::path::{Path, PathBuf};

/// Names the directory the foreign clients are installed in, for `cargo test`.
pub const CLIENTS_VARIABLE: &str = "GANTRY_COMPAT_CLIENTS";
/// Names the server's binary, for `cargo test`.
pub const BINARY_VARIABLE: &str = "GANTRY_BINARY";
/// Holds the JSON of a ready file, of servers to test that are already there.
pub const ENDPOINTS_VARIABLE: &str = "GANTRY_COMPAT_ENDPOINTS";

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The build directory of the workspace.
#[must_use]
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The directory the foreign clients are installed in.
#[must_use]
pub fn installed_clients() -> PathBuf {
    env::var_os(CLIENTS_VARIABLE).map_or_else(|| target().join("clients"), PathBuf::from)
}

/// The sources of the client programs.
#[must_use]
pub fn client_sources() -> PathBuf {
    workspace().join("compat-tests/clients")
}

/// The server's binary: the one the environment names, else the newest of the two profiles.
#[must_use]
pub fn gantry_binary() -> Option<PathBuf> {
    if let Some(binary) = env::var_os(BINARY_VARIABLE) {
        return Some(PathBuf::from(binary));
    }
    ["release", "debug"]
        .map(|profile| target().join(profile).join("gantry"))
        .into_iter()
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
}

/// The ready file's JSON of servers that are already there, if the tests are to use those.
#[must_use]
pub fn foreign_endpoints() -> Option<String> {
    env::var(ENDPOINTS_VARIABLE).ok()
}

/// Whether there is a server to test.
#[must_use]
pub fn server_is_there() -> bool {
    foreign_endpoints().is_some() || gantry_binary().is_some_and(|binary| binary.exists())
}

/// Whether this runs where nothing may be missing.
#[must_use]
pub fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
