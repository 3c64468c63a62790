//! Which commands must be accepted.

use super::*;

impl Model {
    /// Whether this must be accepted.
    pub(crate) fn accepts_join(&self, person: AccountId, entry: EntryId, party: Option<PartyId>, now: Timestamp) -> bool {
        if now >= self.curtain {
            return false;
        }
        if self.place(person, now).is_some() {
            return true;
        }
        let members = match party {
            None if self.party_of(person).is_some() => return false,
            None => vec![person],
            Some(id) => match self.parties.get(&id) {
                Some(party) if !party.ended && party.leader == person => party.members.clone(),
                _ => return false,
            },
        };
        let alone = members.iter().all(|member| self.place(*member, now).is_none());
        now >= opening() && alone && members.len() <= CAPACITY && !self.entries.contains_key(&entry)
    }

    pub(crate) fn accepts_claim(&self, person: AccountId, now: Timestamp) -> bool {
        self.place(person, now).is_some_and(|entry| entry.until.is_some())
    }

    pub(crate) fn accepts_leave(&self, person: AccountId) -> bool {
        self.entries.values().any(|entry| !entry.gone && entry.account == person)
    }

    pub(crate) fn accepts_party(&self, person: AccountId, id: PartyId, command: &Party, now: Timestamp) -> bool {
        let elsewhere = self.party_of(person).is_some_and(|other| other != id) || self.place(person, now).is_some();
        let in_time = now < self.curtain;
        let Some(party) = self.parties.get(&id) else {
            let forms = match command {
                Party::FormParty { .. } => true,
                Party::InviteFriend { friend } => *friend != person,
                _ => false,
            };
            return in_time && forms && !elsewhere;
        };
        let (leads, is_in) = (party.leader == person, party.members.contains(&person));
        let open = !party.frozen || self.place(party.leader, now).is_none();
        let accepted = match command {
            Party::FormParty { terms } => leads && party.terms == *terms,
            Party::InviteFriend { friend } => leads && *friend != person && !party.members.contains(friend) && open,
            Party::WithdrawInvitation { friend } => leads && !party.members.contains(friend),
            Party::AcceptInvitation => is_in || party.invited.contains(&person) && open && !elsewhere,
            Party::DeclineInvitation => party.invited.contains(&person),
            Party::JoinParty => !is_in && !party.expelled.contains(&person) && open && !elsewhere,
            Party::LeaveParty => is_in && open,
            Party::ExpelMember { member } => {
                leads && *member != person && (party.expelled.contains(member) || party.members.contains(member) && open)
            }
            Party::HandOver { member } => leads && (*member == person || party.members.contains(member) && open),
        };
        in_time && !party.ended && accepted
    }

    pub(crate) fn accepts_seats(&self, person: AccountId, command: &Seats, now: Timestamp) -> bool {
        let in_time = now < self.curtain;
        match command {
            Seats::HoldSeats { hold, seats } => in_time && now >= opening() && self.accepts_hold(person, *hold, seats, now),
            Seats::HoldBest { hold, wishes } => in_time && now >= opening() && self.accepts_best(person, *hold, wishes, now),
            Seats::ExtendHold { hold } => in_time && self.live_hold(person, *hold, now).is_some_and(|hold| !hold.extended),
            Seats::ReleaseHold { hold } => self.holds.get(hold).is_some_and(|hold| hold.account == person && hold.let_go != Some(false)),
            Seats::Book { booking, hold } => match self.bookings.get(booking) {
                Some(known) => self.booked_by(*booking, known) == person && known.hold == *hold,
                None => in_time && self.accepts_booking(person, *booking, *hold, now),
            },
            Seats::ClaimSeat { hold, seat } => in_time && self.accepts_seat(person, *hold, *seat, now),
            Seats::Pay { payment, booking, .. } => match (self.bookings.get(booking), self.payments.get(payment)) {
                (Some(known), _) if known.account != person => false,
                (Some(_), Some(payment)) => payment.booking == *booking,
                (Some(known), None) => match known.standing {
                    Standing::Paying | Standing::Paid => true,
                    Standing::Unpaid => known.pay_by > now && in_time && known.attempts < 16,
                    Standing::Cancelled | Standing::Expired => false,
                },
                (None, _) => false,
            },
            Seats::Cancel { booking, refund } => match self.bookings.get(booking) {
                Some(known) if known.account == person => match known.standing {
                    Standing::Cancelled => true,
                    Standing::Unpaid => in_time && known.pay_by > now && !self.hangs(known),
                    Standing::Paid => in_time && !self.refunds.contains_key(refund) && !self.hangs(known),
                    Standing::Paying | Standing::Expired => false,
                },
                _ => false,
            },
            Seats::ConfirmPayment { payment, refund } => match self.payments.get(payment) {
                Some(payment) => !payment.failed || payment.refunded || !self.refunds.contains_key(refund),
                None => false,
            },
            Seats::FailPayment { payment, .. } => {
                self.payments.get(payment).is_some_and(|payment| payment.open || payment.failed && !payment.refunded)
            }
            Seats::CompleteRefund { refund } => self.refunds.contains_key(refund),
            Seats::Schedule { .. } => true,
        }
    }

