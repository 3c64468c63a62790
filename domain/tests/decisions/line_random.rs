//! Random sequences of every command of a line, its timers included, against a second, simple telling of its rules.

use crate::common::{SYSTEM, at, fan, id, opening, performance, person, show};
use proptest::prelude::*;
use socketing_domain::draw::{self, Digest};
use socketing_domain::event::{Actor, Event as AnyEvent, StreamId};
use socketing_domain::snapshot;
use socketing_domain::unit::{Unit, UnitId};
use socketing_domain::waiting_room::{Command, Departure, Event, Facts, LineRules, Mode, WaitingRoom};
use socketing_domain::{AccountId, EntryId, Timestamp};
use std::collections::BTreeSet;

const SEED: Digest = Digest([0x5e; 32]);
const SESSION_SECONDS: u32 = 200;
const CLAIM_SECONDS: u32 = 20;
const LOBBY_SECONDS: u32 = 60;
const CAPACITY: u32 = 4;
/// More events at a time than anything here makes.
const MOST: usize = 512;

#[derive(Clone, Debug)]
enum Step {
    Wait(u32),
    Tick,
    /// Alone, or with the person after.
    Join(u128, u128, bool),
    Claim(u128),
    Leave(u128),
    Depart(u128),
    SendAway(u128),
    Commit(bool),
    Reveal(bool),
    Beacon(u8),
    /// With a seed that is kept, or none.
    LoseSeed(bool),
    Pause,
    Resume,
    Drain,
    Limits(u32, Option<u32>),
    Evict(u128),
    Open,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..12_u128;
    prop_oneof![
        12 => (who(), 0..60_u128, prop::bool::weighted(0.2)).prop_map(|(who, entry, both)| Step::Join(who, entry, both)),
        6 => (0..15_u32).prop_map(Step::Wait),
        1 => prop_oneof![Just(20), Just(60), Just(200)].prop_map(Step::Wait),
        6 => Just(Step::Tick),
        6 => who().prop_map(Step::Claim),
        2 => who().prop_map(Step::Leave),
        2 => who().prop_map(Step::Depart),
        1 => who().prop_map(Step::SendAway),
        1 => prop::bool::ANY.prop_map(Step::Commit),
        3 => prop::bool::weighted(0.8).prop_map(Step::Reveal),
        1 => (0..2_u8).prop_map(Step::Beacon),
        1 => prop::bool::ANY.prop_map(Step::LoseSeed),
        1 => prop_oneof![1 => Just(Step::Pause), 3 => Just(Step::Resume), 1 => Just(Step::Drain)],
        1 => (0..8_u32, prop_oneof![2 => Just(None), 1 => (0..200_u32).prop_map(Some)]).prop_map(|(most, rate)| Step::Limits(most, rate)),
        1 => who().prop_map(Step::Evict),
        1 => Just(Step::Open),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![5 => Just(Mode::Draw), 3 => Just(Mode::FirstCome), 1 => Just(Mode::Open)]
}

/// Where a place's people are.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Where {
    Waiting,
    Called(Timestamp),
    Inside(Timestamp),
}

impl Where {
    fn over(self, now: Timestamp) -> bool {
        matches!(self, Where::Called(until) | Where::Inside(until) if until <= now)
    }
}

#[derive(Clone, Debug)]
struct Place {
    id: EntryId,
    number: u64,
    account: AccountId,
    members: Vec<AccountId>,
    is: Where,
    in_lobby: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Flow {
    Running,
    Paused,
    Draining,
}

/// The rules, told plainly.
struct Model {
    mode: Mode,
    capacity: u32,
    rate: Option<u32>,
    flow: Flow,
    places: Vec<Place>,
    ids: BTreeSet<EntryId>,
    last_number: u64,
    largest: usize,
    lobby_opens_at: Option<Timestamp>,
    closed: Option<u64>,
    revealed: bool,
    lost: bool,
    beacon: String,
    root: Option<Digest>,
    /// Who was let in when, since the rate was last changed.
    let_in: Vec<(Timestamp, u32)>,
}

impl Model {
    fn new(mode: Mode) -> Model {
        Model {
            mode,
            capacity: CAPACITY,
            rate: None,
            flow: Flow::Running,
            places: Vec::new(),
            ids: BTreeSet::new(),
            last_number: 0,
            largest: 0,
            lobby_opens_at: None,
            closed: None,
            revealed: false,
            lost: false,
            beacon: String::new(),
            root: None,
            let_in: Vec::new(),
        }
    }

