-- Refusals of days whose outcomes are gone from `command_log`: the demand that wasn't served, kept for analysts.
create table refusals (
    command_id     uuid primary key, -- time-ordered
    recorded_on    date not null,
    unit           uuid not null,
    unit_kind      text collate "C" not null,
    actor          text collate "C" not null, -- an opaque id, as in the log
    command        text not null,
    status         smallint not null,
    body           json not null, -- why, which seats, what was free instead
    position       bigint not null, -- the log's head when it was decided
    cause_type     text, -- the stream of the unit, and the sequence in it, of the event that caused it
    cause_sequence bigint,
    recorded_at    timestamptz not null
);
create index refusals_unit on refusals (unit, recorded_on);
