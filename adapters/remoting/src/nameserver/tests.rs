use super::{Advertised, Config, KvTables, NameServer, NameServerConnection};
use crate::acl::{Acl, AclConfig, Secret, UserConfig};
use bytes::BytesMut;
use gantry_connection::{Limits, Shutdown, run};
use gantry_core::model::{Permission, SystemClock, TopicName, TopicSpec};
use gantry_core::{Broker, Client};
use gantry_remoting_protocol::body::{self, ClusterInfo, KvTable, TopicList, TopicRouteData};
use gantry_remoting_protocol::codec::{NoFields, Request, WriteFields};
use gantry_remoting_protocol::header::{
    ClusterRequest, KvEntry, KvKey, KvNamespace, RegisterBroker,
};
use gantry_remoting_protocol::{Command, FRAME_BYTES_MAX, RequestCode, ResponseCode, decode};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn advertised() -> Advertised {
    Advertised {
        cluster_name: "DefaultCluster".to_owned(),
        broker_name: "broker-a".to_owned(),
        address: "127.0.0.1:20911".to_owned(),
        auto_create_queues: 8,
    }
}

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
        Self::admitting(core, config, None)
    }

    fn admitting(mut core: gantry_core::Config, config: Config, acl: Option<Arc<Acl>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        core.store.segment_bytes = 1 << 20;
        let broker = Broker::open(directory.path(), core, Arc::new(SystemClock)).unwrap();
        let advertised = advertised();
        let own = Some((broker.anonymous(), advertised));
        let tables = KvTables::in_store(broker.anonymous());
        Self {
            names: NameServer::new(own, tables, config, acl, Arc::new(SystemClock)),
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
    let route = server.route("RMQ_SYS_TRACE_TOPIC").await.unwrap();
    assert_eq!(route.queue_datas[0].perm, 6);
    assert_eq!(route.queue_datas[0].write_queue_nums, 1);

    let mut core = gantry_core::Config::default();
    core.topics.auto_create = false;
    let server = TestServer::with(core, Config::default());
    let missing = Err(ResponseCode::TopicNotExist);
    assert_eq!(server.route("TBW102").await, missing);
    assert_eq!(server.route("RMQ_SYS_TRACE_TOPIC").await, missing);
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
async fn order_configurations_are_in_routes_and_outlive_a_start() {
    let config = Config {
        order_message_enable: true,
        ..Config::default()
    };
    let mut server = TestServer::with(gantry_core::Config::default(), config.clone());
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
    // A NameServer of the same store, as after a start.
    let own = Some((server.client(), advertised()));
    let tables = KvTables::in_store(server.client());
    server.names = NameServer::new(own, tables, config, None, Arc::new(SystemClock));
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
    assert_eq!(KvTables::in_store(server.client()).list(namespace), None);
}

#[tokio::test]
async fn tables_in_a_file_are_a_stock_servers_and_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("namesrv/kvConfig.json");
    let tables = KvTables::in_file(&file).unwrap();
    tables.put("ns", "k \"1\"", "v", 2).unwrap();
    tables.put("other", "k", "ü", 2).unwrap();
    assert!(tables.put("other", "one too many", "v", 2).is_err());
    tables.put("other", "k", "replaced", 2).unwrap();
    let again = KvTables::in_file(&file).unwrap();
    assert_eq!(again.get("ns", "k \"1\"").as_deref(), Some("v"));
    assert_eq!(again.get("other", "k").as_deref(), Some("replaced"));
    again.delete("ns", "k \"1\"").unwrap();
    let stock: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        stock,
        serde_json::json!({"configTable": {"other": {"k": "replaced"}}})
    );
    std::fs::write(&file, "{ broken").unwrap();
    assert!(KvTables::in_file(&file).is_err());
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let config = Config {
        kv_entries_max: 1,
        ..Config::default()
    };
    let server = TestServer::with(gantry_core::Config::default(), config);
    let long = "x".repeat(8_193);
    let entry = |namespace, key, value| KvEntry {
        namespace,
        key,
        value,
    };
    for (entry, code) in [
        (entry("n", "k", &long), ResponseCode::InvalidParameter),
        (entry(&long, "k", "v"), ResponseCode::InvalidParameter),
        (entry("n", &long, "v"), ResponseCode::InvalidParameter),
        (entry("n", "k", "v"), ResponseCode::Success),
        (entry("n", "k", "w"), ResponseCode::Success),
        (entry("n", "l", "v"), ResponseCode::SystemBusy),
    ] {
        let answer = server.ask(RequestCode::PutKvConfig, &entry).await;
        assert_eq!(answer.response_code(), code, "{:?}", answer.remark);
    }
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

#[tokio::test]
async fn a_nameserver_that_wants_signatures_tells_nothing_without() {
    let user = UserConfig {
        access_key: "rocket".to_owned(),
        secret_key: Secret::new("12345678".to_owned()),
        admin: false,
    };
    let acl = AclConfig {
        enabled: true,
        users: vec![user],
    };
    let core = gantry_core::Config::default();
    let server = TestServer::admitting(core, Config::default(), Acl::new(&acl));
    server.create("T", TopicSpec::with_queues(1));
    let codes = (0..400).map(RequestCode::from);
    for code in codes.filter(|code| !matches!(code, RequestCode::Unknown(_))) {
        let answer = server.ask(code, &NoFields).await;
        assert_eq!(answer.response_code(), ResponseCode::NoPermission);
        assert!(answer.body.is_empty());
    }
    struct Signed;
    impl WriteFields for Signed {
        fn write_fields(&self, out: &mut gantry_remoting_protocol::codec::FieldWriter<'_>) {
            out.pair("topic", "T");
            out.pair("AccessKey", "rocket");
            // Python's hmac says so.
            out.pair("Signature", "/8G13bMkYwKHvla6Gx/JlFPiN3c=");
        }
    }
    let code = RequestCode::GetRouteInfoByTopic;
    let answer = server.ask(code, &Signed).await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
}

/// A connection that stays, as a broker's does.
struct Broker5 {
    stream: tokio::io::DuplexStream,
    input: BytesMut,
}

impl Broker5 {
    fn connect(server: &TestServer) -> Self {
        let (stream, theirs) = tokio::io::duplex(1 << 16);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_001));
        let connection = NameServerConnection::new(Arc::clone(&server.names), peer);
        tokio::spawn(
            async move { run(theirs, connection, &Limits::default(), &Shutdown::new()).await },
        );
        let input = BytesMut::new();
        Self { stream, input }
    }

    async fn ask(&mut self, code: RequestCode, fields: &dyn WriteFields, body: &[u8]) -> Command {
        let mut out = BytesMut::new();
        let request = Request {
            code,
            opaque: 7,
            is_oneway: false,
            fields: Some(fields),
            body_len: body.len(),
        };
        request.encode(&mut out);
        out.extend_from_slice(body);
        self.stream.write_all(&out).await.unwrap();
        loop {
            if let Some(answer) = decode(&mut self.input, FRAME_BYTES_MAX).unwrap() {
                return answer;
            }
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0);
        }
    }
}

