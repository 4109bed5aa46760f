// What can go out as one request: a delivery, or a stored batch of them. Types only.
import type { Entry } from "../queue.ts";
import type { BatchIdentity } from "./batch-body.ts";

export interface Startable {
  /** In the order in which the body names them; never empty. */
  readonly entries: readonly [Entry, ...Entry[]];
  /** Null: one delivery, under its event's id. */
  readonly batch: BatchIdentity | null;
}
