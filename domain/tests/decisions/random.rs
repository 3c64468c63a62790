//! Random sequences of every command of a hall, with time passing and timers running or not, against the simple model.

use crate::common::{SYSTEM, fan, id, person, policies};
use crate::model::{Entry, Hold, Model, PartyState, Payment, Standing, short_curtain};
use crate::world::{World, open_line, schedule};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use socketing_domain::event::{Actor, Event, StreamId};
use socketing_domain::party::{Pays, Picks, Terms};
use socketing_domain::performance::{Command as Seats, Means};
use socketing_domain::refusal::Reason;
use socketing_domain::seating::{Adjacency, Wishes};
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{
    EntryId, PartyId, PaymentId, Refusal, SeatIndex, Timestamp, party::Command as Party, waiting_room::Command as Line,
};
use std::hash::{BuildHasher, RandomState};

/// One step. Things are named by small numbers, so that different steps mean the same ones, and some mean none.
#[derive(Clone, Debug)]
enum Step {
    /// So many seconds pass.
    Wait(u32),
    /// The timers run.
    Tick,
    /// Someone asks something.
    Fan(u128, Command),
    /// The system asks something.
    System(Command),
    /// Someone who may well do something does it, to one of the things there are: the one at this place, counted round.
    Aimed(Aim, usize),
}

/// What is done to one of the things there are.
#[derive(Clone, Debug)]
enum Aim {
    /// People inside hold seats.
    Hold(Vec<SeatIndex>),
    /// People inside hold the best seats.
    HoldBest(Wishes),
    Extend,
    Release,
    Book,
    Pay,
    Confirm,
    Fail,
    Cancel,
    CompleteRefund,
    /// A member of a party that is inside holds neighbours, as many as the party has people, from this seat on.
    HoldTogether(u32),
    Claim(usize),
    /// Someone pays a share.
    PayShare,
    /// The provider of a share's payment says yes.
    ConfirmShare,
    /// Whoever is in a party alone leaves it.
    Dissolve,
    Form(Terms),
    Accept,
    Decline,
    JoinParty(u128),
    Withdraw,
    Expel,
    HandOver,
    LeaveParty,
    /// A leader takes the party into the line.
    JoinTogether,
    LeaveLine,
    /// Someone who was called claims the pass.
    ClaimPass,
}

fn who() -> impl Strategy<Value = u128> {
    0..6_u128
}

/// A number of a thing: mostly of few, so that they are met again.
fn thing() -> impl Strategy<Value = u128> {
    prop_oneof![3 => 0..6_u128, 1 => 0..40_u128]
}

/// Every other payment is made by card.
fn means(payment: PaymentId) -> Means {
    if payment.0.as_u128().is_multiple_of(2) { Means::Socketpay } else { Means::Card("tok_approved".parse().unwrap()) }
}

fn some_seats() -> impl Strategy<Value = Vec<SeatIndex>> {
    let seat = prop_oneof![20 => 0..9_u32, 5 => 14..20_u32, 1 => 20..26_u32];
    prop_oneof![
        8 => prop::collection::vec(seat.clone(), 1..4),
        1 => prop::collection::vec(seat, 0..9),
    ]
    .prop_map(|seats| seats.into_iter().map(SeatIndex).collect())
}

/// Wishes that can be met as long as there are seats, and some that can't be at all.
fn wishes() -> impl Strategy<Value = Wishes> {
    let people = prop_oneof![12 => 1..5_i64, 1 => prop_oneof![Just(0), Just(-1), Just(24), Just(1_000_000_000)]];
    let near = prop::option::of((0..26_u32).prop_map(SeatIndex));
    let wheelchairs = prop_oneof![8 => Just(0), 1 => -1..3_i64];
    (people, wheelchairs, near).prop_map(|(people, wheelchairs, near)| Wishes { people, wheelchairs, near, ..Wishes::default() })
}

