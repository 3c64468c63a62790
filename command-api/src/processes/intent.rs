//! What follows from an event: the policies of the system, as one table.

use crate::payments::{Charge, Refund};
use serde::{Deserialize, Serialize};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::performance::{Means, Method};
use socketing_domain::waiting_room::{self, Mode};
use socketing_domain::{AccountId, BookingId, CardToken, PerformanceId, ShowId, account, performance, show};

/// Something the system means to do because of an event. Every step of it is a command with a key made from its ids, so
/// that doing it again changes nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub(super) enum Intent {
    /// Account opened → its wallet.
    OpenWallet { account: AccountId },
    /// Show published → its performances and their lines.
    PutOnSale { show: ShowId },
    /// A line with a draw was opened → its seed is made, and committed to.
    CommitDraw { performance: PerformanceId },
    /// A lobby was closed → the seed is told.
    RevealSeed { performance: PerformanceId },
    /// No page open for too long → the visit ends. Not from an event: from the table of who is there.
    SendAway { performance: PerformanceId, account: AccountId },
    /// Payment by SocketPay started → charge the wallet, tell the performance.
    TakePayment(Charge),
    /// Payment by card started → charge the card, tell the performance. An intent with a name of its own, which an older
    /// program can't take for a wallet's.
    ChargeCard {
        #[serde(flatten)]
        charge: Charge,
        token: CardToken,
    },
    /// The card provider has news, or has refused a while ago → ask it, tell the performance.
    AskAgain(Charge),
    /// Refund to the wallet due → pay it back, tell the performance.
    PayBack(Refund),
    /// Refund to the card due → have it paid back, tell the performance.
    RefundCard(Refund),
    /// Seats sold → their buyers have what they came for, and make room.
    MakeRoom { performance: PerformanceId, booking: BookingId, account: AccountId },
}

impl Intent {
    /// The types of events from which anything can follow; the others, most of the log, needn't be read.
    pub(super) const CAUSES: &[&str] =
        &["AccountOpened", "ShowPublished", "LineOpened", "LobbyClosed", "PaymentStarted", "RefundDue", "SeatsSold"];

    /// What follows from an event, if anything does.
    pub(super) fn of(recorded: &Recorded) -> Option<Intent> {
        match (&recorded.event, recorded.stream) {
            (Event::Account(account::Event::AccountOpened { account, .. }), _) => Some(Intent::OpenWallet { account: *account }),
            (Event::Show(show::Event::ShowPublished { show }), _) => Some(Intent::PutOnSale { show: *show }),
            (Event::WaitingRoom(event), StreamId::WaitingRoom(performance)) => Intent::of_line(performance, event),
            (Event::Performance(event), StreamId::Performance(performance)) => Intent::of_performance(performance, event),
            _ => None,
        }
    }

    fn of_line(performance: PerformanceId, event: &waiting_room::Event) -> Option<Intent> {
        match event {
            waiting_room::Event::LineOpened { rules, .. } if rules.mode == Mode::Draw => Some(Intent::CommitDraw { performance }),
            waiting_room::Event::LobbyClosed { .. } => Some(Intent::RevealSeed { performance }),
            _ => None,
        }
    }

    fn of_performance(performance: PerformanceId, event: &performance::Event) -> Option<Intent> {
        match *event {
            performance::Event::PaymentStarted { payment, booking, account, ref method, amount } => {
                let charge = Charge { performance, booking, payment, account, amount };
                Some(match method {
                    Means::Socketpay => Intent::TakePayment(charge),
                    Means::Card(token) => Intent::ChargeCard { charge, token: token.clone() },
                })
            }
            performance::Event::RefundDue { refund, payment, account, method, amount, .. } => {
                let refund = Refund { performance, payment, refund, account, amount };
                Some(match method {
                    Method::Socketpay => Intent::PayBack(refund),
                    Method::Card => Intent::RefundCard(refund),
                })
            }
            performance::Event::SeatsSold { booking, account, .. } => Some(Intent::MakeRoom { performance, booking, account }),
            _ => None,
        }
    }
}

/// Where an intent waits to be carried out: what a slow provider keeps waiting keeps nothing else waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// Steps of the system itself.
    Own,
    /// Steps that ask the card provider.
    Card,
}

