//! Where messages are sent to: a URL that can be one of a receiver.

use crate::error::Refusal;
use axum::http::Uri;
use axum::http::uri::Scheme;

/// Longest URL.
const BYTES_MAX: usize = 2_048;

/// A receiver's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) place: Place,
}

/// The host and port of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) is_secured: bool,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// # Errors
    /// Why it is none.
    pub(crate) fn parse(url: &str) -> Result<Self, Refusal> {
        if url.len() > BYTES_MAX {
            let text = format!("the URL has more than {BYTES_MAX} bytes");
            return Err(Refusal::parameter(text));
        }
        let uri: Uri = url
            .trim()
            .parse()
            .map_err(|error| Refusal::parameter(format!("the URL: {error}")))?;
        let has_user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if has_user {
            return Err(Refusal::parameter("a URL with a user is not called"));
        }
        let place = Place::of(&uri);
        let place = place.ok_or_else(|| {
            Refusal::parameter("the URL is one of http or https, with its host, and no other")
        })?;
        Ok(Self { uri, place })
    }
}

impl Place {
    /// Of a whole URL.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme()?;
        let is_secured = *scheme == Scheme::HTTPS;
        if !is_secured && *scheme != Scheme::HTTP {
            return None;
        }
        let host = uri.host()?;
        let usual = if is_secured { 443 } else { 80 };
        let port = match uri.port_u16() {
            Some(port) => port,
            // What stands behind the host is no port.
            None if uri.authority()?.as_str().len() > host.len() => return None,
            None => usual,
        };
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        (!host.is_empty() && port > 0).then(|| Self {
            is_secured,
            host: host.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_whole_urls_of_http_without_a_user_are_targets() {
        let target = Target::parse("https://[2001:db8::1]/a?b=c").unwrap();
        let place = (target.place.host.as_str(), target.place.port);
        assert_eq!(place, ("2001:db8::1", 443));
        for wrong in [
            "",
            "/path",
            "ftp://h/",
            "file:///etc/passwd",
            "http://",
            "http://u@h/",
            "http://u:p@h/",
            "https://h:0/",
            "http://h:99999/",
            "gopher://h:70/",
            "http://h h/",
            "h:80",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
        let long = format!("http://h/{}", "a".repeat(BYTES_MAX));
        assert!(Target::parse(&long).is_err());
    }
}