fn of_seats() -> impl Strategy<Value = Seats> {
    let (hold, booking) = (|number: u128| id(200 + number), |number: u128| id(300 + number));
    let (payment, refund) = (|number: u128| id(400 + number), |number: u128| id(500 + number));
    prop_oneof![
        6 => (thing(), some_seats()).prop_map(move |(number, seats)| Seats::HoldSeats { hold: hold(number), seats }),
        3 => (thing(), wishes()).prop_map(move |(number, wishes)| Seats::HoldBest { hold: hold(number), wishes }),
        1 => thing().prop_map(move |number| Seats::ExtendHold { hold: hold(number) }),
        1 => thing().prop_map(move |number| Seats::ReleaseHold { hold: hold(number) }),
        4 => (thing(), thing()).prop_map(move |(b, h)| Seats::Book { booking: booking(b), hold: hold(h) }),
        4 => thing().prop_map(move |number| Seats::Book { booking: booking(number), hold: hold(number) }),
        3 => (thing(), thing()).prop_map(move |(p, b)| Seats::Pay { payment: payment(p), booking: booking(b), method: means(payment(p)) }),
        4 => thing().prop_map(move |number| Seats::Pay { payment: payment(number), booking: booking(number), method: means(payment(number)) }),
        3 => (thing(), thing()).prop_map(move |(b, r)| Seats::Cancel { booking: booking(b), refund: refund(r) }),
    ]
}

fn of_providers() -> impl Strategy<Value = Seats> {
    let (payment, refund) = (|number: u128| id(400 + number), |number: u128| id(500 + number));
    prop_oneof![
        4 => (thing(), thing()).prop_map(move |(p, r)| Seats::ConfirmPayment { payment: payment(p), refund: refund(r) }),
        2 => thing().prop_map(move |number| Seats::FailPayment { payment: payment(number), reason: "declined".to_owned() }),
        1 => thing().prop_map(move |number| Seats::CompleteRefund { refund: refund(number) }),
    ]
}

