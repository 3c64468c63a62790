use super::*;
use crate::{
    line::LineBoard,
    seats::SeatBoard,
    testing::{admitted, departed, held, joined, line, released, seats},
};
use proptest::prelude::*;
use serde_json::Value;
use socketing_domain::{AccountId, EntryId, HoldId};

fn opened<B: Board>(board: B, covers: u64) -> Room<B> {
    let room = Room::loading(PerformanceId::new(), covers);
    assert!(room.open(board, covers, covers).is_ok());
    room
}

fn free(seats: u32) -> Room<SeatBoard> {
    opened(SeatBoard::free(seats), 0)
}

fn pull<B: Board>(room: &Room<B>, from: Option<u64>, first: bool) -> Pulled {
    room.pull(&Pull { id: 1, from, first, wish: Wish::default(), followed: 0 })
}

fn json(pulled: &Pulled) -> Value {
    match pulled {
        Pulled::Frame(text, position) => {
            let frame: Value = serde_json::from_str(text).unwrap();
            assert_eq!(frame["position"], *position);
            frame
        }
        other => panic!("no frame: {other:?}"),
    }
}

fn hold(room: &Room<SeatBoard>, position: u64, chosen: &[u32]) {
    room.offer(&seats(position, room.performance, held(AccountId::new(), HoldId::new(), chosen)));
}

#[test]
fn the_first_answer_is_a_snapshot_and_then_there_is_nothing() {
    let room = free(5);
    hold(&room, 7, &[1, 3]);
    let frame = pull(&room, None, true);
    assert_eq!(json(&frame)["type"], "snapshot");
    assert_eq!(json(&frame)["seats"], "01010");
    assert_eq!(pull(&room, Some(7), false), Pulled::Nothing);
}

#[test]
fn nobody_learns_whose_a_seat_is() {
    let room = free(5);
    let account = AccountId::new();
    room.offer(&seats(1, room.performance, held(account, HoldId::new(), &[1])));
    room.publish();
    for from in [None, Some(0)] {
        let Pulled::Frame(text, _) = pull(&room, from, true) else { panic!("no frame") };
        assert!(!text.contains(&account.to_string()), "{text}");
    }
}

#[test]
fn what_comes_before_a_publication_is_merged_into_one_frame() {
    let room = free(10);
    let gone = HoldId::new();
    hold(&room, 1, &[4]);
    room.offer(&seats(2, room.performance, held(AccountId::new(), gone, &[2])));
    room.offer(&seats(3, room.performance, released(gone, &[2])));
    assert_eq!(pull(&room, Some(0), false), Pulled::Nothing, "not published yet");
    room.publish();
    let frame = json(&pull(&room, Some(0), false));
    assert_eq!(frame["position"], 3);
    assert_eq!(frame["changes"], serde_json::json!([[2, 0], [4, 1]]));
}

#[test]
fn everyone_who_pulls_from_the_same_position_shares_one_frame() {
    let room = free(10);
    hold(&room, 1, &[4]);
    room.publish();
    let (Pulled::Frame(one, _), Pulled::Frame(other, _)) = (pull(&room, Some(0), false), pull(&room, Some(0), false)) else {
        panic!("no frames")
    };
    assert_eq!(one.as_ptr(), other.as_ptr(), "encoded twice");
}

#[test]
fn only_a_change_wakes_and_only_once() {
    let room = free(10);
    let _audience = room.enter(Arc::new(Notify::new()));
    assert_eq!(room.publish(), 0);
    hold(&room, 1, &[4]);
    assert_eq!(room.publish(), 1);
    assert_eq!(room.publish(), 0);
}

#[test]
fn a_newcomer_who_makes_the_room_fold_early_doesnt_hide_it_from_the_others() {
    let room = free(10);
    let _audience = room.enter(Arc::new(Notify::new()));
    hold(&room, 1, &[4]);
    assert_eq!(json(&pull(&room, None, true))["position"], 1);
    assert_eq!(room.publish(), 1);
    assert_eq!(json(&pull(&room, Some(0), false))["changes"], serde_json::json!([[4, 1]]));
}

#[test]
fn who_comes_back_gets_exactly_what_was_missed() {
    let room = free(10);
    for position in 1..=6 {
        hold(&room, position, &[position as u32]);
    }
    room.publish();
    let frame = json(&pull(&room, Some(4), true));
    assert_eq!(frame["type"], "delta");
    assert_eq!(frame["changes"], serde_json::json!([[5, 1], [6, 1]]));
    let frame = json(&pull(&room, Some(6), true));
    assert_eq!((&frame["type"], &frame["changes"]), (&"delta".into(), &serde_json::json!([])), "nothing missed is said, too");
}

