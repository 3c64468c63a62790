//! Seating plans over HTTP.

use serde_json::{Value, json};
use socketing_tests::api::TestApi;
use socketing_tests::stage::small_plan;

async fn kept(api: &TestApi) -> i64 {
    sqlx::query_scalar("select count(*) from plans").fetch_one(&api.db.pool).await.unwrap()
}

#[tokio::test]
async fn a_plan_is_checked_kept_and_given_out_for_ever() {
    let api = TestApi::start(&[]).await;
    let organiser = api.person_with_role("organiser", "organiser").await;
    let plan = small_plan(3, 4);
    let upload = |path: &str| api.post(path).token(&organiser.token).json(&plan).send();

    let checked = upload("/v1/plans?check=true").await;
    assert_eq!((checked.status.as_u16(), kept(&api).await), (200, 0));
    let imported = upload("/v1/plans").await;
    assert_eq!((imported.status.as_u16(), &imported.body), (201, &checked.body));
    assert_eq!(
        imported.body,
        json!({ "plan": plan.hash(), "name": "Small hall", "seats": 12, "areas": ["Floor"],
                "categories": [{ "name": "R", "color": "#aa3344", "seats": 12 }] })
    );
    let location = imported.header("location");
    assert_eq!(location, format!("/v1/plans/{}", plan.hash()));
    assert_eq!((upload("/v1/plans").await.status.as_u16(), kept(&api).await), (201, 1));

    let given = api.get(&location).send().await;
    assert_eq!((given.status.as_u16(), given.body), (200, serde_json::to_value(&plan).unwrap()));
    assert_eq!(given.headers["cache-control"], "public, max-age=31536000, immutable");
    let tag = given.headers["etag"].to_str().unwrap();
    for known in [tag.to_owned(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let reply = api.get(&location).header("if-none-match", &known).send().await;
        assert_eq!((reply.status.as_u16(), reply.body, reply.headers["etag"].to_str().unwrap()), (304, Value::Null, tag), "{known}");
    }
    assert_eq!(api.get(&location).header("if-none-match", "\"other\"").send().await.status, 200);
}

#[tokio::test]
async fn a_plan_goes_out_as_pretix_and_in_again_the_same() {
    let api = TestApi::start(&[]).await;
    let organiser = api.person_with_role("organiser", "organiser").await;
    let import = |plan: Value| api.post("/v1/plans").token(&organiser.token).json(&plan).send();
    let own = import(serde_json::to_value(small_plan(3, 4)).unwrap()).await.header("location");
    let pretix = api.get(&format!("{own}?format=pretix")).send().await;
    assert!(pretix.body["zones"].is_array() && pretix.status == 200, "{}", pretix.body);
    let came_in = import(pretix.body.clone()).await.header("location");
    let again = api.get(&format!("{came_in}?format=pretix")).send().await;
    assert_eq!(again.body, pretix.body);
    assert_eq!(import(again.body).await.header("location"), came_in, "hash and all");
    assert_eq!(api.get(&format!("{own}?format=own")).send().await.body, serde_json::to_value(small_plan(3, 4)).unwrap());
    assert_eq!(api.get(&format!("{own}?format=svg")).send().await.code(), "invalid_query");
}

#[tokio::test]
async fn a_bad_plan_is_refused_whole_with_every_place() {
    let api = TestApi::start(&[]).await;
    let organiser = api.person_with_role("organiser", "organiser").await;
    let upload = |body: Vec<u8>| api.post("/v1/plans").token(&organiser.token).body("application/json", body).send();
    let mut twice = small_plan(2, 2);
    twice.seats[1].id = twice.seats[0].id.clone();
    twice.seats[2].category = 9;
    let reply = upload(serde_json::to_vec(&twice).unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (422, "plan_invalid".into()), "{}", reply.body);
    let errors = reply.body["errors"].as_array().unwrap();
    assert!(errors.len() >= 2 && errors.iter().all(|error| error["path"].is_string() && error["code"].is_string()), "{errors:?}");

    for junk in [b"".to_vec(), b"junk".repeat(2_500_000), b"[".repeat(1_000_000), b"{\"a\":".repeat(200_000), vec![0xff; 1000]] {
        let reply = upload(junk).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (422, "plan_invalid".into()));
    }
    let reply = upload(vec![b' '; 49 * 1024 * 1024]).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (413, "too_large".into()));
    assert_eq!(kept(&api).await, 0);
}

#[tokio::test]
async fn plans_are_for_organisers_to_import_and_for_all_to_see() {
    let api = TestApi::start(&[]).await;
    let fan = api.person("minji").await;
    let reply = api.post("/v1/plans").token(&fan.token).json(&small_plan(1, 1)).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (403, "forbidden".into()));
    assert_eq!(api.post("/v1/plans").json(&small_plan(1, 1)).send().await.code(), "unauthenticated");
    assert_eq!(api.get(&format!("/v1/plans/{}", "0".repeat(64))).send().await.code(), "unknown_plan");
    assert_eq!(api.get("/v1/plans/nonsense").send().await.code(), "invalid_id");
}
