use super::{Acl, AclConfig, AclConfigError, Secret, UserConfig};
use bytes::BytesMut;
use gantry_remoting_protocol::codec::{FieldWriter, Request, WriteFields};
use gantry_remoting_protocol::{Command, FRAME_BYTES_MAX, RequestCode, ResponseCode, decode};
use std::sync::Arc;

struct Pairs(Vec<(&'static str, &'static str)>);

impl WriteFields for Pairs {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        for (name, value) in &self.0 {
            out.pair(name, value);
        }
    }
}

fn command(code: RequestCode, fields: &[(&'static str, &'static str)], body: &str) -> Command {
    let fields = Pairs(fields.to_vec());
    let request = Request {
        code,
        opaque: 1,
        is_oneway: false,
        fields: Some(&fields),
        body_len: body.len(),
    };
    let mut out = BytesMut::new();
    request.encode(&mut out);
    out.extend_from_slice(body.as_bytes());
    decode(&mut out, FRAME_BYTES_MAX).unwrap().unwrap()
}

fn user(name: &str, secret: &str, admin: bool) -> UserConfig {
    UserConfig {
        access_key: name.to_owned(),
        secret_key: Secret::new(secret.to_owned()),
        admin,
    }
}

fn config() -> AclConfig {
    AclConfig {
        enabled: true,
        users: vec![
            user("rocket", "12345678", false),
            user("root", "87654321", true),
        ],
    }
}

fn acl() -> Arc<Acl> {
    Acl::new(&config()).unwrap()
}

/// A send as Java's `AclClientRPCHook` of rocketmq-client 5.5.0 signed it; Python's `hmac` makes
/// the same signature.
const SEND: [(&str, &str); 14] = [
    ("m", "false"),
    ("k", "false"),
    ("a", "producers"),
    ("b", "Topic"),
    ("c", "TBW102"),
    ("d", "4"),
    ("e", "1"),
    ("f", "0"),
    ("g", "1800000000000"),
    ("h", "0"),
    ("i", "KEYS\u{1}ä\u{2}"),
    ("j", "0"),
    ("AccessKey", "rocket"),
    ("Signature", "qHUFl90lkR80RoJD822gj47Djkk="),
];
const BODY: &str = "héllo";

fn remark_of(command: &Command) -> Option<String> {
    let refusal = acl().check(command).err()?;
    assert_eq!(refusal.code, ResponseCode::NoPermission);
    Some(refusal.remark)
}

#[test]
fn a_request_signed_by_the_java_client_is_admitted() {
    let code = RequestCode::SendMessageV2;
    assert_eq!(remark_of(&command(code, &SEND, BODY)), None);
    let mut with_token = SEND.to_vec();
    with_token.pop();
    with_token.push(("Signature", "Xqngndauyw2h2Qq+XJLPHqtOUBs="));
    with_token.push(("SecurityToken", "token"));
    assert_eq!(remark_of(&command(code, &with_token, BODY)), None);
}

#[test]
fn whatever_is_changed_after_signing_is_refused() {
    let code = RequestCode::SendMessageV2;
    let wrong = Some("check signature failed.".to_owned());
    assert_eq!(remark_of(&command(code, &SEND, "hello")), wrong);
    for at in 0..SEND.len() - 2 {
        let mut fields = SEND.to_vec();
        fields[at].1 = "other";
        assert_eq!(remark_of(&command(code, &fields, BODY)), wrong, "{at}");
        fields.remove(at);
        assert_eq!(remark_of(&command(code, &fields, BODY)), wrong, "{at}");
    }
    let more = [&SEND[..], &[("n", "broker")]].concat();
    assert_eq!(remark_of(&command(code, &more, BODY)), wrong);
    let repeated = [&SEND[..], &[("b", "Other")]].concat();
    assert_eq!(remark_of(&command(code, &repeated, BODY)), wrong);
    for signature in ["", "?", "qHUFl90lkR80RoJD822gj47Djg==", "qHUF"] {
        let mut fields = SEND.to_vec();
        fields[13].1 = signature;
        assert_eq!(remark_of(&command(code, &fields, BODY)), wrong);
    }
    let mut fields = SEND.to_vec();
    fields[12].1 = "root";
    assert_eq!(remark_of(&command(code, &fields, BODY)), wrong);
}

