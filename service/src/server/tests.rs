use super::*;
use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    task::JoinHandle,
};

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<usize>,
}

async fn start(router: Router, bounds: Bounds) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, router, stop.clone(), bounds));
    Running { address, stop, served }
}

const BOUNDS: Bounds = Bounds { connections: 10, drain: Duration::from_secs(30) };
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// A route that says when it was entered, and answers when it may.
fn slow(entered: &Arc<Notify>, may_answer: &Arc<Notify>) -> Router {
    let (entered, may_answer) = (Arc::clone(entered), Arc::clone(may_answer));
    Router::new().route(
        "/",
        get(move || async move {
            entered.notify_one();
            may_answer.notified().await;
            "done"
        }),
    )
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn handlers_learn_their_peers_address() {
    let router = Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }));
    let running = start(router, BOUNDS).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(stream).await.ends_with(&own));
}

#[tokio::test]
async fn what_is_in_flight_finishes_and_nothing_new_begins() {
    let (entered, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let running = start(slow(&entered, &may_answer), BOUNDS).await;
    let idle = TcpStream::connect(running.address).await.unwrap();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    entered.notified().await;

    running.stop.cancel();
    assert_eq!(rest(idle).await, "", "an idle connection is closed");
    assert!(TcpStream::connect(running.address).await.is_err(), "the port is closed");

    may_answer.notify_one();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert_eq!(running.served.await.unwrap(), 0);
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let (entered, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let running = start(slow(&entered, &may_answer), Bounds { drain: Duration::from_millis(1), ..BOUNDS }).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    entered.notified().await;
    running.stop.cancel();
    assert_eq!(running.served.await.unwrap(), 1);
}

#[tokio::test]
async fn connections_past_the_bound_wait_for_room() {
    let (entered, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let running = start(slow(&entered, &may_answer), Bounds { connections: 1, ..BOUNDS }).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first.write_all(REQUEST).await.unwrap();
    entered.notified().await;
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    may_answer.notify_one();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    drop(first); // the second is served only now
    entered.notified().await;
    may_answer.notify_one();
    assert!(rest(second).await.ends_with("done"));
}
