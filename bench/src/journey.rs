//! `journey`: everyone's whole way over HTTP: line, hold, book, pay, and one in four cancels; the process managers charge
//! and refund meanwhile.

use crate::client::Connection;
use crate::hold::{sign_in, touch};
use crate::measure::{Ended, Figures, Measure, Window};
use crate::server::{Running, ServerArgs};
use crate::venue::{SEATS, Venue, Wish, open_wallets};
use crate::{Common, cpu, executor, pool, readers};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use socketing_domain::{AccountId, BookingId, EntryId, HoldId, PaymentId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

const WARM_UP: Duration = Duration::from_secs(3);
/// One in so many cancels what was paid.
const CANCELS_ONE_IN: u32 = 4;

struct Load {
    venue: Venue,
    tokens: HashMap<AccountId, String>,
    measure: Measure,
}

pub(crate) async fn run(common: &Common) -> Result<Figures> {
    let pool = pool(common).await?;
    let venue = {
        let executor = executor(&pool).await?;
        let venue = Venue::open(&pool, &executor, common.performances, common.hot).await?;
        open_wallets(&executor, &venue.people).await?;
        executor.stop().await;
        venue
    };
    let running = ServerArgs { processes: true, ..ServerArgs::default() };
    let server = Running::start(common, &running)?;
    let tokens = sign_in(&pool, &venue.people).await?;
    touch(&server, &venue, &tokens).await?;
    readers::caught_up(common, &pool, &server, &running).await?;
    let load = Arc::new(Load { venue, tokens, measure: Measure::new(Window::after(WARM_UP, common.seconds)) });
    let counting = tokio::spawn(cpu::per_event(pool.clone(), server.process(), load.measure.window()));
    let mut fans = JoinSet::new();
    for _ in 0..common.connections {
        fans.spawn(fan(Connection::open(server.address()).await?, load.clone()));
    }
    while let Some(ended) = fans.join_next().await {
        ended.context("a fan died")??;
    }
    let counted = counting.await??;
    ensure!(load.measure.refused() == 0, "{} commands of a journey were refused", load.measure.refused());
    let mut figures = load.measure.figures();
    figures.extend(counted);
    figures.insert("connections".into(), common.connections.into());
    server.stop()?;
    Ok(figures)
}

async fn fan(mut connection: Connection, load: Arc<Load>) -> Result<()> {
    while let Some(wish) = load.venue.wish() {
        if load.measure.window().over() {
            return Ok(());
        }
        journey(&mut connection, &load, wish).await?;
    }
    Ok(())
}

async fn journey(connection: &mut Connection, load: &Load, wish: Wish) -> Result<()> {
    let (hold, booking, seat) = (HoldId::new(), BookingId::new(), wish.seat % SEATS);
    step(connection, load, wish, "line", &json!({"entry_id": EntryId::new()})).await?;
    step(connection, load, wish, "holds", &json!({"hold_id": hold, "seats": [seat]})).await?;
    step(connection, load, wish, "bookings", &json!({"booking_id": booking, "hold_id": hold})).await?;
    let pay = format!("bookings/{booking}/pay");
    step(connection, load, wish, &pay, &json!({"payment_id": PaymentId::new()})).await?;
    if seat % CANCELS_ONE_IN == 0 {
        step(connection, load, wish, &format!("bookings/{booking}/cancel"), &json!({})).await?;
    }
    Ok(())
}

async fn step(connection: &mut Connection, load: &Load, wish: Wish, path: &str, body: &serde_json::Value) -> Result<()> {
    let since = Instant::now();
    let headers = format!("authorization: Bearer {}\r\nidempotency-key: {}\r\n", load.tokens[&wish.account], Uuid::now_v7());
    let answer = connection.post(&format!("/v1/performances/{}/{path}", wish.performance), &headers, &body.to_string()).await?;
    let ended = match answer.status {
        200..=202 => Ended::Accepted,
        429 | 503 => Ended::Busy,
        status => {
            tracing::warn!(status, path, body = %String::from_utf8_lossy(answer.body), "refused");
            Ended::Refused
        }
    };
    load.measure.ended(ended, since);
    Ok(())
}
