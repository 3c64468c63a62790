-- Read model `friends`: what each account last said of each other one, and who may be suggested as a friend.
create table friend_words (
    account_id uuid not null, -- who said it
    friend_id  uuid not null, -- of whom
    wants      boolean not null, -- whether they want to be friends; two who both do are friends
    position   bigint not null, -- of the event that said it
    primary key (account_id, friend_id)
) with (fillfactor = 90);
create index friend_words_of on friend_words (friend_id, position) where wants;
create table suggestible_accounts (
    account_id uuid primary key,
    allowed    boolean not null
);
