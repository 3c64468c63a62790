//! After the rush: what each fan saw and was promised is compared with what the system says now.

use super::caller::Shared;
use super::fan::{Fan, Sale};
use super::venue::SOLD;
use crate::client::Ask;
use futures::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use socketing_domain::limits::WALLET_OPENING_WON;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long maps may take to agree once everyone is done: seats that were let go are pushed within milliseconds.
const QUIET_MAX: Duration = Duration::from_secs(30);
/// How often they are compared.
const COMPARE_EVERY: Duration = Duration::from_millis(250);
/// Questions asked at once.
const QUERIES_AT_ONCE: usize = 16;

/// What was compared.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Settled {
    /// Live maps that equal the query API's.
    pub(crate) maps_equal: usize,
    /// The position they were compared at.
    pub(crate) position: u64,
    /// Seats sold, by that map.
    pub(crate) seats_sold: usize,
    /// Bookings that are as they were promised.
    pub(crate) bookings_kept: usize,
    /// Wallets that hold what they should.
    pub(crate) wallets_right: usize,
}

/// Compares everything; what differs is a violation.
pub(crate) async fn settle(shared: &Shared, sale: &Sale, fans: &[Fan], done: impl Fn()) -> anyhow::Result<Settled> {
    let mut settled = maps(shared, sale, fans).await?;
    let seats_paid: usize = {
        let kept = stream::iter(fans).map(|fan| promises(shared, fan)).buffer_unordered(QUERIES_AT_ONCE).inspect(|_| done());
        let kept: Vec<anyhow::Result<Kept>> = kept.collect().await;
        let kept = kept.into_iter().collect::<anyhow::Result<Vec<Kept>>>()?;
        settled.bookings_kept = kept.iter().map(|kept| kept.bookings).sum();
        settled.wallets_right = kept.iter().filter(|kept| kept.wallet).count();
        kept.iter().map(|kept| kept.seats_paid).sum()
    };
    if seats_paid != settled.seats_sold {
        shared
            .measures
            .violation(format!("{} seats are sold on the map, {seats_paid} are in paid bookings of the fans", settled.seats_sold));
    }
    Ok(settled)
}

/// Waits until every fan's own map equals the query API's, with a bound; those that still differ are violations.
async fn maps(shared: &Shared, sale: &Sale, fans: &[Fan]) -> anyhow::Result<Settled> {
    let path = format!("/v1/performances/{}/seats?min_position={}", sale.performance, fans.iter().map(seen).max().unwrap_or(0));
    let deadline = Instant::now() + QUIET_MAX;
    loop {
        let answer = shared.api.call_patiently(Ask::get(&path)).await;
        let answer = answer.map_err(|error| error.failure(&shared.api, "asking for the seat map"))?.body;
        let (truth, position) = (answer["seats"].as_str().unwrap_or_default(), answer["position"].as_u64().unwrap_or(0));
        let differing: Vec<&Fan> = fans.iter().filter(|fan| fan.live.view().borrow().map != truth.as_bytes()).collect();
        if differing.is_empty() || Instant::now() > deadline {
            for fan in &differing {
                fan.violation(difference(&fan.live.view().borrow().map, truth.as_bytes(), position));
            }
            let seats_sold = truth.bytes().filter(|state| *state == SOLD).count();
            return Ok(Settled { maps_equal: fans.len() - differing.len(), position, seats_sold, ..Settled::default() });
        }
        sleep(COMPARE_EVERY).await;
    }
}

/// The last position that the fan knows of.
fn seen(fan: &Fan) -> u64 {
    fan.promises.position.max(fan.live.view().borrow().map_position)
}

fn difference(own: &[u8], truth: &[u8], position: u64) -> String {
    let seats = own.iter().zip(truth).enumerate().filter(|(_, (own, truth))| own != truth);
    let seats: Vec<String> =
        seats.take(5).map(|(seat, (own, truth))| format!("{seat} ({} for {})", *own as char, *truth as char)).collect();
    format!("the own map differs from the one of position {position} at seats {}", seats.join(", "))
}

/// What one fan was promised and has.
struct Kept {
    bookings: usize,
    seats_paid: usize,
    wallet: bool,
}

async fn promises(shared: &Shared, fan: &Fan) -> anyhow::Result<Kept> {
    let after = fan.promises.position;
    let known = read(shared, fan, &format!("/v1/me/bookings?min_position={after}")).await?;
    let known: HashMap<&str, &Value> =
        known["bookings"].as_array().into_iter().flatten().filter_map(|b| Some((b["booking_id"].as_str()?, b))).collect();
    let mut kept = Kept { bookings: 0, seats_paid: 0, wallet: false };
    for (booking, promised) in &fan.promises.bookings {
        let booking = booking.to_string();
        match known.get(booking.as_str()) {
            Some(found) if found["state"] == *promised => kept.bookings += 1,
            Some(found) => fan.violation(format!("booking {booking} is {} but was answered as {promised}", found["state"])),
            None => fan.violation(format!("booking {booking} was answered as {promised} but isn't in the list")),
        }
    }
    let paid = known.values().filter(|booking| booking["state"] == "paid");
    kept.seats_paid = paid.map(|booking| booking["lines"].as_array().map_or(0, Vec::len)).sum();
    let wallet = read(shared, fan, &format!("/v1/me/wallet?min_position={after}")).await?;
    let expected = WALLET_OPENING_WON - fan.promises.spent;
    kept.wallet = wallet["balance"].as_i64() == Some(expected);
    if !kept.wallet {
        fan.violation(format!("the wallet holds {}, but {expected} is right", wallet["balance"]));
    }
    Ok(kept)
}

async fn read(shared: &Shared, fan: &Fan, path: &str) -> anyhow::Result<Value> {
    let answer = shared.api.call_patiently(Ask::get(path).by(&fan.caller.token)).await;
    Ok(answer.map_err(|error| error.failure(&shared.api, &format!("asking for {path}")))?.body)
}
