-- Read models: copies of the log, rebuilt from it at any time. Written only by the projections, each in one transaction
-- with its checkpoint: `checkpoints` has a row `projection:<name>` per projection (catalogue, seat_map, sales, bookings,
-- line, parties, wallets, accounts). Whoever reads rows reads that checkpoint in the same snapshot.

-- Each projection's version: a program with a higher one empties the tables and folds the log again.
create table projections (
    name       text collate "C" primary key,
    version    int not null check (version > 0),
    alarm      text, -- why it stands still for good: another history, or a newer program's tables
    alarmed_at timestamptz,
    check ((alarm is null) = (alarmed_at is null))
);

-- An event that its projection can't handle parks its stream there, later events of that stream included; the other
-- streams go on.
create table parked_events (
    projection     text collate "C" not null,
    aggregate_type text collate "C" not null,
    aggregate_id   text collate "C" not null,
    position       bigint not null,
    error          text, -- null: parked because an earlier event of its stream is
    parked_at      timestamptz not null default clock_timestamp(),
    primary key (projection, position)
);
create index parked_events_stream on parked_events (projection, aggregate_type, aggregate_id, position);

-- Ids of bookings, entries and parties are made by clients and unique within their performance only: keys say so.

-- catalogue: shows and their performances
create table catalogue_shows (
    show_id       uuid primary key,
    organiser     uuid not null,
    title         json not null,
    venue         json not null,
    plan          bytea not null,
    prices        json not null,
    policies      json not null,
    sale_opens_at timestamptz not null,
    published     boolean not null default false
);
create index catalogue_shows_published on catalogue_shows (sale_opens_at, show_id) where published;
create index catalogue_shows_organiser on catalogue_shows (organiser, sale_opens_at, show_id);
create table catalogue_performances (
    performance_id uuid not null,
    show_id        uuid not null,
    starts_at      timestamptz not null,
    scheduled      boolean not null default false, -- whether it is on sale, by this show (drafts may name any id)
    primary key (performance_id, show_id)
);
create index catalogue_performances_show on catalogue_performances (show_id, starts_at);

-- seat maps. States are ASCII digits in the plan's order of seats: 0 free, 1 held, 2 booked (being paid), 3 sold.
-- In chunks of 1,024 seats: a row of its own per seat makes the map of a sold stadium cost 50,000 rows at every look,
-- one row for all makes one hold rewrite 50 kB. Whole map: string_agg(states, '' order by chunk).
create table seat_maps (
    performance_id uuid primary key,
    plan           bytea not null,
    seats          int not null check (seats > 0),
    changed_at     bigint not null -- position of the last event that changed this map
) with (fillfactor = 50);
create table seat_map_chunks (
    performance_id uuid not null,
    chunk          int not null check (chunk >= 0),
    states         text collate "C" not null check (length(states) between 1 and 1024),
    primary key (performance_id, chunk)
) with (fillfactor = 50); -- rewritten in place by each batch that touches it

-- sales: per performance and category
create table sales (
    performance_id uuid not null,
    ordinal        int not null, -- the category's place in the plan
    category       text not null,
    seats          int not null,
    held           int not null default 0 check (held >= 0),
    booked         int not null default 0 check (booked >= 0),
    sold           int not null default 0 check (sold >= 0),
    revenue        bigint not null default 0 check (revenue >= 0), -- of what is sold now, in won
    refunded       bigint not null default 0 check (refunded >= 0), -- paid back or owed, in won
    primary key (performance_id, ordinal),
    check (held + booked + sold <= seats)
) with (fillfactor = 50);
-- What the sales figures must remember: the plan that gives a seat its category, and each booking's seats and prices.
create table sales_performances (
    performance_id uuid primary key,
    plan           bytea not null
);
create table sales_bookings (
    performance_id uuid not null,
    booking_id     uuid not null,
    seats          int[] not null,
    prices         bigint[] not null, -- of the seats, in the same order
    state          text not null check (state in ('booked', 'sold', 'ended')),
    primary key (performance_id, booking_id)
);

-- bookings and tickets
create table bookings (
    performance_id   uuid not null,
    booking_id       uuid not null,
    account_id       uuid not null, -- who pays
    state            text not null check (state in ('unpaid', 'paying', 'paid', 'cancelled', 'expired')),
    total            bigint not null,
    paid             bigint not null default 0, -- what was taken for it, refunded or not
    sold_with        uuid, -- the payment that bought the seats; another one that was taken came too late and is refunded
    refund_due       bigint not null default 0, -- owed back, in all
    refund_completed bigint not null default 0, -- of that, what is back
    pay_by           timestamptz not null,
    payment_id       uuid, -- the last attempt
    payment_failure  text, -- why the last attempt failed
    booked_at        bigint not null, -- position: the order of "my bookings"
    primary key (performance_id, booking_id)
) with (fillfactor = 80); -- changes state a few times
create index bookings_account on bookings (account_id, booked_at desc);
create table booking_lines (
    performance_id uuid not null,
    booking_id     uuid not null,
    seat           int not null,
    price          bigint not null,
    holder         uuid not null, -- whose ticket it is
    primary key (performance_id, booking_id, seat)
);
create index booking_lines_holder on booking_lines (holder);

-- lines: who waits, who is inside
create table lines (
    performance_id  uuid primary key,
    sale_opens_at   timestamptz not null,
    capacity        bigint not null,
    session_seconds bigint not null,
    waiting         bigint not null default 0 check (waiting >= 0),
    inside          bigint not null default 0 check (inside >= 0),
    joined_number   bigint not null default 0, -- the last number given
    admitted_number bigint not null default 0 -- the highest number admitted
) with (fillfactor = 50);
create table line_entries (
    performance_id  uuid not null,
    entry_id        uuid not null,
    number          bigint not null,
    account_id      uuid not null, -- who joined
    party_id        uuid,
    members         uuid[] not null,
    state           text not null check (state in ('waiting', 'inside', 'gone')),
    session_ends_at timestamptz,
    departure       text,
    primary key (performance_id, entry_id)
) with (fillfactor = 80);
create index line_entries_waiting on line_entries (performance_id, number) where state = 'waiting';
-- A person's latest place in a line.
create table line_members (
    performance_id uuid not null,
    account_id     uuid not null,
    entry_id       uuid not null,
    primary key (performance_id, account_id)
);

-- parties and invitations
create table parties (
    performance_id uuid not null,
    party_id       uuid not null,
    leader         uuid not null,
    frozen         boolean not null default false,
    entry_id       uuid, -- the place it waits on, once frozen
    primary key (performance_id, party_id)
);
create table party_members (
    performance_id uuid not null,
    party_id       uuid not null,
    account_id     uuid not null,
    state          text not null check (state in ('invited', 'member', 'declined', 'left')),
    primary key (performance_id, party_id, account_id)
);
create index party_members_account on party_members (account_id);

-- wallets
create table wallets (
    account_id uuid primary key,
    balance    bigint not null check (balance >= 0)
) with (fillfactor = 80);

-- accounts
create table account_roles (
    account_id uuid primary key,
    role       text not null
);