#[test]
fn who_signs_nothing_or_is_nobody_is_refused_whatever_it_asks() {
    for code in (0..1_000).chain(200_000..200_200) {
        let code = RequestCode::from(code);
        let unsigned = remark_of(&command(code, &SEND[..12], BODY));
        assert_eq!(unsigned.as_deref(), Some("username cannot be null."));
        let mut fields = SEND.to_vec();
        fields[12].1 = "nobody";
        let unknown = remark_of(&command(code, &fields, BODY));
        assert_eq!(unknown.as_deref(), Some("User:nobody is not found."));
    }
}

#[test]
fn what_is_not_everybodys_is_an_administrators() {
    let topic = |name, signature| {
        vec![
            ("topic", "New"),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "4"),
            ("writeQueueNums", "4"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
            ("AccessKey", name),
            ("Signature", signature),
        ]
    };
    let rocket = topic("rocket", "RFw116rkzVpw/ZxNMuqmoLVbxHU=");
    let root = topic("root", "CvL+Hrg4GzxhfwsP6HbrSMyacHM=");
    // The code is no part of what is signed.
    for code in [17, 25, 100, 102, 200, 207, 215, 216, 222, 318, 777] {
        let code = RequestCode::from(code);
        let refused = remark_of(&command(code, &rocket, "")).unwrap();
        assert!(refused.ends_with("which needs an admin."), "{refused}");
        assert_eq!(remark_of(&command(code, &root, "")), None);
    }
    let seen = command(RequestCode::GetTopicConfig, &rocket, "");
    assert_eq!(remark_of(&seen), None);
}

#[test]
fn old_clients_mark_a_query_by_unique_key_after_they_signed() {
    let query = |signature, version| {
        let fields = [
            ("topic", "T"),
            ("key", "K"),
            ("maxNum", "1"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9"),
            ("_UNIQUE_KEY_QUERY", "true"),
            ("AccessKey", "rocket"),
            ("Signature", signature),
        ];
        let mut command = command(RequestCode::QueryMessage, &fields, "");
        command.version = version;
        remark_of(&command).is_none()
    };
    let (without, with) = (
        "4f+h7KR1Md+KBLorCL+fUI25OiI=",
        "su+uz6lsIWDHdW7ouFcNAanlu7Q=",
    );
    assert!(query(without, 399) && !query(with, 399));
    assert!(query(with, 409) && !query(without, 409));
}

#[test]
fn secrets_are_not_shown() {
    let (config, acl) = (config(), acl());
    for shown in [
        format!("{config:?}"),
        format!("{acl:?}"),
        serde_json::to_string(&config).unwrap(),
    ] {
        assert!(!shown.contains("12345678") && !shown.contains("87654321"));
        assert!(shown.contains("rocket"));
    }
    let number = r#"{"access_key":"rocket","secret_key":12345678}"#;
    let error = serde_json::from_str::<UserConfig>(number).unwrap_err();
    assert!(
        error.to_string().starts_with("secret_key is text"),
        "{error}"
    );
}

#[test]
fn users_of_no_use_are_refused_at_the_start() {
    assert_eq!(config().check(), Ok(()));
    assert_eq!(AclConfig::default().check(), Ok(()));
    let of = |users| AclConfig {
        enabled: true,
        users,
    };
    assert_eq!(of(Vec::new()).check(), Err(AclConfigError::NoUsers));
    let twice = of(vec![user("a", "x", false), user("a", "y", true)]);
    assert_eq!(twice.check(), Err(AclConfigError::Twice("a".to_owned())));
    let empty = of(vec![user("a", "", false)]);
    assert_eq!(empty.check(), Err(AclConfigError::Empty("a".to_owned())));
}
