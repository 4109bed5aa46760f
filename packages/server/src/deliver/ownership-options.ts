// What ownership is given, and whom it tells: the rest of the node hears of gained and lost lanes through these only.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Executor } from "../storage/pools.ts";
import type { HandedOver, NodeFigures } from "./deliver.sql.ts";
import type { LeaseTimings } from "./lease.ts";

export interface OwnershipOptions {
  /** Beat and lanes: nothing may keep these waiting. */
  readonly db: Executor;
  /** Taking what was handed over, which may be much. */
  readonly handoffDb: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** True when nobody else can be alive on this database (the embedded one): every other node is dead at once. */
  readonly soleNode: boolean;
  readonly lease?: LeaseTimings;
  /** Lanes were gained: everything in them must be read from the table. */
  readonly onAcquired: (lanes: readonly number[]) => void;
  /** A beat went through: time to look for what another node left in our lanes. */
  readonly onBeat: () => void;
  /** Another node was declared dead: what it had begun may be undone. */
  readonly onDeclaredDead?: () => void;
  /** Another node left deliveries for these webhooks. */
  readonly onHandoff: (rows: readonly HandedOver[]) => void;
  /** Deliveries of our lanes were cancelled: they must not start any more. */
  readonly onCancelled: (notices: readonly HandedOver[]) => void;
  /** These lanes are about to be given away: nothing of them may start. */
  readonly onDraining: (lanes: readonly number[]) => void;
  /** Those of these draining lanes of which nothing is under way any more. */
  readonly drainedOf: (lanes: readonly number[]) => readonly number[];
  /** What the beat says about this node. */
  readonly figures: () => NodeFigures;
  /** How much of each lane is under way. */
  readonly loads: () => ArrayLike<number>;
  /** These lanes are free, or somebody else's, now. */
  readonly onReleased: (lanes: readonly number[]) => void;
  /** There are lanes to be taken or given: a node joined, leaves, or gave some back. The others should look. */
  readonly onLanesToMove: () => void;
  /** This incarnation was declared dead, or its lease ran out: forget everything that was owned, stop every request. */
  readonly onLost: () => void;
}
