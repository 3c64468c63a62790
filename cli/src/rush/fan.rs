//! One fan's journey: into the line, through the door, to seats, a booking and tickets, or to a reason why not.

use super::caller::{Caller, No, Shared, Stopped};
use super::live::{Live, View};
use super::measure::Step;
use super::party;
use super::script::{Aim, Company, Script};
use super::venue::{FREE, Venue};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use socketing_domain::{SeatIndex, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// Holds that a fan tries before giving up: the map is looked at anew before each.
const TRIES_MAX: usize = 15;
/// How long a fan looks at a full map, in case something comes back.
const LAST_LOOK: Duration = Duration::from_secs(3);
/// How long something that was answered may take to be pushed. Asked for before that only if the pushes began anew.
const PUSH_MAX: Duration = Duration::from_secs(20);
/// How often a deadline is looked at while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What a fan thinks about between two steps, in milliseconds: from and to.
const THINKS_MS: (u64, u64) = (100, 900);

/// The sale, as all fans know it.
pub(crate) struct Sale {
    pub(crate) performance: Uuid,
    pub(crate) venue: Venue,
    /// By the server's clock.
    pub(crate) opens_at: Timestamp,
    /// The same moment here.
    pub(crate) opening: Instant,
    /// What the server's clock is ahead of this one, in milliseconds.
    pub(crate) ahead_ms: i64,
    pub(crate) session_seconds: u32,
}

/// How a fan ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// With tickets, of a booking at this log position.
    Tickets(u64),
    /// Without, and knows why: a code.
    Told(String),
}

/// What the fan was promised: it is compared with what the system says in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    /// Bookings, and the state they were last said to be in.
    pub(crate) bookings: Vec<(Uuid, &'static str)>,
    /// Won paid, less what was paid back.
    pub(crate) spent: i64,
    /// The last position answered.
    pub(crate) position: u64,
}

/// One fan.
pub(crate) struct Fan {
    pub(crate) script: Script,
    pub(crate) caller: Caller,
    pub(crate) sale: Arc<Sale>,
    pub(crate) live: Live,
    pub(crate) promises: Promises,
    pub(crate) dice: StdRng,
    pub(crate) ties: party::Ties,
}

/// A reason to stop that isn't the system's no: the fan's own.
pub(crate) enum Break {
    Told(String),
    Stopped,
}

impl From<No> for Break {
    fn from(no: No) -> Break {
        match no {
            No::Refused(problem) => Break::Told(problem.code),
            No::Stopped => Break::Stopped,
        }
    }
}

impl From<Stopped> for Break {
    fn from(_: Stopped) -> Break {
        Break::Stopped
    }
}

/// Seats that are held.
struct Held {
    hold: Uuid,
    seats: Vec<usize>,
    expires_at: Timestamp,
}

/// A booking that waits for its money.
pub(super) struct Booked {
    pub(super) booking: Uuid,
    pub(super) total: i64,
}

impl Fan {
    /// The whole journey. `None`: the rush ended first.
    pub(crate) async fn journey(&mut self) -> Option<End> {
        let end = match self.script.company.clone() {
            Company::Follows(_) => self.follow().await,
            Company::Alone => self.lead(None).await,
            Company::Leads(friends) => match self.gather(&friends).await {
                Ok(party) => self.lead(Some(party)).await,
                Err(no) => Err(no),
            },
        };
        let end = match end {
            Ok(end) => Some(end),
            Err(Break::Told(code)) => Some(End::Told(code)),
            Err(Break::Stopped) => None,
        };
        self.ties.ended(end.clone());
        end
    }

    async fn lead(&mut self, party: Option<Uuid>) -> Result<End, Break> {
        self.wait_for_opening().await?;
        self.join(party).await?;
        if self.script.reconnects && self.dice.random() {
            self.reconnect().await?;
        }
        let end = self.visit().await;
        if !matches!(end, Ok(End::Tickets(_)) | Err(Break::Stopped)) {
            self.leave().await?;
        }
        end
    }

