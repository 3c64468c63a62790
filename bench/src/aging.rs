//! `history`: what one hold costs with a thousand, a hundred thousand and a million events in its stream already.

use crate::measure::{Figures, round};
use crate::venue::{join_all, put_on_sale, request};
use crate::{Common, executor, pool};
use anyhow::{Result, anyhow};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use socketing_command_api::executor::Executor;
use socketing_domain::event::Actor;
use socketing_domain::plan::PlanHash;
use socketing_domain::{AccountId, HoldId, PerformanceId};
use socketing_tests::stage::{hold_seats, import, small_plan};
use std::time::Instant;

/// People inside, each with a seat of their own that they choose again and again.
const PEOPLE: usize = 400;
/// Events of a hold that takes the place of the one before.
const EVENTS_PER_HOLD: usize = 2;
/// Holds timed at a time and per round of each stream: few beside the shortest history but one. The streams take turns,
/// so that what the machine does besides happens to all of them.
const HOLDS: usize = 500;
const TURNS: usize = 8;
/// Holds before them that aren't timed: a hall that was left alone meanwhile is no colder than one that was just opened.
const WARM_UP: usize = 500;
const ROUNDS: usize = 5;

/// A hall, and who is in it.
struct Hall {
    performance: PerformanceId,
    people: Vec<AccountId>,
}

pub(crate) async fn run(common: &Common) -> Result<Figures> {
    let pool = pool(common).await?;
    let executor = executor(&pool).await?;
    let plan = import(&pool, &small_plan(20, 20)).await?;
    let long = Hall::open(&executor, plan, 1_000_000).await?;
    let middle = Hall::open(&executor, plan, 100_000).await?;
    let mut costs = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let short = Hall::open(&executor, plan, 0).await?; // anew each time: the measuring itself makes it longer
        let costs_now = round_of(&executor, [&short, &middle, &long], common.connections).await?;
        costs.iter_mut().zip(costs_now).for_each(|(costs, cost)| costs.push(cost));
    }
    executor.stop().await;
    let [short, middle, long] = costs.map(median);
    let (least, most) = (short.min(middle).min(long), short.max(middle).max(long));
    let mut figures = Figures::new();
    for (name, cost) in [("us_per_hold_1e3", short), ("us_per_hold_1e5", middle), ("us_per_hold_1e6", long), ("spread", most / least)] {
        figures.insert(name.into(), json!(round(cost)));
    }
    figures.insert("rounds".into(), ROUNDS.into());
    figures.insert("in_flight".into(), common.connections.into());
    Ok(figures)
}

/// What a hold costs in each of the halls, in microseconds.
async fn round_of(executor: &Executor, halls: [&Hall; 3], in_flight: usize) -> Result<[f64; 3]> {
    for hall in halls {
        hall.choose(executor, WARM_UP, in_flight).await?;
    }
    let mut costs = [0.0; 3];
    for _ in 0..TURNS {
        for (cost, hall) in costs.iter_mut().zip(halls) {
            *cost += hall.choose(executor, HOLDS, in_flight).await? / TURNS as f64;
        }
    }
    Ok(costs)
}

impl Hall {
    /// A hall in which so many events have happened.
    async fn open(executor: &Executor, plan: PlanHash, events: usize) -> Result<Hall> {
        let hall = Hall { performance: PerformanceId::new(), people: (0..PEOPLE).map(|_| AccountId::new()).collect() };
        put_on_sale(executor, hall.performance, plan, PEOPLE as u32).await?;
        join_all(executor, hall.performance, &hall.people).await?;
        hall.choose(executor, events / EVENTS_PER_HOLD, 4_096).await?;
        Ok(hall)
    }

    /// Has everyone choose their seat again, in turn; microseconds that one hold took.
    async fn choose(&self, executor: &Executor, holds: usize, in_flight: usize) -> Result<f64> {
        let begun = Instant::now();
        let holds_asked = stream::iter(0..holds).map(|nth| async move {
            let seat = nth % PEOPLE;
            let command = hold_seats(HoldId::new(), &[seat as u32]);
            let done = executor.execute(request(self.performance, Actor::Account(self.people[seat]), command)).await;
            done.map(drop).map_err(|rejected| anyhow!("holding seat {seat}: {rejected}"))
        });
        holds_asked.buffer_unordered(in_flight).try_collect::<Vec<()>>().await?;
        Ok(begun.elapsed().as_secs_f64() * 1e6 / holds as f64)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
