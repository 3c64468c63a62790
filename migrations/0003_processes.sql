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

-- What process managers mean to do, until it is done. Written with the checkpoint, worked on without order, idempotent
-- by its key: intents are commands with a key of their own.
create table intents (
    id          uuid primary key, -- time-ordered
    process     text not null,
    key         text not null,
    command     json not null,
    position    bigint not null, -- of the event that caused it
    state       text not null default 'open' check (state in ('open', 'done', 'stuck')),
    attempts    int not null default 0,
    next_try_at timestamptz not null default now(),
    last_error  text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint intents_key unique (process, key)
);
create index intents_open on intents (next_try_at) where state = 'open';
