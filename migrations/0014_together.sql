-- Parties made by a link, with terms; and people who were sent away or whose invitation was taken back.
alter table parties add column picks text not null default 'anyone' check (picks in ('anyone', 'leader'));
alter table parties add column pays text not null default 'chooser' check (pays in ('chooser', 'leader', 'shares', 'all_or_none'));
alter table parties add column ended boolean not null default false;
alter table party_members drop constraint party_members_state_check;
alter table party_members add constraint party_members_state_check
    check (state in ('invited', 'member', 'declined', 'left', 'withdrawn', 'expelled'));

-- Shares of one block: which booking is one of which.
alter table bookings add column share_group uuid;
-- Whether it stands or falls with the others.
alter table bookings add column share_all_or_none boolean not null default false;
create index bookings_share_group on bookings (performance_id, share_group) where share_group is not null;
