//! What someone is told of an event that concerns them: its type, its performance, and as much of it as they may see.

use crate::{directory::Share, rooms::performance_of};
use serde_json::{Map, Value, json};
use socketing_domain::{
    SeatIndex,
    event::{Recorded, StreamId},
};

/// Members of an event that only the one who pays may see.
const BUYERS_ONLY: [&str; 6] = ["hold", "payment", "amount", "total", "pay_by", "refund"];

/// The members that follow `type`, `id` and `position` in a delta: `,"event":…,"performance":…,"data":…`.
pub(crate) fn members(recorded: &Recorded, share: &Share) -> String {
    let mut json = format!(r#","event":"{}""#, recorded.event.event_type());
    if let Some(performance) = performance_of(recorded.stream) {
        json.push_str(&format!(r#","performance":"{performance}""#));
    }
    json.push_str(r#","data":"#);
    json.push_str(&Value::Object(data(recorded, share)).to_string());
    json
}

fn data(recorded: &Recorded, share: &Share) -> Map<String, Value> {
    let mut data = match share {
        Share::Whole => facts(recorded),
        Share::Seats(seats) => ticket(facts(recorded), seats),
        Share::Notice => Map::new(),
    };
    if let StreamId::Party(_, party) = recorded.stream {
        data.insert("party".to_owned(), json!(party));
    }
    data
}

/// The event's facts: what stands in the log under the event's name.
fn facts(recorded: &Recorded) -> Map<String, Value> {
    let Ok(Value::Object(tagged)) = serde_json::to_value(&recorded.event) else { return Map::new() };
    match tagged.into_iter().next() {
        Some((_, Value::Object(facts))) => facts,
        _ => Map::new(),
    }
}

/// Just these seats, and nothing of what the others paid.
fn ticket(mut facts: Map<String, Value>, seats: &[SeatIndex]) -> Map<String, Value> {
    facts.retain(|name, _| !BUYERS_ONLY.contains(&name.as_str()));
    let own = |seat: Option<&Value>| seats.iter().any(|own| seat == Some(&json!(own)));
    if let Some(Value::Array(lines)) = facts.get_mut("lines") {
        lines.retain(|line| own(line.get("seat")));
    }
    if let Some(Value::Array(all)) = facts.get_mut("seats") {
        all.retain(|seat| own(Some(seat)));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{of_party, seats, sold};
    use socketing_domain::{AccountId, BookingId, EntryId, PartyId, PerformanceId, party};

    fn told(recorded: &Recorded, share: &Share) -> Value {
        serde_json::from_str(&format!("{{\"type\":\"delta\"{}}}", members(recorded, share))).unwrap()
    }

    #[test]
    fn the_buyer_is_told_all() {
        let (performance, booking, buyer) = (PerformanceId::new(), BookingId::new(), AccountId::new());
        let told = told(&seats(1, performance, sold(booking, buyer, &[(4, buyer), (5, AccountId::new())])), &Share::Whole);
        assert_eq!(told["event"], "SeatsSold");
        assert_eq!(told["performance"], json!(performance));
        assert_eq!(told["data"]["booking"], json!(booking));
        assert_eq!(told["data"]["amount"], 100_000);
        assert_eq!(told["data"]["lines"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_friend_is_told_of_the_friends_seat_only() {
        let (buyer, friend, third) = (AccountId::new(), AccountId::new(), AccountId::new());
        let event = seats(1, PerformanceId::new(), sold(BookingId::new(), buyer, &[(4, buyer), (5, friend), (6, third)]));
        let told = told(&event, &Share::Seats(vec![SeatIndex(5)]));
        let lines = told["data"]["lines"].as_array().unwrap();
        assert_eq!(lines.iter().map(|line| line["seat"].as_u64().unwrap()).collect::<Vec<_>>(), [5]);
        for hidden in ["amount", "payment"] {
            assert_eq!(told["data"][hidden], Value::Null, "{hidden}");
        }
        assert!(!told.to_string().contains(&third.to_string()));
    }

    #[test]
    fn parties_are_named_and_a_notice_says_no_more() {
        let (party, leader) = (PartyId::new(), AccountId::new());
        let frozen = party::Event::PartyFrozen { entry: EntryId::new(), members: vec![leader] };
        let told = told(&of_party(1, PerformanceId::new(), party, frozen), &Share::Notice);
        assert_eq!(told["event"], "PartyFrozen");
        assert_eq!(told["data"], json!({ "party": party }));
    }
}
