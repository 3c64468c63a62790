-- A fan may ask which holds were refused, and because of what: few of all outcomes, found by who asks.
create index command_log_refused_holds on command_log (unit, actor) where command = 'hold_seats' and status >= 400;
