//! What the program says without a system to talk to: exit codes, hints, completions, plans that are checked.

use crate::support::run_plain;
use socketing_tests::TestDb;

#[tokio::test]
async fn exit_codes_tell_wrong_usage_failure_and_unreachable_apart() {
    assert_eq!(run_plain(&["--help"]).await.code(), Some(0));
    assert_eq!(run_plain(&["--version"]).await.code(), Some(0));
    for usage in [&["nonsense"][..], &["rush", "--fans", "0"], &["events", "cat", "performance", "x"], &["serve", "--listen", "here"]] {
        assert_eq!(run_plain(usage).await.code(), Some(2), "{usage:?}");
    }
    for remote in [&["rush", "--url", "http://192.0.2.1"][..], &["demo", "--url", "http://192.0.2.1"]] {
        let ran = run_plain(remote).await;
        assert_eq!(ran.code(), Some(2), "{remote:?}");
        assert!(ran.err().contains("loopback"), "{}", ran.err());
    }
    for unknown in [&["verify"][..], &["migrate"], &["demo"], &["user", "create", "--role", "fan", "--email", "a@b.example"]] {
        let ran = run_plain(unknown).await;
        assert_eq!(ran.code(), Some(4), "{unknown:?}: {}", ran.err());
        assert!(ran.err().contains("./dev up"), "{unknown:?}: {}", ran.err());
    }
    let ran = run_plain(&["migrate", "--database-url", "postgres://127.0.0.1:1/none"]).await;
    assert_eq!(ran.code(), Some(4), "{}", ran.err());
    assert!(ran.err().contains("127.0.0.1:1"), "{}", ran.err());
}

#[tokio::test]
async fn a_plan_is_checked_with_every_problem_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let seat = |category: &str, uuid: &str| {
        format!(r#"{{"seat_number":"1","seat_guid":"g","uuid":"{uuid}","position":{{"x":0,"y":0}},"category":"{category}"}}"#)
    };
    let plan = |seats: &str| {
        format!(
            r##"{{"name":"p","size":{{"width":10,"height":10}},"categories":[{{"name":"A","color":"#ff0000"}}],"zones":[{{"name":"z","position":{{"x":0,"y":0}},"rows":[{{"row_number":"1","position":{{"x":0,"y":0}},"seats":[{seats}]}}]}}]}}"##
        )
    };
    let good = write("good.json", &plan(&seat("A", "u1")));
    let ran = run_plain(&["plan", "import", "--check", &good]).await;
    assert_eq!(ran.code(), Some(0), "{}{}", ran.out(), ran.err());
    let bad = write("bad.json", &plan(&[seat("A", "u1"), seat("B", "u2"), seat("A", "u1")].join(",")));
    let ran = run_plain(&["plan", "import", "--check", "-o", "json", &bad]).await;
    assert_eq!(ran.code(), Some(1), "{}", ran.err());
    let answer: serde_json::Value = serde_json::from_str(&ran.out()).unwrap();
    let places: Vec<&str> = answer["problems"].as_array().unwrap().iter().map(|problem| problem["path"].as_str().unwrap()).collect();
    assert!(places.iter().any(|place| place.contains("/seats/1/category")), "{places:?}");
    assert!(places.iter().any(|place| place.contains("/seats/2")), "{places:?}");
    let junk = write("junk.json", &"[".repeat(100_000));
    assert_eq!(run_plain(&["plan", "import", "--check", &junk]).await.code(), Some(1));
    let missing = run_plain(&["plan", "import", "--check", "nowhere.json"]).await;
    assert_eq!(missing.code(), Some(1));
    assert!(missing.err().contains("nowhere.json"), "{}", missing.err());
}

#[tokio::test]
async fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run_plain(&["completions", shell]).await;
        assert_eq!(ran.code(), Some(0));
        assert!(ran.out().contains("verify") && ran.out().contains("rush"), "{shell}");
    }
}

#[tokio::test]
async fn a_schema_that_is_behind_is_refused_in_a_sentence() {
    let db = TestDb::new().await;
    sqlx::query("delete from _sqlx_migrations where version = 4").execute(&db.pool).await.unwrap();
    let ran = run_plain(&["serve", "--database-url", &db.url, "--nats-url", "nats://127.0.0.1:1"]).await;
    let said = ran.err();
    assert_eq!(ran.code(), Some(1), "{said}");
    assert!(said.contains("it lacks 0004") && said.contains("socketing migrate"), "{said}");
}
