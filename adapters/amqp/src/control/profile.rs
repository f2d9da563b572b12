//! What the server says of itself.

use crate::codec::table::TableBuilder;
use crate::codec::{Table, Value};

/// What RabbitMQ can do, in its order.
pub const RABBITMQ_CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

/// Server properties. Some clients look at them: kombu asks for `RabbitMQ` 3.3 to 4.0 before it
/// limits deliveries of a whole channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `capabilities`: extensions that are served. Clients switch on what they find here.
    pub capabilities: Vec<String>,
    /// `product`
    pub product: String,
    /// `version`
    pub version: String,
    /// `platform`
    pub platform: String,
    /// `copyright`, when there is something to say.
    pub copyright: Option<String>,
    /// `information`, when there is something to say.
    pub information: Option<String>,
    /// `cluster_name`
    pub cluster_name: String,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            // Whoever serves any says which.
            capabilities: Vec::new(),
            product: String::from("Gantry"),
            version: String::from(env!("CARGO_PKG_VERSION")),
            platform: String::from("Rust"),
            copyright: Some(String::from("The Gantry authors")),
            information: Some(String::from("Kafka, RocketMQ and AMQP on one log")),
            cluster_name: String::from("gantry"),
        }
    }
}

impl Profile {
    /// The table of `connection.start`, in RabbitMQ's order.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut capabilities = TableBuilder::new();
        for capability in &self.capabilities {
            capabilities.put(capability, Value::Bool(true));
        }
        let capabilities = capabilities.build();
        let mut table = TableBuilder::new();
        table.put("capabilities", Value::Table(capabilities.view()));
        for (name, text) in [
            ("cluster_name", Some(&self.cluster_name)),
            ("copyright", self.copyright.as_ref()),
            ("information", self.information.as_ref()),
            ("platform", Some(&self.platform)),
            ("product", Some(&self.product)),
            ("version", Some(&self.version)),
        ] {
            if let Some(text) = text {
                table.put(name, Value::LongString(text.as_bytes()));
            }
        }
        table.build()
    }
}
