use super::*;
use crate::testing::{admitted, departed, held, joined, line, lines, of_party, released, seats, sold};
use socketing_domain::{
    PaymentId, PerformanceId, RefundId, Timestamp, Won,
    event::Recorded,
    performance::{Cancellation, Event as Seats, Method},
    wallet,
};
use std::sync::Arc;

/// A hall, and the position that its next event gets.
struct Run {
    hall: Hall,
    performance: PerformanceId,
    position: u64,
}

impl Run {
    fn new() -> Run {
        Run { hall: Hall::default(), performance: PerformanceId::new(), position: 0 }
    }

    fn take(&mut self, event: Arc<Recorded>) -> Concerned {
        self.position += 1;
        self.hall.digest(event.stream, &event.event)
    }

    fn seats(&mut self, event: Seats) -> Concerned {
        self.take(seats(self.position, self.performance, event))
    }

    fn line(&mut self, event: waiting_room::Event) -> Concerned {
        self.take(line(self.position, self.performance, event))
    }

    fn party(&mut self, id: PartyId, event: party::Event) -> Concerned {
        self.take(of_party(self.position, self.performance, id, event))
    }
}

fn booked(booking: BookingId, hold: HoldId, account: AccountId, tickets: &[(u32, AccountId)]) -> Seats {
    Seats::SeatsBooked { booking, hold, account, lines: lines(tickets), total: Won::ZERO, pay_by: Timestamp::default() }
}

#[test]
fn an_entry_concerns_its_people_until_it_departs() {
    let (mut run, entry) = (Run::new(), EntryId::new());
    let people = [AccountId::new(), AccountId::new()];
    assert_eq!(run.line(joined(entry, 1, &people)), whole(&people));
    assert_eq!(run.line(admitted(entry, 1)), whole(&people));
    assert_eq!(run.line(departed(entry, 1)), whole(&people));
    assert_eq!(run.line(departed(entry, 1)), []);
    assert_eq!(run.hall.len(), 0);
}

#[test]
fn a_hold_concerns_its_people_until_it_ends() {
    let (mut run, hold, account) = (Run::new(), HoldId::new(), AccountId::new());
    assert_eq!(run.seats(held(account, hold, &[1])), whole(&[account]));
    assert_eq!(run.seats(Seats::HoldExtended { hold, expires_at: Timestamp::default() }), whole(&[account]));
    assert_eq!(run.seats(released(hold, &[1])), whole(&[account]));
    assert_eq!(run.hall.len(), 0);
}

#[test]
fn the_buyer_sees_all_and_a_friend_the_friends_ticket() {
    let (mut run, hold, booking) = (Run::new(), HoldId::new(), BookingId::new());
    let (buyer, friend) = (AccountId::new(), AccountId::new());
    let tickets = [(4, buyer), (5, friend), (6, friend)];
    let all = vec![(buyer, Share::Whole), (friend, Share::Seats(vec![SeatIndex(5), SeatIndex(6)]))];
    run.seats(held(buyer, hold, &[4, 5, 6]));
    assert_eq!(run.seats(booked(booking, hold, buyer, &tickets)), all);
    let payment = PaymentId::new();
    assert_eq!(run.seats(Seats::PaymentFailed { payment, booking, reason: "insufficient_funds".into() }), whole(&[buyer]));
    assert_eq!(run.seats(sold(booking, buyer, &tickets)), all);
    let cancelled = Seats::BookingCancelled { booking, seats: Vec::new(), reason: Cancellation::Buyer };
    assert_eq!(run.seats(cancelled), all);
    assert_eq!(run.hall.len(), 0);
}

#[test]
fn a_refund_concerns_the_buyer_though_the_booking_is_gone() {
    let (mut run, booking, buyer) = (Run::new(), BookingId::new(), AccountId::new());
    let due = |refund| Seats::RefundDue {
        refund,
        payment: PaymentId::new(),
        booking,
        account: buyer,
        method: Method::Socketpay,
        amount: Won::ZERO,
    };
    let completed = |refund| Seats::RefundCompleted { refund, booking, amount: Won::ZERO };
    let (one, other) = (RefundId::new(), RefundId::new());
    run.seats(due(one));
    run.seats(due(other));
    assert_eq!(run.seats(completed(one)), whole(&[buyer]));
    assert_eq!(run.seats(completed(other)), whole(&[buyer]));
    assert_eq!(run.hall.len(), 0);
}