fn of_line() -> impl Strategy<Value = Line> {
    let party = prop_oneof![2 => Just(None), 1 => (0..3_u128).prop_map(|number| Some(id(600 + number)))];
    prop_oneof![
        4 => (thing(), party).prop_map(|(number, party)| Line::JoinQueue { entry: id(100 + number), party }),
        1 => Just(Line::LeaveQueue),
        2 => Just(Line::ClaimPass),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let picks = prop_oneof![3 => Just(Picks::Anyone), 1 => Just(Picks::Leader)];
    let pays = prop_oneof![1 => Just(Pays::Chooser), 1 => Just(Pays::Leader), 4 => Just(Pays::Shares), 2 => Just(Pays::AllOrNone)];
    (picks, pays).prop_map(|(picks, pays)| Terms { picks, pays })
}

fn of_party() -> impl Strategy<Value = Command> {
    let command = prop_oneof![
        3 => who().prop_map(|friend| Party::InviteFriend { friend: person(friend) }),
        3 => Just(Party::AcceptInvitation),
        1 => Just(Party::DeclineInvitation),
        1 => Just(Party::LeaveParty),
        3 => terms().prop_map(|terms| Party::FormParty { terms }),
        3 => Just(Party::JoinParty),
        1 => who().prop_map(|friend| Party::WithdrawInvitation { friend: person(friend) }),
        1 => who().prop_map(|member| Party::ExpelMember { member: person(member) }),
        1 => who().prop_map(|member| Party::HandOver { member: person(member) }),
    ];
    (0..3_u128, command).prop_map(|(number, command)| Command::Party(id(600 + number), command))
}

fn aim() -> impl Strategy<Value = Aim> {
    use Aim::{
        Accept, Book, Cancel, ClaimPass, CompleteRefund, Confirm, Decline, Expel, Extend, Fail, HandOver, JoinTogether, LeaveLine,
        LeaveParty, Pay, Release, Withdraw,
    };
    prop_oneof![
        8 => some_seats().prop_map(Aim::Hold),
        4 => wishes().prop_map(Aim::HoldBest),
        8 => prop_oneof![Just(Book), Just(Pay), Just(Confirm)],
        5 => prop_oneof![Just(Fail), Just(Cancel), Just(CompleteRefund), Just(Extend), Just(Release)],
        3 => prop_oneof![Just(Accept), Just(Accept), Just(Accept), Just(Decline), Just(LeaveParty), Just(JoinTogether)],
        1 => Just(LeaveLine),
        3 => Just(ClaimPass),
        4 => (0..6_u32).prop_map(Aim::HoldTogether),
        3 => Just(Aim::PayShare),
        4 => Just(Aim::ConfirmShare),
        1 => Just(Aim::Dissolve),
        2 => any::<usize>().prop_map(Aim::Claim),
        2 => terms().prop_map(Aim::Form),
        4 => who().prop_map(Aim::JoinParty),
        2 => Just(JoinTogether),
        1 => prop_oneof![Just(Withdraw), Just(Expel), Just(HandOver)],
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (aim(), any::<usize>()).prop_map(|(aim, place)| Step::Aimed(aim, place)),
        8 => (0..60_u32).prop_map(Step::Wait),
        2 => prop_oneof![Just(99), Just(100), Just(300), Just(300), Just(500), Just(1_000)].prop_map(Step::Wait),
        4 => Just(Step::Tick),
        8 => (who(), of_line()).prop_map(|(who, command)| Step::Fan(who, Command::Line(command))),
        3 => (who(), of_party()).prop_map(|(who, command)| Step::Fan(who, command)),
        24 => (who(), of_seats()).prop_map(|(who, command)| Step::Fan(who, Command::Performance(command))),
        1 => (who(), of_providers()).prop_map(|(who, command)| Step::Fan(who, Command::Performance(command))),
        8 => of_providers().prop_map(|command| Step::System(Command::Performance(command))),
        1 => of_seats().prop_map(|command| Step::System(Command::Performance(command))),
        1 => who().prop_map(|who| Step::System(Command::Line(Line::Depart { account: person(who) }))),
        1 => prop_oneof![Just(schedule(short_curtain())), Just(open_line())].prop_map(Step::System),
    ]
}

/// The one at this place, counted round.
fn pick<T>(place: usize, things: impl Iterator<Item = T>) -> Option<T> {
    let mut things: Vec<T> = things.collect();
    if things.is_empty() {
        return None;
    }
    let place = place % things.len();
    Some(things.swap_remove(place))
}

/// A hall and its model, side by side.
struct Run {
    world: World,
    model: Model,
    told: usize,
    /// The number that the last new thing got.
    last_new: u128,
}

impl Run {
    fn new() -> Run {
        Run::by(policies(), None)
    }

    /// By these rules; with shares, a hall in which three people have just booked a block, which random steps alone seldom
    /// come to.
    fn by(rules: Policies, shares: Option<Pays>) -> Run {
        let mut model = Model::new(short_curtain());
        model.rules = rules;
        let mut run = Run { world: World::on_sale_by(short_curtain(), rules), model, told: 0, last_new: 1_000 };
        run.tell();
        shares.into_iter().for_each(|pays| run.book_shares(pays));
        run
    }

    fn with_shares(pays: Pays) -> Run {
        Run::by(policies(), Some(pays))
    }

    fn book_shares(&mut self, pays: Pays) {
        let party = id(600);
        let of_party = |command| Command::Party(party, command);
        self.take(Step::Wait(20));
        let terms = Terms { picks: Picks::Anyone, pays };
        self.take(Step::Fan(0, of_party(Party::FormParty { terms })));
        self.take(Step::Fan(1, of_party(Party::JoinParty)));
        self.take(Step::Fan(2, of_party(Party::JoinParty)));
        self.take(Step::Fan(0, Command::Line(Line::JoinQueue { entry: id(100), party: Some(party) })));
        let seats = [2, 3, 4].map(SeatIndex).to_vec();
        self.take(Step::Fan(0, Command::Performance(Seats::HoldSeats { hold: id(200), seats })));
        self.take(Step::Fan(0, Command::Performance(Seats::Book { booking: id(300), hold: id(200) })));
    }

    /// Those at both ends of the block pay, and the one between them doesn't.
    fn leave_a_gap(&mut self) {
        for (who, payment) in [(0, 400), (2, 402)] {
            let (payment, booking) = (id(payment), id(300 + who));
            self.take(Step::Fan(who, Command::Performance(Seats::Pay { payment, booking, method: means(payment) })));
            self.take(Step::System(Command::Performance(Seats::ConfirmPayment { payment, refund: id(500 + who) })));
        }
        self.take(Step::Wait(300));
        self.take(Step::Tick);
    }

    /// Everything that can happen in a party before the line, to three others; and the first share is given back.
    fn come_and_go(&mut self) {
        let (friend, member) = (person(4), person(5));
        let steps = [
            (3, Party::FormParty { terms: Terms::default() }),
            (3, Party::InviteFriend { friend }),
            (3, Party::WithdrawInvitation { friend }),
            (3, Party::InviteFriend { friend }),
            (4, Party::DeclineInvitation),
            (3, Party::InviteFriend { friend }),
            (4, Party::AcceptInvitation),
            (5, Party::JoinParty),
            (3, Party::ExpelMember { member }),
            (3, Party::HandOver { member: friend }),
            (3, Party::LeaveParty),
            (4, Party::LeaveParty),
        ];
        for (who, command) in steps {
            self.take(Step::Fan(who, Command::Party(id(601), command)));
        }
        let refund = id(500);
        self.take(Step::Fan(0, Command::Performance(Seats::Cancel { booking: id(300), refund })));
        self.take(Step::System(Command::Performance(Seats::CompleteRefund { refund })));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => self.world.now = self.world.now.plus_seconds(seconds),
            Step::Tick => {
                self.world.tick();
                self.tell();
                self.model.check_nothing_is_due(self.world.now);
            }
            Step::Fan(who, command) => self.ask(fan(who), &command),
            Step::System(command) => self.ask(SYSTEM, &command),
            Step::Aimed(aim, place) => {
                if let Some((actor, command)) = self.aimed(aim, place) {
                    self.ask(actor, &command);
                }
            }
        }
    }

    /// Who asks what, so that it makes sense; nothing if there is nothing to do it to.
    fn aimed(&mut self, aim: Aim, place: usize) -> Option<(Actor, Command)> {
        self.last_new += 1;
        let new = self.last_new;
        let model = &self.model;
        let hold = || pick(place, model.holds.iter().filter(|(_, hold)| hold.let_go.is_none()).map(|(id, hold)| (*id, hold.account)));
        let booking = |wanted: fn(Standing) -> bool| {
            let bookings = model.bookings.iter().filter(|(_, booking)| wanted(booking.standing));
            pick(place, bookings.map(|(id, booking)| (*id, booking.account)))
        };
        let payment = || pick(place, model.payments.iter().filter(|(_, payment)| !payment.refunded).map(|(id, _)| *id));
        let invited = || {
            let of_party = |(id, party): (&PartyId, &PartyState)| party.invited.iter().map(|who| (*id, *who)).collect::<Vec<_>>();
            pick(place, model.parties.iter().flat_map(of_party))
        };
        let member = |leads: bool| {
            let of_party = |(id, party): (&PartyId, &PartyState)| {
                let members = party.members.iter().enumerate().filter(|(at, _)| (*at == 0) == leads);
                members.map(|(_, who)| (*id, *who)).collect::<Vec<_>>()
            };
            pick(place, model.parties.iter().flat_map(of_party))
        };
        let on_place = |called: bool, inside: bool| {
            let there = |entry: &&Entry| !entry.gone && (entry.until.is_some() || !called) && (entry.claimed || !inside);
            pick(place, model.entries.values().filter(there).flat_map(|entry| entry.members.clone()))
        };
        let stands = || model.parties.iter().filter(|(_, party)| !party.ended);
        let in_party = |id: EntryId| model.entries[&id].members.clone();
        let together = || {
            let inside = |entry: &Entry| !entry.gone && entry.claimed && entry.members.len() > 1;
            pick(place, model.entries.iter().filter(|(_, entry)| inside(entry)).map(|(id, _)| *id))
        };
        let seats = Command::Performance;
        let (who, command) =
            match aim {
                Aim::Hold(numbers) => (on_place(true, true)?, seats(Seats::HoldSeats { hold: id(new), seats: numbers })),
                Aim::HoldBest(wishes) => (on_place(true, true)?, seats(Seats::HoldBest { hold: id(new), wishes })),
                Aim::Extend => hold().map(|(hold, who)| (who, seats(Seats::ExtendHold { hold })))?,
                Aim::Release => hold().map(|(hold, who)| (who, seats(Seats::ReleaseHold { hold })))?,
                Aim::Book => hold().map(|(hold, who)| (who, seats(Seats::Book { booking: id(new), hold })))?,
                Aim::Pay => {
                    let (booking, who) = booking(|standing| matches!(standing, Standing::Unpaid | Standing::Paying))?;
                    (who, seats(Seats::Pay { payment: id(new), booking, method: means(id(new)) }))
                }
                Aim::Cancel => {
                    let (booking, who) = booking(|standing| matches!(standing, Standing::Unpaid | Standing::Paid))?;
                    (who, seats(Seats::Cancel { booking, refund: id(new) }))
                }
                Aim::Confirm => return Some((SYSTEM, seats(Seats::ConfirmPayment { payment: payment()?, refund: id(new) }))),
                Aim::Fail => return Some((SYSTEM, seats(Seats::FailPayment { payment: payment()?, reason: "declined".to_owned() }))),
                Aim::CompleteRefund => {
                    let refund = pick(place, model.refunds.keys().copied())?;
                    return Some((SYSTEM, seats(Seats::CompleteRefund { refund })));
                }
                Aim::HoldTogether(from) => {
                    let members = in_party(together()?);
                    let numbers = (from..from + members.len() as u32).map(SeatIndex).collect();
                    (members[place % members.len()], seats(Seats::HoldSeats { hold: id(new), seats: numbers }))
                }
                Aim::PayShare => {
                    let shares = model.bookings.iter().filter(|(_, share)| share.group.is_some() && share.standing == Standing::Unpaid);
                    let (booking, who) = pick(place, shares.map(|(id, share)| (*id, share.account)))?;
                    (who, seats(Seats::Pay { payment: id(new), booking, method: means(id(new)) }))
                }
                Aim::ConfirmShare => {
                    let of_share = |payment: &Payment| payment.open && model.bookings[&payment.booking].group.is_some();
                    let payment = pick(place, model.payments.iter().filter(|(_, payment)| of_share(payment)).map(|(id, _)| *id))?;
                    return Some((SYSTEM, seats(Seats::ConfirmPayment { payment, refund: id(new) })));
                }
                Aim::Dissolve => {
                    let alone = stands().filter(|(_, party)| party.members.len() == 1);
                    let (party, who) = pick(place, alone.map(|(id, party)| (*id, party.leader)))?;
                    (who, Command::Party(party, Party::LeaveParty))
                }
                Aim::Claim(at) => {
                    let (hold, _) = hold()?;
                    let Hold { members, seats: held, .. } = &model.holds[&hold];
                    (members[at % members.len()], seats(Seats::ClaimSeat { hold, seat: *held.get(place % held.len().max(1))? }))
                }
                Aim::Form(terms) => (person(place as u128 % 6), Command::Party(id(600 + new), Party::FormParty { terms })),
                Aim::JoinParty(who) => {
                    let party = pick(place, stands().map(|(id, _)| *id))?;
                    (person(who), Command::Party(party, Party::JoinParty))
                }
                Aim::Withdraw => {
                    let (party, friend) = invited()?;
                    (model.parties[&party].leader, Command::Party(party, Party::WithdrawInvitation { friend }))
                }
                Aim::Expel => member(false)
                    .map(|(party, member)| (model.parties[&party].leader, Command::Party(party, Party::ExpelMember { member })))?,
                Aim::HandOver => member(false)
                    .map(|(party, member)| (model.parties[&party].leader, Command::Party(party, Party::HandOver { member })))?,
                Aim::Accept => invited().map(|(party, who)| (who, Command::Party(party, Party::AcceptInvitation)))?,
                Aim::Decline => invited().map(|(party, who)| (who, Command::Party(party, Party::DeclineInvitation)))?,
                Aim::LeaveParty => member(false).map(|(party, who)| (who, Command::Party(party, Party::LeaveParty)))?,
                Aim::JoinTogether => {
                    let (party, who) = member(true)?;
                    (who, Command::Line(Line::JoinQueue { entry: id(new), party: Some(party) }))
                }
                Aim::LeaveLine => (on_place(false, false)?, Command::Line(Line::LeaveQueue)),
                Aim::ClaimPass => (on_place(true, false)?, Command::Line(Line::ClaimPass)),
            };
        Some((Actor::Account(who), command))
    }

    fn ask(&mut self, actor: Actor, command: &Command) {
        let expected = self.expected(actor, command);
        let before = self.world.log.len();
        let outcome = self.world.ask(actor, command.clone());
        assert_eq!(outcome.is_ok(), expected, "{actor} asks {command:?} at {}: {outcome:?}", self.world.now);
        match outcome {
            Ok(_) => self.tell(),
            Err(refusal) => {
                assert_eq!(self.world.log.len(), before, "a refusal changes nothing");
                self.check_refusal(&refusal, command);
            }
        }
        self.model.check_settled();
    }

    /// Whether the model says that it must be accepted.
    fn expected(&self, actor: Actor, command: &Command) -> bool {
        use Seats::{CompleteRefund, ConfirmPayment, FailPayment, Schedule};
        let now = self.world.now;
        let for_system = matches!(
            command,
            Command::Performance(Schedule { .. } | ConfirmPayment { .. } | FailPayment { .. } | CompleteRefund { .. })
                | Command::Line(Line::OpenLine { .. } | Line::Depart { .. })
        );
        match (actor, command) {
            (Actor::Account(_), _) if for_system => false,
            (Actor::System(_), _) if !for_system => false,
            (Actor::System(_), Command::Performance(command)) => self.model.accepts_seats(person(0), command, now),
            (Actor::System(_), _) => true,
            (Actor::Account(who), Command::Performance(command)) => self.model.accepts_seats(who, command, now),
            (Actor::Account(who), Command::Line(Line::JoinQueue { entry, party })) => self.model.accepts_join(who, *entry, *party, now),
            (Actor::Account(who), Command::Line(Line::ClaimPass)) => self.model.accepts_claim(who, now),
            (Actor::Account(who), Command::Line(_)) => self.model.accepts_leave(who),
            (Actor::Account(who), Command::Party(id, command)) => self.model.accepts_party(who, *id, command, now),
            (_, other) => panic!("{other:?} isn't for a hall"),
        }
    }

    /// A refusal for taken seats names them, the event that took the first, and free ones.
    fn check_refusal(&self, refusal: &Refusal, command: &Command) {
        let Command::Performance(Seats::HoldSeats { seats, .. }) = command else { return };
        if refusal.reason != Reason::SeatTaken {
            return;
        }
        let now = self.world.now;
        assert!(!refusal.seats.is_empty() && refusal.seats.iter().all(|seat| seats.contains(seat)));
        let free = |seat: &SeatIndex| !seats.contains(seat) && self.model.can_be_had(*seat, &[], now);
        assert!(refusal.alternatives.len() <= 5 && refusal.alternatives.iter().all(free), "{refusal:?}");
        let people = |seat: &SeatIndex| (0..6).any(|who| self.model.can_be_had(*seat, &[person(who)], now));
        for block in refusal.blocks.iter() {
            assert!(block.seats.len() == seats.len() && block.seats.iter().all(people), "{refusal:?}");
        }
        let of_seats = self.world.log.iter().filter(|(stream, _)| matches!(stream, StreamId::Performance(_)));
        let cause = of_seats.clone().nth(refusal.cause.unwrap() as usize - 1).unwrap();
        let Event::Performance(socketing_domain::performance::Event::SeatsHeld { seats, .. }) = &cause.1 else {
            panic!("{cause:?} took no seat");
        };
        assert!(seats.contains(&refusal.seats[0]));
    }

    /// Tells the model what it doesn't know yet.
    fn tell(&mut self) {
        let now: Timestamp = self.world.now;
        self.model.begin();
        for (stream, event) in &self.world.log[self.told..] {
            self.model.believe(event, now);
            if let (StreamId::Party(_, id), Event::Party(event)) = (stream, event) {
                self.model.believe_in(*id, event, now);
            }
        }
        self.told = self.world.log.len();
    }
}

