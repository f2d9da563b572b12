use super::{Advertised, Config, NameServer, NameServerConnection};
use bytes::BytesMut;
use gantry_connection::{Limits, Shutdown, run};
use gantry_core::model::{Permission, SystemClock, TopicName, TopicSpec};
use gantry_core::{Broker, Client};
use gantry_remoting_protocol::body::{self, ClusterInfo, KvTable, TopicList, TopicRouteData};
use gantry_remoting_protocol::codec::{NoFields, Request, WriteFields};
use gantry_remoting_protocol::header::{ClusterRequest, KvEntry, KvKey, KvNamespace};
use gantry_remoting_protocol::{Command, FRAME_BYTES_MAX, RequestCode, ResponseCode, decode};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct TestServer {
    broker: Broker,
    names: Arc<NameServer>,
    _directory: tempfile::TempDir,
}

impl TestServer {
    fn start() -> Self {
        Self::with(gantry_core::Config::default(), Config::default())
    }

    fn with(core: gantry_core::Config, config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::open(directory.path(), core, Arc::new(SystemClock)).unwrap();
        let advertised = Advertised {
            cluster_name: "DefaultCluster".to_owned(),
            broker_name: "broker-a".to_owned(),
            address: "127.0.0.1:20911".to_owned(),
            auto_create_queues: 8,
        };
        Self {
            names: NameServer::new(broker.anonymous(), advertised, config),
            broker,
            _directory: directory,
        }
    }

    fn client(&self) -> Client {
        self.broker.anonymous()
    }

    fn create(&self, topic: &str, spec: TopicSpec) {
        let name = TopicName::new(topic).unwrap();
        self.client().create_topic(&name, spec).unwrap();
    }

    /// All the server sends on a connection on which a client sends `bytes` and no more.
    async fn converse(&self, bytes: &[u8]) -> Vec<u8> {
        let (client, server) = tokio::io::duplex(1 << 16);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let connection = NameServerConnection::new(Arc::clone(&self.names), peer);
        let (limits, shutdown) = (Limits::default(), Shutdown::new());
        let serve = run(server, connection, &limits, &shutdown);
        let talk = async {
            let (mut input, mut output) = tokio::io::split(client);
            let write = async {
                // A server that closes early does not read it all.
                let _ = output.write_all(bytes).await;
                let _ = output.shutdown().await;
            };
            let mut answers = Vec::new();
            let (_, read) = tokio::join!(write, input.read_to_end(&mut answers));
            read.unwrap();
            answers
        };
        let (_, answers) = tokio::join!(serve, talk);
        answers
    }

    fn ask<'a>(
        &'a self,
        code: RequestCode,
        fields: &dyn WriteFields,
    ) -> impl Future<Output = Command> + use<'a> {
        let request = request(code, fields, false);
        async move {
            let answers = self.converse(&request).await;
            let [answer] = commands(&answers).try_into().unwrap();
            answer
        }
    }

    async fn route(&self, topic: &str) -> Result<TopicRouteData, ResponseCode> {
        let answer = self.ask(RequestCode::GetRouteInfoByTopic, &[("topic", topic)]);
        let answer = answer.await;
        match answer.response_code() {
            ResponseCode::Success => Ok(body::decode(&answer.body).unwrap()),
            code => Err(code),
        }
    }
}

fn request(code: RequestCode, fields: &dyn WriteFields, is_oneway: bool) -> BytesMut {
    let mut out = BytesMut::new();
    let request = Request {
        code,
        opaque: 7,
        is_oneway,
        fields: Some(fields),
        body_len: 0,
    };
    request.encode(&mut out);
    out
}

fn commands(bytes: &[u8]) -> Vec<Command> {
    let mut buffer = BytesMut::from(bytes);
    let decoded = std::iter::from_fn(|| decode(&mut buffer, FRAME_BYTES_MAX).unwrap()).collect();
    assert!(buffer.is_empty());
    decoded
}

