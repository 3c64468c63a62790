//! Recorded outcomes.

use super::*;
use crate::verify::commands;

/// Merges a log with outcomes, in the order in which the real pass would.
fn merged(log: &Log, mut outcomes: Vec<commands::Outcome>) -> crate::verify::Findings {
    outcomes.sort_by_key(|outcome| outcome.position);
    let mut merge = commands::Merge::new(Timestamp::from_millis(0));
    let mut outcomes = outcomes.into_iter().peekable();
    for raw in &log.events {
        let decoded = raw.decode().unwrap();
        while let Some(outcome) = outcomes.next_if(|outcome| outcome.position < raw.position) {
            merge.outcome(&outcome);
        }
        merge.event(&Seen { raw, decoded: Ok(&decoded) });
    }
    outcomes.for_each(|outcome| merge.outcome(&outcome));
    merge.finish()
}

/// The outcome that each event's command should have.
fn outcomes(log: &Log) -> Vec<commands::Outcome> {
    let outcome = |raw: &socketing_event_store::RawEvent| commands::Outcome {
        position: raw.position,
        command_id: raw.decode().unwrap().metadata.command.0,
        command: "hold_seats".into(),
        status: 200,
        unit: Uuid::nil(),
        cause: None,
    };
    log.events.iter().map(outcome).collect()
}

#[test]
fn outcomes_that_cover_the_log_are_clean() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    let refused = commands::Outcome { command_id: Uuid::now_v7(), status: 409, position: 7, ..outcomes[0].clone() };
    outcomes.push(refused);
    let findings = merged(&log, outcomes);
    assert!(findings.is_clean() && findings.note.as_deref() == Some("1 refused"), "{findings:?}");
}

#[test]
fn an_event_without_an_outcome_is_found() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    let lost = outcomes.remove(6);
    assert_eq!(told(&merged(&log, outcomes))[0].0, lost.position);
}

#[test]
fn a_refused_command_with_events_is_found() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    outcomes[6].status = 409;
    let findings = merged(&log, outcomes);
    assert_eq!(findings.failed, 2, "it was refused but is there, and nothing accepted covers it: {findings:?}");
}

#[test]
fn an_outcome_at_another_position_than_its_events_is_found() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    outcomes[6].position += 1;
    assert_eq!(merged(&log, outcomes).failed, 1);
}

#[test]
fn a_cause_that_has_not_happened_yet_is_found() {
    let sale = whole();
    let mut outcomes = outcomes(&sale.log);
    let refused = |sequence| commands::Outcome {
        command_id: Uuid::now_v7(),
        status: 409,
        position: 7,
        unit: sale.performance.0,
        cause: Some(("performance".into(), sequence)),
        ..outcomes[0].clone()
    };
    let (past, future) = (refused(1), refused(1000));
    outcomes.extend([past, future]);
    assert_eq!(merged(&sale.log, outcomes).failed, 1);
}
