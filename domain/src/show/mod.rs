//! A show: what is played, on which dates, at what prices, under which policies. A draft until it is published.

use crate::event::{Actor, Ask};
use crate::plan::{Plan, PlanHash};
use crate::refusal::{Reason, Refusal, refuse};
use crate::seating::Adjacency;
use crate::waiting_room::LineRules;
use crate::{AccountId, PerformanceId, ShowId, Timestamp, Won};
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

pub(crate) mod check;

/// A text in the languages of the product. Korean is the first language; English may be missing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Text {
    /// Korean.
    pub ko: String,
    /// English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

/// One date of a show.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Date {
    /// The performance's id, made by the client.
    pub performance: PerformanceId,
    /// When it begins.
    pub starts_at: Timestamp,
}

/// The price of one of the plan's categories.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryPrice {
    /// The category's name in the plan.
    pub category: String,
    /// The price of one seat.
    pub price: Won,
}

/// The rules a show is sold by. All times are seconds, 1 to [`crate::limits::POLICY_SECONDS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// Seats one person may have per performance: live holds, bookings and tickets together. 1 to 64.
    pub seats_per_person: u16,
    /// How long a hold keeps its seats.
    pub hold_seconds: u32,
    /// How long a booking waits for its payment.
    pub payment_seconds: u32,
    /// How many people may be inside, choosing, at once. 1 to 1,000,000.
    pub capacity: u32,
    /// How long one visit inside may last.
    pub session_seconds: u32,
    /// How the line works.
    pub line: LineRules,
    /// Whether a choice that leaves a single seat alone is refused, if another of the same size doesn't.
    pub no_orphans: bool,
    /// How "so many seats together, from this one on" is answered.
    pub adjacency: Adjacency,
}

impl Default for Policies {
    /// 4 seats, 120 s to choose, 300 s to pay, 500 people inside for at most 15 minutes, drawn from the lobby; single seats
    /// may be left.
    fn default() -> Self {
        Policies {
            seats_per_person: 4,
            hold_seconds: 120,
            payment_seconds: 300,
            capacity: 500,
            session_seconds: 900,
            line: LineRules::default(),
            no_orphans: false,
            adjacency: Adjacency::Best,
        }
    }
}

impl Policies {
    /// The rules of the 2024 system: holds of 10 s, payment within 60 s, 100 people inside as they come, 10 s to claim a pass,
    /// and its way from the chosen seat to the others.
    #[must_use]
    pub fn original() -> Self {
        let (line, adjacency) = (LineRules::original(), Adjacency::Original);
        Policies { hold_seconds: 10, payment_seconds: 60, capacity: 100, line, adjacency, ..Policies::default() }
    }
}

/// Everything an organiser says of a show.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Details {
    /// Its title.
    pub title: Text,
    /// Where it is played.
    pub venue: Text,
    /// The seating plan, by hash.
    pub plan: PlanHash,
    /// Its dates, at least one.
    pub dates: Vec<Date>,
    /// A price for each category that the plan's seats use; where the plan itself has one, it may be left out.
    pub prices: Vec<CategoryPrice>,
    /// Before this, nobody gets in.
    pub sale_opens_at: Timestamp,
    /// The rules it is sold by.
    pub policies: Policies,
}

/// What happened to a show. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "shows are drafted too rarely for a box to pay")]
pub enum Event {
    /// An organiser drafted a show.
    ShowDrafted {
        /// The show.
        show: ShowId,
        /// Whose it is.
        organiser: AccountId,
        /// What is known of it.
        details: Details,
    },
    /// The show went public; its performances and lines follow from this.
    ShowPublished {
        /// The show.
        show: ShowId,
    },
}

crate::event::stored_events! {
    ShowDrafted = "2",
    ShowPublished = "1",
}

/// What may be asked of a show.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "shows are drafted too rarely for a box to pay")]
pub enum Command {
    /// Drafts a show.
    CreateShow {
        /// The new show's id, made by the client.
        show: ShowId,
        /// What is known of it.
        details: Details,
    },
    /// Makes it public. Repeating it does nothing.
    PublishShow,
}

impl Command {
    /// The command's name, as its JSON has it: `create_show`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::CreateShow { .. } => "create_show",
            Command::PublishShow => "publish_show",
        }
    }
}

/// What is known of a show: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Show {
    id: ShowId,
    sequence: u64,
    draft: Option<Draft>,
    published: bool,
}

/// A show as it was drafted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Draft {
    organiser: AccountId,
    details: Details,
}

impl Show {
    /// A show nothing has happened to.
    #[must_use]
    pub fn new(id: ShowId) -> Show {
        Show { id, ..Show::default() }
    }

    /// Its id; the nil one if it was made without.
    #[must_use]
    pub const fn id(&self) -> ShowId {
        self.id
    }

    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whose it is, once it is drafted.
    #[must_use]
    pub fn organiser(&self) -> Option<AccountId> {
        self.draft.as_ref().map(|draft| draft.organiser)
    }

    /// What its organiser says of it, once it is drafted.
    #[must_use]
    pub fn details(&self) -> Option<&Details> {
        self.draft.as_ref().map(|draft| &draft.details)
    }

    /// Whether it is public.
    #[must_use]
    pub const fn is_published(&self) -> bool {
        self.published
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::ShowDrafted { show, organiser, details } => {
                assert!(self.draft.is_none(), "{show} is drafted twice");
                assert!(self.id == ShowId::default() || self.id == *show, "{show} is drafted as {}", self.id);
                self.id = *show;
                self.draft = Some(Draft { organiser: *organiser, details: details.clone() });
            }
            Event::ShowPublished { show } => {
                assert!(self.draft.is_some() && self.id == *show, "{show} is published as {}, or before it was drafted", self.id);
                assert!(!self.published, "{show} is published twice");
                self.published = true;
            }
        }
    }

    /// Decides a command. Whether the account that drafts is an organiser's is the asker's to know: it stands in another
    /// stream. `plan` is the one that the details name.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, plan: Option<&Plan>, command: &Command) -> Result<Vec<Event>, Refusal> {
        let account = actor.person()?;
        match command {
            Command::CreateShow { show, details } => self.create(account, *show, details, plan),
            Command::PublishShow => self.publish(account),
        }
    }

    fn create(&self, organiser: AccountId, show: ShowId, details: &Details, plan: Option<&Plan>) -> Result<Vec<Event>, Refusal> {
        if self.id != ShowId::default() && self.id != show {
            return refuse(Reason::Invalid, format!("/show: {show} can't be drafted as {}", self.id));
        }
        if let Some(draft) = &self.draft {
            if draft.organiser == organiser && draft.details == *details {
                return Ok(Vec::new());
            }
            return refuse(Reason::ShowExists, format!("show {show} exists already, with other details"));
        }
        check::details(details, plan)?;
        Ok(vec![Event::ShowDrafted { show, organiser, details: details.clone() }])
    }

    fn publish(&self, account: AccountId) -> Result<Vec<Event>, Refusal> {
        let Some(draft) = &self.draft else {
            return refuse(Reason::UnknownShow, format!("show {} was never drafted", self.id));
        };
        if draft.organiser != account {
            return refuse(Reason::Forbidden, "only the show's organiser may publish it");
        }
        if self.published {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ShowPublished { show: self.id }])
    }
}

impl cqrs_es::Aggregate for Show {
    const TYPE: &'static str = "show";
    type Command = Ask<Command, Option<Arc<Plan>>>;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, ask: Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in self.decide(ask.actor, ask.facts.as_deref(), &ask.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.evolve(&event);
    }
}
