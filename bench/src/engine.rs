//! `engine`: the executor in process, with recorded outcomes, thousands of commands in flight.

use crate::measure::{Ended, Figures, Measure, Window};
use crate::venue::{Venue, Wish, is_refusal, request};
use anyhow::Result;
use socketing_command_api::executor::Executor;
use socketing_domain::HoldId;
use socketing_domain::event::Actor;
use socketing_tests::stage::hold_seats;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WARM_UP: Duration = Duration::from_secs(2);

/// Everyone holds one seat, `in_flight` at a time.
pub(crate) async fn run(executor: &Executor, venue: Arc<Venue>, in_flight: usize, seconds: u64) -> Result<Figures> {
    let measure = Arc::new(Measure::new(Window::after(WARM_UP, seconds)));
    let mut clients = JoinSet::new();
    for _ in 0..in_flight {
        clients.spawn(client(executor.clone(), venue.clone(), measure.clone()));
    }
    while clients.join_next().await.is_some() {}
    measure.is_valid()?;
    let mut figures = measure.figures();
    figures.insert("in_flight".into(), in_flight.into());
    Ok(figures)
}

async fn client(executor: Executor, venue: Arc<Venue>, measure: Arc<Measure>) {
    while let Some(wish) = venue.wish() {
        if measure.window().over() {
            return;
        }
        let since = Instant::now();
        measure.ended(hold(&executor, wish).await, since);
    }
}

/// Holds the seat that is wished for.
pub(crate) async fn hold(executor: &Executor, wish: Wish) -> Ended {
    let command = hold_seats(HoldId::new(), &[wish.seat]);
    match executor.execute(request(wish.performance, Actor::Account(wish.account), command)).await {
        Ok(_) => Ended::Accepted,
        Err(rejected) if is_refusal(&rejected) => Ended::Refused,
        Err(_) => Ended::Busy,
    }
}