const BODY: &[u8] = br#"{"filterServerList":[],"topicConfigSerializeWrapper":{
    "dataVersion":{"counter":2,"stateVersion":0,"timestamp":1},
    "topicConfigTable":{"J1":{"perm":6,"readQueueNums":4,"topicName":"J1","topicSysFlag":1,
    "writeQueueNums":4},"T":{"perm":6,"readQueueNums":2,"topicName":"T","writeQueueNums":2}}}}"#;

fn java_broker(body: &[u8]) -> RegisterBroker<'static> {
    RegisterBroker {
        broker_name: "java",
        broker_addr: "127.0.0.1:30911",
        cluster_name: "JavaCluster",
        ha_server_addr: "127.0.0.1:30912",
        broker_id: 0,
        heartbeat_timeout_millis: None,
        enable_acting_master: None,
        compressed: false,
        body_crc32: body::registration_crc(body),
        zone_name: Some("east"),
        deleted_topics: None,
    }
}

#[tokio::test]
async fn a_registered_broker_is_in_routes_beside_the_own_one_until_its_connection_ends() {
    let server = TestServer::start();
    server.create("T", TopicSpec::with_queues(1));
    let mut java = Broker5::connect(&server);
    let answer = java
        .ask(RequestCode::RegisterBroker, &java_broker(BODY), BODY)
        .await;
    assert_eq!(
        answer.response_code(),
        ResponseCode::Success,
        "{:?}",
        answer.remark
    );
    assert!(!answer.fields.is_absent(), "the header class is there");

    let route = server.route("T").await.unwrap();
    let brokers: Vec<_> = route
        .broker_datas
        .iter()
        .map(|broker| &broker.broker_name[..])
        .collect();
    assert_eq!(brokers, ["broker-a", "java"]);
    assert_eq!(route.queue_datas[1].write_queue_nums, 2);
    let list = server
        .ask(RequestCode::GetAllTopicListFromNameServer, &NoFields)
        .await;
    let list: TopicList = body::decode(&list.body).unwrap();
    assert_eq!(list.topic_list, ["TBW102", "T", "J1"]);
    let cluster = ClusterRequest {
        cluster: "JavaCluster",
    };
    let list = server.ask(RequestCode::GetTopicsByCluster, &cluster).await;
    let list: TopicList = body::decode(&list.body).unwrap();
    assert_eq!(list.topic_list, ["J1", "T"]);
    let units = server.ask(RequestCode::GetUnitTopicList, &NoFields).await;
    let units: TopicList = body::decode(&units.body).unwrap();
    assert_eq!(units.topic_list, ["J1"]);
    let members = [("clusterName", "JavaCluster"), ("brokerName", "java")];
    let members = server
        .ask(RequestCode::GetBrokerMemberGroup, &members)
        .await;
    assert_eq!(
        std::str::from_utf8(&members.body).unwrap(),
        r#"{"brokerMemberGroup":{"brokerAddrs":{0:"127.0.0.1:30911"},"brokerName":"java","cluster":"JavaCluster"}}"#
    );
    for (zone, brokers) in [("EAST", 1), ("west", 0)] {
        let fields = [
            ("topic", "T"),
            ("__ZONE_MODE", "true"),
            ("__ZONE_NAME", zone),
        ];
        let answer = server.ask(RequestCode::GetRouteInfoByTopic, &fields).await;
        let route: TopicRouteData = body::decode(&answer.body).unwrap();
        assert_eq!(
            (route.broker_datas.len(), route.queue_datas.len()),
            (brokers, brokers)
        );
    }

    drop(java);
    while server.route("J1").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.route("T").await.unwrap().broker_datas.len(), 1);
}

