use crate::toy::{Client, FRAME_BYTES_MAX, ToyError, frames, local, settle};
use gantry_connection::{Closed, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn frames_cut_anywhere_are_answered_once_they_are_whole() {
    local(async {
        let bytes = frames(&["echo one", "none", "echo two", "echo three"]);
        for cut in 0..=bytes.len() {
            let mut client = Client::of::<true>(4096, Limits::default());
            client.stream.write_all(&bytes[..cut]).await.unwrap();
            settle().await;
            client.stream.write_all(&bytes[cut..]).await.unwrap();
            client.expect("onetwothree").await;
        }
    })
    .await;
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_answered() {
    local(async {
        let mut client = Client::of::<false>(4096, Limits::default());
        for byte in frames(&["echo one", "echo two"]) {
            client.stream.write_all(&[byte]).await.unwrap();
            settle().await;
        }
        client.expect("onetwo").await;
    })
    .await;
}

#[tokio::test]
async fn frames_much_longer_than_a_read_arrive_whole() {
    local(async {
        let client = Client::of::<true>(1500, Limits::default());
        let long = "y".repeat(FRAME_BYTES_MAX - 100);
        let bytes = frames(&["echo short", &format!("echo {long}"), "echo end"]);
        let (mut reader, mut writer) = tokio::io::split(client.stream);
        let mut answer = vec![0; long.len() + 8];
        let (sent, got) = tokio::join!(writer.write_all(&bytes), reader.read_exact(&mut answer));
        sent.unwrap();
        got.unwrap();
        assert_eq!(answer, format!("short{long}end").into_bytes());
    })
    .await;
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_connection() {
    local(async {
        let mut client = Client::of::<true>(1 << 20, Limits::default());
        let length = u32::try_from(FRAME_BYTES_MAX + 1).unwrap();
        client.send(&["echo before"]).await;
        client
            .stream
            .write_all(&length.to_be_bytes())
            .await
            .unwrap();
        client
            .stream
            .write_all(&vec![0; FRAME_BYTES_MAX])
            .await
            .unwrap();
        let (rest, closed) = client.rest().await;
        assert_eq!(rest, b"before");
        assert!(matches!(
            closed,
            Closed::FrameTooLong {
                limit: FRAME_BYTES_MAX
            }
        ));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_frame_closes_after_the_frames_before_it() {
    local(async {
        let mut client = Client::of::<false>(4096, Limits::default());
        let mut bytes = frames(&["echo one", "echo two"]);
        bytes.extend_from_slice(&[0xff; 16]);
        client.stream.write_all(&bytes).await.unwrap();
        let (rest, closed) = client.rest().await;
        assert_eq!(rest, b"onetwo");
        assert!(matches!(closed, Closed::Protocol(ToyError::NotAFrame)));
    })
    .await;
}
