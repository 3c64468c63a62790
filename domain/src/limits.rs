//! Every bound of the domain, each with its reason. What comes from outside is checked against these before it is kept.

/// Seats in one plan. The largest stadium sections sold as one date have about 100,000; state and maps are sized for this.
pub const PLAN_SEATS_MAX: usize = 100_000;
/// Bytes of a plan as uploaded: a plan of [`PLAN_SEATS_MAX`] seats in the pretix format has about 35 MB; ordinary ones under 8.
pub const PLAN_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Problems listed for a bad plan; more would be noise to the person who mends it.
pub const PLAN_PROBLEMS_MAX: usize = 200;
/// Levels of a plan's JSON. The formats have nine; a million would be an attack on the parser.
pub const PLAN_DEPTH_MAX: usize = 32;
/// Objects in a plan's JSON: a seat has two, and rows, areas and points need a few. Bounds the memory that reading takes.
pub const PLAN_OBJECTS_MAX: usize = 600_000;
/// Areas of one plan, and shapes that are only drawn: more can't be told apart on a map.
pub const PLAN_AREAS_MAX: usize = 2_000;
/// Points of one outline.
pub const OUTLINE_POINTS_MAX: usize = 2_000;
/// How far from the origin a plan's coordinates may be: beyond, they lose the precision that drawing needs.
pub const COORDINATE_MAX: f64 = 1e7;
/// Price categories in one plan: more can't be told apart on a map.
pub const CATEGORIES_MAX: usize = 64;
/// Performances of one show: a daily run of a year.
pub const PERFORMANCES_MAX: usize = 366;
/// Events that one command may make (design, chapter 3).
pub const EVENTS_PER_COMMAND_MAX: usize = 512;
/// Bytes of one event's payload (design, chapter 3).
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Seats in one hold, over and above the show's own limit per person.
pub const SEATS_PER_HOLD_MAX: usize = 64;
/// Friends of one account and people it has asked, together: a large circle; bounds its state and the list of them.
pub const FRIENDS_MAX: usize = 500;
/// How often an account may ask to be friends or dismiss someone in a day (UTC): more than anybody does by hand, and few
/// enough that nobody can bother a whole city.
pub const FRIEND_WORDS_PER_DAY_MAX: usize = 200;
/// People in one party: a row's worth; also bounds the line's size per entry.
pub const PARTY_MEMBERS_MAX: usize = 16;
/// People that one party's leader may send away: they are remembered, so that the link doesn't let them in again.
pub const PARTY_EXPELLED_MAX: usize = 64;
/// How long a party that nobody takes into the line lasts, counted from when it was made or from the opening of the sale,
/// whichever is later, in seconds: a day, for a sale is over by then.
pub const PARTY_UNUSED_SECONDS: u32 = 86_400;
/// Parties that one performance may have open: one per two people of a large crowd.
pub const PARTIES_MAX: usize = 500_000;
/// People waiting in one line.
pub const WAITING_MAX: usize = 2_000_000;
/// What SocketPay gives a new account, in won (`original`: 500,000).
pub const WALLET_OPENING_WON: i64 = 500_000;
/// The highest price of one seat, in won; above it, a typing error is likelier than a ticket.
pub const PRICE_MAX_WON: i64 = 100_000_000;
/// Seats one person may be allowed at one performance: a small coach; no more than one hold may have.
pub const SEATS_PER_PERSON_MAX: u16 = 64;
/// People inside at once: more than any performance has seats.
pub const CAPACITY_MAX: u32 = 1_000_000;
/// Bookings that one person may make at one performance, ended ones included: they are remembered for ever.
pub const BOOKINGS_PER_PERSON_MAX: u32 = 100;
/// Attempts to pay for one booking: payments are remembered for ever.
pub const PAYMENTS_PER_BOOKING_MAX: usize = 16;
/// Ended holds and places in the line whose ids a performance remembers, so that they aren't taken again and late
/// commands are told what became of them.
pub const ENDED_REMEMBERED_MAX: usize = 65_536;
/// Seconds a policy may set for holds, payments and sessions: a day.
pub const POLICY_SECONDS_MAX: u32 = 86_400;
/// Characters of a title, a venue, a nickname and the like.
pub const NAME_CHARS_MAX: usize = 100;
/// Characters of a card token: enough that none is met by chance.
pub const CARD_TOKEN_CHARS_MIN: usize = 12;
/// Characters of a card token: a kind, and an id in hexadecimal digits, with room. It is kept in the log.
pub const CARD_TOKEN_CHARS_MAX: usize = 80;
/// Bytes of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Free seats named as alternatives when a seat is taken.
pub const ALTERNATIVES_MAX: usize = 5;
/// People called in a minute: a thousand a second, more than any hall can use.
pub const ADMISSIONS_PER_MINUTE_MAX: u32 = 60_000;
/// Seconds to claim a pass: an hour. Whoever needs longer isn't there.
pub const CLAIM_SECONDS_MAX: u32 = 3_600;
/// Seconds that a lobby may be open: a week.
pub const LOBBY_SECONDS_MAX: u32 = 604_800;
/// Characters of a reason that someone who runs a line gives, and of a beacon and its source.
pub const REASON_CHARS_MAX: usize = 200;
/// Blocks that finding gives, and that a refusal names: what a fan looks through in a hurry.
pub const BLOCKS_FOUND_MAX: usize = 5;
