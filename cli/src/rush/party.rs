//! Friends: the leader invites, the friends accept, they wait as one, and each has a ticket in the end.

use super::caller::No;
use super::fan::{Booked, Break, End, EndWatch, Fan};
use super::live::View;
use super::measure::Step;
use super::script::Aim;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

/// How long friends get to say yes; then the leader goes with those who have.
const ACCEPT_MAX: Duration = Duration::from_secs(20);

/// What ties a fan to others: whom it tells how it ended, and whose end it waits for.
pub(crate) struct Ties {
    /// The friends' accounts, by index of the fan.
    pub(crate) accounts: HashMap<usize, Uuid>,
    tell: watch::Sender<Option<Option<End>>>,
    leader: Option<EndWatch>,
}

impl Ties {
    /// A fan tied to nobody yet.
    pub(crate) fn new() -> Ties {
        Ties { accounts: HashMap::new(), tell: watch::Sender::new(None), leader: None }
    }

    /// For friends who wait for this fan's end.
    pub(crate) fn watch(&self) -> EndWatch {
        self.tell.subscribe()
    }

    /// Waits for this leader's end.
    pub(crate) fn follow(&mut self, leader: EndWatch) {
        self.leader = Some(leader);
    }

    /// Tells those who wait. `None`: the rush ended first.
    pub(crate) fn ended(&self, end: Option<End>) {
        self.tell.send_replace(Some(end));
    }
}

impl Fan {
    /// The leader's part before the line: invite, and wait for the friends to accept.
    pub(crate) async fn gather(&mut self, friends: &[usize]) -> Result<Uuid, Break> {
        let party = Uuid::now_v7();
        if self.script.shares {
            let body = json!({ "party_id": party, "pays": "shares" });
            let answer = self.caller.command(Step::Invite, &self.path("/parties"), &body).await?.body;
            self.note_position(&answer);
        }
        let path = self.path(&format!("/parties/{party}/invitations"));
        for friend in friends {
            let body = json!({ "account_id": self.ties.accounts[friend] });
            let answer = self.caller.command(Step::Invite, &path, &body).await?.body;
            self.note_position(&answer);
        }
        let accepted = |view: &View| view.pushed.iter().filter(|pushed| pushed.event == "InvitationAccepted").count();
        let mut view = self.live.view();
        let all = view.wait_for(|view| accepted(view) >= friends.len());
        tokio::select! {
            () = self.shared().stop.cancelled() => return Err(Break::Stopped),
            all = timeout(ACCEPT_MAX, all) => if all.is_err() && self.live.view().borrow().resyncs <= 1 {
                self.violation(format!("not all of {} friends were pushed as accepted within {} s", friends.len(), ACCEPT_MAX.as_secs()));
            },
        }
        Ok(party)
    }

    /// The friend's part: accept, then see what becomes of the leader, and find the own ticket.
    pub(crate) async fn follow(&mut self) -> Result<End, Break> {
        let caller = self.caller.clone();
        let path = format!("/v1/me/invitations?performance={}", self.sale.performance);
        let ask = async |at| {
            let known = caller.query(&format!("{path}&min_position={at}")).await?;
            let first = known["invitations"].as_array().and_then(|all| all.first()).cloned();
            Ok(first.map(|invitation| json!({ "party": invitation["party_id"] })))
        };
        let found = |view: &View| view.find("FriendInvited", |data| data["party"].is_string()).cloned();
        let invitation = self.pushed(found, ask, None).await?.unwrap_or_default();
        let party = invitation["party"].as_str().unwrap_or_default().to_owned();
        let path = self.path(&format!("/parties/{party}/accept"));
        match self.caller.command(Step::Accept, &path, &json!({})).await {
            Ok(answer) => self.note_position(&answer.body),
            // Too late: the leader went without this one.
            Err(No::Refused(problem)) if problem.code == "party_frozen" => return Err(Break::Told(problem.code)),
            Err(no) => return Err(no.into()),
        };
        match self.leaders_end().await? {
            End::Tickets(position) if self.script.shares => self.own_share(position).await,
            End::Tickets(position) => self.own_ticket(position).await,
            told @ End::Told(_) => Ok(told),
        }
    }

    async fn leaders_end(&mut self) -> Result<End, Break> {
        let Some(mut leader) = self.ties.leader.clone() else { return Err(Break::Stopped) };
        let ended = leader.wait_for(Option::is_some).await.map_err(|_| Break::Stopped)?;
        ended.clone().flatten().ok_or(Break::Stopped)
    }

    /// The leader has paid its share; the friend pays the own one, or forgets it: then its seat goes back.
    async fn own_share(&mut self, position: u64) -> Result<End, Break> {
        let bookings = self.caller.query(&format!("/v1/me/bookings?min_position={position}")).await?;
        let here = |booking: &&Value| booking["performance_id"] == self.sale.performance.to_string() && booking["share_group"].is_string();
        let Some(share) = bookings["bookings"].as_array().and_then(|all| all.iter().find(here)) else {
            self.violation("the party booked by shares, but the friend has none");
            return Ok(End::Tickets(position));
        };
        let booking = share["booking_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        let booked = Booked { booking, total: share["total"].as_i64().unwrap_or(0) };
        if share["state"] != "unpaid" || self.script.aim == Aim::ForgetPayment {
            return Ok(End::Told("booking_lapsed".to_owned()));
        }
        self.promises.bookings.push((booking, "unpaid"));
        match self.pay(&booked).await {
            Ok(position) => self.own_ticket(position).await,
            Err(Break::Told(code)) if code == "booking_expired" => {
                self.promise(&booked, "expired");
                Err(Break::Told(code))
            }
            Err(no) => Err(no),
        }
    }

    /// What the leader bought for this friend is in the friend's own list.
    async fn own_ticket(&mut self, position: u64) -> Result<End, Break> {
        let tickets = self.caller.query(&format!("/v1/me/tickets?min_position={position}")).await?;
        let here = |ticket: &&Value| ticket["performance_id"] == self.sale.performance.to_string();
        let mine = tickets["tickets"].as_array().and_then(|all| all.iter().find(here));
        if mine.is_none() {
            self.violation("the leader's tickets are paid, but the friend's list has none");
        }
        Ok(End::Tickets(position))
    }
}
