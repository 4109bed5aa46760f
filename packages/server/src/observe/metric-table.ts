// THE table of metrics: every name that /metrics may show, what it counts and by which labels. The page
// docs/operations/monitoring.md is held against it by a test. No label may ever hold the id of a tenant, webhook or event:
// the number of series must not grow with what is stored.

export type MetricType = "counter" | "gauge" | "histogram";

export interface MetricEntry {
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** Of the whole installation, read from the database: every node shows the same, so take the maximum, never the sum. */
  readonly isShared?: true;
}

export const METRICS = {
  posthorn_build_info: { type: "gauge", help: "1; the version of the program.", labels: ["version"] },
  posthorn_ready: { type: "gauge", help: "1 while /readyz says 200.", labels: [] },
  posthorn_events_captured_total: { type: "counter", help: "Events stored, repeats not counted.", labels: [] },
  posthorn_deliveries_ended_total: {
    type: "counter",
    help: "Deliveries that this process brought to an end: delivered, dead_letter or cancelled.",
    labels: ["end"],
  },
  posthorn_attempts_total: {
    type: "counter",
    help: "Attempts recorded, by how they went.",
    labels: ["outcome"],
  },
  posthorn_attempt_duration_seconds: {
    type: "histogram",
    help: "How long recorded attempts took, from their start to the head of the answer or the failure.",
    labels: [],
  },
  posthorn_batch_rows: {
    type: "histogram",
    help: "Rows of one commit: events of capture, results of record.",
    labels: ["batch"],
  },
  posthorn_batch_commit_seconds: {
    type: "histogram",
    help: "How long the statement of one batch took, commit included.",
    labels: ["batch"],
  },
  posthorn_handoffs_given_total: {
    type: "counter",
    help: "Deliveries captured here for webhooks that another process works for.",
    labels: [],
  },
  posthorn_handoffs_taken_total: {
    type: "counter",
    help: "Times that a webhook of this process was found to have deliveries left by another one, or by a retry.",
    labels: [],
  },
  posthorn_requests_in_flight: { type: "gauge", help: "Requests to receivers under way.", labels: [] },
  posthorn_queued_deliveries: { type: "gauge", help: "Deliveries in memory, those in flight included.", labels: [] },
  posthorn_queued_webhooks: { type: "gauge", help: "Webhooks of which something is in memory.", labels: [] },
  posthorn_queue_bytes: { type: "gauge", help: "What the deliveries in memory take.", labels: [] },
  posthorn_queue_max_bytes: {
    type: "gauge",
    help: "What they may take; beyond it deliveries wait in the table.",
    labels: [],
  },
  posthorn_lanes_owned: { type: "gauge", help: "Lanes that this process works for, of 256.", labels: [] },
  posthorn_configuration_age_seconds: {
    type: "gauge",
    help: "Since when the configuration was last confirmed; above 2 no attempt starts.",
    labels: [],
  },
  posthorn_lease_seconds: {
    type: "gauge",
    help: "For how long this process may still send without another beat; 0 and less: it may not.",
    labels: [],
  },
  posthorn_pool_connections: {
    type: "gauge",
    help: "Connections to the database: busy or idle.",
    labels: ["pool", "state"],
  },
  posthorn_pool_waiting: { type: "gauge", help: "Who waits for a connection of the pool.", labels: ["pool"] },
  posthorn_event_loop_delay_seconds: {
    type: "gauge",
    help: "How late timers come, since the scrape before: median, 99th percentile and the worst.",
    labels: ["quantile"],
  },
  posthorn_event_loop_active_seconds_total: {
    type: "counter",
    help: "Time that the event loop was at work; its rate is the share of a core's time that is used.",
    labels: [],
  },
  posthorn_cpu_seconds_total: { type: "counter", help: "CPU time of the process, all threads.", labels: [] },
  posthorn_memory_bytes: {
    type: "gauge",
    help: "Memory of the process: resident, heap_used, and external (buffers).",
    labels: ["kind"],
  },
  posthorn_started_seconds: { type: "gauge", help: "When the node started, seconds since 1970.", labels: [] },
  posthorn_upkeep_runs_total: {
    type: "counter",
    help: "Runs of each job of upkeep, done or failed.",
    labels: ["job", "result"],
  },
  posthorn_spans_total: {
    type: "counter",
    help: "Spans of traces: exported, or dropped because the collector did not take them.",
    labels: ["result"],
  },
  posthorn_deliveries_pending: {
    type: "gauge",
    help: "Deliveries that are still owed. lanes: owned by a living node, or by nobody. state: due, scheduled (a retry), held (waits for a person), paused.",
    labels: ["lanes", "state"],
    isShared: true,
  },
  posthorn_oldest_due_age_seconds: {
    type: "gauge",
    help: "For how long the oldest delivery that could be sent has been due; 0 without one.",
    labels: ["lanes"],
    isShared: true,
  },
  posthorn_nodes: { type: "gauge", help: "Nodes that count as alive.", labels: [], isShared: true },
  posthorn_oldest_snapshot_age_seconds: {
    type: "gauge",
    help: "Age of the oldest transaction that keeps the database from cleaning up.",
    labels: [],
    isShared: true,
  },
  posthorn_partition_days_ahead: {
    type: "gauge",
    help: "Days after today for which every table of history has its partition.",
    labels: [],
    isShared: true,
  },
  posthorn_digests_failing: {
    type: "gauge",
    help: "Tenants whose digests of operational events cannot be sent at present.",
    labels: ["channel"],
    isShared: true,
  },
  posthorn_shared_figures_age_seconds: {
    type: "gauge",
    help: "Age of the figures that were read from the database; grows while it is away.",
    labels: [],
    isShared: true,
  },
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof METRICS;
