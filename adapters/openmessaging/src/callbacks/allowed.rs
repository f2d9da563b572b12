//! Who may be called. What counts is the address that is connected to, whatever name led there.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Receivers that may be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Allowed {
    /// Every address of the public internet.
    Public,
    /// Addresses.
    Network(IpNet),
    /// A host, at whatever address it says it is.
    Host(String),
    /// Hosts whose name ends so (with the dot), as [`Allowed::Host`].
    Below(String),
}

impl Allowed {
    /// Whether `host` may be called at `address`.
    #[must_use]
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        // An IPv4 address is what it is, also as IPv6 writes it.
        let address = address.to_canonical();
        let host = host.trim_end_matches('.');
        match self {
            Self::Public => is_public(address),
            Self::Network(network) => network.contains(&address),
            Self::Host(allowed) => host.eq_ignore_ascii_case(allowed),
            Self::Below(suffix) => {
                let start = host.len().saturating_sub(suffix.len());
                let end = host.get(start..);
                start > 0 && end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
        }
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("public") {
            return Ok(Self::Public);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = text.strip_prefix('.').unwrap_or(text);
        // A name without a letter would be an address that is none.
        let has_letter = name.bytes().any(|byte| byte.is_ascii_alphabetic());
        if !has_letter || !name.bytes().all(is_host) || name.starts_with('.') {
            return Err(format!(
                "{text} is neither public, a network, a host nor a dot and the end of hosts' names"
            ));
        }
        let text = text.trim_end_matches('.').to_owned();
        Ok(if text.starts_with('.') {
            Self::Below(text)
        } else {
            Self::Host(text)
        })
    }
}

impl TryFrom<String> for Allowed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Allowed> for String {
    fn from(allowed: Allowed) -> Self {
        allowed.to_string()
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Network(network) => network.fmt(f),
            Self::Host(name) | Self::Below(name) => f.write_str(name),
        }
    }
}

/// Whether an address is of the public internet, by IANA's registries of special addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // This network, private use, loopback.
        [0 | 10 | 127, ..]
            // Shared by providers and their customers.
            | [100, 64..=127, ..]
            // Link-local, where clouds answer for their machines.
            | [169, 254, ..]
            | [172, 16..=31, ..]
            // Protocol assignments, documentation, 6to4 relays, private use.
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            // Benchmarks, documentation.
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            // Multicast, reserved, broadcast.
            | [224..=255, ..]
    )
}

/// Of IPv6 only global unicast, without what leads on into IPv4 or nowhere. Outside of it are
/// loopback, NAT64, unique-local, link-local and multicast addresses.
const fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments (Teredo among them), documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] => false,
        // 6to4, documentation.
        [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in private {
            let parsed = address.parse().unwrap();
            assert!(!Allowed::Public.permits("h", parsed), "{address}");
        }
        for address in [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "::ffff:8.8.8.8",
            "2606:4700::1",
        ] {
            let parsed = address.parse().unwrap();
            assert!(Allowed::Public.permits("h", parsed), "{address}");
        }
    }

    #[test]
    fn networks_hosts_and_ends_of_names_are_told_apart() {
        let permits = |entry: &str, host: &str, address: &str| {
            let entry: Allowed = entry.parse().unwrap();
            assert_eq!(entry.to_string().parse::<Allowed>().unwrap(), entry);
            entry.permits(host, address.parse().unwrap())
        };
        assert!(permits("127.0.0.0/8", "localhost", "127.0.0.1"));
        assert!(permits("127.0.0.1", "x", "::ffff:127.0.0.1"));
        assert!(!permits("127.0.0.1", "x", "127.0.0.2"));
        assert!(!permits("10.0.0.0/8", "x", "11.0.0.1"));
        assert!(permits("hooks.example", "Hooks.Example.", "10.0.0.1"));
        assert!(!permits("hooks.example", "a.hooks.example", "10.0.0.1"));
        assert!(permits(".example", "hooks.example", "10.0.0.1"));
        assert!(!permits(".example", "hooksexample", "10.0.0.1"));
        assert!(!permits(".example", ".example", "10.0.0.1"));
        for wrong in [
            "",
            ".",
            "10.0.0.0/33",
            "300.0.0.1",
            "a b",
            "http://x",
            "..a",
        ] {
            assert!(wrong.parse::<Allowed>().is_err(), "{wrong}");
        }
    }
}
