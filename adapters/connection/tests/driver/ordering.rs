use crate::toy::{Client, local, serve_on, settle};
use gantry_connection::Limits;
use tokio::io::duplex;
use tokio::sync::mpsc;

#[tokio::test]
async fn ordered_replies_wait_for_those_before_them() {
    local(async {
        let mut client = Client::of::<true>(4096, Limits::default());
        let commands = ["echo a", "later b", "echo c", "none", "later d", "echo e"];
        client.send(&commands).await;
        client.expect("a").await;
        client.expect_nothing().await;
        client.backstage.release("d");
        client.send(&["echo f"]).await;
        client.expect_nothing().await;
        client.backstage.release("b");
        client.expect("bcdef").await;
        client.send(&["later g", "later h"]).await;
        client.backstage.release("g");
        client.expect("g").await;
        client.backstage.release("h");
        client.expect("h").await;
    })
    .await;
}

#[tokio::test]
async fn unordered_replies_go_as_they_become_ready() {
    local(async {
        let mut client = Client::of::<false>(4096, Limits::default());
        client
            .send(&["later a", "echo b", "held c", "echo d"])
            .await;
        client.expect("bd").await;
        client.backstage.release("c");
        client.expect("c").await;
        client.send(&["echo e"]).await;
        client.expect("e").await;
        client.backstage.release("a");
        client.expect("a").await;
    })
    .await;
}

#[tokio::test]
async fn a_protocol_may_speak_first() {
    local(async {
        let (notices, from_broker) = mpsc::channel(4);
        let (stream, ours) = duplex(4096);
        let (backstage, shutdown, served) =
            serve_on::<false>(ours, Limits::default(), Some(from_broker));
        let mut client = Client {
            stream,
            backstage,
            shutdown,
            served,
        };
        notices.send("unasked".to_owned()).await.unwrap();
        client.expect("unasked").await;
        client.send(&["later a"]).await;
        notices.send("again".to_owned()).await.unwrap();
        client.expect("again").await;
        client.backstage.release("a");
        client.expect("a").await;
    })
    .await;
}

#[tokio::test]
async fn notices_wait_in_their_channel_for_a_slow_reader() {
    local(async {
        let (notices, from_broker) = mpsc::channel(4);
        let (stream, ours) = duplex(1000);
        let limits = Limits {
            unsent_bytes_max: 1000,
            ..Limits::default()
        };
        let (backstage, shutdown, served) = serve_on::<false>(ours, limits, Some(from_broker));
        let mut client = Client {
            stream,
            backstage,
            shutdown,
            served,
        };
        let mut told = 0;
        while notices.try_send("n".repeat(100)).is_ok() {
            told += 1;
            settle().await;
            assert!(
                told < 100,
                "notices pile up behind a peer that does not read"
            );
        }
        client.expect(&"n".repeat(100 * told)).await;
    })
    .await;
}
