//! Requests that must be signed.

use super::requests::{heartbeat, pull, send};
use super::support::{Server, TestClient, small_store};
use gantry_remoting::acl::{AclConfig, Secret, UserConfig};
use gantry_remoting_protocol::codec::{FieldWriter, WriteFields};
use gantry_remoting_protocol::{NoFields, RequestCode, ResponseCode};

struct Signed<'a>(&'a [(&'a str, &'a str)], &'a str);

impl WriteFields for Signed<'_> {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        let signed = [("AccessKey", "rocket"), ("Signature", self.1)];
        for (name, value) in self.0.iter().chain(&signed) {
            out.pair(name, value);
        }
    }
}

async fn signing_server() -> Server {
    let user = UserConfig {
        access_key: "rocket".to_owned(),
        secret_key: Secret::new("12345678".to_owned()),
        admin: false,
    };
    let protocol = gantry_remoting::Config {
        acl: AclConfig {
            enabled: true,
            users: vec![user],
        },
        ..gantry_remoting::Config::default()
    };
    Server::with_protocol(small_store(), protocol).await
}

#[tokio::test]
async fn unsigned_requests_do_nothing_and_signed_ones_are_served() {
    let server = signing_server().await;
    let mut client = TestClient::connect(&server).await;
    let (send, pull) = (send("T", 0, ""), pull("G", "T", 0, 0));
    let beat = heartbeat("c", "G", "T", "*", 1);
    let unsigned: [(RequestCode, &dyn WriteFields, &[u8]); 4] = [
        (RequestCode::SendMessageV2, &send, b"x"),
        (RequestCode::PullMessage, &pull, b""),
        (RequestCode::HeartBeat, &NoFields, &beat),
        (RequestCode::from(9_999), &NoFields, b""),
    ];
    for (code, fields, body) in unsigned {
        let answer = client.call(code, fields, body).await;
        assert_eq!(answer.response_code(), ResponseCode::NoPermission);
        assert_eq!(answer.remark.as_deref(), Some("username cannot be null."));
    }
    assert!(server.broker.anonymous().topic("T").is_none());
    assert!(server.broker.anonymous().topic("%RETRY%G").is_none());

    // Signed with Python's hmac.
    let asked = [("topic", "T"), ("queueId", "0")];
    for (signature, expected) in [
        ("1zc3OJixJmk4qk8bP6jAJ2otCPY=", ResponseCode::Success),
        ("2zc3OJixJmk4qk8bP6jAJ2otCPY=", ResponseCode::NoPermission),
    ] {
        let fields = Signed(&asked, signature);
        let answer = client.call(RequestCode::GetMaxOffset, &fields, b"").await;
        assert_eq!(answer.response_code(), expected);
    }
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_requests_of_one_read() {
    let server = signing_server().await;
    let mut client = TestClient::connect(&server).await;
    let mut bytes = bytes::BytesMut::new();
    let asked = [("topic", "T"), ("queueId", "0")];
    let signed = Signed(&asked, "1zc3OJixJmk4qk8bP6jAJ2otCPY=");
    let first = client.encode(&mut bytes, RequestCode::GetMaxOffset, &signed, b"");
    let second = client.encode(
        &mut bytes,
        RequestCode::SendMessageV2,
        &send("T", 0, ""),
        b"x",
    );
    client.write(&bytes).await;
    let codes = [
        client.answer(first).await.response_code(),
        client.answer(second).await.response_code(),
    ];
    assert_eq!(codes, [ResponseCode::Success, ResponseCode::NoPermission]);
}