#[test]
fn who_was_away_before_the_room_began_gets_a_snapshot() {
    let room = opened(SeatBoard::free(3), 100);
    assert_eq!(json(&pull(&room, Some(99), true))["type"], "snapshot");
    assert_eq!(json(&pull(&room, Some(100), true))["type"], "delta");
}

#[test]
fn who_falls_behind_what_is_remembered_gets_a_snapshot_and_then_deltas() {
    let room = free(10);
    let most = SeatBoard::free(10).marks_max() as u64;
    for position in 1..=most + 5 {
        hold(&room, position, &[(position % 10) as u32]);
        room.publish();
    }
    assert_eq!(json(&pull(&room, Some(4), false))["type"], "snapshot");
    let frame = json(&pull(&room, Some(5), false));
    assert_eq!(frame["type"], "delta", "the oldest that is remembered");
    hold(&room, most + 6, &[3]);
    room.publish();
    assert_eq!(json(&pull(&room, Some(most + 5), false))["changes"], serde_json::json!([[3, 1]]));
}

#[test]
fn events_that_change_nothing_shown_make_no_frame() {
    let room = free(10);
    let extended = socketing_domain::performance::Event::HoldExtended { hold: HoldId::new(), expires_at: Default::default() };
    room.offer(&seats(1, room.performance, extended));
    assert_eq!(room.publish(), 0);
    assert_eq!(pull(&room, Some(0), false), Pulled::Nothing);
}

#[test]
fn a_frame_covers_what_the_follower_has_seen_but_never_what_isnt_shown_yet() {
    let room = free(10);
    let at = |followed| Pull { id: 1, from: None, first: false, wish: Wish::default(), followed };
    assert_eq!(json(&room.pull(&at(50)))["position"], 50);
    hold(&room, 60, &[1]);
    assert_eq!(json(&room.pull(&at(70)))["position"], 50);
    room.publish();
    assert_eq!(json(&room.pull(&at(70)))["position"], 70);
}

#[test]
fn events_that_come_while_a_room_is_read_are_folded_once() {
    let room: Room<SeatBoard> = Room::loading(PerformanceId::new(), 10);
    assert_eq!(pull(&room, None, true), Pulled::Nothing);
    let late = HoldId::new();
    room.offer(&seats(11, room.performance, held(AccountId::new(), late, &[1])));
    room.offer(&seats(12, room.performance, released(late, &[1])));
    hold(&room, 13, &[2]);
    // The log was read up to 12, so the first two are in the board.
    assert!(room.open(SeatBoard::free(4), 12, 10).is_ok());
    let frame = json(&pull(&room, None, true));
    assert_eq!((&frame["seats"], &frame["position"]), (&"0010".into(), &13.into()));
    assert_eq!(json(&pull(&room, Some(12), true))["changes"], serde_json::json!([[2, 1]]));
}

#[test]
fn a_room_that_was_read_too_slowly_is_read_on() {
    let room: Room<SeatBoard> = Room::loading(PerformanceId::new(), 0);
    for position in 1..=limits::LOADING_EVENTS_MAX as u64 + 1 {
        hold(&room, position, &[1]);
    }
    let board = room.open(SeatBoard::free(4), 0, 0).expect_err("events were dropped");
    let wanted = room.wanted().unwrap();
    assert_eq!(wanted, limits::LOADING_EVENTS_MAX as u64);
    assert!(room.open(board, wanted, wanted).is_ok());
    assert_eq!(json(&pull(&room, None, true))["position"], wanted + 1);
}

#[test]
fn the_end_is_told() {
    let room = free(3);
    room.end(Ending::Failed);
    assert_eq!(pull(&room, Some(0), false), Pulled::Over(Ending::Failed));
    hold(&room, 1, &[1]);
    assert_eq!(room.publish(), 0);
}

