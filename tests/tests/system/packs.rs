//! Outcomes that are packed: many commands at once, each of which has the same answer again, wherever it is recorded.

use anyhow::Result;
use futures::future::join_all;
use socketing_command_api::executor::{Done, Rejected};
use socketing_domain::event::Actor;
use socketing_domain::show::Policies;
use socketing_domain::{AccountId, HoldId};
use socketing_tests::stage::{Stage, hold_seats};

const FANS: u32 = 200;

/// Fans who are inside, each with the hold that they ask for.
struct Crowd {
    fans: Vec<(AccountId, HoldId)>,
    first_seat: u32,
}

impl Crowd {
    async fn enter(stage: &Stage, first_seat: u32) -> Result<Crowd> {
        let fans: Result<Vec<AccountId>> = join_all((0..FANS).map(|_| stage.fan())).await.into_iter().collect();
        Ok(Crowd { fans: fans?.into_iter().map(|fan| (fan, HoldId::new())).collect(), first_seat })
    }

    /// All ask at once, each for one seat.
    async fn hold(&self, stage: &Stage) -> Result<Vec<Done>, Rejected> {
        let asked = self
            .fans
            .iter()
            .zip(self.first_seat..)
            .map(async |(&(fan, hold), seat)| stage.send(Actor::Account(fan), &hold.to_string(), hold_seats(hold, &[seat])).await);
        join_all(asked).await.into_iter().collect()
    }
}

async fn stage() -> Result<Stage> {
    Stage::new(20, 20, Policies { capacity: 2_000, ..Policies::default() }).await
}

async fn count(stage: &Stage, what: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(&format!("select count(*) from {what}")).fetch_one(&stage.db.pool).await?)
}

/// Also when some were recorded yesterday, by another process, and are older than what a writer remembers whole.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_again_gets_the_same_answer_out_of_a_pack() -> Result<()> {
    let mut stage = stage().await?;
    let crowd = Crowd::enter(&stage, 0).await?;
    let first = crowd.hold(&stage).await?;
    assert!(count(&stage, "command_packs").await? > 0, "so many at once are packed");
    let (held, events) = (count(&stage, "command_outcomes where command = 'hold_seats'").await?, count(&stage, "events").await?);
    assert_eq!(held, i64::from(FANS), "each is recorded once");
    sqlx::query("update command_packs set recorded_on = recorded_on - 1 where number % 2 = 0").execute(&stage.db.pool).await?;

    stage.restart().await?;
    for (first, again) in first.iter().zip(crowd.hold(&stage).await?) {
        assert!(again.replayed);
        assert_eq!((first.body(), first.position), (again.body(), again.position));
    }
    let (fan, hold) = crowd.fans[FANS as usize - 1];
    let other = stage.send(Actor::Account(fan), &hold.to_string(), hold_seats(hold, &[0])).await;
    assert!(matches!(other, Err(Rejected::KeyReused)), "the same key with another command");
    assert_eq!(count(&stage, "events").await?, events, "nothing was done twice");
    Ok(())
}

/// Numbers go on where the last process stopped: no pack takes another's place.
#[tokio::test(flavor = "multi_thread")]
async fn packs_of_one_process_after_another_are_all_found() -> Result<()> {
    let mut stage = stage().await?;
    let crowds = [Crowd::enter(&stage, 0).await?, Crowd::enter(&stage, FANS).await?];
    let mut packs = Vec::new();
    for crowd in &crowds {
        stage.restart().await?;
        crowd.hold(&stage).await?;
        packs.push(count(&stage, "command_packs").await?);
    }
    assert!(packs[0] < packs[1], "both made some: {packs:?}");
    stage.restart().await?;
    for crowd in &crowds {
        assert!(crowd.hold(&stage).await?.iter().all(|again| again.replayed));
    }
    Ok(())
}

/// They are looked for by who asked, and kept when their day is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_rows_however_many_there_are() -> Result<()> {
    let stage = stage().await?;
    let (some, others) = (Crowd::enter(&stage, 0).await?, Crowd::enter(&stage, 0).await?);
    let packs = count(&stage, "command_packs").await?;
    let both = futures::join!(some.hold(&stage), others.hold(&stage)); // each seat is wanted twice
    assert!(both.0.is_err() || both.1.is_err());
    assert!(count(&stage, "command_packs").await? > packs, "accepted ones are packed");
    assert_eq!(count(&stage, "command_log where status >= 400").await?, i64::from(FANS));
    Ok(())
}

/// A program from before there were packs doesn't look into them: while one is alive, it may own the unit next.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_packed_while_a_node_lives_that_does_not_read_packs() -> Result<()> {
    let mut stage = stage().await?;
    sqlx::query("insert into nodes (node, address, leaving, expires_at) values (gen_random_uuid(), 'old', true, 'infinity')")
        .execute(&stage.db.pool)
        .await?;
    stage.restart().await?;
    let packs = count(&stage, "command_packs").await?;
    let crowd = Crowd::enter(&stage, 0).await?;
    crowd.hold(&stage).await?;
    assert_eq!(count(&stage, "command_packs").await?, packs);
    assert_eq!(count(&stage, "command_log where command = 'hold_seats'").await?, i64::from(FANS));

    sqlx::query("delete from nodes where address = 'old'").execute(&stage.db.pool).await?;
    stage.restart().await?;
    Crowd::enter(&stage, 0).await?;
    assert!(count(&stage, "command_packs").await? > packs);
    assert!(crowd.hold(&stage).await?.iter().all(|again| again.replayed), "what was recorded in rows meanwhile is found");
    Ok(())
}
