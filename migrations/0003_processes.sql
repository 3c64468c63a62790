-- Process managers and projections: where each has read to, in the same transaction as what it wrote.
create table checkpoints (
    name        text primary key,
    position    bigint not null default 0,
    incarnation uuid not null, -- the log's; another one stops the reader: it never mixes two histories
    last_hash   bytea not null default '\x', -- SHA-256 of the last event seen
    updated_at  timestamptz not null default clock_timestamp()
);

-- One owner per singleton (relay, projections, process managers), with standbys.
create table singleton_leases (
    name       text primary key,
    owner      uuid not null,
    epoch      bigint not null default 1,
    expires_at timestamptz not null
);

-- What process managers still have to do. Written with the checkpoint, worked on without order, deleted when done: each
-- step is a command with a key of its own, so doing it twice is harmless.
create table intents (
    id          uuid primary key, -- time-ordered
    intent      json not null,
    position    bigint not null, -- of the event that caused it
    attempts    int not null default 0,
    next_try_at timestamptz not null default clock_timestamp(),
    last_error  text,
    created_at  timestamptz not null default clock_timestamp()
);
create index intents_next on intents (next_try_at);
