//! What each RocketMQ client can do with a gantry: the data of the compat tests' matrix and of
//! README's table.

mod table;

use crate::clients::{self, Installed};
use anyhow::{Result, ensure};
use std::fmt::Write as _;
use std::process::Command;

/// Settings of the gantry the checks run against: every delay level is a second, and producers are
/// asked after a second, each second.
pub const GANTRY_SETTINGS: &[&str] = &[
    "timers.delay_levels=1s 1s 1s 1s 1s 1s",
    "transactions.timeout_ms=1000",
    "transactions.check_interval_ms=1000",
];
/// The same of Apache RocketMQ's broker, and what gantry does unasked: to remember at once, not
/// within three seconds, which transactions have ended and are not to be asked about.
pub const ROCKETMQ_SETTINGS: &[&str] = &[
    "messageDelayLevel=1s 1s 1s 1s 1s 1s",
    "transactionTimeOut=1000",
    "transactionCheckInterval=1000",
    "transactionOpBatchInterval=10",
    "enablePropertyFilter=true",
    "traceTopicEnable=true",
];
/// Set to the name of an original (`rocketmq`, `rabbitmq`) where the tests run against it.
pub const PEER_VARIABLE: &str = "GANTRY_COMPAT_PEER";

/// A column: a client of one version.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// As the table's macro names it.
    pub name: &'static str,
    /// As README names it.
    pub title: &'static str,
    /// What it needs.
    pub installed: Installed,
    /// Its program.
    pub command: fn() -> Command,
}

/// The clients, in README's order.
pub const CLIENTS: &[Column] = &[
    Column {
        name: "java_4",
        title: "Java 4.9.8",
        installed: Installed::Rocketmq("4.9.8"),
        command: || clients::rocketmq_java("4.9.8"),
    },
    Column {
        name: "java_5",
        title: "Java 5.5.0",
        installed: Installed::Rocketmq("5.5.0"),
        command: || clients::rocketmq_java("5.5.0"),
    },
    Column {
        name: "go",
        title: "Go 2.1.2",
        installed: Installed::GoRocketmq,
        command: clients::rocketmq_go,
    },
    Column {
        name: "python",
        title: "Python 0.4.4 (C++)",
        installed: Installed::Python,
        command: clients::rocketmq_python,
    },
];

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Of its check.
    pub name: &'static str,
    /// As README names it.
    pub title: &'static str,
    /// The clients that do it, by name.
    pub by: &'static [&'static str],
    /// The others, and why they do not.
    pub not: &'static [(&'static str, &'static str)],
    /// What Apache RocketMQ does otherwise, and why; its check is not run against it.
    pub peer: Option<&'static str>,
}

impl Row {
    /// Why `client` does not do it, if it does not.
    #[must_use]
    pub fn why_not(&self, client: &str) -> Option<&'static str> {
        let found = self.not.iter().find(|(name, _)| *name == client);
        found.map(|(_, why)| *why)
    }
}

macro_rules! rows {
    ($($name:ident {
        $title:literal;
        by $($client:ident),*;
        $(not $lacks:ident $why:literal;)*
        $(peer $difference:literal;)?
    })*) => {
        /// Every operation, in README's order.
        pub const ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            title: $title,
            by: &[$(stringify!($client)),*],
            not: &[$((stringify!($lacks), $why)),*],
            peer: rows!(@peer $($difference)?),
        }),*];
    };
    (@peer) => { None };
    (@peer $difference:literal) => { Some($difference) };
}
crate::operations!(rows);

/// Around the table in README.
const BEGIN: &str = "<!-- The compat tests' matrix; `cargo xtask matrix` writes it. -->\n";
const END: &str = "<!-- The end of the matrix. -->\n";

/// The table as Markdown: a mark where a test holds it, and numbered reasons where there is none.
#[must_use]
pub fn markdown() -> String {
    let mut text = "|".to_owned();
    for client in CLIENTS {
        let _ = write!(text, " | {}", client.title);
    }
    text.push_str(" |\n|---");
    text.push_str(&"|:---:".repeat(CLIENTS.len()));
    text.push_str("|\n");
    let mut reasons: Vec<&str> = Vec::new();
    for row in ROWS {
        let _ = write!(text, "| {}", row.title);
        for client in CLIENTS {
            match row.why_not(client.name) {
                None => text.push_str(" | ✓"),
                Some(why) => {
                    let known = reasons.iter().position(|reason| *reason == why);
                    let at = known.unwrap_or_else(|| {
                        reasons.push(why);
                        reasons.len() - 1
                    });
                    let _ = write!(text, " | – ({})", at + 1);
                }
            }
        }
        text.push_str(" |\n");
    }
    for (at, reason) in reasons.iter().enumerate() {
        let separator = if at == 0 { "\n" } else { "; " };
        let _ = write!(text, "{separator}({}) {reason}", at + 1);
    }
    if !reasons.is_empty() {
        text.push_str(".\n");
    }
    text
}

/// `readme` with the table as it is now.
///
/// # Errors
/// It has no place for the table.
pub fn with_table(readme: &str) -> Result<String> {
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    ensure!(parts.is_some(), "README.md has no block for the matrix");
    let (before, after) = parts.unwrap_or_default();
    Ok(format!("{before}{BEGIN}{}{END}{after}", markdown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_does_each_operation_or_has_a_reason() {
        for row in ROWS {
            let mut named: Vec<&str> = row.by.to_vec();
            named.extend(row.not.iter().map(|(name, _)| *name));
            named.sort_unstable();
            let mut all: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
            all.sort_unstable();
            assert_eq!(named, all, "{}", row.name);
        }
    }

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let readme = format!("a\n{BEGIN}old\n{END}b\n");
        let new = with_table(&readme).unwrap();
        assert!(new.starts_with("a\n") && new.ends_with("b\n"));
        assert!(new.contains(ROWS[0].title) && !new.contains("old"));
        assert_eq!(with_table(&new).unwrap(), new);
        assert!(with_table("no block").is_err());
    }
}
