// Snapshots as the API shows them.

/** Records for the first load of a new system, for one webhook only. */
export interface NewSnapshot {
  /** Your own name for it: under the same token the same snapshot goes on. */
  readonly token: string;
  /** The event type under which each record is delivered. */
  readonly event: string;
  /** At most so many are delivered in a second; 50 when left out. */
  readonly recordsPerSecond?: number;
}

/** A first load of a webhook's system, and how far it has come. */
export interface Snapshot {
  readonly id: string;
  readonly webhookId: string;
  readonly token: string;
  readonly event: string;
  readonly state: "running" | "done" | "cancelled" | "failed";
  /** It was said that no more records come. */
  readonly isComplete: boolean;
  /** Records stored: the offset of the next. */
  readonly received: number;
  /** Of these: deliveries that were made. */
  readonly delivering: number;
  readonly recordsPerSecond: number;
  readonly problem: string | null;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}
