//! Drives real clients of every ecosystem against a running gantry.
//!
//! This library is the harness: where things are, a server process, a client process, and the
//! lines they exchange. It knows no protocol and links no part of the product. The tests are one
//! binary, `tests/compat`; `cargo xtask test` installs the clients and runs them.

pub mod clients;
pub mod gantry;
pub mod lines;
pub mod paths;
pub mod process;