    async fn visit(&mut self) -> Result<End, Break> {
        self.admitted().await?;
        let held = self.choose().await?;
        if self.script.reconnects {
            self.reconnect().await?;
        }
        if self.script.aim == Aim::ForgetHold {
            return self.forget_hold(&held).await;
        }
        if self.script.extends {
            self.extend(&held).await?;
        }
        self.think().await?;
        let booked = self.book(&held).await?;
        if self.script.aim == Aim::ForgetPayment {
            return self.forget_payment(&booked).await;
        }
        self.think().await?;
        let position = self.pay(&booked).await?;
        if self.script.aim == Aim::PayThenCancel {
            self.think().await?;
            return self.cancel(&booked).await;
        }
        Ok(End::Tickets(position))
    }

    /// Some fans press the button at the opening; the others come into the lobby before, where nobody gets in yet.
    async fn wait_for_opening(&mut self) -> Result<(), Stopped> {
        let early = if self.script.early { Duration::from_millis(self.dice.random_range(200..2000)) } else { Duration::ZERO };
        tokio::select! {
            () = self.shared().stop.cancelled() => Err(Stopped),
            () = sleep_until(self.sale.opening - early) => Ok(()),
        }
    }

    async fn try_to_join(&mut self, party: Option<Uuid>) -> Result<(), Break> {
        let path = self.path("/line");
        let mut body = json!({ "entry_id": Uuid::now_v7() });
        if let Some(party) = party {
            body["party_id"] = party.to_string().into();
        }
        let key = Uuid::now_v7().to_string();
        let answer = self.caller.command_as(&key, Step::Join, &path, &body).await?.body;
        self.again(&key, Step::Join, &path, &body, &answer, &["entry_id", "number"]).await?;
        self.note_position(&answer);
        Ok(())
    }

    /// Joins; who comes too early is told so, and comes back at the opening.
    async fn join(&mut self, party: Option<Uuid>) -> Result<(), Break> {
        for _ in 0..TRIES_MAX {
            match self.try_to_join(party).await {
                Err(Break::Told(code)) if code == "sale_not_open" => {
                    let until = self.now().until(self.sale.opens_at).max(Duration::from_millis(20));
                    self.shared().pause(until).await?;
                }
                joined => return joined,
            }
        }
        Err(Break::Told("sale_not_open".to_owned()))
    }

    /// Waits for the push that says one is called, and claims the pass; or for the one that says one is inside.
    async fn admitted(&mut self) -> Result<(), Break> {
        let begin = Instant::now();
        let path = self.path("/line/me");
        let caller = self.caller.clone();
        let ask = async |at| match caller.query(&format!("{path}?min_position={at}")).await {
            Ok(entry) if entry["state"] == "inside" || entry["state"] == "called" => Ok(Some(entry)),
            Ok(_) => Ok(None),
            Err(No::Refused(problem)) if problem.code == "not_in_line" => Ok(None),
            Err(no) => Err(no),
        };
        let found = |view: &View| view.find("EntryAdmitted", |_| true).or_else(|| view.find("EntryCalled", |_| true)).cloned();
        let mut entry = self.pushed(found, ask, None).await?.unwrap_or_default();
        self.shared().measures.took(Step::Line, begin.elapsed());
        if entry["session_ends_at"].is_null() {
            entry = self.caller.command(Step::Claim, &self.path("/line/claim"), &json!({})).await?.body;
            self.note_position(&entry);
        }
        let ends_at: Option<Timestamp> = serde_json::from_value(entry["session_ends_at"].clone()).ok();
        let called_at = ends_at.map(|at| at.as_millis() - i64::from(self.sale.session_seconds) * 1000);
        if called_at.is_none_or(|at| at < self.sale.opens_at.as_millis()) {
            self.violation(format!("let in at {called_at:?}, before the opening at {}: {entry}", self.sale.opens_at));
        }
        Ok(())
    }

