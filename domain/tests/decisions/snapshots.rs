//! The bytes of snapshots: what was stored by an older build of the same fold version is read by this one, as what this
//! one makes of the same events.

use crate::common::performance;
use crate::random::{self, long_history};
use socketing_domain::PerformanceId;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::hall::Hall;
use socketing_domain::snapshot::{FOLD_VERSION, SnapshotError, decode, encode};
use socketing_domain::unit::{Unit, UnitId};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

/// Where the golden snapshot of this fold version stands, and the events that it was folded from, a line each:
/// aggregate, stream, type, version, payload.
fn golden() -> (PathBuf, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    (folder.join(format!("{FOLD_VERSION}.events")), folder.join(format!("{FOLD_VERSION}.snapshot")))
}

fn hall(unit: Unit) -> Hall {
    match unit {
        Unit::Performance(hall) => *hall,
        other => panic!("{other:?} is no hall"),
    }
}

/// Every event of the golden history.
fn types() -> Vec<&'static str> {
    random::types().into_iter().map(|(name, _)| name).collect()
}

fn fold<'a>(events: impl Iterator<Item = &'a (StreamId, Event)>) -> Hall {
    let mut unit = Unit::new(UnitId::Performance(performance()));
    events.for_each(|(stream, event)| unit.apply(stream, event));
    hall(unit)
}

fn line((stream, event): &(StreamId, Event)) -> String {
    let (kind, id) = (stream.aggregate_type(), stream.aggregate_id());
    format!("{kind}\t{id}\t{}\t{}\t{}\n", event.event_type(), event.event_version(), event.payload_json())
}

fn event(line: &str) -> (StreamId, Event) {
    let fields: Vec<&str> = line.splitn(5, '\t').collect();
    let [kind, id, event_type, version, payload] = fields[..] else { panic!("not an event: {line}") };
    (StreamId::parse(kind, id).unwrap(), Event::decode(kind, event_type, version, payload).unwrap())
}

/// If this fails, the state or its fold has changed: raise [`FOLD_VERSION`] and run the test once with
/// `GOLDEN_SNAPSHOT=write`. (A version that no release has stored may keep its number.)
#[test]
fn a_stored_snapshot_is_what_the_same_events_make_today() {
    let (events_file, snapshot_file) = golden();
    if env::var_os("GOLDEN_SNAPSHOT").is_some() {
        let log = long_history(&types()).log;
        fs::write(&events_file, log.iter().map(line).collect::<String>()).unwrap();
        fs::write(&snapshot_file, encode(&fold(log.iter()))).unwrap();
    }
    let events: Vec<(StreamId, Event)> = fs::read_to_string(&events_file).unwrap().lines().map(event).collect();
    let stored = fs::read(&snapshot_file).unwrap();
    let folded = fold(events.iter());
    assert_eq!(decode(performance(), &stored).expect("the state's shape is the stored one's"), folded);
    assert_eq!(encode(&folded), stored);

    let seen: BTreeSet<&str> = events.iter().map(|(_, event)| event.event_type()).collect();
    let missing: Vec<_> = types().into_iter().filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "the golden history lacks {missing:?}");
}

#[test]
fn what_is_no_snapshot_of_this_hall_is_an_error() {
    let bytes = encode(&hall(long_history(&[]).unit));
    assert!(matches!(decode(performance(), &bytes[..bytes.len() - 1]), Err(SnapshotError::Unreadable(_))));
    assert!(matches!(decode(performance(), &[&bytes[..], &[0]].concat()), Err(SnapshotError::TooLong(1))));
    assert!(matches!(decode(PerformanceId::new(), &bytes), Err(SnapshotError::OfAnother(id)) if id == performance()));
    assert!(decode(performance(), &[]).is_err());
}
