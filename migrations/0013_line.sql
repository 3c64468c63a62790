-- Lines with rules, a lobby and a draw.

-- Seeds of draws: made and kept here until their time, then told in the log. A backup has them too.
create table draw_seeds (
    performance_id uuid primary key,
    seed           bytea not null check (length(seed) = 32),
    created_at     timestamptz not null default clock_timestamp()
);

-- Who has a page of a performance open, at which instance of the notifier: written by it, a row per person. Nobody is sent
-- away for having no row.
create table presence (
    performance_id uuid not null,
    account_id     uuid not null,
    instance       uuid not null,
    gone_at        timestamptz, -- since when no page is open there; null: one is
    primary key (performance_id, account_id, instance)
);
create index presence_gone on presence (gone_at) where gone_at is not null;

-- Read model `line`: its new version folds the log again, so that the columns are filled.
alter table lines
    add column mode                  text not null default 'first_come',
    add column flow                  text not null default 'running',
    add column admissions_per_minute bigint,
    add column claim_seconds         bigint not null default 60,
    add column called                bigint not null default 0 check (called >= 0), -- of `inside`: passes not claimed yet
    add column commitment            bytea,
    add column committed_position    bigint,
    add column lobby_opens_at        timestamptz,
    add column root                  bytea,
    add column lobby_entries         bigint,
    add column closed_position       bigint,
    add column beacon                text,
    add column beacon_source         text,
    add column seed                  bytea,
    add column revealed_position     bigint;
alter table line_entries
    add column claim_by          timestamptz,
    add column joined_position   bigint not null default 0,
    add column called_position   bigint, -- of the call, or of getting in without one
    add column entered_position  bigint,
    add column departed_position bigint;
alter table line_entries drop constraint line_entries_state_check;
alter table line_entries add constraint line_entries_state_check check (state in ('lobby', 'waiting', 'called', 'inside', 'gone'));
create index line_entries_lobby on line_entries (performance_id) where state = 'lobby';

-- What a draw was of, and what came of it, as it is published: nothing in it names anybody.
create table draw_tickets (
    performance_id uuid not null,
    number         bigint not null,
    ticket         bytea not null check (length(ticket) = 32),
    primary key (performance_id, number)
);