    /// Looks at its own map and tries to hold seats, until it has some or gives up.
    async fn choose(&mut self) -> Result<Held, Break> {
        let mut wanted = self.script.seats;
        let mut nearby: Vec<SeatIndex> = Vec::new();
        if self.script.overreaches {
            self.overreach().await?;
        }
        for _ in 0..TRIES_MAX {
            self.look(wanted).await?;
            let seats = match self.pick(wanted, &nearby) {
                Some(seats) => seats,
                None if wanted > 1 && self.script.company == Company::Alone => {
                    wanted -= 1;
                    continue;
                }
                None => return Err(Break::Told("sold_out".to_owned())),
            };
            self.think().await?;
            let tried = if self.script.takes_best { self.hold_best(wanted).await } else { self.hold(&seats).await };
            match tried {
                Ok(held) => return Ok(held),
                Err(No::Refused(problem)) if problem.code == "seat_taken" || problem.code == "no_block" => {
                    nearby = serde_json::from_value(problem.body["alternatives"].clone()).unwrap_or_default();
                }
                Err(no) => return Err(no.into()),
            }
        }
        Err(Break::Told("gave_up".to_owned()))
    }

    /// Waits until enough seats are free on the own map, for a last look's time.
    async fn look(&self, wanted: usize) -> Result<(), Stopped> {
        let mut view = self.live.view();
        let least = if self.script.company == Company::Alone { 1 } else { wanted };
        let enough = view.wait_for(|view| view.free() >= least);
        tokio::select! {
            () = self.shared().stop.cancelled() => Err(Stopped),
            _ = timeout(LAST_LOOK, enough) => Ok(()),
        }
    }

    /// What was offered nearby, or what looks good on the own map.
    fn pick(&mut self, wanted: usize, nearby: &[SeatIndex]) -> Option<Vec<SeatIndex>> {
        if nearby.len() >= wanted && self.dice.random() {
            return Some(nearby[..wanted].to_vec());
        }
        let view = self.live.view();
        let map = view.borrow();
        self.sale.venue.choose(&map.map, wanted, &mut self.dice)
    }

    async fn hold(&mut self, seats: &[SeatIndex]) -> Result<Held, No> {
        let (held, answer) = self.hold_as(Step::Hold, "/holds", json!({ "seats": seats })).await?;
        if held.seats != seats.iter().map(|seat| seat.at()).collect::<Vec<usize>>() {
            self.violation(format!("asked for {seats:?}, and holds others: {answer}"));
        }
        Ok(held)
    }

    /// The system chooses: as many as were asked for, and it says how they lie.
    async fn hold_best(&mut self, people: usize) -> Result<Held, No> {
        let (held, answer) = self.hold_as(Step::HoldBest, "/holds/best", json!({ "wishes": { "people": people } })).await?;
        let apart: HashSet<&usize> = held.seats.iter().collect();
        if apart.len() != people || !answer["kind"].is_string() {
            self.violation(format!("asked for the {people} best seats: {answer}"));
        }
        Ok(held)
    }

    async fn hold_as(&mut self, step: Step, path: &str, mut body: Value) -> Result<(Held, Value), No> {
        let path = self.path(path);
        let (key, hold) = (Uuid::now_v7().to_string(), Uuid::now_v7());
        body["hold_id"] = hold.to_string().into();
        let answer = self.caller.command_as(&key, step, &path, &body).await?.body;
        let answered = Instant::now();
        self.again(&key, step, &path, &body, &answer, &["hold_id", "seats", "position"]).await?;
        let position = self.note_position(&answer);
        let expires_at = serde_json::from_value(answer["expires_at"].clone()).unwrap_or_default();
        let seats: Vec<SeatIndex> = serde_json::from_value(answer["seats"].clone()).unwrap_or_default();
        let held = Held { hold, seats: seats.into_iter().map(SeatIndex::at).collect(), expires_at };
        self.on_own_map(&held, position, answered).await?;
        Ok((held, answer))
    }

    /// The own map must show what one holds, once it covers the hold.
    async fn on_own_map(&self, held: &Held, position: u64, answered: Instant) -> Result<(), Stopped> {
        let mut view = self.live.view();
        while view.borrow().map_position < position {
            if view.borrow().overdue(answered, PUSH_MAX) {
                self.violation(format!("the hold at position {position} isn't on the own map after {} s", PUSH_MAX.as_secs()));
                return Ok(());
            }
            self.news(&mut view).await?;
        }
        self.shared().measures.took(Step::MapPush, answered.elapsed());
        let lives = self.now().as_millis() + 1000 < held.expires_at.as_millis();
        if lives && held.seats.iter().any(|seat| view.borrow().map.get(*seat) == Some(&FREE)) {
            self.violation(format!("the own map shows seats of the own hold {} as free", held.hold));
        }
        Ok(())
    }

