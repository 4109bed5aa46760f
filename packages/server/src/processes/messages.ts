// What the first process and the nodes that it starts say to each other. Plain data: it travels as JSON, and the start
// by the same way, because arguments and variables of a process can be read by others.
import type { OtlpTarget } from "../compose/node-options.ts";
import type { SiblingSignal } from "../deliver/siblings.ts";
import type { MailServer } from "../lib/mail-server.ts";
import type { LogLevel } from "../lib/settings.ts";
import type { Figures } from "../observe/families.ts";
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
  readonly mailServer?: MailServer;
}

export type ToProcess =
  /** `name`: what it is called among the processes, from 1; one that replaces another has its name. */
  | { readonly kind: "start"; readonly start: ProcessStart; readonly name: string }
  /** The process of that name wants to know this one's figures. */
  | { readonly kind: "figures_wanted"; readonly id: number; readonly from: string }
  /** What this process wanted to know. */
  | { readonly kind: "figures"; readonly id: number; readonly figures: Figures }
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
  /** Asks all other processes for their figures. */
  | { readonly kind: "figures_wanted"; readonly id: number }
  /** The answer, for the process of that name. */
  | { readonly kind: "figures"; readonly to: string; readonly id: number; readonly figures: Figures }
  /** For all other processes. */
  | { readonly kind: "signal"; readonly signal: SiblingSignal };
