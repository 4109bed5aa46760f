// The nodes of the installation as an operator sees them: who lives, who owns how much, how far behind. Of other nodes it
// knows what they wrote with their last beat. Must never be asked by anybody but an operator.
import { type Id, idFromUuid } from "@posthorn/contract";
import type { Executor } from "../storage/pools.ts";
import { type NodeRow, selectNodes } from "./nodes.sql.ts";

export interface NodeView {
  readonly id: Id<"node">;
  readonly host: string;
  readonly processId: number;
  readonly version: string;
  readonly status: "alive" | "leaving" | "ended";
  readonly startedAt: string;
  /** Since its last beat, by the database's clock. */
  readonly beatAgeMs: number;
  readonly lanes: number;
  /** Deliveries in its memory, waiting or under way. */
  readonly backlog: number;
  readonly inFlight: number;
  /** When the first delivery of its lanes fell, or falls, due. */
  readonly oldestDueAt: string | null;
  readonly memoryBytes: number;
}

export class Nodes {
  readonly #engine: Executor;

  constructor(engine: Executor) {
    this.#engine = engine;
  }

  /** Those below an id, newest first. */
  async list(beforeUuid: string | null, limit: number): Promise<NodeView[]> {
    return (await selectNodes(this.#engine, beforeUuid, limit)).map(nodeView);
  }
}

function nodeView(row: NodeRow): NodeView {
  const living = row.alive;
  return {
    id: idFromUuid("node", row.id),
    host: row.host,
    processId: row.process_id,
    version: row.version,
    status: !living ? "ended" : row.leaving ? "leaving" : "alive",
    startedAt: row.started_at.toISOString(),
    beatAgeMs: Math.max(0, Math.round(row.beat_age_ms)),
    lanes: row.lane_count,
    // One that has ended holds nothing, whatever it said last.
    backlog: living ? row.backlog_count : 0,
    inFlight: living ? row.in_flight_count : 0,
    oldestDueAt: row.oldest_due_at?.toISOString() ?? null,
    memoryBytes: living ? row.memory_bytes : 0,
  };
}
