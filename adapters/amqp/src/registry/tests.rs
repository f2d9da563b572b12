use super::ChannelMode;
use crate::accounts::{Account, Permission};
use crate::codec::method::{basic, channel, confirm, connection, queue};
use crate::codec::table::{TableBuilder, Value};
use crate::codec::{
    ClientMethod, ContentMethod, FrameMax, Payload, Properties, ServerMethod, ShortString, Table,
    decode, write_content,
};
use crate::{AmqpConnection, Config, MemoryUse, Server};
use bytes::BytesMut;
use gantry_connection::{Limits, Shutdown};
use gantry_core::Broker;
use gantry_core::model::SystemClock;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5672);

struct World {
    _directory: TempDir,
    _broker: Broker,
    server: Arc<Server>,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = gantry_core::Config::default();
        config.store.segment_bytes = 1 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let server = Server::new(broker.anonymous(), Config::default(), Arc::new(SystemClock));
        Self {
            _directory: directory,
            _broker: broker,
            server,
        }
    }

    fn connect(&self) -> Peer {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let protocol = AmqpConnection::new(Arc::clone(&self.server), HERE).at(SERVER);
        tokio::task::spawn_local(async move {
            gantry_connection::run(theirs, protocol, &Limits::default(), &Shutdown::new()).await
        });
        Peer {
            stream: ours,
            input: BytesMut::new(),
        }
    }
}

/// A client.
struct Peer {
    stream: DuplexStream,
    input: BytesMut,
}

