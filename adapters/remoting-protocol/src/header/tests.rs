use super::{
    GroupRequest, HeartbeatResponse, PullRequest, PullResponse, QueryConsumerOffset, RequestHeader,
    RouteRequest, SendRequest, SendResponse, UnregisterClient, UpdateConsumerOffset, fuzz_headers,
};
use crate::codec::{Command, FieldError, Request, Text, WriteFields, decode};
use crate::record::MessageId;
use crate::testdata::{connections, mutations};
use crate::{FRAME_BYTES_MAX, RequestCode};
use bytes::BytesMut;
use proptest::prelude::*;

/// The requests of the recorded traffic.
fn requests(of: impl Fn(RequestCode) -> bool) -> Vec<Command> {
    commands()
        .into_iter()
        .filter(|command| !command.flag.is_response() && of(command.request_code()))
        .collect()
}

fn commands() -> Vec<Command> {
    connections()
        .iter()
        .flat_map(|connection| {
            let mut buffer = BytesMut::from(&connection.bytes[..]);
            std::iter::from_fn(move || decode(&mut buffer, FRAME_BYTES_MAX).unwrap())
        })
        .collect()
}

/// The command `fields` make, as the peer would read it.
fn sent(fields: &dyn WriteFields) -> Command {
    let mut out = BytesMut::new();
    let request = Request {
        code: RequestCode::SendMessageV2,
        opaque: 1,
        is_oneway: false,
        fields: Some(fields),
        body_len: 0,
    };
    request.encode(&mut out);
    decode(&mut out, FRAME_BYTES_MAX).unwrap().unwrap()
}

#[test]
fn every_recorded_send_is_read() {
    let sends = requests(|code| {
        matches!(
            code,
            RequestCode::SendMessage | RequestCode::SendMessageV2 | RequestCode::SendBatchMessage
        )
    });
    assert!(sends.len() >= 80, "{} sends", sends.len());
    for send in &sends {
        let header = SendRequest::of(send).unwrap();
        assert!(header.producer_group.starts_with("pg") || header.topic.starts_with("%RETRY%"));
        assert_eq!(header.default_topic, "TBW102");
        assert_eq!(header.default_topic_queues, 4);
        assert!((0..4).contains(&header.queue_id));
        assert!(header.born_timestamp > 1_795_000_000_000);
        assert_eq!(
            header.is_batch,
            send.request_code() == RequestCode::SendBatchMessage
        );
        assert_eq!(
            header.properties.contains("UNIQ_KEY\u{1}"),
            !header.properties.is_empty() && (header.properties.len() > 20),
        );
        let again = sent(&header);
        assert_eq!(SendRequest::short(&again.fields).as_ref(), Ok(&header));
    }
}

#[test]
fn a_send_without_a_required_field_names_it() {
    let mut pairs = vec![
        ("producerGroup", "g"),
        ("topic", "T"),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "4"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", "1"),
        ("flag", "0"),
    ];
    let of = |pairs: &[(&str, &str)]| sent(&Pairs(pairs));
    assert!(SendRequest::long(&of(&pairs).fields).is_ok());
    for (index, (name, _)) in pairs.iter().enumerate() {
        let mut fewer = pairs.clone();
        fewer.remove(index);
        assert_eq!(
            SendRequest::long(&of(&fewer).fields),
            Err(FieldError::Missing(name))
        );
    }
    pairs[4].1 = "2147483648";
    assert_eq!(
        SendRequest::long(&of(&pairs).fields),
        Err(FieldError::NotANumber {
            field: "queueId",
            value: "2147483648".to_owned()
        })
    );
    let long = of(&pairs);
    let letters = SendRequest::short(&long.fields);
    assert_eq!(letters, Err(FieldError::Missing("a")), "names differ");
}

