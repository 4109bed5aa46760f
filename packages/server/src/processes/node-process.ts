// The entry of a process that the first one started: one whole node. It takes its orders from there and ends with it;
// must never go on alone, because nobody would accept its connections or end it.
import { uuidFromId } from "@posthorn/contract";
import { type RunningNode, startNode } from "../compose.ts";
import type { Siblings, SiblingSignal } from "../deliver/siblings.ts";
import { createLog } from "../lib/log.ts";
import { refusalOf } from "../obtain-database.ts";
import { parseAllowTargets } from "../security/addresses/allow-targets.ts";
import { openMasterKey } from "../security/master-key.ts";
import { FiguresExchange } from "./figures-exchange.ts";
import type { FromProcess, ProcessStart, ToProcess } from "./messages.ts";

const siblingUuids = new Set<string>();
let listener: Parameters<Siblings["listen"]>[0] | undefined;
let starting: Promise<RunningNode> | undefined;
let isStopping = false;

const exchange = new FiguresExchange({
  siblingCount: () => siblingUuids.size,
  ask: (id) => say({ kind: "figures_wanted", id }),
});

const siblings: Siblings = {
  has: (nodeUuid) => siblingUuids.has(nodeUuid),
  tell: (signal: SiblingSignal) => say({ kind: "signal", signal }),
  listen: (to) => {
    listener = to;
  },
};

process.on("message", (message: ToProcess) => {
  switch (message.kind) {
    case "start":
      void start(message.start, message.name);
      return;
    case "figures_wanted":
      void answer(message.id, message.from);
      return;
    case "figures":
      exchange.heard(message.id, message.figures);
      return;
    case "siblings":
      siblingUuids.clear();
      for (const uuid of message.nodeUuids) siblingUuids.add(uuid);
      return;
    case "ended":
      listener?.onEnded(message.nodeUuids);
      return;
    case "signal":
      listener?.onTold(message.signal);
      return;
    case "stop":
      void stop();
      return;
    default:
      message satisfies never;
  }
});
// Ctrl-C reaches every process of the terminal's group: the first one says what is to be done. A SIGTERM that was sent
// to this process alone replaces it: the first one starts another.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => void stop());
say({ kind: "listening" });

/** One that is starting or failed to start has no figures; whoever asked does not wait for it. */
async function answer(id: number, to: string): Promise<void> {
  const node = await starting?.catch(() => undefined);
  if (node !== undefined) say({ kind: "figures", to, id, figures: node.figures() });
}

async function start(given: ProcessStart, processName: string): Promise<void> {
  const masterKey = openMasterKey(given.masterKeyBase64);
  const allowed = parseAllowTargets(given.allowTargets);
  if (!masterKey.ok || !allowed.ok) throw new Error("the first process gave what it could not have read itself");
  const { connection, withRoles, host, port, version } = given;
  starting = startNode({
    connection,
    withRoles,
    masterKey: masterKey.key,
    allowTargets: allowed.targets,
    host,
    port,
    soleNode: false,
    siblings,
    processName,
    figuresOfOthers: () => exchange.gather(),
    version,
    log: createLog(given.logLevel),
    ...(given.otlp === undefined ? {} : { otlp: given.otlp }),
    ...(given.mailServer === undefined ? {} : { mailServer: given.mailServer }),
    ...(given.metricsToken === undefined ? {} : { metricsToken: given.metricsToken }),
  });
  try {
    const node = await starting;
    say({ kind: "serving", nodeUuid: uuidFromId("node", node.id), url: node.url, address: node.address });
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    say({ kind: "refused", code: refusal.code, message: refusal.message });
    process.exit(1);
  }
}

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await (await starting?.catch(() => undefined))?.stop();
  process.exit(0);
}

/** The first process may be gone; then this one ends too. */
function say(message: FromProcess): void {
  process.send?.(message, undefined, undefined, () => {});
}
