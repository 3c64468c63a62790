-- Read models: copies of the log, rebuilt from it at any time. Written only by the projections.

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
create table catalogue_performances (
    performance_id uuid primary key,
    show_id        uuid not null,
    starts_at      timestamptz not null,
    scheduled      boolean not null default false -- whether the performance itself is on sale yet
);
create index catalogue_performances_show on catalogue_performances (show_id);

-- seat map: a row per seat that isn't free
create table seat_map (
    performance_id uuid not null,
    seat           int not null,
    state          text not null check (state in ('held', 'booked', 'sold')),
    hold_id        uuid,
    booking_id     uuid,
    account_id     uuid not null, -- who chose or pays; never shown to others
    primary key (performance_id, seat)
);

-- sales: per performance and category
create table sales (
    performance_id uuid not null,
    category       text not null,
    seats          int not null,
    held           int not null default 0,
    booked         int not null default 0,
    sold           int not null default 0,
    revenue        bigint not null default 0, -- of what is sold now, in won
    refunded       bigint not null default 0, -- paid back or owed, in won
    primary key (performance_id, category)
);

-- bookings and tickets
create table bookings (
    booking_id     uuid primary key,
    performance_id uuid not null,
    account_id     uuid not null,
    state          text not null check (state in ('unpaid', 'paying', 'paid', 'cancelled', 'expired')),
    total          bigint not null,
    paid           bigint not null default 0,
    refund_state   text check (refund_state in ('due', 'completed')),
    pay_by         timestamptz not null,
    payment_id     uuid,
    payment_failure text,
    booked_at      timestamptz not null
);
create index bookings_account on bookings (account_id, booked_at desc);
create table booking_lines (
    booking_id uuid not null,
    seat       int not null,
    price      bigint not null,
    holder     uuid not null,
    primary key (booking_id, seat)
);
create index booking_lines_holder on booking_lines (holder);

-- lines: who waits, who is inside
create table line_entries (
    performance_id  uuid not null,
    entry_id        uuid not null,
    number          bigint not null,
    account_id      uuid not null,
    party_id        uuid,
    members         uuid[] not null,
    state           text not null check (state in ('waiting', 'inside', 'gone')),
    session_ends_at timestamptz,
    departure       text,
    primary key (performance_id, entry_id)
);
create index line_entries_waiting on line_entries (performance_id, number) where state = 'waiting';

-- parties and invitations
create table parties (
    party_id       uuid primary key,
    performance_id uuid not null,
    leader         uuid not null,
    frozen         boolean not null default false,
    entry_id       uuid
);
create table party_members (
    party_id   uuid not null,
    account_id uuid not null,
    state      text not null check (state in ('invited', 'member', 'declined', 'left')),
    primary key (party_id, account_id)
);
create index party_members_account on party_members (account_id);

-- wallets
create table wallets (
    account_id uuid primary key,
    balance    bigint not null check (balance >= 0)
);

-- accounts
create table account_roles (
    account_id uuid primary key,
    role       text not null
);

-- An event that its projection can't handle parks its stream there; the others go on.
create table parked_events (
    projection     text not null,
    aggregate_type text not null,
    aggregate_id   text not null,
    position       bigint not null,
    error          text,
    parked_at      timestamptz not null default now(),
    primary key (projection, position)
);
create index parked_events_stream on parked_events (projection, aggregate_type, aggregate_id);
