use crate::toy::{frames, local, serve_on};
use gantry_connection::{Closed, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn many_sockets_get_all_their_answers() {
    local(async {
        let mut clients = Vec::new();
        for number in 0..20_usize {
            let (client, ours) = pair().await;
            let (_, _, served) = serve_on::<true>(ours, Limits::default(), None);
            let (mut reader, mut writer) = client.into_split();
            let words: Vec<String> = (0..300)
                .map(|word| format!("{number}-{word}-{}", "z".repeat(word * number % 3000)))
                .collect();
            let expected = words.concat().into_bytes();
            let commands: Vec<String> = words.iter().map(|word| format!("echo {word}")).collect();
            clients.push(spawn_local(async move {
                let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
                writer.write_all(&frames(&commands)).await.unwrap();
                writer.forget();
            }));
            clients.push(spawn_local(async move {
                let mut answers = vec![0; expected.len()];
                reader.read_exact(&mut answers).await.unwrap();
                assert!(answers == expected);
                drop(reader);
                assert!(!matches!(served.await.unwrap(), Closed::Protocol(_)));
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_answer_reaches_a_peer_that_is_still_sending() {
    local(async {
        let (mut client, ours) = pair().await;
        let (_, _, served) = serve_on::<true>(ours, Limits::default(), None);
        let mut bytes = frames(&["bye farewell"]);
        bytes.resize(bytes.len() + 300_000, 0);
        client.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"farewell");
        drop(client);
        assert!(matches!(served.await.unwrap(), Closed::Protocol(_)));
    })
    .await;
}
