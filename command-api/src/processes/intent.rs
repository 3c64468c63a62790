//! What follows from an event: the policies of the system, as one table.

use serde::{Deserialize, Serialize};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, ShowId, Won, account, performance, show};

/// Something the system means to do because of an event. Every step of it is a command with a key made from its ids, so
/// that doing it again changes nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub(super) enum Intent {
    /// Account opened → its wallet.
    OpenWallet { account: AccountId },
    /// Show published → its performances and their lines.
    PutOnSale { show: ShowId },
    /// Payment started → charge the provider, tell the performance.
    TakePayment { performance: PerformanceId, booking: BookingId, payment: PaymentId, account: AccountId, amount: Won },
    /// Refund due → pay it back, tell the performance.
    PayBack { performance: PerformanceId, payment: PaymentId, refund: RefundId, account: AccountId, amount: Won },
    /// Seats sold → their buyers have what they came for, and make room.
    MakeRoom { performance: PerformanceId, booking: BookingId, account: AccountId },
}

impl Intent {
    /// What follows from an event, if anything does.
    pub(super) fn of(recorded: &Recorded) -> Option<Intent> {
        match (&recorded.event, recorded.stream) {
            (Event::Account(account::Event::AccountOpened { account, .. }), _) => Some(Intent::OpenWallet { account: *account }),
            (Event::Show(show::Event::ShowPublished { show }), _) => Some(Intent::PutOnSale { show: *show }),
            (Event::Performance(event), StreamId::Performance(performance)) => Intent::of_performance(performance, event),
            _ => None,
        }
    }

    fn of_performance(performance: PerformanceId, event: &performance::Event) -> Option<Intent> {
        match *event {
            performance::Event::PaymentStarted { payment, booking, account, amount, .. } => {
                Some(Intent::TakePayment { performance, booking, payment, account, amount })
            }
            performance::Event::RefundDue { refund, payment, account, amount, .. } => {
                Some(Intent::PayBack { performance, payment, refund, account, amount })
            }
            performance::Event::SeatsSold { booking, account, .. } => Some(Intent::MakeRoom { performance, booking, account }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_are_read_as_they_were_written() {
        let intent = Intent::MakeRoom { performance: PerformanceId::new(), booking: BookingId::new(), account: AccountId::new() };
        let json = serde_json::to_string(&intent).expect("intents serialise");
        assert!(json.starts_with(r#"{"intent":"make_room""#), "{json}");
        assert_eq!(serde_json::from_str::<Intent>(&json).expect("intents deserialise"), intent);
    }
}
