use crate::toy::{Client, frames, local, settle};
use gantry_connection::{Limits, Shutdown, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

#[tokio::test]
async fn too_many_pending_replies_stop_the_reading() {
    local(async {
        let limits = Limits {
            pending_replies_max: 4,
            ..Limits::default()
        };
        for ordered in [true, false] {
            let client = match ordered {
                true => Client::of::<true>(64, limits.clone()),
                false => Client::of::<false>(64, limits.clone()),
            };
            let names: Vec<String> = (0..40).map(|number| format!("{number:02}")).collect();
            let commands: Vec<String> = names.iter().map(|name| format!("later {name}")).collect();
            let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
            let (mut reader, mut writer) = tokio::io::split(client.stream);
            let bytes = frames(&commands);
            let backstage = &client.backstage;
            let client_side = async {
                settle().await;
                let started = backstage.waiting();
                assert!(
                    (4..40).contains(&started),
                    "{started} requests were started"
                );
                for name in &names {
                    backstage.release(name);
                    let mut answer = [0; 2];
                    reader.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, name.as_bytes());
                    settle().await;
                }
            };
            let (sent, ()) = tokio::join!(writer.write_all(&bytes), client_side);
            sent.unwrap();
            client.served.abort();
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_bytes_in_flight_stop_the_reading() {
    local(async {
        let limits = Limits {
            pipelined_bytes_max: 30_000,
            ..Limits::default()
        };
        let mut client = Client::of::<false>(1 << 20, limits);
        let long = "l".repeat(10_000);
        let names: Vec<String> = (0..10).map(|number| format!("{number}{long}")).collect();
        for name in &names {
            client.send(&[&format!("later {name}")]).await;
        }
        assert_eq!(client.backstage.handled.get(), 3);
        for name in &names[..3] {
            client.backstage.release(name);
            client.expect(name).await;
        }
        settle().await;
        assert_eq!(client.backstage.handled.get(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_does_not_grow_memory() {
    local(async {
        let limits = Limits {
            unsent_bytes_max: 100_000,
            ..Limits::default()
        };
        let mut client = Client::of::<true>(2000, limits);
        let (mut reader, mut writer) = tokio::io::split(client.stream);
        let bytes = frames(&["big 50000"; 400]);
        let backstage = &client.backstage;
        let client_side = async {
            settle().await;
            // A portion may pass the limit once, before it is known how long answers are.
            assert!(backstage.handled.get() <= 20, "{}", backstage.handled.get());
            let mut answer = vec![0; 50_002];
            for read in 1..=400 {
                reader.read_exact(&mut answer).await.unwrap();
                assert!(backstage.handled.get() <= read + 20);
            }
        };
        let (sent, ()) = tokio::join!(writer.write_all(&bytes), client_side);
        sent.unwrap();
        client.served.abort();
        client.stream = duplex(1).0;
    })
    .await;
}

/// A queue of replies behind a pending one counts too.
#[tokio::test]
async fn replies_held_up_behind_another_count_as_unsent() {
    local(async {
        let limits = Limits {
            unsent_bytes_max: 100_000,
            ..Limits::default()
        };
        let mut client = Client::of::<true>(1 << 20, limits);
        client.send(&["later a"]).await;
        for _ in 0..100 {
            client.send(&["big 50000"]).await;
        }
        assert!(
            client.backstage.handled.get() <= 4,
            "{}",
            client.backstage.handled.get()
        );
        client.backstage.release("a");
        client.expect("a<xxx").await;
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_small() {
    let (stream, _peer) = duplex(1);
    let (limits, shutdown) = (Limits::default(), Shutdown::new());
    let toy = crate::toy::Toy::<true> {
        backstage: std::rc::Rc::default(),
        notices: None,
    };
    let connection = run(stream, toy, &limits, &shutdown);
    assert!(
        size_of_val(&connection) <= 4096,
        "{} bytes",
        size_of_val(&connection)
    );
}