#[tokio::test]
async fn a_registration_that_was_damaged_on_its_way_is_refused() {
    let server = TestServer::start();
    let mut java = Broker5::connect(&server);
    let mut registration = java_broker(b"another body");
    let answer = java
        .ask(RequestCode::RegisterBroker, &registration, BODY)
        .await;
    assert_eq!(answer.response_code(), ResponseCode::SystemError);
    assert_eq!(answer.remark.as_deref(), Some("crc32 not match"));
    registration.body_crc32 = 0;
    registration.compressed = true;
    let answer = java
        .ask(RequestCode::RegisterBroker, &registration, BODY)
        .await;
    assert_eq!(
        answer.response_code(),
        ResponseCode::SystemError,
        "no zlib stream"
    );
    registration.compressed = false;
    for broken in [&b"{"[..], b"[]", b"{\"topicConfigTable\":1}"] {
        let answer = java
            .ask(RequestCode::RegisterBroker, &registration, broken)
            .await;
        assert_eq!(answer.response_code(), ResponseCode::SystemError);
    }
    registration.broker_name = " ";
    let answer = java
        .ask(RequestCode::RegisterBroker, &registration, BODY)
        .await;
    assert_eq!(answer.response_code(), ResponseCode::InvalidParameter);
    assert_eq!(server.route("J1").await, Err(ResponseCode::TopicNotExist));
}

#[tokio::test]
async fn operators_take_write_permission_from_the_own_broker_until_a_topic_changes() {
    let server = TestServer::start();
    server.create("T", TopicSpec::with_queues(1));
    let broker = [("brokerName", "broker-a")];
    let perm = async |topic| server.route(topic).await.unwrap().queue_datas[0].perm;
    let answer = server.ask(RequestCode::WipeWritePermission, &broker).await;
    assert_eq!(answer.fields.text("wipeTopicCount"), Some("2"));
    assert_eq!((perm("T").await, perm("TBW102").await), (4, 5));
    let answer = server.ask(RequestCode::AddWritePermission, &broker).await;
    assert_eq!(answer.fields.text("addTopicCount"), Some("2"));
    assert_eq!((perm("T").await, perm("TBW102").await), (6, 6));
    server.ask(RequestCode::WipeWritePermission, &broker).await;
    server.create("new", TopicSpec::with_queues(1));
    assert_eq!((perm("T").await, perm("new").await), (6, 6));
    let none = [("brokerName", "nobody")];
    let answer = server.ask(RequestCode::WipeWritePermission, &none).await;
    assert_eq!(answer.fields.text("wipeTopicCount"), Some("0"));
}

#[tokio::test]
async fn switches_are_changed_all_or_none_and_nothing_else_is() {
    let server = TestServer::start();
    let mut tool = Broker5::connect(&server);
    let settings = server
        .ask(RequestCode::GetNameServerConfig, &NoFields)
        .await;
    let settings = String::from_utf8(settings.body.to_vec()).unwrap();
    assert!(
        settings.contains("orderMessageEnable=false\n"),
        "{settings}"
    );
    assert!(
        settings.contains("scanNotActiveBrokerInterval=10000\n"),
        "{settings}"
    );
    for (body, code) in [
        (
            "enableAllTopicList=false\nkvConfigPath=/etc/passwd",
            ResponseCode::NoPermission,
        ),
        (
            "enableAllTopicList=false\norderMessageEnable=perhaps",
            ResponseCode::InvalidParameter,
        ),
        ("enableAllTopicList", ResponseCode::InvalidParameter),
    ] {
        let answer = tool
            .ask(
                RequestCode::UpdateNameServerConfig,
                &NoFields,
                body.as_bytes(),
            )
            .await;
        assert_eq!(answer.response_code(), code, "{body}");
    }
    let list = server
        .ask(RequestCode::GetAllTopicListFromNameServer, &NoFields)
        .await;
    assert_eq!(
        list.response_code(),
        ResponseCode::Success,
        "nothing has changed"
    );
    let body = b"# a comment\n enableAllTopicList = false \n";
    let answer = tool
        .ask(RequestCode::UpdateNameServerConfig, &NoFields, body)
        .await;
    assert_eq!(answer.response_code(), ResponseCode::Success);
    let list = server
        .ask(RequestCode::GetAllTopicListFromNameServer, &NoFields)
        .await;
    assert_eq!(list.response_code(), ResponseCode::NoPermission);
}
