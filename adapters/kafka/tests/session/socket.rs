//! The whole way: a real socket, the stream driver, a session, the log.

use crate::fetch::fetch_request;
use crate::peer::{Host, batch, decode_answer, frame};
use crate::produce::produce_request;
use crate::topics::create;
use bytes::Bytes;
use gantry_connection::{Limits, Shutdown, run};
use gantry_core::batch::Codec;
use gantry_kafka::{Answer, KafkaConnection};
use kafka_protocol::messages::{FetchRequest, ProduceRequest};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves one connection for as long as `client` runs.
async fn with_connection<F: Future>(host: &Host, client: impl FnOnce(TcpStream) -> F) -> F::Output {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (stream, peer) = listener.accept().await.unwrap();
        let connection = KafkaConnection::new(Arc::clone(&host.server), peer);
        run(stream, connection, &Limits::default(), &Shutdown::new()).await
    };
    let speak = async { client(TcpStream::connect(address).await.unwrap()).await };
    tokio::join!(serve, speak).1
}

async fn send(stream: &mut TcpStream, frames: &[Bytes]) {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend((frame.len() as u32).to_be_bytes());
        bytes.extend(frame);
    }
    stream.write_all(&bytes).await.unwrap();
}

async fn receive(stream: &mut TcpStream) -> Answer {
    let length = stream.read_u32().await.unwrap();
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await.unwrap();
    let chunks = vec![Bytes::copy_from_slice(&length.to_be_bytes()), bytes.into()];
    Answer { chunks }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let host = Host::new();
    create(&mut host.connect(), "t", 1).await;
    let records = batch(&["a", "b", "c"], Codec::Lz4);
    let produce = frame(9, &produce_request("t", 0, Some(records.clone())));
    let fetch = frame(12, &fetch_request("t", 0, 0));
    with_connection(&host, |mut stream| async move {
        let frames = [&produce, &produce, &fetch, &produce].map(Bytes::clone);
        send(&mut stream, &frames).await;
        for expected in [0, 3] {
            let response = decode_answer::<ProduceRequest>(9, &receive(&mut stream).await);
            let part = &response.responses[0].partition_responses[0];
            assert_eq!((part.error_code, part.base_offset), (0, expected));
        }
        let response = decode_answer::<FetchRequest>(12, &receive(&mut stream).await);
        let part = &response.responses[0].partitions[0];
        assert_eq!(part.records.as_ref().unwrap().len(), 2 * records.len());
        let response = decode_answer::<ProduceRequest>(9, &receive(&mut stream).await);
        assert_eq!(response.responses[0].partition_responses[0].base_offset, 6);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_fetch_is_answered_by_what_comes() {
    let host = Host::new();
    let mut producer = host.connect();
    create(&mut producer, "t", 1).await;
    with_connection(&host, |mut stream| async move {
        let fetch = fetch_request("t", 0, 0).with_max_wait_ms(600_000);
        send(&mut stream, &[frame(12, &fetch)]).await;
        let records = batch(&["a"], Codec::None);
        crate::produce::produce(&mut producer, "t", 0, records.clone()).await;
        let response = decode_answer::<FetchRequest>(12, &receive(&mut stream).await);
        let fetched = response.responses[0].partitions[0].records.clone().unwrap();
        assert_eq!(fetched[16..], records[16..]);
    })
    .await;
}

#[tokio::test]
async fn other_protocols_and_absurd_lengths_are_hung_up_on() {
    let host = Host::new();
    let hellos: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 4],
        &[0; 4],
        &[0, 0, 0, 7],
        &[0x7f, 0xff, 0xff, 0xff],
    ];
    for hello in hellos {
        with_connection(&host, |mut stream| async move {
            stream.write_all(hello).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty());
        })
        .await;
    }
}