    /// Waits for the live connection to bring something; at most a while, so that a deadline is noticed too.
    async fn news(&self, view: &mut watch::Receiver<View>) -> Result<(), Stopped> {
        tokio::select! {
            () = self.shared().stop.cancelled() => Err(Stopped),
            changed = timeout(LOOK_EVERY, view.changed()) => match changed {
                Ok(Err(_)) => Err(Stopped),
                Ok(Ok(())) | Err(_) => Ok(()),
            },
        }
    }

    /// Asks for more than anybody may have, to be refused.
    async fn overreach(&mut self) -> Result<(), Break> {
        let Some(seats) = self.pick(super::SEATS_PER_PERSON + 1, &[]) else { return Ok(()) };
        let body = json!({ "hold_id": Uuid::now_v7(), "seats": seats });
        match self.caller.command(Step::Hold, &self.path("/holds"), &body).await {
            Err(No::Refused(problem)) if problem.code == "seat_limit" || problem.code == "seat_taken" => Ok(()),
            Err(no) => Err(no.into()),
            Ok(_) => {
                self.violation(format!("{} seats were given to one person, who may have {}", seats.len(), super::SEATS_PER_PERSON));
                Ok(())
            }
        }
    }

    async fn reconnect(&mut self) -> Result<(), Break> {
        let before = self.live.view().borrow().connections;
        self.live.cut().await;
        let mut view = self.live.view();
        let again = view.wait_for(|view| view.connections > before);
        tokio::select! {
            () = self.shared().stop.cancelled() => Err(Break::Stopped),
            _ = again => Ok(()),
        }
    }

    async fn extend(&mut self, held: &Held) -> Result<(), Break> {
        let path = self.path(&format!("/holds/{}/extend", held.hold));
        self.caller.command(Step::Extend, &path, &json!({})).await?;
        Ok(())
    }

    /// Does nothing until the server takes the seats back.
    async fn forget_hold(&mut self, held: &Held) -> Result<End, Break> {
        let hold = held.hold.to_string();
        let over = held.expires_at.as_millis() + 2000;
        let ahead = self.sale.ahead_ms;
        let found = |view: &View| view.find("HoldReleased", |data| data["hold"] == hold.as_str()).cloned();
        let ask = async |_| Ok((now(ahead).as_millis() > over).then_some(Value::Null));
        self.pushed(found, ask, Some(held.expires_at)).await?;
        Ok(End::Told("hold_lapsed".to_owned()))
    }

    async fn book(&mut self, held: &Held) -> Result<Booked, Break> {
        let path = self.path("/bookings");
        let (key, booking) = (Uuid::now_v7().to_string(), Uuid::now_v7());
        let body = json!({ "booking_id": booking, "hold_id": held.hold });
        let answer = self.caller.command_as(&key, Step::Book, &path, &body).await?.body;
        self.again(&key, Step::Book, &path, &body, &answer, &["booking_id", "total", "position"]).await?;
        self.note_position(&answer);
        self.promises.bookings.push((booking, "unpaid"));
        Ok(Booked { booking, total: answer["total"].as_i64().unwrap_or(0) })
    }

    async fn forget_payment(&mut self, booked: &Booked) -> Result<End, Break> {
        let booking = booked.booking.to_string();
        let found = |view: &View| view.find("BookingCancelled", |data| data["booking"] == booking.as_str()).cloned();
        let caller = self.caller.clone();
        let ask = async |at| Ok(state_of(&caller, &booking, at).await?.filter(|state| state == "expired").map(Value::from));
        let pay_by = self.now().plus_seconds(super::PAYMENT_SECONDS);
        self.pushed(found, ask, Some(pay_by)).await?;
        self.promise(booked, "expired");
        Ok(End::Told("booking_lapsed".to_owned()))
    }