fn bytes_of(command: &Command) -> BytesMut {
    let mut out = BytesMut::new();
    command.encode(&mut out);
    out.extend_from_slice(&command.body);
    out
}

/// What clients said to a stock NameServer and what it said, connection by connection.
fn recorded() -> Vec<(Vec<u8>, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../remoting-protocol/testdata");
    let mut names: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("-ns") && name.ends_with(".c2s.bin"))
        .collect();
    names.sort();
    assert!(names.len() > 20);
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let pair = |name: &String| (read(name), read(&name.replace("c2s", "s2c")));
    names.iter().map(pair).collect()
}

/// Makes core have the topic a recorded answer tells of, or not have the one it misses.
fn recall(server: &TestServer, request: &Command, answer: &Command) {
    let Some(topic) = request
        .fields
        .text("topic")
        .filter(|name| *name != "TBW102")
    else {
        return;
    };
    let name = TopicName::new(topic).unwrap();
    let _ = server.client().delete_topic(&name);
    if answer.response_code() == ResponseCode::Success {
        let route: TopicRouteData = body::decode(&answer.body).unwrap();
        let queues = &route.queue_datas[0];
        let count = |queues| u32::try_from(queues).unwrap();
        let spec = TopicSpec {
            read_queues: count(queues.read_queue_nums),
            permission: Permission::from_bits(u8::try_from(queues.perm).unwrap()),
            sys_flag: queues.topic_sys_flag,
            ..TopicSpec::with_queues(count(queues.write_queue_nums))
        };
        server.create(topic, spec);
    }
}