/// 10,000 cases, or as many as `PROPTEST_CASES` says. The seed is printed, and `PROPTEST_RNG_SEED` sets it; a sequence that
/// fails is kept beside this file and tried first ever after.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 10_000 };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one(cases),
    };
    eprintln!("{cases} sequences of commands, PROPTEST_RNG_SEED={seed}");
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: Some(Box::new(kept())), ..config }
}

fn kept() -> FileFailurePersistence {
    FileFailurePersistence::Direct(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decisions/random.failed"))
}

/// The rules of the tests, with and without those about single seats and seats together.
fn rules() -> impl Strategy<Value = Policies> {
    let adjacency = prop_oneof![Just(Adjacency::Best), Just(Adjacency::Original)];
    (any::<bool>(), adjacency).prop_map(|(no_orphans, adjacency)| Policies { no_orphans, adjacency, ..policies() })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_asked_every_promise_is_kept(
        rules in rules(),
        start in prop_oneof![2 => Just(None), 1 => Just(Some(Pays::Shares)), 1 => Just(Some(Pays::AllOrNone))],
        steps in prop::collection::vec(step(), 1..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut run = Run::by(rules, start);
        for step in steps {
            run.take(step);
        }
        run.world.check_folds();
        run.world.check_snapshot(cut.index(run.world.log.len() + 1));
    }
}

/// Every event that the random steps make: all of a hall's but those of draws and of steering, which a line's own random
/// tests make.
pub(crate) fn types() -> Vec<(&'static str, &'static str)> {
    let of_line = ["LineOpened", "QueueJoined", "EntryCalled", "EntryAdmitted", "EntryDeparted"];
    let line = socketing_domain::waiting_room::Event::TYPES.iter().filter(|(name, _)| of_line.contains(name)).copied().collect();
    [socketing_domain::performance::Event::TYPES.to_vec(), line, socketing_domain::party::Event::TYPES.to_vec()].concat()
}

/// A history that has all these events of a hall, the same each time.
pub(crate) fn long_history(types: &[&str]) -> World {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    loop {
        let steps = prop::collection::vec(step(), 600).new_tree(&mut runner).unwrap().current();
        let mut run = Run::with_shares(Pays::Shares);
        run.leave_a_gap();
        run.come_and_go();
        steps.into_iter().for_each(|step| run.take(step));
        if types.iter().all(|wanted| run.world.log.iter().any(|(_, event)| event.event_type() == *wanted)) {
            return run.world;
        }
    }
}

/// The random steps go deep enough to mean something: seats are sold, cancelled and refunded, parties get in, payments
/// come too late, holds run out, people wait.
#[test]
fn the_random_steps_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..1_000 {
        let steps = prop::collection::vec(step(), 200).new_tree(&mut runner).unwrap().current();
        let mut run = if number % 2 == 0 { Run::new() } else { Run::with_shares(Pays::Shares) };
        steps.into_iter().for_each(|step| run.take(step));
        run.world.log.iter().for_each(|(_, event)| *seen.entry(event.event_type()).or_insert(0) += 1);
    }
    let rare: Vec<_> = types().into_iter().filter(|(name, _)| seen.get(name).copied().unwrap_or(0) < 20).collect();
    assert!(rare.is_empty(), "hardly ever: {rare:?} of {seen:?}");
}
