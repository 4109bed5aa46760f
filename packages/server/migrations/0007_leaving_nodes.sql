-- Nodes that share the lanes. Forward only.
--
-- A node that was told to stop still has to record what it began, so it stays alive and keeps its lease; but it takes no
-- lanes any more, and the others divide all of them among themselves.
alter table node add column leaving boolean not null default false;
