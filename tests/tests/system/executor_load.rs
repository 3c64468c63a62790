//! The write side when much comes at once: who is inside comes first, and one command's trouble is nobody else's.

use anyhow::Result;
use socketing_command_api::executor::Rejected;
use socketing_domain::event::Actor;
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{AccountId, EntryId, HoldId, waiting_room};
use socketing_tests::stage::{Stage, hold_seats};
use std::sync::atomic::{AtomicUsize, Ordering};

/// More than twice what the line's queue takes, for it is being emptied meanwhile.
const FLOOD: usize = 40_000;
const INSIDE: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_at_the_door_costs_nobody_inside_a_hold() -> Result<()> {
    let stage = Stage::new(10, 10, Policies { capacity: INSIDE, ..Policies::default() }).await?;
    let mut fans = Vec::new();
    for _ in 0..INSIDE {
        fans.push(stage.fan().await?);
    }
    let (joined, turned_away) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let joins = futures::future::join_all((0..FLOOD).map(|_| join(&stage, &joined, &turned_away)));
    // Without tokio's budget, which would let the people inside ask before everyone at the door has.
    let mut flood = Box::pin(tokio::task::unconstrained(joins));
    assert!(futures::FutureExt::now_or_never(flood.as_mut()).is_none(), "the flood is on its way");
    let holds = async {
        for round in 0..4 {
            let asked = fans.iter().zip(0..INSIDE).map(async |(fan, seat)| stage.hold(*fan, &[seat * 2 + round % 2]).await);
            for outcome in futures::future::join_all(asked).await {
                outcome.map_err(|rejected| anyhow::anyhow!("inside, round {round}: {rejected}"))?;
            }
        }
        anyhow::Ok(joined.load(Ordering::Relaxed) + turned_away.load(Ordering::Relaxed))
    };
    let (answered_by_then, _) = tokio::join!(holds, flood);
    let (joined, turned_away) = (joined.load(Ordering::Relaxed), turned_away.load(Ordering::Relaxed));
    assert!(answered_by_then? < FLOOD, "the people inside didn't wait for the flood to pass");
    assert!(turned_away > 0, "a full queue says so at once");
    assert_eq!(joined + turned_away, FLOOD, "everyone is answered");
    Ok(())
}

async fn join(stage: &Stage, joined: &AtomicUsize, turned_away: &AtomicUsize) {
    let join = Command::Line(waiting_room::Command::JoinQueue { entry: EntryId::new(), party: None });
    match stage.send(Actor::Account(AccountId::new()), "join", join).await {
        Ok(_) => joined.fetch_add(1, Ordering::Relaxed),
        Err(Rejected::Busy { .. }) => turned_away.fetch_add(1, Ordering::Relaxed),
        Err(rejected) => panic!("at the door: {rejected}"),
    };
}

/// Nothing that a client sends makes a batch that Postgres refuses; a constraint of this test's own does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_postgres_refuses_costs_the_others_of_its_batch_nothing() -> Result<()> {
    let stage = Stage::new(10, 20, Policies { capacity: 1_000, ..Policies::default() }).await?;
    let mut fans = Vec::new();
    for _ in 0..100 {
        fans.push(stage.fan().await?);
    }
    let poison = HoldId::new();
    let constraint = format!("alter table events add constraint poison check (payload::text not like '%{poison}%')");
    sqlx::query(&constraint).execute(&stage.db.pool).await?;
    let asked = fans.iter().zip(0..).map(|(fan, seat)| {
        let hold = if seat == 50 { poison } else { HoldId::new() };
        let key = hold.to_string();
        let stage = &stage;
        async move { stage.send(Actor::Account(*fan), &key, hold_seats(hold, &[seat])).await }
    });
    let outcomes = futures::future::join_all(asked).await;
    for (seat, outcome) in outcomes.into_iter().enumerate() {
        match (seat, outcome) {
            (50, Err(Rejected::Internal)) => {}
            (50, outcome) => panic!("the culprit: {outcome:?}"),
            (seat, outcome) => drop(outcome.unwrap_or_else(|rejected| panic!("seat {seat}: {rejected}"))),
        }
    }
    sqlx::query("alter table events drop constraint poison").execute(&stage.db.pool).await?;
    let again = stage.send(Actor::Account(fans[50]), &poison.to_string(), hold_seats(HoldId::new(), &[50])).await;
    assert!(again.is_ok_and(|done| !done.replayed), "nothing of it was kept: the seat is free, and the key is new");
    Ok(())
}