    /// Pays; the outcome comes with the answer, or is pushed.
    pub(super) async fn pay(&mut self, booked: &Booked) -> Result<u64, Break> {
        let begin = Instant::now();
        let path = self.path(&format!("/bookings/{}/pay", booked.booking));
        let (key, payment) = (Uuid::now_v7().to_string(), Uuid::now_v7());
        let body = json!({ "payment_id": payment, "method": "socketpay" });
        let answer = self.caller.command_as(&key, Step::Query, &path, &body).await?.body;
        let answer = if self.script.retries { self.caller.command_as(&key, Step::Query, &path, &body).await?.body } else { answer };
        let position = self.note_position(&answer);
        let outcome = self.outcome(booked, payment, answer).await?;
        self.shared().measures.took(Step::Pay, begin.elapsed());
        if outcome["state"] == "succeeded" {
            self.promise(booked, "paid");
            self.promises.spent += booked.total;
            return Ok(position.max(outcome["position"].as_u64().unwrap_or(0)));
        }
        let reason = outcome["reason"].as_str().unwrap_or("payment_failed").to_owned();
        self.cancel_unpaid(booked).await?;
        Err(Break::Told(reason))
    }

    /// What became of the payment: as answered, else as pushed or asked for.
    async fn outcome(&mut self, booked: &Booked, payment: Uuid, answer: Value) -> Result<Value, Break> {
        if answer["state"] != "in_flight" {
            return Ok(answer);
        }
        let path = self.path(&format!("/bookings/{}/payments/{payment}", booked.booking));
        let payment = payment.to_string();
        let of_it = |data: &Value| data["payment"] == payment.as_str();
        let found = |view: &View| {
            // What is pushed covers a position that everyone may ask for.
            let sold = view.find("SeatsSold", of_it).map(|_| json!({ "state": "succeeded", "position": view.me_position }));
            sold.or_else(|| view.find("PaymentFailed", of_it).map(|data| json!({ "state": "failed", "reason": data["reason"] })))
        };
        let caller = self.caller.clone();
        let ask = async |_| Ok(Some(caller.query(&path).await?).filter(|payment| payment["state"] != "in_flight"));
        Ok(self.pushed(found, ask, None).await?.unwrap_or_default())
    }

    async fn cancel_unpaid(&mut self, booked: &Booked) -> Result<(), Break> {
        let path = self.path(&format!("/bookings/{}/cancel", booked.booking));
        match self.caller.command(Step::Cancel, &path, &json!({})).await {
            Ok(_) => self.promise(booked, "cancelled"),
            Err(No::Refused(problem)) if problem.code == "booking_expired" => self.promise(booked, "expired"),
            Err(no) => return Err(no.into()),
        }
        Ok(())
    }

    /// Cancels what is paid, and waits for the money.
    async fn cancel(&mut self, booked: &Booked) -> Result<End, Break> {
        let path = self.path(&format!("/bookings/{}/cancel", booked.booking));
        let key = Uuid::now_v7().to_string();
        let answer = self.caller.command_as(&key, Step::Cancel, &path, &json!({})).await?.body;
        self.again(&key, Step::Cancel, &path, &json!({}), &answer, &["booking_id", "position"]).await?;
        let position = self.note_position(&answer);
        self.promise(booked, "cancelled");
        self.promises.spent -= booked.total;
        let (begin, booking) = (Instant::now(), booked.booking.to_string());
        let found = |view: &View| view.find("RefundCompleted", |data| data["booking"] == booking.as_str()).cloned();
        let caller = self.caller.clone();
        let ask = async |at: u64| {
            let bookings = caller.query(&format!("/v1/me/bookings?min_position={}", at.max(position))).await?;
            let bookings = bookings["bookings"].as_array().cloned().unwrap_or_default();
            Ok(bookings.into_iter().find(|known| known["booking_id"] == booking.as_str() && known["refund_state"] == "completed"))
        };
        self.pushed(found, ask, None).await?;
        self.shared().measures.took(Step::Refund, begin.elapsed());
        Ok(End::Told("cancelled".to_owned()))
    }