    fn of(&self, who: AccountId) -> Option<&Place> {
        self.places.iter().find(|place| place.members.contains(&who))
    }

    fn capacity(&self) -> usize {
        if self.mode == Mode::Open { usize::MAX } else { self.capacity as usize }
    }

    fn inside(&self) -> usize {
        self.places.iter().filter(|place| place.is != Where::Waiting).map(|place| place.members.len()).sum()
    }

    fn lobby(&self, now: Timestamp) -> bool {
        self.closed.is_none() && self.lobby_opens_at.is_some_and(|opens| opens <= now) && now < opening()
    }

    fn must_close(&self, now: Timestamp) -> bool {
        self.closed.is_none() && self.lobby_opens_at.is_some() && now >= opening()
    }

    fn drawing(&self) -> bool {
        self.closed.is_some_and(|entries| entries > 0) && !self.revealed
    }

    fn accepts(&self, step: &Step, now: Timestamp) -> bool {
        let here = |who: u128| self.of(person(who));
        match step {
            Step::Join(who, entry, both) => {
                if here(*who).is_some_and(|place| !place.is.over(now)) {
                    return true;
                }
                let people = members(*who, *both);
                let free = people.iter().all(|one| self.of(*one).is_none_or(|place| place.is.over(now)));
                let open = now >= opening() || self.lobby(now);
                let new = !self.ids.contains(&id(100 + entry));
                open && self.flow != Flow::Draining && people.len() <= self.capacity() && new && free
            }
            Step::Claim(who) => here(*who).is_some_and(|place| place.is != Where::Waiting && !place.is.over(now)),
            Step::Leave(who) => here(*who).is_some_and(|place| place.account == person(*who)) && !self.drawing() && !self.must_close(now),
            Step::Evict(who) => here(*who).is_some() && !self.drawing() && !self.must_close(now),
            Step::Reveal(right) => self.lobby_opens_at.is_some() && (self.lost || *right && (self.revealed || self.closed.is_some())),
            Step::Beacon(value) => {
                let known = self.beacon == beacon(*value) || self.beacon.is_empty() && !self.revealed;
                self.lobby_opens_at.is_some() && known && (!self.lost || self.closed.is_some())
            }
            Step::LoseSeed(kept) => self.lobby_opens_at.is_some() && !self.revealed && (self.lost || !kept),
            Step::Limits(capacity, rate) => *capacity > 0 && *capacity as usize >= self.largest && *rate != Some(0),
            _ => true,
        }
    }