#[tokio::test]
async fn recorded_requests_get_the_stock_servers_bytes() {
    let server = TestServer::start();
    let mut compared = 0;
    for (client, stock) in recorded() {
        let answers = commands(&stock);
        for mut request in commands(&client) {
            let answer = answers
                .iter()
                .find(|answer| answer.opaque == request.opaque);
            let answer = answer.unwrap();
            recall(&server, &request, answer);
            // A stock 5.x server answers in JSON always; this one in the form of the request.
            request.serialization = answer.serialization;
            let ours = server.converse(&bytes_of(&request)).await;
            assert_eq!(
                String::from_utf8_lossy(&ours),
                String::from_utf8_lossy(&bytes_of(answer)),
            );
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared} answers");
}

#[tokio::test]
async fn pipelined_requests_are_all_answered() {
    let server = TestServer::start();
    for (client, _) in recorded() {
        let answers = commands(&server.converse(&client).await);
        let mut answered: Vec<_> = answers.iter().map(|answer| answer.opaque).collect();
        let mut asked: Vec<_> = commands(&client).iter().map(|ask| ask.opaque).collect();
        answered.sort_unstable();
        asked.sort_unstable();
        assert_eq!(answered, asked);
    }
}

#[tokio::test]
async fn a_route_shows_the_topics_settings() {
    let server = TestServer::start();
    let spec = TopicSpec {
        read_queues: 3,
        permission: Permission::from_bits(4),
        sys_flag: 2,
        ..TopicSpec::with_queues(5)
    };
    server.create("orders.eu", spec);
    let route = server.route("orders.eu").await.unwrap();
    assert_eq!(route.broker_datas[0].broker_addrs[&0], "127.0.0.1:20911");
    let [queues] = &route.queue_datas[..] else {
        panic!("one broker");
    };
    assert_eq!((queues.read_queue_nums, queues.write_queue_nums), (3, 5));
    assert_eq!((queues.perm, queues.topic_sys_flag), (4, 2));
    assert_eq!(queues.broker_name, route.broker_datas[0].broker_name);
}

#[tokio::test]
async fn the_template_is_there_only_while_topics_are_made_by_sending() {
    let server = TestServer::start();
    let route = server.route("TBW102").await.unwrap();
    assert_eq!(route.queue_datas[0].perm, 7);
    assert_eq!(route.queue_datas[0].write_queue_nums, 8);

    let mut core = gantry_core::Config::default();
    core.topics.auto_create = false;
    let server = TestServer::with(core, Config::default());
    let missing = Err(ResponseCode::TopicNotExist);
    assert_eq!(server.route("TBW102").await, missing);
    assert_eq!(server.route("unknown").await, missing);
    let all = server.ask(RequestCode::GetAllTopicListFromNameServer, &NoFields);
    let all: TopicList = body::decode(&all.await.body).unwrap();
    assert_eq!(all.topic_list, [""; 0]);
}

#[tokio::test]
async fn a_route_without_a_topic_is_refused_as_the_topic_null() {
    let server = TestServer::start();
    let answer = server
        .ask(RequestCode::GetRouteInfoByTopic, &NoFields)
        .await;
    assert_eq!(answer.response_code(), ResponseCode::TopicNotExist);
    assert!(answer.remark.unwrap().contains("the topic: null\n"));
    for name in ["", "../x", "a\0b", &"x".repeat(65_536), "GANTRY_SYS_STATE"] {
        assert_eq!(
            server.route(name).await,
            Err(ResponseCode::TopicNotExist),
            "{name:.20}"
        );
    }
}

#[tokio::test]
async fn old_clients_get_broker_ids_without_quotes() {
    let server = TestServer::start();
    server.create("T", TopicSpec::with_queues(1));
    for (version, only_standard, is_quoted) in [
        (317, "false", false),
        (317, "true", true),
        (400, "", false),
        (401, "", true),
        (513, "false", true),
    ] {
        let fields = [("topic", "T"), ("acceptStandardJsonOnly", only_standard)];
        let mut ask = request(RequestCode::GetRouteInfoByTopic, &fields, false);
        let mut ask = decode(&mut ask, FRAME_BYTES_MAX).unwrap().unwrap();
        ask.version = version;
        let answer = server.converse(&bytes_of(&ask)).await;
        let answer = String::from_utf8(answer.split_off_prefix()).unwrap();
        assert_eq!(answer.contains("{\"0\":"), is_quoted, "{version} {answer}");
        assert_eq!(answer.contains("{0:"), !is_quoted, "{version} {answer}");
    }
}

trait SplitOffPrefix {
    fn split_off_prefix(self) -> Self;
}

impl SplitOffPrefix for Vec<u8> {
    fn split_off_prefix(mut self) -> Self {
        self.split_off(8)
    }
}

#[tokio::test]
async fn tools_find_the_cluster_and_its_topics() {
    let server = TestServer::start();
    server.create("%RETRY%group", TopicSpec::with_queues(1));
    server.create("T", TopicSpec::with_queues(1));
    let info = server.ask(RequestCode::GetBrokerClusterInfo, &NoFields);
    let info: ClusterInfo = body::decode(&info.await.body).unwrap();
    assert_eq!(info.cluster_addr_table["DefaultCluster"], ["broker-a"]);
    assert_eq!(info.broker_addr_table["broker-a"].cluster, "DefaultCluster");

    let all = ["TBW102", "%RETRY%group", "T"];
    let list = server.ask(RequestCode::GetAllTopicListFromNameServer, &NoFields);
    let list: TopicList = body::decode(&list.await.body).unwrap();
    assert_eq!(list.topic_list, all);
    for (cluster, topics) in [("DefaultCluster", &all[..]), ("Other", &[])] {
        let list = server.ask(RequestCode::GetTopicsByCluster, &ClusterRequest { cluster });
        let list: TopicList = body::decode(&list.await.body).unwrap();
        assert_eq!(list.topic_list, topics);
    }
    let system = server.ask(RequestCode::GetSystemTopicListFromNameServer, &NoFields);
    let system: TopicList = body::decode(&system.await.body).unwrap();
    assert_eq!(system.topic_list, ["DefaultCluster", "broker-a"]);
    assert_eq!(system.broker_addr.as_deref(), Some("127.0.0.1:20911"));
}

#[tokio::test]
async fn order_configurations_are_kept_with_their_topics() {
    let config = Config {
        order_message_enable: true,
        ..Config::default()
    };
    let server = TestServer::with(gantry_core::Config::default(), config);
    server.create("T", TopicSpec::with_queues(8));
    let namespace = "ORDER_TOPIC_CONFIG";
    let key = KvKey {
        namespace,
        key: "T",
    };
    let entry = KvEntry {
        namespace,
        key: "T",
        value: "broker-a:8",
    };
    let missing = server.ask(RequestCode::GetKvConfig, &key).await;
    assert_eq!(missing.response_code(), ResponseCode::QueryNotFound);

    let put = server.ask(RequestCode::PutKvConfig, &entry).await;
    assert_eq!(put.response_code(), ResponseCode::Success);
    let got = server.ask(RequestCode::GetKvConfig, &key).await;
    assert_eq!(got.fields.text("value"), Some("broker-a:8"));
    let list = server.ask(
        RequestCode::GetKvListByNamespace,
        &KvNamespace { namespace },
    );
    let list: KvTable = body::decode(&list.await.body).unwrap();
    assert_eq!(list.table["T"], "broker-a:8");
    let route = server.route("T").await.unwrap();
    assert_eq!(route.order_topic_conf.as_deref(), Some("broker-a:8"));

    let deleted = server.ask(RequestCode::DeleteKvConfig, &key).await;
    assert_eq!(deleted.response_code(), ResponseCode::Success);
    assert_eq!(server.route("T").await.unwrap().order_topic_conf, None);
    let empty = server.ask(
        RequestCode::GetKvListByNamespace,
        &KvNamespace { namespace },
    );
    assert_eq!(empty.await.response_code(), ResponseCode::QueryNotFound);
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let server = TestServer::start();
    let entry = |namespace, key| KvEntry {
        namespace,
        key,
        value: "v",
    };
    let other = server.ask(RequestCode::PutKvConfig, &entry("other", "T"));
    assert_eq!(other.await.response_code(), ResponseCode::InvalidParameter);
    let missing = server.ask(RequestCode::PutKvConfig, &entry("ORDER_TOPIC_CONFIG", "T"));
    assert_eq!(missing.await.response_code(), ResponseCode::TopicNotExist);
    let incomplete = server
        .ask(RequestCode::PutKvConfig, &[("namespace", "n")])
        .await;
    assert_eq!(incomplete.response_code(), ResponseCode::SystemError);
    let unknown = server.ask(RequestCode::Unknown(999), &NoFields).await;
    assert_eq!(
        unknown.response_code(),
        ResponseCode::RequestCodeNotSupported
    );
    assert_eq!(
        unknown.remark.unwrap().as_str(),
        " request type 999 not supported"
    );
}

#[tokio::test]
async fn oneway_requests_and_answers_are_not_answered() {
    let server = TestServer::start();
    let mut bytes = request(RequestCode::Unknown(999), &NoFields, true);
    let mut answer = BytesMut::new();
    Command::default()
        .reply_to()
        .answer(&gantry_remoting_protocol::Answer::OK, &mut answer);
    bytes.extend_from_slice(&answer);
    bytes.extend_from_slice(&request(
        RequestCode::GetBrokerClusterInfo,
        &NoFields,
        false,
    ));
    assert_eq!(commands(&server.converse(&bytes).await).len(), 1);
}

#[tokio::test]
async fn damaged_requests_harm_nobody() {
    let server = TestServer::start();
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for (client, _) in recorded() {
        for _ in 0..10 {
            let mut damaged = client.clone();
            let at = random(damaged.len());
            damaged[at] = u8::try_from(random(256)).unwrap();
            damaged.truncate(random(2 * client.len()));
            server.converse(&damaged).await;
        }
    }
    for foreign in [&b"\x16\x03\x01\x02\0\x01\0"[..], b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(server.converse(foreign).await, b"", "closed without a word");
    }
    let route = server.route("TBW102").await;
    assert!(route.is_ok());
}
