// Nodes as the API shows them.
export interface PosthornNode {
  readonly id: string;
  readonly host: string;
  readonly processId: number;
  readonly version: string;
  /** A leaving one was told to stop and finishes. */
  readonly status: "alive" | "leaving" | "ended";
  readonly startedAt: string;
  /** Milliseconds since its last beat. */
  readonly beatAgeMs: number;
  /** How many of the 256 shares of all webhooks it works for. */
  readonly lanes: number;
  /** Deliveries in its memory at its last beat, waiting or under way. */
  readonly backlog: number;
  readonly inFlight: number;
  /** When the first delivery of its lanes fell, or falls, due. */
  readonly oldestDueAt: string | null;
  readonly memoryBytes: number;
}