impl Peer {
    async fn say(&mut self, channel: u16, method: impl Into<ClientMethod>) {
        let mut out = BytesMut::new();
        method.into().encode(channel, &mut out);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn hear(&mut self) -> ServerMethod {
        loop {
            if let Some(frame) = decode(&mut self.input, FrameMax::OFFERED).unwrap() {
                match frame.payload {
                    Payload::Method(method) => return ServerMethod::decode(&method).unwrap(),
                    _ => continue,
                }
            }
            assert!(self.stream.read_buf(&mut self.input).await.unwrap() > 0);
        }
    }

    /// Opens a virtual host; what the server says to it.
    async fn open(&mut self, user: &str, vhost: &str) -> ServerMethod {
        self.stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        self.hear().await;
        let mut capabilities = TableBuilder::new();
        capabilities.put("authentication_failure_close", Value::Bool(true));
        capabilities.put("connection.blocked", Value::Bool(true));
        let capabilities = capabilities.build();
        let mut properties = TableBuilder::new();
        properties.put("capabilities", Value::Table(capabilities.view()));
        properties.put("connection_name", Value::LongString(b"a test"));
        let start = connection::StartOk {
            client_properties: properties.build(),
            mechanism: ShortString::from_static("PLAIN"),
            response: format!("\0{user}\0{user}").into(),
            locale: ShortString::from_static("en_US"),
        };
        self.say(0, start).await;
        let tune = match self.hear().await {
            ServerMethod::ConnectionTune(tune) => tune,
            other => return other,
        };
        let tune = connection::TuneOk {
            channel_max: tune.channel_max,
            frame_max: tune.frame_max,
            heartbeat: 0,
        };
        self.say(0, tune).await;
        let open = connection::Open {
            virtual_host: ShortString::cut(vhost),
            ..connection::Open::default()
        };
        self.say(0, open).await;
        self.hear().await
    }
}

fn text_of(method: ServerMethod) -> String {
    match method {
        ServerMethod::ConnectionClose(close) => {
            format!("{} {}", close.reply_code, close.reply_text)
        }
        other => panic!("{other:?}"),
    }
}

async fn locally(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn who_may_not_open_a_virtual_host_is_told() {
    locally(async {
        let world = World::new();
        world.server.client().create_virtual_host("v").unwrap();
        let refused = text_of(world.connect().open("guest", "v").await);
        assert_eq!(
            refused,
            "530 NOT_ALLOWED - access to vhost 'v' refused for user 'guest'"
        );
        let refused = text_of(world.connect().open("guest", "w").await);
        assert_eq!(refused, "530 NOT_ALLOWED - vhost w not found");
        let refused = text_of(world.connect().open("nobody", "/").await);
        assert!(refused.starts_with("403 ACCESS_REFUSED - Login was refused"));
        assert!(world.server.registry().connections().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_open_is_seen_and_can_be_closed() {
    locally(async {
        let world = World::new();
        let registry = world.server.registry();
        let mut peer = world.connect();
        peer.open("guest", "/").await;
        peer.say(3, channel::Open::default()).await;
        peer.hear().await;
        let declare = queue::Declare {
            ticket: 0,
            queue: ShortString::from_static("q"),
            passive: false,
            durable: false,
            exclusive: true,
            auto_delete: false,
            no_wait: false,
            arguments: Table::default(),
        };
        peer.say(3, declare).await;
        peer.hear().await;
        let qos = basic::Qos {
            prefetch_size: 0,
            prefetch_count: 7,
            global: false,
        };
        peer.say(3, qos).await;
        peer.hear().await;
        peer.say(3, confirm::Select { no_wait: false }).await;
        peer.hear().await;
        let consume = basic::Consume {
            ticket: 0,
            queue: ShortString::from_static("q"),
            consumer_tag: ShortString::from_static("c"),
            no_local: false,
            no_ack: false,
            exclusive: false,
            no_wait: false,
            arguments: Table::default(),
        };
        peer.say(3, consume).await;
        peer.hear().await;

        let open = registry
            .connection("127.0.0.1:40000 -> 127.0.0.1:5672")
            .unwrap();
        assert_eq!((&*open.user, &*open.vhost), ("guest", "/"));
        assert_eq!(open.client.text("connection_name"), Some("a test"));
        let owner = world.server.client().virtual_host("/").unwrap();
        assert_eq!(owner.queue("q").unwrap().owner(), Some(open.session));
        let channels = open.channels();
        let [channel] = &channels[..] else {
            panic!("{channels:?}")
        };
        assert_eq!(channel.mode(), ChannelMode::Confirming);
        assert_eq!((channel.number, channel.prefetch()), (3, 7));
        let consumers = channel.consumers();
        assert_eq!((&*consumers[0].tag, consumers[0].prefetch), ("c", Some(7)));

        open.close("Closed via management plugin");
        assert_eq!(
            text_of(peer.hear().await),
            "320 CONNECTION_FORCED - Closed via management plugin"
        );
        assert!(registry.connections().is_empty());
        assert_eq!(registry.opened_count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_is_not_connected_any_more() {
    locally(async {
        let world = World::new();
        let accounts = world.server.accounts();
        let account = Account {
            password: accounts.hash(b"anna"),
            tags: Vec::new(),
        };
        accounts.put_user("anna", account).unwrap();
        accounts.permit("/", "anna", Permission::full()).unwrap();
        let mut peer = world.connect();
        peer.open("anna", "/").await;
        assert!(world.server.delete_user("anna").unwrap());
        let told = text_of(peer.hear().await);
        assert_eq!(told, "320 CONNECTION_FORCED - user 'anna' is deleted");

        world.server.client().create_virtual_host("v").unwrap();
        accounts.permit("v", "guest", Permission::full()).unwrap();
        let mut peer = world.connect();
        peer.open("guest", "v").await;
        assert!(world.server.delete_vhost("v").unwrap());
        let told = text_of(peer.hear().await);
        assert_eq!(told, "320 CONNECTION_FORCED - vhost 'v' is down");
    })
    .await;
}

#[tokio::test]
async fn publishers_wait_while_memory_is_short_and_then_go_on() {
    locally(async {
        let world = World::new();
        let usage = |used| MemoryUse { used, limit: 100 };
        world.server.note_memory(usage(100));
        let mut peer = world.connect();
        peer.open("guest", "/").await;
        peer.say(1, channel::Open::default()).await;
        peer.hear().await;
        peer.say(1, confirm::Select { no_wait: false }).await;
        peer.hear().await;
        let mut out = BytesMut::new();
        let publish = basic::Publish {
            ticket: 0,
            exchange: ShortString::default(),
            routing_key: ShortString::from_static("nowhere"),
            mandatory: false,
            immediate: false,
        };
        let method = ContentMethod::Publish(&publish);
        let (none, body) = (Properties::NONE, bytes::Bytes::from_static(b"x"));
        write_content(1, FrameMax::LEAST, method, &none, &body, &mut out).unwrap();
        peer.stream.write_all(&out).await.unwrap();
        match peer.hear().await {
            ServerMethod::ConnectionBlocked(blocked) => {
                assert_eq!(blocked.reason.as_str(), "low on memory");
            }
            other => panic!("{other:?}"),
        }
        let open = world.server.registry().connections();
        assert!(open[0].is_blocked());
        world.server.note_memory(usage(99));
        let unblocked = peer.hear().await;
        assert!(matches!(unblocked, ServerMethod::ConnectionUnblocked(_)));
        let confirmed = peer.hear().await;
        assert!(matches!(confirmed, ServerMethod::BasicAck(_)));
        assert!(!open[0].is_blocked());
        let channel = &open[0].channels()[0];
        assert_eq!(channel.traffic().published, 1);
        assert_eq!(channel.unconfirmed(), 0);
    })
    .await;
}