#[test]
fn everyone_in_line_can_count_from_their_own_number() {
    let room = opened(LineBoard { capacity: 2, ..LineBoard::default() }, 0);
    let entries: Vec<EntryId> = (0..=9).map(|_| EntryId::new()).collect();
    let mut position = 0;
    let mut happen = |event| {
        position += 1;
        room.offer(&line(position, room.performance, event));
        room.publish();
    };
    (1..=9).for_each(|number| happen(joined(entries[number as usize], number, &[])));
    let wish = Wish { number: Some(7) };
    let frame = json(&room.pull(&Pull { id: 1, from: None, first: true, wish, followed: 0 }));
    assert_eq!((&frame["ahead"], &frame["waiting"], &frame["admitted"]), (&6.into(), &9.into(), &0.into()));
    let (mut ahead, mut admitted_before, mut from) = (6, 0, frame["position"].as_u64().unwrap());
    for event in
        [admitted(entries[1], 1), departed(entries[1], 1), departed(entries[3], 3), admitted(entries[2], 2), departed(entries[8], 8)]
    {
        happen(event);
        let frame = json(&room.pull(&Pull { id: 1, from: Some(from), first: false, wish, followed: 0 }));
        assert!(frame.get("ahead").is_none(), "what differs from one to the next isn't shared");
        let left = frame["departed"].as_array().unwrap().iter().filter(|number| number.as_u64().unwrap() < 7).count() as u64;
        ahead -= frame["admitted"].as_u64().unwrap() - admitted_before + left;
        admitted_before = frame["admitted"].as_u64().unwrap();
        from = frame["position"].as_u64().unwrap();
    }
    let frame = json(&room.pull(&Pull { id: 1, from: None, first: true, wish, followed: 0 }));
    assert_eq!(frame["ahead"], ahead);
    assert_eq!(ahead, 3, "4, 5 and 6 are left");
    assert_eq!((&frame["inside"], &frame["waiting"]), (&1.into(), &5.into()));
}

/// What a random run does next.
#[derive(Clone, Debug)]
enum Step {
    Hold(Vec<u32>),
    Release,
    Publish,
    Pull(usize),
    Reconnect(usize),
    Forget(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(0..40_u32, 1..5).prop_map(Step::Hold),
        3 => Just(Step::Release),
        2 => Just(Step::Publish),
        3 => (0..3_usize).prop_map(Step::Pull),
        1 => (0..3_usize).prop_map(Step::Reconnect),
        1 => (0..3_usize).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 1..200)
}

/// A client as it should be: a map, and the position that it has.
#[derive(Default, Clone, Debug)]
struct Client {
    map: Vec<u8>,
    position: Option<u64>,
    first: bool,
}

impl Client {
    fn take(&mut self, frame: &Value) {
        match frame["type"].as_str().unwrap() {
            "snapshot" => self.map = frame["seats"].as_str().unwrap().into(),
            _ => {
                for change in frame["changes"].as_array().unwrap() {
                    self.map[change[0].as_u64().unwrap() as usize] = b'0' + change[1].as_u64().unwrap() as u8;
                }
            }
        }
        let position = frame["position"].as_u64();
        assert!(position >= self.position, "older than what the client has: {frame}");
        (self.position, self.first) = (position, false);
    }
}

proptest! {
    /// Whatever happens in whatever order: after each frame, a client's map is the fold of the log up to the frame's
    /// position.
    #[test]
    fn a_clients_map_is_the_fold_of_the_log_up_to_its_position(steps in steps()) {
        let room = free(40);
        let mut history = vec!["0".repeat(40).into_bytes()]; // by position
        let mut holds: Vec<(HoldId, Vec<u32>)> = Vec::new();
        let mut clients = vec![Client { first: true, ..Client::default() }; 3];
        for step in steps {
            let mut map = history.last().unwrap().clone();
            let position = history.len() as u64;
            match step {
                Step::Hold(chosen) => {
                    let hold = HoldId::new();
                    chosen.iter().for_each(|seat| map[*seat as usize] = b'1');
                    room.offer(&seats(position, room.performance, held(AccountId::new(), hold, &chosen)));
                    holds.push((hold, chosen));
                    history.push(map);
                }
                Step::Release => {
                    let Some((hold, chosen)) = holds.pop() else { continue };
                    chosen.iter().for_each(|seat| map[*seat as usize] = b'0');
                    room.offer(&seats(position, room.performance, released(hold, &chosen)));
                    history.push(map);
                }
                Step::Publish => { room.publish(); }
                Step::Reconnect(who) => clients[who].first = true,
                Step::Forget(who) => clients[who] = Client { first: true, ..Client::default() },
                Step::Pull(who) => {
                    let client = &mut clients[who];
                    let followed = position - 1;
                    let pulled = room.pull(&Pull { id: 1, from: client.position, first: client.first, wish: Wish::default(), followed });
                    if let Pulled::Frame(..) = pulled {
                        client.take(&json(&pulled));
                        prop_assert_eq!(&client.map, &history[client.position.unwrap() as usize]);
                    }
                }
            }
        }
        room.publish();
        for client in &mut clients {
            let from = client.position;
            if let pulled @ Pulled::Frame(..) = room.pull(&Pull { id: 1, from, first: client.first, wish: Wish::default(), followed: 0 }) {
                client.take(&json(&pulled));
            }
            prop_assert_eq!(&client.map, history.last().unwrap());
        }
    }
}