    fn booked_by(&self, id: BookingId, booking: &Booking) -> AccountId {
        booking.group.filter(|group| *group == id).map_or(booking.account, |group| self.shares[&group].account)
    }

    /// A hold as it lives now, and what its party agreed on.
    fn hold_and_party(&self, id: HoldId, now: Timestamp) -> Option<(&Hold, Option<&PartyState>)> {
        let hold = self.holds.get(&id).filter(|hold| hold.let_go.is_none() && hold.until > now)?;
        Some((hold, hold.party.map(|party| &self.parties[&party])))
    }

    fn accepts_booking(&self, person: AccountId, booking: BookingId, hold: HoldId, now: Timestamp) -> bool {
        let Some((hold, party)) = self.hold_and_party(hold, now) else { return false };
        match party.map(|party| (party.terms.pays, party.leader)) {
            Some((Pays::Leader, leader)) => person == leader && (hold.members.contains(&leader) || hold.account == person),
            Some((Pays::Shares | Pays::AllOrNone, _)) if hold.account == person => {
                let shares = holders(hold, person).into_iter().collect::<BTreeSet<_>>().len();
                (0..shares).all(|at| !self.bookings.contains_key(&BookingId(uuid::Uuid::from_u128(booking.0.as_u128() ^ at as u128))))
            }
            _ => hold.account == person,
        }
    }

    fn accepts_seat(&self, person: AccountId, hold: HoldId, seat: SeatIndex, now: Timestamp) -> bool {
        let Some((hold, _)) = self.hold_and_party(hold, now) else { return false };
        let another = hold.claims.iter().any(|(who, claimed)| *who != person && *claimed == seat);
        hold.members.contains(&person) && hold.seats.contains(&seat) && !another
    }

    /// Whether this person may choose for everyone on the place.
    fn may_pick(&self, person: AccountId, entry: &Entry) -> bool {
        let party = entry.party.map(|id| &self.parties[&id]);
        party.is_none_or(|party| party.terms.picks == Picks::Anyone || party.leader == person)
    }

    fn accepts_hold(&self, person: AccountId, id: HoldId, seats: &[SeatIndex], now: Timestamp) -> bool {
        let Some(entry) = self.pass(person, now).filter(|entry| self.may_pick(person, entry)) else { return false };
        let distinct: BTreeSet<&SeatIndex> = seats.iter().collect();
        if seats.is_empty() || distinct.len() != seats.len() || seats.iter().any(|seat| seat.0 >= 24) {
            return false;
        }
        if let Some(known) = self.holds.get(&id) {
            return known.let_go.is_none() && known.account == person && known.seats == seats && known.until > now;
        }
        let members = &entry.members;
        let room = seats.len() + self.owned(members, now) <= LIMIT * members.len();
        room && seats.iter().all(|seat| self.can_be_had(*seat, members, now)) && !self.leaves_one_alone(seats, members, now)
    }

