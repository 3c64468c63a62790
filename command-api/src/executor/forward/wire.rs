//! What nodes say to each other: a command or a question, and what came of it, as JSON signed with a secret that only the
//! system's own processes can read.

use crate::executor::question::Question;
use crate::executor::request::{Done, Rejected, Request};
use crate::executor::{limits, question};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use socketing_domain::event::Actor;
use socketing_domain::unit::{Command, UnitId};
use socketing_domain::{AccountId, Refusal};
use socketing_service::secret;
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Where every node takes what others forward. Not part of the public API.
pub(super) const PATH: &str = "/internal/units";
/// The header with the signature of the body.
pub(super) const SIGNATURE: &str = "socketing-signature";
/// The row of `service_secrets` that holds the key.
const SECRET: &str = "nodes";

/// Something for a unit's owner.
#[derive(Serialize, Deserialize)]
pub(super) struct Message {
    kind: String,
    unit: Uuid,
    body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a message lives for one request, and most are commands")]
enum Body {
    Command { command: Command, actor: String, key: String, traceparent: Option<String>, causation: Option<String> },
    Question(Question),
}

/// What a message asks for, where it arrived.
pub(super) enum Asked {
    Command(Box<Request>),
    Question(UnitId, Question),
}

/// What came of a message.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// Accepted. `committed` is the last position that the owner knows to be committed.
    Done {
        position: u64,
        reply: Box<RawValue>,
        replayed: bool,
        committed: u64,
    },
    /// The answer to a question.
    Seen {
        answer: Box<RawValue>,
        committed: u64,
    },
    Refused {
        refusal: Refusal,
        position: u64,
    },
    KeyReused,
    Busy {
        retry_after_s: u32,
    },
    Internal,
    /// The node that was asked doesn't own the unit, and asks no other.
    NotOwner,
}

impl Message {
    pub(super) fn command(request: &Request) -> Message {
        let Request { unit, command, actor, key, traceparent, causation } = request.clone();
        Message {
            kind: unit.kind().to_owned(),
            unit: unit.id(),
            body: Body::Command { command, actor: actor.to_string(), key, traceparent, causation },
        }
    }

    pub(super) fn question(unit: UnitId, question: Question) -> Message {
        Message { kind: unit.kind().to_owned(), unit: unit.id(), body: Body::Question(question) }
    }

    /// What it asks for; `None` if this program knows no such unit or actor.
    pub(super) fn asked(self) -> Option<Asked> {
        let unit = UnitId::parse(&self.kind, self.unit)?;
        Some(match self.body {
            Body::Question(question) => Asked::Question(unit, question),
            Body::Command { command, actor, key, traceparent, causation } => {
                let actor = read_actor(&actor)?;
                Asked::Command(Box::new(Request { unit, command, actor, key, traceparent, causation }))
            }
        })
    }
}

impl Told {
    pub(super) fn of(outcome: Result<Done, Rejected>, committed: u64) -> Told {
        match outcome {
            Ok(Done { position, reply, replayed }) => match RawValue::from_string(reply.to_string()) {
                Ok(reply) => Told::Done { position, reply, replayed, committed },
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a command's reply is no JSON");
                    Told::Internal
                }
            },
            Err(Rejected::Refused { refusal, position }) => Told::Refused { refusal, position },
            Err(Rejected::KeyReused) => Told::KeyReused,
            Err(Rejected::Busy { retry_after_s }) => Told::Busy { retry_after_s },
            Err(Rejected::NotOwner(_)) => Told::NotOwner,
            Err(Rejected::Internal) => Told::Internal,
        }
    }

    /// The last position that is known to be committed, from this.
    pub(super) fn committed(&self) -> Option<u64> {
        match self {
            Told::Done { committed, .. } | Told::Seen { committed, .. } => Some(*committed),
            _ => None,
        }
    }

    /// The outcome of a command; `None` if the node that was asked isn't the owner.
    pub(super) fn outcome(self) -> Option<Result<Done, Rejected>> {
        Some(match self {
            Told::Done { position, reply, replayed, .. } => Ok(Done { position, reply: Box::<str>::from(reply).into(), replayed }),
            told => Err(told.rejected()?),
        })
    }

    /// The answer to a question; `None` if the node that was asked isn't the owner.
    pub(super) fn seen<A: serde::de::DeserializeOwned>(self) -> Option<Result<question::Seen<A>, Rejected>> {
        Some(match self {
            Told::Seen { answer, committed } => question::read(&answer, committed),
            told => Err(told.rejected()?),
        })
    }

    fn rejected(self) -> Option<Rejected> {
        match self {
            Told::NotOwner => None,
            Told::Refused { refusal, position } => Some(Rejected::Refused { refusal, position }),
            Told::KeyReused => Some(Rejected::KeyReused),
            Told::Busy { retry_after_s } => Some(Rejected::Busy { retry_after_s }),
            Told::Internal | Told::Done { .. } | Told::Seen { .. } => Some(Rejected::Internal),
        }
    }
}

