//! People whose notifier dies: their pages are closed with it, and they have a grace time to open another.

use crate::crowd::{Fan, Sale};
use crate::support::{Launch, Servers, Serving, free_port};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use socketing_domain::{EntryId, PerformanceId};
use socketing_tests::eventually;
use sqlx::PgPool;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Page = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a page of the line, as the fan's browser does.
async fn open_page(notifier: &Serving, fan: &Fan, performance: PerformanceId) -> Page {
    let mut request = format!("{}/v1/live", notifier.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", fan.token()).parse().unwrap());
    request.headers_mut().insert("sec-websocket-protocol", "socketing.v1.json".parse().unwrap());
    let (mut page, _) = connect_async(request).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "id": 1, "topic": "line", "performance": performance });
    page.send(Message::text(subscribe.to_string())).await.unwrap();
    for expected in ["hello", "snapshot"] {
        let told: Value = serde_json::from_str(page.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(told["type"], expected);
    }
    page
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn notifier(servers: &Servers, name: &str) -> Serving {
    let mut notifier = servers.launch(&Launch { name: name.to_owned(), ..servers.launch_of("notifier") });
    servers.ready(&mut notifier).await;
    notifier
}

#[tokio::test(flavor = "multi_thread")]
async fn who_had_a_page_at_a_notifier_that_was_killed_makes_room_and_who_came_back_elsewhere_stays() {
    let servers = Servers::start().await;
    let commands = servers.serve_with(free_port(), "command-api", &[("SOCKETING_AWAY_SECONDS", "5")]).await;
    let (mut dying, living) = (notifier(&servers, "dying").await, notifier(&servers, "living").await);
    let policies = json!({ "capacity": 3, "line": { "mode": "first_come" } });
    let sale = Sale::open(&servers, vec![commands.url.clone()], 1, &policies).await;
    let (performance, pool) = (sale.performances[0], &servers.db.pool);
    let fans = [sale.fan(), sale.fan(), sale.fan(), sale.fan()];
    let [gone, back, stays, _waits] = &fans;
    for (fan, state) in fans.iter().zip(["inside", "inside", "inside", "waiting"]) {
        let joined = sale.send(fan, &Sale::path(performance, "line"), &json!({ "entry_id": EntryId::new() })).await;
        assert_eq!(joined.body["state"], state);
    }
    let _pages = [
        open_page(&dying, gone, performance).await,
        open_page(&dying, back, performance).await,
        open_page(&living, stays, performance).await,
    ];
    let here = "select count(*) from presence where gone_at is null";
    eventually("three pages are written down", || async { count(pool, here).await == 3 }).await;

    dying.kill();
    let _elsewhere = open_page(&living, back, performance).await;

    let called = "select count(*) from events where event_type = 'EntryCalled'";
    eventually("the one who waits is called", || async { count(pool, called).await == 1 }).await;
    let departed: Vec<String> =
        sqlx::query_scalar("select payload::text from events where event_type = 'EntryDeparted'").fetch_all(pool).await.unwrap();
    let [only] = &departed[..] else { panic!("{departed:?}") };
    let departure = &serde_json::from_str::<Value>(only).unwrap()["EntryDeparted"];
    assert_eq!((&departure["number"], &departure["reason"]), (&json!(1), &json!("away")));
    assert_eq!(count(pool, here).await, 2, "those of the dead one are closed");
    assert_eq!(count(pool, "select count(*) from presence_instances").await, 1, "and it is swept");
}
