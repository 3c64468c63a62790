-- Holds of the best seats are refused too, and a fan may ask which, and because of what.
drop index command_log_refused_holds;
create index command_log_refused_holds on command_log (unit, actor) where command in ('hold_seats', 'hold_best') and status >= 400;
