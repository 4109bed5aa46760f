-- Traces that begin at the sender. Forward only.
--
-- What the request that published an event said in `traceparent` and `tracestate`, so that every attempt, retries days
-- later too, belongs to the sender's trace. Null when it said nothing, which is nearly always.
alter table event add column trace_context text;
