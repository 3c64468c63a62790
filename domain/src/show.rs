//! A show: what is played, on which dates, at what prices, under which policies. A draft until it is published.

use crate::{AccountId, PerformanceId, ShowId, Timestamp, Won, plan::PlanHash};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

impl Default for Policies {
    /// 4 seats, 120 s to choose, 300 s to pay, 500 people inside for at most 15 minutes.
    fn default() -> Self {
        Policies {
            seats_per_person: 4,
            hold_seconds: 120,
            payment_seconds: 300,
            capacity: 500,
            session_seconds: 900,
        }
    }
}

impl Policies {
    /// The rules of the 2024 system: holds of 10 s, payment within 60 s, 100 people inside.
    #[must_use]
    pub fn original() -> Self {
        Policies {
            hold_seconds: 10,
            payment_seconds: 60,
            capacity: 100,
            ..Policies::default()
        }
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
    /// A price for each category that the plan's seats use.
    pub prices: Vec<CategoryPrice>,
    /// Before this, nobody gets in.
    pub sale_opens_at: Timestamp,
    /// The rules it is sold by.
    pub policies: Policies,
}

/// What happened to a show. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
    ShowDrafted = "1",
    ShowPublished = "1",
}

/// What may be asked of a show.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
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
    sequence: u64,
}

impl Show {
    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, _event: &Event) {
        self.sequence += 1;
    }
}
