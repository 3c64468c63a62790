-- Outcomes of accepted commands, many in one row: where a hall's writer commits many at once, a row and an entry in the
-- index for each is nearly half of what the commit costs. Refusals, and outcomes that come alone, have rows of their own
-- in `command_log` as before. A unit's writer knows in memory which pack a key is in, so there is no index on keys.
create table command_packs (
    unit        uuid not null,
    number      int not null check (number > 0), -- counts the unit's packs
    recorded_on date not null,
    position    bigint not null, -- the log's before the batch: an outcome says how many events after it cover it
    keys        bytea not null, -- 20 bytes for each outcome: the time in the key, its digest (as in `command_log`)
    outcomes    text not null, -- JSON, for each: [command_id, command, fingerprint, events after `position`, body]
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (unit, number, recorded_on)
) partition by range (recorded_on);
-- Beside the row and as it is: whoever looks for keys reads only those, and packing JSON of random ids gains little.
alter table command_packs alter column outcomes set storage external;

-- Both kinds of outcomes, one each row.
create view command_outcomes as
select unit, command_id, command, status, position, cause_type, cause_sequence
from command_log
union all
select p.unit, (o ->> 0)::uuid, o ->> 1, 200::smallint, p.position + (o ->> 3)::bigint, null, null
from command_packs p cross join json_array_elements(p.outcomes::json) o;

-- As before, for both tables.
create or replace function make_command_log_partitions(days_ahead int) returns void language plpgsql as $$
declare
    day date;
    parent text;
begin
    for day in select generate_series((now() at time zone 'utc')::date - 1, (now() at time zone 'utc')::date + days_ahead, interval '1 day')::date loop
        foreach parent in array array['command_log', 'command_packs'] loop
            execute format('create table if not exists %I partition of %I for values from (%L) to (%L)',
                           parent || '_' || to_char(day, 'YYYYMMDD'), parent, day, day + 1);
        end loop;
    end loop;
end $$;
select make_command_log_partitions(7);

-- Programs before this one don't look into packs: nobody makes any while one of them is alive.
alter table nodes add column reads_packs boolean not null default false;
