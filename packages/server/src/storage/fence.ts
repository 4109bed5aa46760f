// The fence: every write of capture, route and record holds a share of its own node's row, so that a node which lost
// its lanes writes nothing. A takeover locks that row, marks it dead and only then gives the lanes away.

/** Who writes: the first two parameters of every fenced statement. */
export interface NodeIdentity {
  readonly idBytes: Uint8Array;
  /** `node_…` */
  readonly id: string;
  readonly uuid: string;
  readonly incarnation: number;
}

/** First CTE of a fenced statement; `$1` node id, `$2` incarnation. Empty when the node was declared dead. */
export const FENCE =
  "fence as (select 1 as held from node where id = $1::uuid and incarnation = $2::bigint and alive for key share)";
