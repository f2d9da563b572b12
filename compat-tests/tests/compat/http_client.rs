//! reqwest, a stock HTTP client.

use compat_tests::process::PATIENCE;
use reqwest::blocking::{Client, ClientBuilder};

/// A client to be, who asks the server itself and waits for it as long as [`PATIENCE`].
pub fn builder() -> ClientBuilder {
    Client::builder().no_proxy().timeout(PATIENCE)
}