impl Lane {
    /// As the table has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Lane::Own => "own",
            Lane::Card => "card",
        }
    }
}

impl Intent {
    pub(super) const fn lane(&self) -> Lane {
        match self {
            Intent::OpenWallet { .. }
            | Intent::PutOnSale { .. }
            | Intent::CommitDraw { .. }
            | Intent::RevealSeed { .. }
            | Intent::SendAway { .. }
            | Intent::TakePayment(_)
            | Intent::PayBack(_)
            | Intent::MakeRoom { .. } => Lane::Own,
            Intent::ChargeCard { .. } | Intent::AskAgain(_) | Intent::RefundCard(_) => Lane::Card,
        }
    }

    /// Whether money may move at a provider outside: from the first request until its outcome is known, it is in doubt.
    pub(super) const fn moves_money_outside(&self) -> bool {
        matches!(self, Intent::ChargeCard { .. } | Intent::RefundCard(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_domain::event::Metadata;
    use socketing_domain::{CommandId, PaymentId, RefundId, Timestamp, Won};
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use uuid::Uuid;

    #[test]
    fn intents_are_read_as_they_were_written() {
        let intent = Intent::MakeRoom { performance: PerformanceId::new(), booking: BookingId::new(), account: AccountId::new() };
        let json = serde_json::to_string(&intent).expect("intents serialise");
        assert!(json.starts_with(r#"{"intent":"make_room""#), "{json}");
        assert_eq!(serde_json::from_str::<Intent>(&json).expect("intents deserialise"), intent);
        let (performance, booking, payment, account) = (PerformanceId::new(), BookingId::new(), PaymentId::new(), AccountId::new());
        let charge = Charge { performance, booking, payment, account, amount: Won::ZERO };
        let refund = Refund { performance, payment, refund: RefundId::new(), account, amount: Won::ZERO };
        let token: CardToken = "tok_approved".parse().expect("a token");
        for intent in [Intent::TakePayment(charge.clone()), Intent::ChargeCard { charge, token }, Intent::RefundCard(refund)] {
            let json = serde_json::to_string(&intent).expect("intents serialise");
            assert_eq!(serde_json::from_str::<Intent>(&json).expect("intents deserialise"), intent, "{json}");
        }
    }

    /// Every event of the storage format: what isn't read makes nothing.
    #[test]
    fn nothing_follows_from_events_that_are_not_read() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/golden");
        let mut causes = BTreeSet::new();
        for aggregate in fs::read_dir(&golden).expect("golden events").map(|folder| folder.expect("a folder").file_name()) {
            let aggregate = aggregate.into_string().expect("a name");
            let id = if aggregate == "party" { format!("{0}/{0}", Uuid::nil()) } else { Uuid::nil().to_string() };
            let stream = StreamId::parse(&aggregate, &id).expect("a stream");
            for file in fs::read_dir(golden.join(&aggregate)).expect("events").map(|file| file.expect("a file").path()) {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
                let (event_type, version) = stem.split_once(".v").expect("a version");
                let event = Event::decode(&aggregate, event_type, version, &fs::read_to_string(&file).expect("an event"));
                let metadata = Metadata { actor: String::new(), command: CommandId::new(), causation: None, traceparent: None };
                let (event, recorded_at) = (event.expect("an event of today"), Timestamp::from_millis(0));
                let follows = Intent::of(&Recorded { position: 1, stream, sequence: 1, event, metadata, recorded_at }).is_some();
                assert!(!follows || Intent::CAUSES.contains(&event_type), "{event_type} isn't read");
                causes.extend(follows.then(|| event_type.to_owned()));
            }
        }
        assert_eq!(causes.len(), Intent::CAUSES.len(), "{causes:?}");
    }

    #[test]
    fn intents_of_programs_before_cards_are_read() {
        let id = "01990000-0000-7000-8000-000000000001";
        let json =
            format!(r#"{{"intent":"take_payment","performance":"{id}","booking":"{id}","payment":"{id}","account":"{id}","amount":5}}"#);
        let intent: Intent = serde_json::from_str(&json).expect("it is read");
        assert!(matches!(intent, Intent::TakePayment(charge) if charge.amount.get() == 5));
    }
}
