use super::*;
use crate::nameserver::{KvTables, NameServer, NameServerConnection};
use gantry_connection::Limits;
use gantry_core::Broker;
use gantry_core::model::{ManualClock, SystemClock, TopicName, TopicSpec};
use gantry_remoting_protocol::body::{ClusterInfo, TopicRouteData};
use gantry_remoting_protocol::codec::NoFields;
use gantry_remoting_protocol::{ResponseCode, WriteFields};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::DuplexStream;

/// A broker, and a NameServer that is not its own.
struct Pair {
    broker: Broker,
    names: Arc<NameServer>,
    registrar: Arc<Registrar>,
    _directory: tempfile::TempDir,
}

impl Pair {
    fn new(config: Config) -> Self {
        Self::with(config, None)
    }

    fn with(config: Config, own: Option<Advertised>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut core = gantry_core::Config::default();
        core.store.segment_bytes = 1 << 20;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let broker = Broker::open(directory.path(), core, Arc::clone(&clock)).unwrap();
        let client = broker.anonymous();
        let advertised = Advertised::from(&crate::Config::default());
        let registrar = Registrar::new(client.clone(), advertised, config, &clock);
        let tables = KvTables::in_file(&directory.path().join("kv.json")).unwrap();
        let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let own = own.map(|own| (client, own));
        Self {
            names: NameServer::new(
                own,
                tables,
                crate::nameserver::Config::default(),
                None,
                manual,
            ),
            broker,
            registrar,
            _directory: directory,
        }
    }

    fn create(&self, topic: &str, queues: u32) {
        let name = TopicName::new(topic).unwrap();
        let spec = TopicSpec::with_queues(queues);
        self.broker.anonymous().create_topic(&name, spec).unwrap();
    }

    /// A connection to the NameServer, which serves it until it ends.
    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let connection = NameServerConnection::new(Arc::clone(&self.names), peer);
        tokio::spawn(async move {
            gantry_connection::run(theirs, connection, &Limits::default(), &Shutdown::new()).await
        });
        ours
    }

    /// Registers in a task of its own, and returns when everything has been told.
    async fn register(&self) -> (Shutdown, tokio::task::JoinHandle<Result<(), LinkError>>) {
        let (stream, shutdown) = (self.connect(), Shutdown::new());
        let (registrar, leave) = (Arc::clone(&self.registrar), shutdown.clone());
        let (done, registered) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let registered = move || done.send(()).unwrap();
            registrar.run(stream, &leave, registered).await
        });
        registered.await.unwrap();
        (shutdown, task)
    }

    async fn ask(&self, code: RequestCode, fields: &(dyn WriteFields + Sync)) -> Option<Bytes> {
        let mut client = Link::new(self.connect(), 10_000);
        match client.ask(code, fields, &Bytes::new()).await {
            Ok(answer) => Some(answer.body),
            Err(LinkError::Refused { code, .. }) => {
                assert_eq!(code, ResponseCode::TopicNotExist.value());
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn route(&self, topic: &str) -> Option<TopicRouteData> {
        let fields = [("topic", topic)];
        let body = self.ask(RequestCode::GetRouteInfoByTopic, &fields).await?;
        Some(body::decode(&body).unwrap())
    }

    /// Asks until the topic's route is as `wanted`.
    async fn until(&self, topic: &str, wanted: impl Fn(Option<&TopicRouteData>) -> bool) {
        let asked = async {
            while !wanted(self.route(topic).await.as_ref()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(600), asked)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn another_name_server_follows_every_change_at_once() {
    let pair = Pair::new(Config::default());
    pair.create("old", 3);
    let (shutdown, task) = pair.register().await;
    let route = pair.route("old").await.unwrap();
    assert_eq!(route.queue_datas[0].write_queue_nums, 3);
    assert_eq!(route.broker_datas[0].broker_addrs[&0], "127.0.0.1:10911");
    assert_eq!(pair.route("TBW102").await.unwrap().queue_datas[0].perm, 7);
    assert_eq!(pair.route("GANTRY_SYS_STATE").await, None);

    pair.create("new", 5);
    pair.until("new", |route| route.is_some()).await;
    let client = pair.broker.anonymous();
    let name = TopicName::new("new").unwrap();
    client
        .alter_topic(&name, TopicSpec::with_queues(7))
        .unwrap();
    let has = |route: Option<&TopicRouteData>, count| {
        route.is_some_and(|route| route.queue_datas[0].write_queue_nums == count)
    };
    pair.until("new", |route| has(route, 7)).await;
    client.delete_topic(&name).unwrap();
    pair.until("new", |route| route.is_none()).await;

    shutdown.request();
    task.await.unwrap().unwrap();
    assert_eq!(pair.route("old").await, None);
    let clusters = pair.ask(RequestCode::GetBrokerClusterInfo, &NoFields).await;
    let clusters: ClusterInfo = body::decode(&clusters.unwrap()).unwrap();
    assert_eq!(clusters, ClusterInfo::default());
}

#[tokio::test]
async fn many_topics_go_in_several_requests() {
    let pair = Pair::new(Config {
        topics_per_request_max: 2,
        ..Config::default()
    });
    let names: Vec<String> = (0..7).map(|number| format!("topic-{number}")).collect();
    for name in &names {
        pair.create(name, 1);
    }
    let (_shutdown, _task) = pair.register().await;
    for name in &names {
        assert!(pair.route(name).await.is_some(), "{name}");
    }
    for name in &names {
        let client = pair.broker.anonymous();
        client.delete_topic(&TopicName::new(name).unwrap()).unwrap();
    }
    for name in &names {
        pair.until(name, |route| route.is_none()).await;
    }
}

#[tokio::test]
async fn a_connection_that_breaks_takes_the_routes_with_it() {
    let pair = Pair::new(Config::default());
    pair.create("T", 1);
    let (_shutdown, task) = pair.register().await;
    task.abort();
    pair.until("T", |route| route.is_none()).await;
    let (_shutdown, _task) = pair.register().await;
    assert!(pair.route("T").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_forgot_is_told_again_with_the_next_heartbeat() {
    let pair = Pair::new(Config::default());
    pair.create("T", 1);
    let (_shutdown, _task) = pair.register().await;
    let forget = BrokerIdentity {
        broker_name: "gantry",
        broker_addr: "127.0.0.1:10911",
        cluster_name: "DefaultCluster",
        broker_id: 0,
    };
    pair.ask(RequestCode::UnregisterBroker, &forget).await;
    assert_eq!(pair.route("T").await, None);
    tokio::time::advance(Duration::from_millis(30_001)).await;
    pair.until("T", |route| route.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_refuses_falls_silent_or_goes_is_an_error() {
    let taken = Advertised {
        address: "127.0.0.1:1".to_owned(),
        ..Advertised::from(&crate::Config::default())
    };
    let pair = Pair::with(Config::default(), Some(taken));
    let never = Shutdown::new();
    let refused = pair
        .registrar
        .run(pair.connect(), &never, || panic!())
        .await;
    assert!(
        matches!(refused, Err(LinkError::Refused { .. })),
        "{refused:?}"
    );
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let silent = pair.registrar.run(ours, &never, || panic!()).await;
    assert!(matches!(silent, Err(LinkError::Silent)), "{silent:?}");
    drop(theirs);
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    drop(theirs);
    let gone = pair.registrar.run(ours, &never, || panic!()).await;
    assert!(matches!(gone, Err(LinkError::Stream(_))), "{gone:?}");
}