    fn believe(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::LineOpened { .. } => {}
            Event::DrawCommitted { lobby_opens_at, .. } => {
                assert!(self.mode == Mode::Draw && now < opening() && self.places.is_empty());
                self.lobby_opens_at = Some(*lobby_opens_at);
            }
            Event::BeaconGiven { value, .. } => self.beacon.clone_from(value),
            Event::LobbyClosed { root, entries } => self.close(*root, *entries, now),
            Event::SeedLost { .. } => {
                assert!(!self.lost && !self.revealed);
                self.lost = true;
                self.beacon.clear();
            }
            Event::SeedRevealed { seed } => self.draw(seed),
            Event::QueueJoined { entry, number, account, members, .. } => self.join(*entry, *number, *account, members, now),
            Event::EntryCalled { entry, number, claim_by } => {
                assert_eq!(*claim_by, now.plus_seconds(CLAIM_SECONDS));
                self.let_in(*entry, *number, Where::Called(*claim_by), now);
            }
            Event::EntryAdmitted { entry, number, session_ends_at } => {
                assert_eq!(*session_ends_at, now.plus_seconds(SESSION_SECONDS));
                let inside = Where::Inside(*session_ends_at);
                let place = self.places.iter_mut().find(|place| place.id == *entry).unwrap();
                match place.is {
                    Where::Waiting => self.let_in(*entry, *number, inside, now),
                    Where::Called(claim_by) => {
                        assert!(now < claim_by, "claimed too late");
                        place.is = inside;
                    }
                    Where::Inside(_) => panic!("{entry} is admitted twice"),
                }
            }
            Event::EntryDeparted { entry, number, reason } => {
                let at = self.places.iter().position(|place| place.id == *entry).unwrap();
                let place = self.places.remove(at);
                assert_eq!(place.number, *number);
                assert!(!self.drawing() || !place.in_lobby, "the people of the draw changed");
                let over = place.is.over(now);
                assert_eq!(over && matches!(place.is, Where::Called(_)), *reason == Departure::Unclaimed, "{reason:?}");
                assert_eq!(over && matches!(place.is, Where::Inside(_)), *reason == Departure::SessionOver, "{reason:?}");
                assert!(*reason != Departure::Away || place.is != Where::Waiting, "who waits keeps the place, page or no page");
            }
            Event::LinePaused { .. } => self.flow = Flow::Paused,
            Event::LineResumed { .. } => self.flow = Flow::Running,
            Event::DrainBegun { .. } => self.flow = Flow::Draining,
            Event::LimitsChanged { capacity, admissions_per_minute, .. } => {
                (self.capacity, self.rate) = (*capacity, *admissions_per_minute);
                self.let_in.clear();
            }
            Event::EvictionOrdered { entry, .. } => assert!(self.places.iter().any(|place| place.id == *entry)),
        }
    }

    fn join(&mut self, id: EntryId, number: u64, account: AccountId, members: &[AccountId], now: Timestamp) {
        assert!(now >= opening() || self.lobby(now), "joined before anybody may");
        assert!(self.flow != Flow::Draining, "joined a line that is drained");
        assert!(members.iter().all(|member| self.of(*member).is_none()), "a person with two places");
        assert_eq!(number, self.last_number + 1);
        assert!(self.ids.insert(id), "an entry's id is used once");
        self.last_number = number;
        self.largest = self.largest.max(members.len());
        let in_lobby = self.lobby_opens_at.is_some() && self.closed.is_none();
        self.places.push(Place { id, number, account, members: members.to_vec(), is: Where::Waiting, in_lobby });
    }

    /// Someone gets in: the one who waits longest, when anybody may, within capacity and rate.
    fn let_in(&mut self, id: EntryId, number: u64, is: Where, now: Timestamp) {
        assert!(now >= opening() && self.flow != Flow::Paused && !self.drawing() && !self.must_close(now), "let in before anybody may");
        let first = self.places.iter().filter(|place| place.is == Where::Waiting).min_by_key(|place| place.number).unwrap();
        assert_eq!((first.id, first.number), (id, number), "overtaken");
        let people = first.members.len() as u32;
        self.places.iter_mut().find(|place| place.id == id).unwrap().is = is;
        assert!(self.inside() <= self.capacity(), "more people inside than fit");
        self.let_in.push((now, people));
        let Some(rate) = self.rate else { return };
        let minute_ago = now.as_millis() - 60_000;
        let within: u32 = self.let_in.iter().filter(|(at, _)| at.as_millis() > minute_ago).map(|(_, people)| people).sum();
        assert!(within <= rate + rate / 60 + people + 1, "{within} people in a minute, where {rate} may be");
    }

    fn close(&mut self, root: Digest, entries: u64, now: Timestamp) {
        assert!(self.must_close(now), "closed too early");
        let mut tickets: Vec<Digest> = self.places.iter().map(|place| draw::ticket(place.account, place.id)).collect();
        tickets.sort_unstable();
        assert_eq!((root, entries), (draw::root(&tickets), tickets.len() as u64));
        (self.closed, self.root) = (Some(entries), Some(root));
    }

