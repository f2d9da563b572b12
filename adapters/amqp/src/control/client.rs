//! What a client says of itself.

use crate::codec::{Table, TableView, Value};

/// Client properties, of which RabbitMQ's capabilities decide what the client is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientProperties(Table);

impl ClientProperties {
    pub(super) const fn new(table: Table) -> Self {
        Self(table)
    }

    /// All of them.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.0
    }

    /// A text, such as `product`, `version` or `connection_name`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.view().get(name)?.text()
    }

    /// Whether the client takes `basic.cancel`.
    #[must_use]
    pub fn takes_consumer_cancel(&self) -> bool {
        self.is_capable("consumer_cancel_notify")
    }

    /// Whether the client takes `connection.blocked`.
    #[must_use]
    pub fn takes_blocked(&self) -> bool {
        self.is_capable("connection.blocked")
    }

    /// Whether the client takes a close when it is not authenticated.
    #[must_use]
    pub fn takes_authentication_close(&self) -> bool {
        self.is_capable("authentication_failure_close")
    }

    /// What it can do, by RabbitMQ's names.
    #[must_use]
    pub fn capabilities(&self) -> TableView<'_> {
        match self.0.view().get("capabilities") {
            Some(Value::Table(capabilities)) => capabilities,
            _ => TableView::default(),
        }
    }

    fn is_capable(&self, name: &str) -> bool {
        self.capabilities().get(name) == Some(Value::Bool(true))
    }
}