/// Reads `account:<id>` or `system:<part>`.
fn read_actor(text: &str) -> Option<Actor> {
    match text.split_once(':')? {
        ("account", id) => Some(Actor::Account(id.parse::<Uuid>().ok().map(AccountId)?)),
        ("system", name) => part(name).map(Actor::System),
        _ => None,
    }
}

/// A part's name, kept for the program's life. A newer node may have parts that this program has never heard of, so there
/// is no list of them, only a bound.
fn part(name: &str) -> Option<&'static str> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(part) = known.get(name) {
        return Some(part);
    }
    if known.len() >= limits::PARTS_MAX {
        return None;
    }
    let part: &'static str = Box::leak(name.into());
    known.insert(part);
    Some(part)
}

/// Signs what nodes say to each other.
#[derive(Clone)]
pub(super) struct Secret(Arc<Hmac<Sha256>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl Secret {
    fn new(key: &[u8]) -> Secret {
        Secret(Arc::new(Hmac::new_from_slice(key).expect("HMAC takes keys of any length")))
    }

    /// The system's, made now if there is none.
    pub(super) async fn load_or_create(pool: &PgPool) -> Result<Secret, sqlx::Error> {
        Ok(Secret::new(&secret::load_or_create(pool, SECRET).await?))
    }

    pub(super) fn sign(&self, body: &[u8]) -> String {
        let mac = Hmac::clone(&self.0).chain_update(body);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Compares in constant time.
    pub(super) fn is_right(&self, body: &[u8], signature: &[u8]) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| Hmac::clone(&self.0).chain_update(body).verify_slice(&signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_domain::performance::{self, Means};
    use socketing_domain::refusal::Reason;
    use socketing_domain::{
        BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, SeatIndex, ShowId, Timestamp, Won, account, party, show,
        waiting_room, wallet,
    };

    fn request(command: Command, actor: Actor) -> Request {
        let (traceparent, causation) = (Some("00-1-2-01".to_owned()), Some("7".to_owned()));
        Request { unit: UnitId::Performance(PerformanceId::new()), command, actor, key: "k \"1\" 키".into(), traceparent, causation }
    }

    fn travelled(request: &Request) -> Request {
        let json = serde_json::to_vec(&Message::command(request)).expect("messages serialise");
        let message: Message = serde_json::from_slice(&json).expect("messages are read");
        match message.asked() {
            Some(Asked::Command(request)) => *request,
            _ => panic!("no command"),
        }
    }

    #[test]
    fn a_command_arrives_as_it_was_sent() {
        let date = show::Date { performance: PerformanceId::new(), starts_at: Timestamp::from_millis(5) };
        let details = show::Details {
            title: show::Text { ko: "리어왕".into(), en: None },
            venue: show::Text { ko: "소극장".into(), en: Some("Small".into()) },
            plan: socketing_domain::plan::PlanHash([7; 32]),
            dates: vec![date],
            prices: vec![show::CategoryPrice { category: "R".into(), price: Won::new(5).expect("an amount") }],
            sale_opens_at: Timestamp::from_millis(1),
            policies: show::Policies::default(),
        };
        let amount = Won::new(50_000).expect("an amount");
        let commands = [
            Command::Account(account::Command::OpenAccount { account: AccountId::new() }),
            Command::Account(account::Command::GrantRole { role: account::Role::Operator }),
            Command::Wallet(wallet::Command::OpenWallet { account: AccountId::new() }),
            Command::Wallet(wallet::Command::Charge {
                payment: PaymentId::new(),
                performance: PerformanceId::new(),
                booking: BookingId::new(),
                amount,
            }),
            Command::Show(show::Command::CreateShow { show: ShowId::new(), details }),
            Command::Line(waiting_room::Command::JoinQueue { entry: EntryId::new(), party: Some(PartyId::new()) }),
            Command::Line(waiting_room::Command::OpenLine {
                show: ShowId::new(),
                sale_opens_at: Timestamp::from_millis(1),
                capacity: 3,
                session_seconds: 60,
                rules: waiting_room::LineRules::default(),
            }),
            Command::Line(waiting_room::Command::ClaimPass),
            Command::Line(waiting_room::Command::ChangeLimits { capacity: 3, admissions_per_minute: None, reason: "why not".to_owned() }),
            Command::Party(PartyId::new(), party::Command::InviteFriend { friend: AccountId::new() }),
            Command::Performance(performance::Command::HoldSeats { hold: HoldId::new(), seats: vec![SeatIndex(3), SeatIndex(4)] }),
            Command::Performance(performance::Command::Pay {
                payment: PaymentId::new(),
                booking: BookingId::new(),
                method: Means::Socketpay,
            }),
        ];
        for command in commands {
            for actor in [Actor::Account(AccountId::new()), Actor::System("payments"), Actor::System("a part of tomorrow")] {
                let sent = request(command.clone(), actor);
                let arrived = travelled(&sent);
                assert_eq!((&arrived.command, arrived.actor, &arrived.key), (&sent.command, sent.actor, &sent.key));
                assert_eq!((arrived.unit, &arrived.traceparent, &arrived.causation), (sent.unit, &sent.traceparent, &sent.causation));
            }
        }
    }

    fn told_again(outcome: Result<Done, Rejected>) -> Option<Result<Done, Rejected>> {
        let json = serde_json::to_vec(&Told::of(outcome, 9)).expect("outcomes serialise");
        let told: Told = serde_json::from_slice(&json).expect("outcomes are read");
        told.outcome()
    }

    #[test]
    fn an_answer_arrives_byte_for_byte() {
        let reply = r#"{"b": 1,"a":[ 2 ],"ko":"좌석"}"#;
        let done = told_again(Ok(Done { position: 7, reply: reply.into(), replayed: true }));
        let done = done.expect("an outcome").expect("accepted");
        assert_eq!((done.position, &*done.reply, done.replayed), (7, reply, true));
    }

    #[test]
    fn a_rejection_arrives_as_it_was() {
        let refusal = Refusal::new(Reason::SeatTaken, "taken").with_seats(vec![SeatIndex(1)]);
        let told = told_again(Err(Rejected::Refused { refusal: refusal.clone(), position: 3 }));
        assert!(matches!(told, Some(Err(Rejected::Refused { refusal: arrived, position: 3 })) if arrived == refusal));
        assert!(matches!(told_again(Err(Rejected::KeyReused)), Some(Err(Rejected::KeyReused))));
        assert!(matches!(told_again(Err(Rejected::Busy { retry_after_s: 4 })), Some(Err(Rejected::Busy { retry_after_s: 4 }))));
        assert!(matches!(told_again(Err(Rejected::Internal)), Some(Err(Rejected::Internal))));
        let elsewhere = request(Command::Wallet(wallet::Command::OpenWallet { account: AccountId::new() }), Actor::System("test"));
        assert!(told_again(Err(Rejected::NotOwner(Box::new(elsewhere)))).is_none());
    }

    #[test]
    fn only_the_secret_signs() {
        let (ours, theirs) = (Secret::new(b"ours"), Secret::new(b"theirs"));
        let signature = ours.sign(b"body");
        assert!(ours.is_right(b"body", signature.as_bytes()));
        assert!(!ours.is_right(b"another body", signature.as_bytes()));
        assert!(!ours.is_right(b"body", theirs.sign(b"body").as_bytes()));
        assert!(!ours.is_right(b"body", b"") && !ours.is_right(b"body", b"no base64 !"));
    }
}