    fn draw(&mut self, seed: &Digest) {
        assert_eq!(*seed, if self.lost { draw::NO_SEED } else { SEED });
        assert!(!self.lost || !self.beacon.is_empty(), "nothing decides");
        let key = draw::Key::new(seed, &self.root.unwrap(), &self.beacon);
        let mut drawn: Vec<&mut Place> = self.places.iter_mut().filter(|place| place.in_lobby).collect();
        drawn.sort_by_key(|place| key.score(&draw::ticket(place.account, place.id)));
        drawn.into_iter().zip(1..).for_each(|(place, number)| place.number = number);
        self.revealed = true;
    }

    /// What holds when time has done all it does.
    fn check_nothing_is_due(&self, now: Timestamp, paced: bool) {
        assert!(!self.must_close(now), "the lobby is open after the opening");
        assert!(self.places.iter().all(|place| !place.is.over(now)), "a pass or a visit outlives its time");
        if now < opening() || self.flow == Flow::Paused || self.drawing() || paced {
            return;
        }
        let head = self.places.iter().filter(|place| place.is == Where::Waiting).min_by_key(|place| place.number);
        assert!(head.is_none_or(|head| self.inside() + head.members.len() > self.capacity()), "the head fits and waits");
    }
}

fn members(who: u128, both: bool) -> Vec<AccountId> {
    if both { vec![person(who), person(who + 1)] } else { vec![person(who)] }
}

fn beacon(value: u8) -> String {
    format!("value {value}")
}

struct Run {
    now: Timestamp,
    line: WaitingRoom,
    model: Model,
    log: Vec<Event>,
}

impl Run {
    fn new(mode: Mode) -> Run {
        let mut run = Run { now: at(-100), line: WaitingRoom::default(), model: Model::new(mode), log: Vec::new() };
        run.take(&Step::Open);
        run.take(&Step::Commit(true));
        run
    }

    fn ask(&self, step: &Step) -> (Actor, Command, Facts) {
        let why = || "why not".to_owned();
        let alone = |who| Facts { party: None, members: vec![person(who)] };
        let of_system = |command| (SYSTEM, command, Facts::default());
        let of_fan = |who, command| (fan(who), command, alone(who));
        match *step {
            Step::Join(who, entry, both) => {
                let facts = Facts { party: both.then(|| id(7)), members: members(who, both) };
                (fan(who), Command::JoinQueue { entry: id(100 + entry), party: facts.party }, facts)
            }
            Step::Claim(who) => of_fan(who, Command::ClaimPass),
            Step::Leave(who) => of_fan(who, Command::LeaveQueue),
            Step::Depart(who) => of_system(Command::Depart { account: person(who) }),
            Step::SendAway(who) => of_system(Command::SendAway { account: person(who) }),
            Step::Commit(right) => {
                let seed = if right { SEED } else { Digest([1; 32]) };
                let wrong_only_later = right || self.model.lobby_opens_at.is_some();
                let seed = if wrong_only_later { seed } else { SEED };
                of_system(Command::CommitDraw { commitment: draw::commitment(&seed) })
            }
            Step::Reveal(right) => of_system(Command::RevealSeed { seed: if right { SEED } else { Digest([1; 32]) } }),
            Step::Beacon(value) => of_fan(99, Command::GiveBeacon { value: beacon(value), source: "a source".to_owned() }),
            Step::LoseSeed(kept) => {
                let kept = kept.then(|| draw::commitment(&SEED));
                of_fan(99, Command::LoseSeed { kept, beacon_source: "a source".to_owned(), reason: why() })
            }
            Step::Pause => of_fan(99, Command::PauseLine { reason: why() }),
            Step::Resume => of_fan(99, Command::ResumeLine { reason: why() }),
            Step::Drain => of_fan(99, Command::DrainLine { reason: why() }),
            Step::Limits(capacity, rate) => of_fan(99, Command::ChangeLimits { capacity, admissions_per_minute: rate, reason: why() }),
            Step::Evict(who) => of_fan(99, Command::Evict { account: person(who), reason: why() }),
            Step::Open | Step::Wait(_) | Step::Tick => {
                let rules = LineRules {
                    mode: self.model.mode,
                    admissions_per_minute: None,
                    claim_seconds: CLAIM_SECONDS,
                    lobby_seconds: LOBBY_SECONDS,
                };
                let (capacity, session_seconds) = (CAPACITY, SESSION_SECONDS);
                of_system(Command::OpenLine { show: show(), sale_opens_at: opening(), capacity, session_seconds, rules })
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Wait(seconds) => self.now = self.now.plus_seconds(*seconds),
            Step::Tick => self.tick(),
            step => {
                let expected = self.model.accepts(step, self.now);
                let (actor, command, facts) = self.ask(step);
                let decided = self.line.decide(actor, self.now, &facts, &command);
                assert_eq!(decided.is_ok(), expected, "{step:?} at {}: {decided:?}", self.now);
                self.apply(decided.unwrap_or_default());
            }
        }
    }

    fn tick(&mut self) {
        loop {
            let (due, next) = (self.line.due(self.now, MOST), self.line.next_due());
            if due.is_empty() {
                assert!(next.is_none_or(|next| next > self.now), "something is due by {next:?}, yet nothing comes");
                let paced = self.model.rate.is_some() && next.is_some();
                return self.model.check_nothing_is_due(self.now, paced);
            }
            assert!(next.is_some_and(|next| next <= self.now), "what is due now wasn't announced: {next:?}");
            self.apply(due);
        }
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            let stored = AnyEvent::WaitingRoom(event.clone());
            let read = AnyEvent::decode("waiting-room", stored.event_type(), stored.event_version(), &stored.payload_json()).unwrap();
            assert_eq!(read, stored);
            self.line.evolve(&event);
            self.model.believe(&event, self.now);
            self.log.push(event);
        }
        for place in &self.model.places {
            let reply = self.line.reply(place.account).unwrap();
            let undrawn = place.in_lobby && !self.model.revealed;
            assert_eq!((reply.entry_id, reply.number), (place.id, if undrawn { 0 } else { place.number }));
        }
        assert_eq!(self.line.people_inside() as usize, self.model.inside());
    }

