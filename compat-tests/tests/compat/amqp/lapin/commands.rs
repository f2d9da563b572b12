//! What each command does.

use super::{Teller, tables};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, BasicRecoverOptions, BasicRejectOptions,
    ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{
    Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind, Event,
    ExchangeKind,
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A connection, its channels by name.
pub struct Commands {
    teller: Teller,
    connection: Option<Connection>,
    channels: HashMap<String, Channel>,
}

/// A verb and its arguments.
struct Command<'a> {
    verb: &'a str,
    arguments: HashMap<&'a str, &'a str>,
}

impl<'a> Command<'a> {
    fn parse(line: &'a str) -> Self {
        let mut fields = line.split('\t');
        Self {
            verb: fields.next().unwrap(),
            arguments: fields.map(|pair| pair.split_once('=').unwrap()).collect(),
        }
    }

    fn text(&self, name: &str) -> ShortString {
        self.arguments.get(name).copied().unwrap_or_default().into()
    }

    fn number<T: std::str::FromStr + Default>(&self, name: &str) -> T {
        let number = self.arguments.get(name).and_then(|text| text.parse().ok());
        number.unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.arguments.get(name) == Some(&"true")
    }

    fn json(&self, name: &str) -> Value {
        let json = self.arguments.get(name).copied().unwrap_or("{}");
        serde_json::from_str(json).unwrap()
    }

    fn arguments(&self) -> FieldTable {
        tables::table(&self.json("arguments"))
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        if self.arguments.contains_key("count") {
            let numbers = 0..self.number::<usize>("count");
            return numbers.map(|n| n.to_string().into_bytes()).collect();
        }
        let body = self.arguments.get("body").copied().unwrap_or_default();
        vec![BASE64.decode(body).unwrap()]
    }

    fn channel(&self) -> &'a str {
        self.arguments.get("channel").copied().unwrap_or("main")
    }
}

impl Commands {
    pub fn new(teller: Teller) -> Self {
        Self {
            teller,
            connection: None,
            channels: HashMap::new(),
        }
    }

    pub async fn run(&mut self, line: &str) {
        let command = Command::parse(line);
        let done = match command.verb {
            "connect" => self.connect(&command).await,
            "disconnect" => self.disconnect().await,
            "open" => self.open(&command).await,
            _ => {
                let channel = self.channels[command.channel()].clone();
                self.run_on(&channel, &command).await
            }
        };
        if let Err(error) = &done {
            self.tell_closed(error);
        }
        let end = if done.is_ok() { "done" } else { "refused" };
        self.tell(&json!({"event": end, "command": command.verb}));
    }

    fn tell(&self, event: &Value) {
        self.teller.tell(event);
    }

    fn tell_closed(&self, error: &lapin::Error) {
        let closed = closed(error);
        if closed["scope"] == "channel" {
            self.tell(&closed);
        }
    }