    /// Gives its place up, if it still has one: a visit that is over has none.
    async fn leave(&mut self) -> Result<(), Break> {
        match self.caller.command(Step::Leave, &self.path("/line/leave"), &json!({})).await {
            Ok(_) => Ok(()),
            Err(No::Refused(problem)) if problem.code == "not_in_line" => Ok(()),
            Err(no) => Err(no.into()),
        }
    }

    /// Sends the same command again under the same key, if that is in the script: the answer must be the same.
    async fn again(&self, key: &str, step: Step, path: &str, body: &Value, first: &Value, members: &[&str]) -> Result<(), No> {
        if !self.script.retries {
            return Ok(());
        }
        let second = self.caller.command_as(key, step, path, body).await?.body;
        for member in members {
            if second[member] != first[member] {
                self.violation(format!(
                    "{} sent twice under one key: {member} is {} and then {}",
                    step.told(),
                    first[member],
                    second[member]
                ));
            }
        }
        Ok(())
    }

    /// Waits for something to be pushed. Where the pushes began anew (after a reconnection that came too late), it is
    /// asked for, as of the position where they began. What is due at a time by the server's clock must come within
    /// [`PUSH_MAX`] of it; anything else may take as long as the rush.
    pub(crate) async fn pushed(
        &self,
        found: impl Fn(&View) -> Option<Value>,
        ask: impl AsyncFn(u64) -> Result<Option<Value>, No>,
        due: Option<Timestamp>,
    ) -> Result<Option<Value>, Break> {
        let mut view = self.live.view();
        let due = due.map(|at| Instant::now() + self.now().until(at));
        // The first beginning was before anything could happen; only later ones may have swallowed something.
        let mut asked = 1;
        loop {
            let (known, resyncs, at, overdue) = {
                let view = view.borrow_and_update();
                (found(&view), view.resyncs, view.me_position, due.is_some_and(|due| view.overdue(due, PUSH_MAX)))
            };
            if known.is_some() {
                return Ok(known);
            }
            if resyncs > asked || overdue {
                let answer = ask(at).await?;
                if overdue && resyncs <= 1 {
                    let what = if answer.is_some() { "was never pushed" } else { "has not happened" };
                    self.violation(format!("something due by the server's clock {what}"));
                }
                if answer.is_some() || overdue {
                    return Ok(answer);
                }
                asked = resyncs;
            }
            self.news(&mut view).await?;
        }
    }

    async fn think(&mut self) -> Result<(), Stopped> {
        let time = Duration::from_millis(self.dice.random_range(THINKS_MS.0..THINKS_MS.1));
        self.shared().pause(time).await
    }

    pub(super) fn promise(&mut self, booked: &Booked, state: &'static str) {
        self.promises.bookings.iter_mut().filter(|(booking, _)| *booking == booked.booking).for_each(|promise| promise.1 = state);
    }

    pub(crate) fn note_position(&mut self, answer: &Value) -> u64 {
        let position = answer["position"].as_u64().unwrap_or(0);
        if position == 0 {
            self.violation(format!("an answer without a position: {answer}"));
        }
        self.promises.position = self.promises.position.max(position);
        position
    }

    pub(crate) fn violation(&self, text: impl std::fmt::Display) {
        self.shared().measures.violation(format!("fan {}: {text}", self.script.index));
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.caller.shared
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/performances/{}{rest}", self.sale.performance)
    }

    fn now(&self) -> Timestamp {
        now(self.sale.ahead_ms)
    }
}

/// The server's clock.
fn now(ahead_ms: i64) -> Timestamp {
    use socketing_domain::Clock as _;
    Timestamp::from_millis(socketing_domain::SystemClock.now().as_millis() + ahead_ms)
}

/// A booking's state, as the fan's own list has it at this position.
async fn state_of(caller: &Caller, booking: &str, at: u64) -> Result<Option<String>, No> {
    let bookings = caller.query(&format!("/v1/me/bookings?min_position={at}")).await?;
    let known = bookings["bookings"].as_array().and_then(|all| all.iter().find(|known| known["booking_id"] == booking));
    Ok(known.and_then(|known| known["state"].as_str()).map(str::to_owned))
}

/// A friend's end: the watch that the leader's end goes into.
pub(crate) type EndWatch = watch::Receiver<Option<Option<End>>>;