    /// A snapshot anywhere, and the events after it, are the live state.
    fn check_snapshot(&self, cut: usize) {
        let stream = StreamId::WaitingRoom(performance());
        let mut early = Unit::new(UnitId::Performance(performance()));
        self.log[..cut].iter().for_each(|event| early.apply(&stream, &AnyEvent::WaitingRoom(event.clone())));
        let Unit::Performance(early) = early else { unreachable!("a performance is a hall") };
        let bytes = snapshot::encode(&early);
        let decoded = snapshot::decode(performance(), &bytes).unwrap();
        assert_eq!(snapshot::encode(&decoded), bytes);
        let mut again = Unit::Performance(Box::new(decoded));
        self.log[cut..].iter().for_each(|event| again.apply(&stream, &AnyEvent::WaitingRoom(event.clone())));
        let Unit::Performance(again) = again else { unreachable!("a performance is a hall") };
        assert_eq!(*again.line(), self.line);
    }
}

/// 10,000 sequences, or as many as `PROPTEST_CASES` says. What fails is kept beside this file, and run first ever after.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 10_000, ..config } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_asked_of_a_line_every_promise_is_kept(
        mode in mode(), steps in prop::collection::vec(step(), 1..120), cut in any::<prop::sample::Index>()
    ) {
        let mut run = Run::new(mode);
        steps.iter().for_each(|step| run.take(step));
        run.check_snapshot(cut.index(run.log.len() + 1));
    }
}

/// The random steps go deep enough to mean something.
#[test]
fn the_random_steps_of_a_line_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..300 {
        let (mode, steps) = (mode(), prop::collection::vec(step(), 120)).new_tree(&mut runner).unwrap().current();
        let mut run = Run::new(mode);
        steps.iter().for_each(|step| run.take(step));
        run.log.iter().for_each(|event| *seen.entry(event.name()).or_insert(0) += 1);
    }
    let rare: Vec<_> = Event::TYPES.iter().filter(|(name, _)| seen.get(name).copied().unwrap_or(0) < 20).collect();
    assert!(rare.is_empty(), "hardly ever: {rare:?} of {seen:?}");
}
