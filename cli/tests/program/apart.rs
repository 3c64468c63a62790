//! The three services as three processes: what one writes, the others show.

use crate::support::Servers;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

#[tokio::test]
async fn the_services_work_apart() {
    let servers = Servers::start().await;
    let mut commands = servers.serve("command-api").await;
    let (mut projections, mut notifier) = tokio::join!(servers.serve("projections"), servers.serve("notifier"));
    let http = reqwest::Client::new();

    let body = json!({ "email": "fan@example.org", "password": "a good password" });
    let account: Value = http.post(format!("{}/v1/accounts", commands.url)).json(&body).send().await.unwrap().json().await.unwrap();
    let (token, position) = (account["token"].as_str().unwrap(), account["position"].as_u64().unwrap());

    // The wallet is opened by a process manager, after the account: its own position isn't known here, so it is awaited.
    let path = format!("{}/v1/me/wallet?min_position={position}", projections.url);
    socketing_tests::eventually("the wallet is shown", || async {
        let wallet: Value = http.get(&path).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        wallet["balance"] == 500_000
    })
    .await;

    let mut request = format!("{}/v1/live", notifier.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request.headers_mut().insert("sec-websocket-protocol", "socketing.v1.json".parse().unwrap());
    let (mut live, _) = connect_async(request).await.unwrap();
    let hello: Value = serde_json::from_str(live.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!(hello["type"], "hello");

    // Each answers for itself only, and says so.
    assert_eq!(http.get(format!("{}/v1/me/wallet", commands.url)).send().await.unwrap().status(), 404);
    assert_eq!(http.get(format!("{}/v1/time", projections.url)).send().await.unwrap().status(), 404);
    let described: Value = http.get(format!("{}/openapi.json", notifier.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(described["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/v1/live"]);

    let (code, report) = servers.verify("60").await;
    assert_eq!(code, Some(0), "{report:#}");
    drop(live);
    for (name, serving) in [("notifier", &mut notifier), ("projections", &mut projections), ("command-api", &mut commands)] {
        assert_eq!(serving.terminate(), Some(0), "{name}: {}", servers.log(name));
    }
}