#[test]
fn every_recorded_request_of_a_consumer_is_read() {
    let mut pulls = 0;
    for request in requests(|_| true) {
        match request.request_code() {
            RequestCode::PullMessage | RequestCode::LitePullMessage => {
                let pull: PullRequest<'_> = request.header().unwrap();
                assert!(pull.max_messages > 0 && pull.suspend_timeout_ms > 0);
                assert_eq!(
                    pull.flags().has_subscription(),
                    pull.subscription.is_some_and(|text| !text.is_empty())
                );
                assert_eq!(sent(&pull).header(), Ok(pull));
                pulls += 1;
            }
            RequestCode::QueryConsumerOffset => {
                let query: QueryConsumerOffset<'_> = request.header().unwrap();
                assert!(query.set_zero_if_not_found && query.queue_id >= 0);
            }
            RequestCode::UpdateConsumerOffset => {
                let update: UpdateConsumerOffset<'_> = request.header().unwrap();
                assert!(update.commit_offset.is_some());
            }
            RequestCode::GetConsumerListByGroup | RequestCode::NotifyConsumerIdsChanged => {
                request.header::<GroupRequest<'_>>().unwrap();
            }
            RequestCode::UnregisterClient => {
                let gone: UnregisterClient<'_> = request.header().unwrap();
                assert!(gone.producer_group.is_some() != gone.consumer_group.is_some());
            }
            RequestCode::GetRouteInfoByTopic => {
                let route: RouteRequest<'_> = request.header().unwrap();
                assert!(route.topic.is_some());
            }
            _ => {}
        }
    }
    assert!(pulls > 50, "{pulls} pulls");
}

/// Headers of answers are the ones a stock broker wrote, field for field.
#[test]
fn recorded_answers_are_written_again_from_their_headers() {
    let mut checked = [0; 3];
    for answer in commands().iter().filter(|answer| answer.flag.is_response()) {
        if let Ok(pull) = answer.header::<PullResponse>() {
            assert_same_fields(answer, &pull);
            checked[0] += 1;
        } else if let Some(id) = answer.fields.text("msgId") {
            let ids: Vec<MessageId> = id.split(',').map(|id| id.parse().unwrap()).collect();
            let send = SendResponse {
                message_ids: &ids,
                queue_id: answer.fields.value("queueId").unwrap(),
                queue_offset: answer.fields.value("queueOffset").unwrap(),
                transaction_id: answer.fields.text("transactionId"),
                region: "DefaultRegion",
                is_traced: true,
                recall_handle: answer.fields.text("recallHandle").map(str::to_owned),
            };
            assert_same_fields(answer, &send);
            checked[1] += 1;
        } else if answer.fields.text("IS_SUB_CHANGE").is_some() {
            assert_same_fields(answer, &answer.header::<HeartbeatResponse>().unwrap());
            checked[2] += 1;
        }
    }
    assert!(checked.iter().all(|count| *count > 20), "{checked:?}");
}

fn assert_same_fields(answer: &Command, header: &dyn WriteFields) {
    let written = sent(header);
    let mut written: Vec<_> = written.fields.iter().collect();
    let mut recorded: Vec<_> = answer.fields.iter().collect();
    // Java's hash order means nothing.
    written.sort_unstable();
    recorded.sort_unstable();
    assert_eq!(written, recorded);
}

#[test]
fn damaged_headers_never_panic() {
    for connection in connections() {
        mutations(&connection.bytes, 20, fuzz_headers);
    }
}

struct Pairs<'a>(&'a [(&'a str, &'a str)]);

impl WriteFields for Pairs<'_> {
    fn write_fields(&self, out: &mut crate::FieldWriter<'_>) {
        for (name, value) in self.0 {
            out.pair(name, value);
        }
    }
}

proptest! {
    #[test]
    fn a_send_header_survives_its_fields(
        (topic, group) in (".{1,20}", ".{0,20}"),
        (queue_id, sys_flag, born_timestamp, flag) in any::<(i32, i32, i64, i32)>(),
        properties in "(.{1,9}\u{1}.{1,9}\u{2}){0,4}",
        max_reconsume_times: Option<i32>,
        is_batch: bool,
    ) {
        let header = SendRequest {
            producer_group: &group,
            topic: &topic,
            default_topic: "TBW102",
            default_topic_queues: 4,
            queue_id,
            sys_flag,
            born_timestamp,
            flag,
            properties: Text::from(properties),
            max_reconsume_times,
            is_batch,
            ..SendRequest::default()
        };
        let sent = sent(&header);
        prop_assert_eq!(SendRequest::read(&sent.fields), Ok(header));
    }
}