    /// Whether these seats leave a single one alone though as many side by side of the same categories wouldn't.
    fn leaves_one_alone(&self, seats: &[SeatIndex], members: &[AccountId], now: Timestamp) -> bool {
        let free = |seat: u32| seat < 23 && self.can_be_had(SeatIndex(seat), members, now);
        let beside = |seat: u32| [(!seat.is_multiple_of(8)).then(|| seat - 1), (seat % 8 < 7).then_some(seat + 1)].into_iter().flatten();
        let alone = |choice: &[u32]| {
            let invites = |seat: u32| free(seat) && !choice.contains(&seat);
            choice.iter().flat_map(|seat| beside(*seat)).any(|seat| invites(seat) && !beside(seat).any(invites))
        };
        let numbers: Vec<u32> = seats.iter().map(|seat| seat.0).collect();
        let category = |seat: u32| seat >= 16;
        let alike = |seat: u32| numbers.iter().any(|chosen| category(*chosen) == category(seat));
        let wheelchair = numbers.contains(&23);
        let good = |first: u32| {
            let window: Vec<u32> = (first..first + numbers.len() as u32).collect();
            let in_a_row = window.iter().all(|seat| seat / 8 == first / 8 && *seat < 24);
            let had = |seat: u32| alike(seat) && self.can_be_had(SeatIndex(seat), members, now) && (seat < 23 || wheelchair);
            in_a_row && window.iter().all(|seat| had(*seat)) && window.contains(&23) == wheelchair && !alone(&window)
        };
        self.rules.no_orphans && alone(&numbers) && (0..24).any(good)
    }

    /// Until when these seats may be held, and whether that counts as extended: a seat that one of these people let go just
    /// now, or before its time had run out, keeps its time. (What a hold takes the place of is told first.)
    pub(super) fn time_for(&self, seats: &[SeatIndex], members: &[AccountId], now: Timestamp) -> (Timestamp, bool) {
        let kept = members.iter().flat_map(|member| [self.kept.get(member), self.kept_before.get(member)]).flatten();
        let kept = kept.filter(|hold| hold.until > now && hold.seats.iter().any(|seat| seats.contains(seat)));
        kept.fold((now.plus_seconds(HOLD_SECONDS), false), |(until, extended), hold| (until.min(hold.until), extended || hold.extended))
    }

    /// Whether the best seats for so many people must be given: there are enough free ones, if nothing else is wished.
    fn accepts_best(&self, person: AccountId, id: HoldId, wishes: &Wishes, now: Timestamp) -> bool {
        let Some(entry) = self.pass(person, now).filter(|entry| self.may_pick(person, entry)) else { return false };
        let wheelchairs = wishes.wheelchairs;
        if !(1..=64).contains(&wishes.people) || !(0..=wishes.people).contains(&wheelchairs) || wishes.near.is_some_and(|near| near.0 >= 24)
        {
            return false;
        }
        if let Some(known) = self.holds.get(&id) {
            return known.let_go.is_none() && known.account == person && known.until > now;
        }
        let (members, people) = (&entry.members, wishes.people as usize);
        let free = |seats: std::ops::Range<u32>| seats.filter(|seat| self.can_be_had(SeatIndex(*seat), members, now)).count() as i64;
        let original = self.rules.adjacency == Adjacency::Original && wheelchairs == 0;
        let chosen = wishes.near.filter(|_| original);
        let chosen = chosen.is_none_or(|chosen| chosen.0 < 23 && self.can_be_had(chosen, members, now));
        chosen
            && people + self.owned(members, now) <= LIMIT * members.len()
            && wheelchairs <= free(23..24)
            && wishes.people - wheelchairs <= free(0..23)
    }

    fn live_hold(&self, person: AccountId, id: HoldId, now: Timestamp) -> Option<&Hold> {
        self.holds.get(&id).filter(|hold| hold.let_go.is_none() && hold.account == person && hold.until > now)
    }
}
