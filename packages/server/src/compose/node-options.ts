// What a node is given: its database, its keys, its face, and the clock, names and failpoints that tests replace. No
// value here is read from the environment.
import type { BreakerTimings } from "../deliver/breaker.ts";
import type { LeaseTimings } from "../deliver/lease.ts";
import type { Siblings } from "../deliver/siblings.ts";
import type { MemoryLimits } from "../deliver/queue.ts";
import type { DatabaseClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { MailServer } from "../lib/mail-server.ts";
import type { Figures } from "../observe/families.ts";
import type { AllowTargets } from "../security/addresses/allow-targets.ts";
import type { MasterKey } from "../security/master-key.ts";
import type { ResolveName } from "../security/outbound/resolver.ts";
import type { ConnectionConfig } from "../storage/pools.ts";

/** Named moments at which crash tests end the process; inert in production. */
export type Failpoint =
  | "before_commit"
  | "after_commit"
  | "before_send"
  | "after_response"
  | "before_record"
  | "between_chunks"
  | "batch_stored";

/** A collector that takes OTLP over HTTP. */
export interface OtlpTarget {
  /** The whole address for traces. */
  readonly tracesUrl: string;
  /** Name and value in turn. */
  readonly headers: readonly string[];
}

export interface NodeOptions {
  readonly connection: ConnectionConfig;
  readonly withRoles: boolean;
  readonly masterKey: MasterKey;
  readonly allowTargets: AllowTargets;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** True when nobody else can be alive on this database: the embedded one, under its lock. */
  readonly soleNode: boolean;
  /** The other processes of the same program on this machine, each a node of its own; undefined without such. */
  readonly siblings?: Siblings | undefined;
  /** What it is called in metrics; "1" when absent. */
  readonly processName?: string;
  /** What the siblings say of themselves, for a scrape that reached this process. */
  readonly figuresOfOthers?: () => Promise<readonly Figures[]>;
  readonly version: string;
  readonly log: Log;
  readonly lease?: LeaseTimings;
  readonly memory?: MemoryLimits;
  /** Requests under way at once; 10,000 when absent. */
  readonly maxInFlight?: number;
  readonly breaker?: BreakerTimings;
  readonly resolve?: ResolveName;
  readonly furtherCas?: readonly string[];
  readonly clock?: DatabaseClock;
  readonly catalogueFolder?: string;
  /** Where spans go; without it none are made. */
  readonly otlp?: OtlpTarget;
  /** Without it nobody is told by e-mail. */
  readonly mailServer?: MailServer;
  /** Opens /metrics, beside keys with the scope `operator`. */
  readonly metricsToken?: string;
  readonly failpoint?: (name: Failpoint) => void;
}