    async fn connect(&mut self, command: &Command<'_>) -> lapin::Result<()> {
        let heartbeat = match command.number("heartbeat") {
            0 => 60,
            seconds => seconds,
        };
        let address = command.text("amqp");
        let uri = format!("amqp://{address}/%2f?heartbeat={heartbeat}");
        let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
        let (mut events, teller) = (connection.events_listener(), self.teller.clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let Event::Error(error) = event else {
                    continue;
                };
                // What closed a channel is told by the command it was closed for.
                if !error.is_amqp_soft_error() {
                    teller.tell(&closed(&error));
                }
            }
        });
        self.channels.clear();
        self.connection = Some(connection);
        Ok(())
    }

    async fn disconnect(&mut self) -> lapin::Result<()> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        connection.close(200, "bye".into()).await
    }

    async fn open(&mut self, command: &Command<'_>) -> lapin::Result<()> {
        let connection = self.connection.as_ref().unwrap();
        let channel = connection.create_channel().await?;
        match command.text("mode").as_str() {
            "confirm" => {
                let options = ConfirmSelectOptions::default();
                channel.confirm_select(options).await?;
            }
            "transaction" => channel.tx_select().await?,
            _ => {}
        }
        self.channels.insert(command.channel().to_owned(), channel);
        Ok(())
    }

    async fn run_on(&self, channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
        match command.verb {
            "close" => channel.close(200, "bye".into()).await,
            "declare-exchange" => declare_exchange(channel, command).await,
            "delete-exchange" => {
                let options = ExchangeDeleteOptions::default();
                channel.exchange_delete(command.text("name"), options).await
            }
            "bind-exchange" => {
                let (to, from) = (command.text("to"), command.text("exchange"));
                let (key, options) = (command.text("key"), ExchangeBindOptions::default());
                channel
                    .exchange_bind(to, from, key, options, command.arguments())
                    .await
            }
            "bind" => {
                let (queue, exchange) = (command.text("queue"), command.text("exchange"));
                let (key, options) = (command.text("key"), QueueBindOptions::default());
                channel
                    .queue_bind(queue, exchange, key, options, command.arguments())
                    .await
            }
            "unbind" => {
                let (queue, exchange) = (command.text("queue"), command.text("exchange"));
                let key = command.text("key");
                channel
                    .queue_unbind(queue, exchange, key, command.arguments())
                    .await
            }
            "qos" => {
                let options = BasicQosOptions {
                    global: command.flag("global"),
                };
                channel.basic_qos(command.number("prefetch"), options).await
            }
            "cancel" => {
                let options = BasicCancelOptions::default();
                channel.basic_cancel(command.text("tag"), options).await
            }
            "recover" => {
                let options = BasicRecoverOptions { requeue: true };
                channel.basic_recover(options).await
            }
            "ack" | "nack" | "reject" => settle(channel, command).await,
            "commit" => channel.tx_commit().await,
            "rollback" => channel.tx_rollback().await,
            _ => self.ask(channel, command).await,
        }
    }

    /// What has a reply of its own.
    async fn ask(&self, channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
        match command.verb {
            "declare-queue" => {
                let options = QueueDeclareOptions {
                    passive: command.flag("passive"),
                    durable: command.flag("durable"),
                    exclusive: command.flag("exclusive"),
                    auto_delete: command.flag("auto_delete"),
                    nowait: false,
                };
                let (name, arguments) = (command.text("name"), command.arguments());
                let queue = channel.queue_declare(name, options, arguments).await?;
                self.tell(&json!({
                    "event": "declared",
                    "name": queue.name().as_str(),
                    "messages": queue.message_count(),
                    "consumers": queue.consumer_count(),
                }));
            }
            "delete-queue" => {
                let options = QueueDeleteOptions::default();
                let messages = channel.queue_delete(command.text("name"), options).await?;
                self.tell(&json!({"event": "deleted", "messages": messages}));
            }
            "purge" => {
                let options = QueuePurgeOptions::default();
                let messages = channel.queue_purge(command.text("queue"), options).await?;
                self.tell(&json!({"event": "purged", "messages": messages}));
            }
            "publish" => self.publish(channel, command).await?,
            "get" => self.get(channel, command).await?,
            "consume" => self.consume(channel, command).await?,
            verb => panic!("no such command: {verb}"),
        }
        Ok(())
    }

    async fn publish(&self, channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
        let mut sent = Vec::new();
        for body in command.bodies() {
            let options = BasicPublishOptions {
                mandatory: command.flag("mandatory"),
                immediate: false,
            };
            let properties = tables::properties(&command.json("properties"));
            let (exchange, key) = (command.text("exchange"), command.text("key"));
            let published = channel.basic_publish(exchange, key, options, &body, properties);
            sent.push(published.await?);
        }
        let mut confirmed = 0;
        for confirm in sent {
            match confirm.await? {
                Confirmation::NotRequested => return Ok(()),
                Confirmation::Nack(_) => continue,
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(returned)) => {
                    let mut event = tables::event("returned", &returned.delivery);
                    event["code"] = json!(returned.reply_code);
                    event["text"] = json!(returned.reply_text.as_str());
                    self.tell(&event);
                }
            }
            confirmed += 1;
        }
        self.tell(&json!({"event": "confirmed", "count": confirmed}));
        Ok(())
    }

    async fn get(&self, channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
        let options = BasicGetOptions {
            no_ack: command.flag("auto_ack"),
        };
        let got = channel.basic_get(command.text("queue"), options).await?;
        let event = got.map_or_else(
            || json!({"event": "empty"}),
            |got| {
                let mut event = tables::event("got", &got.delivery);
                event["left"] = json!(got.message_count);
                event
            },
        );
        self.tell(&event);
        Ok(())
    }

    async fn consume(&self, channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
        let options = BasicConsumeOptions {
            no_ack: command.flag("auto_ack"),
            exclusive: command.flag("exclusive"),
            ..BasicConsumeOptions::default()
        };
        let (queue, tag) = (command.text("queue"), command.text("tag"));
        let arguments = command.arguments();
        let consumer = channel
            .basic_consume(queue, tag, options, arguments)
            .await?;
        self.tell(&json!({"event": "consuming", "tag": consumer.tag().as_str()}));
        tokio::spawn(listen(consumer, self.teller.clone()));
        Ok(())
    }
}

async fn declare_exchange(channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions {
        passive: command.flag("passive"),
        durable: command.flag("durable"),
        auto_delete: command.flag("auto_delete"),
        internal: command.flag("internal"),
        nowait: false,
    };
    let kind = match command.text("type").as_str() {
        "" => "direct".into(),
        kind => kind.into(),
    };
    let (name, kind) = (command.text("name"), ExchangeKind::Custom(kind));
    channel
        .exchange_declare(name, kind, options, command.arguments())
        .await
}

async fn settle(channel: &Channel, command: &Command<'_>) -> lapin::Result<()> {
    let (multiple, requeue) = (command.flag("multiple"), command.flag("requeue"));
    let delivery = command.number("delivery");
    match command.verb {
        "ack" => {
            let options = BasicAckOptions { multiple };
            channel.basic_ack(delivery, options).await
        }
        "nack" => {
            let options = BasicNackOptions { multiple, requeue };
            channel.basic_nack(delivery, options).await
        }
        _ => {
            let options = BasicRejectOptions { requeue };
            channel.basic_reject(delivery, options).await
        }
    }
}

async fn listen(mut consumer: Consumer, teller: Teller) {
    let tag = consumer.tag();
    while let Some(delivery) = consumer.next().await {
        // What closed its channel is told by whom it stopped.
        let Ok(delivery) = delivery else {
            return;
        };
        let mut event = tables::event("received", &delivery);
        event["tag"] = json!(tag.as_str());
        teller.tell(&event);
    }
    teller.tell(&json!({"event": "cancelled", "tag": tag.as_str()}));
}

fn closed(error: &lapin::Error) -> Value {
    let scope = if error.is_amqp_soft_error() {
        "channel"
    } else {
        "connection"
    };
    let (code, text) = match error.kind() {
        ErrorKind::ProtocolError(error) => (error.get_id(), error.get_message().to_string()),
        _ => (0, error.to_string()),
    };
    json!({"event": "closed", "scope": scope, "code": code, "text": text})
}
