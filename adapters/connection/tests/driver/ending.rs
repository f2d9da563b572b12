use crate::toy::{Client, ToyError, local, settle};
use gantry_connection::{Closed, Limits};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, advance, sleep};

const IDLE: Duration = Duration::from_secs(8);

fn limits() -> Limits {
    Limits {
        idle_ms: 8000,
        drain_ms: 3000,
        ..Limits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_connection_is_closed() {
    local(async {
        let mut client = Client::of::<true>(4096, limits());
        for _ in 0..5 {
            sleep(IDLE * 3 / 4).await;
            client.send(&["echo a"]).await;
            client.expect("a").await;
        }
        let quiet_since = Instant::now();
        let (rest, closed) = client.rest().await;
        assert!(rest.is_empty() && matches!(closed, Closed::Idle));
        let quiet = quiet_since.elapsed();
        assert!(
            (IDLE..=IDLE * 5 / 4 + IDLE / 8).contains(&quiet),
            "{quiet:?}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_keeps_its_connection_open() {
    local(async {
        let mut client = Client::of::<false>(4096, limits());
        client.send(&["held a"]).await;
        sleep(IDLE * 10).await;
        client.backstage.release("a");
        client.expect("a").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_closed() {
    local(async {
        let mut client = Client::of::<true>(1000, limits());
        client.send(&["big 90000", "later a"]).await;
        let (rest, closed) = {
            sleep(IDLE * 2).await;
            client.rest().await
        };
        assert!(matches!(closed, Closed::Idle));
        assert_eq!(rest.len(), 1000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_finishes_what_is_in_flight() {
    local(async {
        for ordered in [true, false] {
            let mut client = match ordered {
                true => Client::of::<true>(4096, limits()),
                false => Client::of::<false>(4096, limits()),
            };
            client.send(&["later a", "later b", "held c"]).await;
            client.shutdown.request();
            settle().await;
            assert!(client.backstage.is_dropped("c"));
            client.send(&["echo unread"]).await;
            client.backstage.release("a");
            advance(Duration::from_secs(1)).await;
            client.backstage.release("b");
            let (rest, closed) = client.rest().await;
            assert_eq!(rest, b"ab");
            assert!(matches!(closed, Closed::Shutdown));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_ever() {
    local(async {
        let mut client = Client::of::<true>(4096, limits());
        client.send(&["later a", "echo b"]).await;
        let backstage = std::rc::Rc::clone(&client.backstage);
        client.shutdown.request();
        let asked = Instant::now();
        let (rest, closed) = client.rest().await;
        assert!(rest.is_empty() && matches!(closed, Closed::Shutdown));
        assert!(backstage.is_dropped("a"));
        assert!(asked.elapsed() >= Duration::from_secs(3));
        assert!(asked.elapsed() <= Duration::from_secs(4));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_shuts_down_at_once() {
    local(async {
        let client = Client::of::<true>(4096, limits());
        settle().await;
        client.shutdown.request();
        let asked = Instant::now();
        assert!(matches!(client.rest().await.1, Closed::Shutdown));
        assert_eq!(asked.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_asked_for_before_the_connection_counts() {
    local(async {
        let client = Client::of::<true>(4096, limits());
        client.shutdown.request();
        assert!(matches!(client.rest().await.1, Closed::Shutdown));
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_vanishes_cancels_its_pending_replies() {
    local(async {
        let mut client = Client::of::<true>(4096, limits());
        client.send(&["later a", "held b"]).await;
        drop(client.stream);
        assert!(matches!(client.served.await.unwrap(), Closed::ByPeer));
        assert!(client.backstage.is_dropped("a") && client.backstage.is_dropped("b"));
    })
    .await;
}

#[tokio::test]
async fn what_a_peer_asked_before_it_stopped_sending_is_answered() {
    local(async {
        let mut client = Client::of::<true>(4096, limits());
        client
            .stream
            .write_all(&crate::toy::frames(&["echo a", "echo b"]))
            .await
            .unwrap();
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.rest().await.0, b"ab");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_protocol_may_close_with_a_last_answer() {
    local(async {
        let mut client = Client::of::<true>(4096, limits());
        client.send(&["echo a", "later b", "bye c", "echo d"]).await;
        let (rest, closed) = client.rest().await;
        assert_eq!(
            rest, b"a",
            "what is behind a pending reply cannot be said any more"
        );
        assert!(matches!(closed, Closed::Protocol(ToyError::Bye)));

        let mut client = Client::of::<false>(4096, limits());
        client.send(&["echo a", "later b", "bye c", "echo d"]).await;
        assert_eq!(client.rest().await.0, b"ac");
    })
    .await;
}