#[test]
fn a_party_concerns_its_people_and_whom_the_event_is_about() {
    use party::Event as E;
    let (mut run, id) = (Run::new(), PartyId::new());
    let [leader, friend, guest, other] = std::array::from_fn(|_| AccountId::new());
    let formed = E::PartyFormed { party: id, performance: run.performance, leader, terms: Default::default(), unused_until: None };
    assert_eq!(run.party(id, formed), whole(&[leader]));
    assert_eq!(run.party(id, E::FriendInvited { account: friend }), whole(&[leader, friend]));
    assert_eq!(run.party(id, E::FriendInvited { account: guest }), whole(&[leader, guest]), "the other guest isn't told");
    assert_eq!(run.party(id, E::InvitationAccepted { account: friend }), whole(&[leader, friend]));
    run.party(id, E::FriendInvited { account: other });
    assert_eq!(run.party(id, E::InvitationDeclined { account: other }), whole(&[leader, friend, other]));
    let frozen = run.party(id, E::PartyFrozen { entry: EntryId::new(), members: vec![leader, friend] });
    assert_eq!(frozen, [(leader, Share::Whole), (friend, Share::Whole), (guest, Share::Notice)]);
    assert_eq!(run.party(id, E::MemberLeft { account: friend }), whole(&[leader, friend]));
    assert_eq!(run.party(id, E::FriendInvited { account: guest }), whole(&[leader, guest]));
}

#[test]
fn a_party_by_link_concerns_whoever_comes_leads_and_goes() {
    use party::Event as E;
    let (mut run, id) = (Run::new(), PartyId::new());
    let [leader, friend, other] = std::array::from_fn(|_| AccountId::new());
    run.party(id, E::PartyFormed { party: id, performance: run.performance, leader, terms: Default::default(), unused_until: None });
    assert_eq!(run.party(id, E::MemberJoined { account: friend }), whole(&[leader, friend]));
    assert_eq!(run.party(id, E::MemberJoined { account: other }), whole(&[leader, friend, other]));
    assert_eq!(run.party(id, E::MemberExpelled { account: other }), whole(&[leader, friend, other]), "who is sent away is told");
    assert_eq!(run.party(id, E::LeaderChanged { leader: friend }), whole(&[friend, leader]));
    assert_eq!(run.party(id, E::MemberLeft { account: leader }), whole(&[friend, leader]));
    assert_eq!(run.party(id, E::PartyEnded { reason: party::Ending::Dissolved }), whole(&[friend]));
    assert_eq!(run.hall.len(), 0);
}

#[test]
fn wallets_and_accounts_have_owners() {
    let account = AccountId::new();
    let of = |event| of_person(StreamId::Account(account), &Event::Account(event));
    assert_eq!(of(account::Event::RoleGranted { account, role: account::Role::Organiser }), Some(whole(&[account])));
    let charged = wallet::Event::WalletOpened { account, balance: Default::default() };
    assert_eq!(of_person(StreamId::Wallet(account), &Event::Wallet(charged)), Some(whole(&[account])));
    let thawed = party::Event::PartyThawed { party: PartyId::new() };
    assert_eq!(of_person(StreamId::Party(PerformanceId::new(), PartyId::new()), &Event::Party(thawed)), None);
}

#[test]
fn who_is_asked_to_be_friends_is_told_that_it_happened_and_nobody_is_told_of_a_no() {
    let ([account, friend], at) = (std::array::from_fn(|_| AccountId::new()), Default::default());
    let of = |event| of_person(StreamId::Account(account), &Event::Account(event));
    let asked = of(account::Event::FriendRequested { friend, at });
    assert_eq!(asked, Some(vec![(account, Share::Whole), (friend, Share::Notice)]));
    assert_eq!(of(account::Event::FriendDismissed { friend, at }), Some(whole(&[account])));
    assert_eq!(of(account::Event::SuggestionsAllowed { allowed: true }), Some(whole(&[account])));
}
