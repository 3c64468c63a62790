//! What an event makes of a hall, and which events can't be believed.

use super::*;

impl Model {
    /// What comes next was decided at once.
    pub(crate) fn begin(&mut self) {
        self.kept_before = self.kept.clone();
    }

    /// Takes an event in, if it keeps every promise.
    pub(crate) fn believe(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Performance(event) => self.believe_seats(event, now),
            Event::WaitingRoom(event) => self.believe_line(event, now),
            Event::Party(event) => self.believe_party(event, now),
            other => panic!("{other:?} is none of a hall's events"),
        }
        self.check();
    }

    fn believe_seats(&mut self, event: &OfSeats, now: Timestamp) {
        match event {
            OfSeats::PerformanceScheduled { seats, .. } => assert_eq!(*seats, 24),
            OfSeats::SeatsHeld { hold, account, party, members, seats, expires_at, extended } => {
                assert!(now >= opening() && now < self.curtain, "held outside the sale");
                let entry = self.pass(*account, now).expect("only people inside hold seats");
                let sorted = |people: &[AccountId]| people.iter().copied().collect::<BTreeSet<_>>();
                assert_eq!(sorted(members), sorted(&entry.members), "held for everyone on the place");
                assert!(seats.iter().all(|seat| self.keepers(*seat) == 0), "a seat with two owners");
                assert!(seats.len() + self.owned(members, now) <= LIMIT * members.len(), "more seats than these people may have");
                assert_eq!((*expires_at, *extended), self.time_for(seats, members, now), "a seat that is kept keeps its time");
                let (account, members, seats) = (*account, members.clone(), seats.clone());
                assert_eq!(*party, entry.party, "held for the party that waited");
                let (party, claims, of) = (*party, BTreeMap::new(), seats.len());
                let new = Hold { account, members, seats, until: *expires_at, extended: *extended, party, claims, of, let_go: None };
                assert!(self.holds.insert(*hold, new).is_none(), "a hold's id is used once");
            }
            OfSeats::HoldExtended { hold, expires_at } => {
                let hold = self.holds.get_mut(hold).unwrap();
                assert!(!hold.extended && hold.let_go.is_none() && hold.until > now);
                assert_eq!(*expires_at, hold.until.plus_seconds(HOLD_SECONDS));
                (hold.until, hold.extended) = (*expires_at, true);
            }
            OfSeats::HoldReleased { hold, seats, reason } => {
                let hold = self.holds.get_mut(hold).unwrap();
                assert_eq!(hold.seats, *seats);
                assert_eq!(hold.until <= now, *reason == Release::Expired, "released as {reason:?} at {now}");
                assert_eq!(hold.let_go.replace(true), None, "a hold ends once");
                let hold = hold.clone();
                for member in &hold.members {
                    if *reason == Release::Expired {
                        self.kept.remove(member)
                    } else {
                        self.kept.insert(*member, hold.clone())
                    };
                }
            }
            OfSeats::SeatsBooked { booking, hold: id, account, lines, total, pay_by } => {
                let hold = self.holds.get_mut(id).unwrap();
                assert!(hold.until > now && hold.members.contains(account) && now < self.curtain);
                assert!(lines.iter().all(|line| hold.seats.contains(&line.seat)), "only seats of its hold are booked");
                for line in lines {
                    let claim = hold.claims.iter().find(|(_, seat)| **seat == line.seat);
                    assert!(claim.is_none_or(|(who, _)| *who == line.holder), "a claimed seat is somebody else's");
                }
                hold.seats.retain(|seat| lines.iter().all(|line| line.seat != *seat));
                assert!(lines.iter().all(|line| hold.members.contains(&line.holder)));
                assert!(lines.iter().all(|line| line.price.get() == PRICES[usize::from(line.seat.0 >= 16)]));
                assert_eq!(lines.iter().map(|line| line.price.get()).sum::<i64>(), total.get());
                assert_eq!(*pay_by, now.plus_seconds(PAYMENT_SECONDS));
                assert_eq!(hold.let_go, None, "a hold ends once");
                hold.let_go = hold.seats.is_empty().then_some(false);
                hold.members.iter().for_each(|member| drop(self.kept.remove(member)));
                let (account, hold, lines) = (*account, *id, lines.clone());
                let new = Booking { account, hold, lines, pay_by: *pay_by, standing: Standing::Unpaid, attempts: 0, group: None };
                assert!(self.bookings.insert(*booking, new).is_none(), "a booking's id is used once");
            }
            OfSeats::SeatClaimed { hold, seat, account } => {
                let hold = self.holds.get_mut(hold).unwrap();
                assert!(hold.let_go.is_none() && hold.until > now && hold.members.contains(account) && hold.seats.contains(seat));
                hold.claims.insert(*account, *seat);
                assert_eq!(hold.claims.values().collect::<BTreeSet<_>>().len(), hold.claims.len(), "a seat is claimed twice");
            }
            OfSeats::SharesOpened { group, party, account, bookings, all_or_none, pay_by, runs } => {
                let pays = self.parties[party].terms.pays;
                assert_eq!(pays, if *all_or_none { Pays::AllOrNone } else { Pays::Shares });
                let run_seats: BTreeSet<SeatIndex> = runs.iter().flat_map(|run| run.seats.clone()).collect();
                let mut seats = BTreeSet::new();
                for id in bookings {
                    let share = self.bookings.get_mut(id).unwrap();
                    assert!(share.standing == Standing::Unpaid && share.pay_by == *pay_by && share.group.replace(*group).is_none());
                    assert!(share.lines.iter().all(|line| line.holder == share.account), "everyone pays for their own seats");
                    seats.extend(share.lines.iter().map(|line| line.seat));
                }
                assert_eq!(run_seats, seats, "the runs are the block");
                let new = Shares { account: *account, bookings: bookings.clone(), all_or_none: *all_or_none };
                assert!(self.shares.insert(*group, new).is_none(), "a block is shared once");
            }
            OfSeats::SharesReseated { group, shares } => self.believe_reseated(*group, shares, now),
            OfSeats::BookingCancelled { booking: id, seats, reason } => {
                let booking = &self.bookings[id];
                assert!(booking.lines.iter().map(|line| line.seat).eq(seats.iter().copied()));
                let together = booking.group.filter(|group| self.shares[group].all_or_none);
                match reason {
                    Cancellation::Expired => {
                        assert!(Self::is_unpaid_in_time(booking, now), "expired too early, or though paid");
                        assert!(together.is_none_or(|group| !self.some(group, &[Standing::Paying])), "expired before the last outcome");
                    }
                    Cancellation::OtherShareUnpaid => {
                        let group = together.expect("it stands or falls with others");
                        assert!(booking.standing == Standing::Paid && booking.pay_by <= now);
                        assert!(self.some(group, &[Standing::Unpaid, Standing::Expired]) && !self.some(group, &[Standing::Paying]));
                    }
                    Cancellation::Buyer => {
                        assert!(matches!(booking.standing, Standing::Unpaid | Standing::Paid) && now < self.curtain);
                        assert!(!self.hangs(booking), "given up alone, though it stands or falls with others");
                    }
                }
                self.bookings.get_mut(id).unwrap().standing =
                    if *reason == Cancellation::Buyer { Standing::Cancelled } else { Standing::Expired };
            }
            event => self.believe_money(event, now),
        }
    }

    /// Shares change seats among themselves: nobody pays more, and those who stay are torn apart less.
    fn believe_reseated(&mut self, group: BookingId, shares: &[Reseated], now: Timestamp) {
        let stay = |model: &Model| {
            let stay = model.shares[&group].bookings.iter().map(|id| &model.bookings[id]);
            let stay = stay.filter(|booking| matches!(booking.standing, Standing::Paid | Standing::Paying));
            stay.flat_map(|booking| booking.lines.iter().map(|line| line.seat)).collect::<BTreeSet<_>>()
        };
        let all =
            |model: &Model| shares.iter().flat_map(|share| model.bookings[&share.booking].lines.clone()).map(|line| line.seat).collect();
        let before = (stay(self), all(self));
        for share in shares {
            let booking = self.bookings.get_mut(&share.booking).unwrap();
            assert!(booking.pay_by <= now && booking.group == Some(group));
            assert_eq!(share.paid, booking.standing == Standing::Paid);
            let people = |lines: &[Line]| lines.iter().map(|line| (line.holder, line.price)).collect::<BTreeSet<_>>();
            assert_eq!((people(&share.lines), share.lines.len()), (people(&booking.lines), booking.lines.len()));
            assert!(share.lines.iter().all(|line| line.price.get() == PRICES[usize::from(line.seat.0 >= 16)]), "nobody pays more");
            booking.lines.clone_from(&share.lines);
        }
        let after: (_, BTreeSet<SeatIndex>) = (stay(self), all(self));
        assert_eq!(before.1, after.1, "seats of nobody else");
        assert!(pieces(&after.0) <= pieces(&before.0), "torn apart: {:?} to {:?}", before.0, after.0);
    }

    fn believe_money(&mut self, event: &OfSeats, now: Timestamp) {
        match event {
            OfSeats::PaymentStarted { payment, booking: id, account, method, amount } => {
                let booking = self.bookings.get_mut(id).unwrap();
                assert!(booking.standing == Standing::Unpaid && booking.pay_by > now && now < self.curtain && booking.account == *account);
                assert_eq!(booking.lines.iter().map(|line| line.price.get()).sum::<i64>(), amount.get());
                booking.standing = Standing::Paying;
                booking.attempts += 1;
                let (method, amount) = (method.method(), amount.get());
                let new = Payment { booking: *id, method, amount, open: true, failed: false, taken: false, refunded: false };
                assert!(self.payments.insert(*payment, new).is_none(), "a payment's id is used once");
            }
            OfSeats::PaymentFailed { payment, booking, .. } => {
                let payment = self.payments.get_mut(payment).unwrap();
                assert!(payment.open && payment.booking == *booking, "a payment has one outcome");
                (payment.open, payment.failed) = (false, true);
                self.bookings.get_mut(booking).unwrap().standing = Standing::Unpaid;
            }
            OfSeats::SeatsSold { booking, payment, lines, amount, .. } => {
                let payment = self.payments.get_mut(payment).unwrap();
                assert!(payment.open && payment.booking == *booking && payment.amount == amount.get(), "a payment has one outcome");
                (payment.open, payment.taken) = (false, true);
                let booking = self.bookings.get_mut(booking).unwrap();
                assert!(booking.standing == Standing::Paying && booking.lines == *lines);
                booking.standing = Standing::Paid;
            }
            OfSeats::RefundDue { refund, payment, booking, method, amount, .. } => {
                let payment = self.payments.get_mut(payment).unwrap();
                assert!(!payment.refunded && payment.booking == *booking && payment.amount == amount.get(), "money goes back once");
                assert_eq!(payment.method, *method, "money goes back the way it came");
                payment.refunded = true;
                payment.taken = true;
                assert!(self.refunds.insert(*refund, (amount.get(), false)).is_none(), "a refund's id is used once");
            }
            OfSeats::RefundCompleted { refund, amount, .. } => {
                let refund = self.refunds.get_mut(refund).unwrap();
                assert!(*refund == (amount.get(), false), "money goes back once");
                refund.1 = true;
            }
            other => panic!("{other:?} isn't about money"),
        }
    }

    fn believe_line(&mut self, event: &OfLine, now: Timestamp) {
        match event {
            OfLine::LineOpened { capacity, .. } => assert_eq!(*capacity as usize, CAPACITY),
            OfLine::QueueJoined { entry, number, account, party, members } => {
                assert!(now >= opening() && now < self.curtain, "joined outside the sale");
                assert_eq!(*number, self.last_number + 1);
                self.last_number = *number;
                let waits = *party;
                match party {
                    Some(id) => assert!(self.parties[id].frozen && self.parties[id].members == *members && members[0] == *account),
                    None => assert!(*members == [*account] && self.party_of(*account).is_none()),
                }
                let (number, party) = (*number, waits);
                let new = Entry { number, party, account: *account, members: members.clone(), until: None, claimed: false, gone: false };
                assert!(self.entries.insert(*entry, new).is_none(), "an entry's id is used once");
            }
            OfLine::EntryCalled { entry, number, claim_by } => {
                self.is_next(*number);
                let entry = self.entries.get_mut(entry).unwrap();
                assert!(!entry.gone && entry.until.is_none() && entry.number == *number);
                assert_eq!(*claim_by, now.plus_seconds(CLAIM_SECONDS));
                entry.until = Some(*claim_by);
            }
            OfLine::EntryAdmitted { entry, number, session_ends_at } => {
                let called = self.entries[entry].until;
                match called {
                    Some(claim_by) => assert!(claim_by > now, "claimed too late"),
                    None => self.is_next(*number),
                }
                let entry = self.entries.get_mut(entry).unwrap();
                assert!(!entry.gone && !entry.claimed && entry.number == *number);
                assert_eq!(*session_ends_at, now.plus_seconds(SESSION_SECONDS));
                (entry.until, entry.claimed) = (Some(*session_ends_at), true);
            }
            OfLine::EntryDeparted { entry, number, reason } => {
                let entry = self.entries.get_mut(entry).unwrap();
                assert!(!entry.gone && entry.number == *number);
                let over = entry.until.is_some_and(|until| until <= now);
                assert_eq!(over && entry.claimed, *reason == Departure::SessionOver, "departed as {reason:?} at {now}");
                assert_eq!(over && !entry.claimed, *reason == Departure::Unclaimed, "departed as {reason:?} at {now}");
                entry.gone = true;
            }
            other => panic!("{other:?} is for the line's own random tests"),
        }
    }

    fn is_next(&self, number: u64) {
        let waits_longer = |entry: &&Entry| !entry.gone && entry.until.is_none() && entry.number < number;
        assert_eq!(self.entries.values().find(waits_longer).map(|entry| entry.number), None, "overtaken by {number}");
    }

    fn believe_party(&mut self, event: &OfParty, now: Timestamp) {
        if let OfParty::PartyFormed { party, leader, terms, unused_until, .. } = event {
            let until = now.max(opening()).plus_seconds(86_400).min(self.curtain);
            assert_eq!(*unused_until, Some(until));
            let (leader, terms, unused_until) = (*leader, *terms, *unused_until);
            let formed = PartyState { leader, terms, unused_until, members: vec![leader], ..PartyState::default() };
            assert!(self.parties.insert(*party, formed).is_none(), "a party is formed once");
        }
    }

    /// What an event of a party does; its stream names the party.
    pub(crate) fn believe_in(&mut self, id: PartyId, event: &OfParty, now: Timestamp) {
        let leader = self.parties.get(&id).map(|party| party.leader).unwrap_or_default();
        let waits = self.place(leader, now).is_some();
        let Some(party) = self.parties.get_mut(&id) else { panic!("{event:?} of a party that was never formed") };
        assert!(!party.ended, "{event:?} of a party that has ended");
        match event {
            OfParty::PartyFormed { .. } => {}
            OfParty::FriendInvited { account } => {
                party.expelled.remove(account);
                assert!(!party.frozen && party.invited.insert(*account));
            }
            OfParty::InvitationAccepted { account } => {
                assert!(!party.frozen && party.invited.remove(account));
                party.members.push(*account);
            }
            OfParty::MemberJoined { account } => {
                assert!(!party.frozen && !party.invited.contains(account) && !party.expelled.contains(account));
                party.members.push(*account);
            }
            OfParty::InvitationDeclined { account } | OfParty::InvitationWithdrawn { account } => assert!(party.invited.remove(account)),
            OfParty::MemberLeft { account } => {
                assert!(!party.frozen && party.leader != *account);
                party.members.retain(|member| member != account);
            }
            OfParty::MemberExpelled { account } => {
                assert!(!party.frozen && party.leader != *account && party.expelled.insert(*account));
                party.members.retain(|member| member != account);
            }
            OfParty::LeaderChanged { leader } => {
                assert!(!party.frozen && party.members.contains(leader) && party.leader != *leader);
                party.leader = *leader;
                party.members.retain(|member| member != leader);
                party.members.insert(0, *leader);
            }
            OfParty::PartyFrozen { members, .. } => {
                assert_eq!(*members, party.members);
                assert!(!party.frozen);
                (party.frozen, party.unused_until) = (true, None);
            }
            OfParty::PartyThawed { party: thawed } => {
                assert!(*thawed == id && party.frozen && !waits, "thawed though it waits");
                party.frozen = false;
            }
            OfParty::PartyEnded { reason } => {
                match reason {
                    Ending::Dissolved => assert!(!party.frozen && party.members.len() == 1),
                    Ending::Unused => assert!(party.unused_until.is_some_and(|until| until <= now)),
                }
                (party.ended, party.members, party.invited) = (true, Vec::new(), BTreeSet::new());
            }
        }
        self.check();
    }
}
