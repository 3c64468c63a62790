//! Old events in today's form. An event type's version rises when its payload changes; each step up is a function here,
//! and every version ever written keeps its golden file.

use crate::event::DecodeError;
use serde_json::Value;

/// One step: an event of this type and version becomes one of the next version.
pub(crate) struct Upcast {
    /// The event's type, such as `SeatsHeld`.
    pub(crate) event_type: &'static str,
    /// The version it is written in.
    pub(crate) from: u32,
    /// Makes the payload (`{"SeatsHeld": {…}}`) one of version `from + 1`.
    pub(crate) step: fn(Value) -> Value,
}

/// Every step there is.
pub(crate) const UPCASTS: &[Upcast] = &[
    // Since version 2 a payment may be made by card: `"method": {"card": "tok_…"}`. Before, it was always `"socketpay"`,
    // which is written as it was.
    Upcast { event_type: "PaymentStarted", from: 1, step: |payload| payload },
    // Since version 2 a party has terms, and an end if it isn't used. Before, there were the usual ones, which needn't be said.
    Upcast { event_type: "PartyFormed", from: 1, step: |payload| payload },
    // Since version 2 a refund says which way it goes back. Before, there was one.
    Upcast { event_type: "RefundDue", from: 1, step: refund_by_socketpay },
    // Since version 2 a line has rules. Before, people got in as they came.
    Upcast { event_type: "LineOpened", from: 1, step: line_without_rules },
    // Since version 2 policies say more: how the line works, whether single seats may be left, how seats together are found.
    // What isn't said has its default.
    Upcast { event_type: "ShowDrafted", from: 1, step: |payload| payload },
    Upcast { event_type: "PerformanceScheduled", from: 1, step: |payload| payload },
    // Since version 2 a hold may count as extended from its beginning. Before, none did.
    Upcast { event_type: "SeatsHeld", from: 1, step: |payload| payload },
];

fn line_without_rules(mut payload: Value) -> Value {
    if let Some(line) = payload.get_mut("LineOpened").and_then(Value::as_object_mut) {
        line.insert("rules".to_owned(), serde_json::json!({ "mode": "first_come", "claim_seconds": 60, "lobby_seconds": 1800 }));
    }
    payload
}

fn refund_by_socketpay(mut payload: Value) -> Value {
    if let Some(refund) = payload.get_mut("RefundDue").and_then(Value::as_object_mut) {
        refund.insert("method".to_owned(), "socketpay".into());
    }
    payload
}

/// Brings a payload from the version it was written in to today's, step by step.
///
/// # Errors
/// [`DecodeError::UnknownVersion`] if a step is missing.
pub(crate) fn upcast(table: &[Upcast], event_type: &str, from: u32, today: u32, payload: Value) -> Result<Value, DecodeError> {
    (from..today).try_fold(payload, |payload, version| {
        let step = table.iter().find(|upcast| upcast.event_type == event_type && upcast.from == version);
        step.map(|upcast| (upcast.step)(payload))
            .ok_or_else(|| DecodeError::UnknownVersion { event_type: event_type.to_owned(), version: version.to_string() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `Moved` v1 had one number, v2 two, v3 names them.
    const TABLE: &[Upcast] = &[
        Upcast { event_type: "Moved", from: 2, step: |v| json!({"Moved": {"x": v["Moved"]["at"][0], "y": v["Moved"]["at"][1]}}) },
        Upcast { event_type: "Moved", from: 1, step: |v| json!({"Moved": {"at": [v["Moved"]["at"], 0]}}) },
    ];

    #[test]
    fn steps_are_taken_one_after_another() {
        let old = json!({"Moved": {"at": 7}});
        assert_eq!(upcast(TABLE, "Moved", 1, 3, old).unwrap(), json!({"Moved": {"x": 7, "y": 0}}));
        let newer = json!({"Moved": {"at": [7, 8]}});
        assert_eq!(upcast(TABLE, "Moved", 2, 3, newer).unwrap(), json!({"Moved": {"x": 7, "y": 8}}));
    }

    #[test]
    fn todays_version_stays_as_it_is() {
        let payload = json!({"Moved": {"x": 1, "y": 2}});
        assert_eq!(upcast(TABLE, "Moved", 3, 3, payload.clone()).unwrap(), payload);
    }

    #[test]
    fn a_missing_step_is_an_error_that_names_it() {
        let error = upcast(TABLE, "Moved", 1, 5, json!({"Moved": {"at": 7}})).unwrap_err();
        assert_eq!(error.to_string(), "event Moved has no version 3 that this program can read");
        assert!(upcast(UPCASTS, "SeatsHeld", 9, 10, json!({})).is_err());
    }
}
