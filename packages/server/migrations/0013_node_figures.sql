-- What a node says about itself with each beat, so that any node can list all of them. Forward only.
alter table node
  add column memory_bytes    bigint  not null default 0,
  add column backlog_count   integer not null default 0,
  add column in_flight_count integer not null default 0;
