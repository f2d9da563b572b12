//! What a peer says about itself in every header: its language and its version.

/// The language of the peer's client library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LanguageCode {
    /// Also what every answer says: the one name all stock clients parse.
    #[default]
    Java = 0,
    /// C++.
    Cpp = 1,
    /// .NET.
    Dotnet = 2,
    /// Python.
    Python = 3,
    /// Delphi.
    Delphi = 4,
    /// Erlang.
    Erlang = 5,
    /// Ruby.
    Ruby = 6,
    /// Anything else; also what an unknown name or number is read as.
    Other = 7,
    /// HTTP.
    Http = 8,
    /// Go.
    Go = 9,
    /// PHP.
    Php = 10,
    /// OpenMessaging.
    Oms = 11,
    /// Rust.
    Rust = 12,
    /// Node.js.
    NodeJs = 13,
}

impl LanguageCode {
    const TABLE: [(Self, &'static str); 14] = [
        (Self::Java, "JAVA"),
        (Self::Cpp, "CPP"),
        (Self::Dotnet, "DOTNET"),
        (Self::Python, "PYTHON"),
        (Self::Delphi, "DELPHI"),
        (Self::Erlang, "ERLANG"),
        (Self::Ruby, "RUBY"),
        (Self::Other, "OTHER"),
        (Self::Http, "HTTP"),
        (Self::Go, "GO"),
        (Self::Php, "PHP"),
        (Self::Oms, "OMS"),
        (Self::Rust, "RUST"),
        (Self::NodeJs, "NODE_JS"),
    ];

    /// The byte of the binary header.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The name of the JSON header.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::TABLE
            .iter()
            .find(|(language, _)| *language == self)
            .map_or("OTHER", |(_, name)| *name)
    }

    /// The language of a binary header; [`LanguageCode::Other`] for an unknown byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        Self::TABLE
            .get(usize::from(byte))
            .map_or(Self::Other, |(language, _)| *language)
    }

    /// The language of a JSON header; [`LanguageCode::Other`] for an unknown name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        Self::TABLE
            .iter()
            .find(|(_, known)| known.as_bytes() == name)
            .map_or(Self::Other, |(language, _)| *language)
    }
}

/// Ordinals of RocketMQ's releases, where behaviour depends on them.
pub mod version {
    /// 3.4.9: the first whose `maxReconsumeTimes` counts.
    pub const V3_4_9: i32 = 121;
    /// 4.9.4: from here on clients parse only standard JSON in routes.
    pub const V4_9_4: i32 = 401;
    /// 4.9.8.
    pub const V4_9_8: i32 = 409;
    /// 5.3.1: clients above it understand `GO_AWAY`.
    pub const V5_3_1: i32 = 475;
    /// 5.5.0.
    pub const V5_5_0: i32 = 513;
    /// What our answers say. Clients gate features on the version in the heartbeat's answer.
    pub const OURS: i32 = V5_5_0;
}

#[cfg(test)]
mod tests {
    use super::LanguageCode;

    #[test]
    fn every_language_survives_both_headers() {
        for (language, name) in LanguageCode::TABLE {
            assert_eq!(LanguageCode::from_byte(language.byte()), language);
            assert_eq!(LanguageCode::from_name(name.as_bytes()), language);
            assert_eq!(language.name(), name);
        }
        assert_eq!(LanguageCode::from_byte(200), LanguageCode::Other);
        assert_eq!(LanguageCode::from_name(b"COBOL"), LanguageCode::Other);
    }
}
