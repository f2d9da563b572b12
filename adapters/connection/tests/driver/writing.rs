use crate::streams::{Counted, Counts};
use crate::toy::{BODY, Client, frames, local, serve_on, settle};
use gantry_connection::Limits;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn counted(write_bytes_max: usize) -> (Client, Rc<Counts>) {
    let (stream, ours): (DuplexStream, _) = duplex(1 << 20);
    let counts = Rc::new(Counts::default());
    let ours = Counted {
        stream: ours,
        counts: Rc::clone(&counts),
        write_bytes_max,
    };
    let (backstage, shutdown, served) = serve_on::<true>(ours, Limits::default(), None);
    (
        Client {
            stream,
            backstage,
            shutdown,
            served,
        },
        counts,
    )
}

#[tokio::test]
async fn all_replies_to_one_read_are_one_write() {
    local(async {
        let (mut client, counts) = counted(usize::MAX);
        client.send(&["echo abc"; 50]).await;
        client.expect(&"abc".repeat(50)).await;
        assert_eq!(counts.writes.get(), 1);
        client.send(&["big 20000", "echo abc", "big 20000"]).await;
        assert_eq!(counts.writes.get(), 2);
    })
    .await;
}

#[tokio::test]
async fn replies_released_together_are_one_write() {
    local(async {
        let (mut client, counts) = counted(usize::MAX);
        client
            .send(&["later a", "later b", "echo c", "later d"])
            .await;
        for name in ["d", "b", "a"] {
            client.backstage.release(name);
        }
        client.expect("abcd").await;
        assert_eq!(counts.writes.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn bodies_are_written_from_where_they_are() {
    local(async {
        let (mut client, counts) = counted(usize::MAX);
        client.send(&["big 90000"]).await;
        let slices = counts.slices.borrow();
        assert!(slices.contains(&(BODY.as_ptr(), 90_000)), "{slices:?}");
    })
    .await;
}

#[tokio::test]
async fn partial_writes_lose_and_repeat_nothing() {
    local(async {
        for write_bytes_max in [1, 7, 511, 512, 513, 4096] {
            let (mut client, _) = counted(write_bytes_max);
            let commands = [
                "echo a", "big 3000", "later b", "big 600", "echo c", "big 513",
            ];
            client.send(&commands).await;
            client.backstage.release("b");
            let body = |count: usize| format!("<{}>", "x".repeat(count));
            let expected = format!("a{}b{}c{}", body(3000), body(600), body(513));
            client.expect(&expected).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_turn_answers_before_it_has_read_everything() {
    local(async {
        let (stream, ours) = duplex(1 << 24);
        let counts = Rc::new(Counts::default());
        let ours = Counted {
            stream: ours,
            counts: Rc::clone(&counts),
            write_bytes_max: 1 << 20,
        };
        let (_backstage, _shutdown, _served) = serve_on::<true>(ours, Limits::default(), None);
        let (mut reader, mut writer) = tokio::io::split(stream);
        writer
            .write_all(&frames(&["echo 0123456789"; 200_000]))
            .await
            .unwrap();
        let mut answers = vec![0; 2_000_000];
        reader.read_exact(&mut answers).await.unwrap();
        settle().await;
        assert!(answers.chunks(10).all(|answer| answer == b"0123456789"));
        assert!(
            (8..=40).contains(&counts.writes.get()),
            "{}",
            counts.writes.get()
        );
    })
    .await;
}
