// What the first process and the nodes that it starts say to each other. Plain data: it travels as JSON, and the start
// by the same way, because arguments and variables of a process can be read by others.
import type { OtlpTarget } from "../compose/node-options.ts";
import type { SiblingSignal } from "../deliver/siblings.ts";
import type { LogLevel } from "../lib/settings.ts";
import type { ConnectionConfig } from "../storage/pools.ts";

/** What a node process is given. */
export interface ProcessStart {
  readonly connection: ConnectionConfig;
  readonly withRoles: boolean;
  readonly masterKeyBase64: string;
  readonly allowTargets: string;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly logLevel: LogLevel;
  readonly metricsToken?: string;
  readonly otlp?: OtlpTarget;
}

export type ToProcess =
  | { readonly kind: "start"; readonly start: ProcessStart }
  /** The nodes, by UUID, that serve in the other processes at present. */
  | { readonly kind: "siblings"; readonly nodeUuids: readonly string[] }
  /** The processes of these nodes have ended. */
  | { readonly kind: "ended"; readonly nodeUuids: readonly string[] }
  | { readonly kind: "signal"; readonly signal: SiblingSignal }
  | { readonly kind: "stop" };

export type FromProcess =
  /** It can be told something; what was said before it was loaded would be lost. */
  | { readonly kind: "listening" }
  | { readonly kind: "serving"; readonly nodeUuid: string; readonly url: string; readonly address: string }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  /** For all other processes. */
  | { readonly kind: "signal"; readonly signal: SiblingSignal };
