// Builds one node from its parts (compose/*), which alone know all others and wire them, and says in which order they
// start and stop. Reads no environment, decides no rule.
import type { AddressInfo } from "node:net";
import { type ErrorCode, formatId, idFromUuid } from "@posthorn/contract";
import { buildCapturing, type CapturingParts } from "./compose/capturing.ts";
import { buildDelivery, type DeliveryParts } from "./compose/delivery.ts";
import { buildGround } from "./compose/ground.ts";
import { disableFailed, publishOperational } from "./compose/operational.ts";
import { buildHandlers } from "./compose/handlers.ts";
import type { NodeOptions } from "./compose/node-options.ts";
import { buildObserving } from "./compose/observing.ts";
import { buildTelling } from "./compose/telling.ts";
import { Authenticator } from "./http/authenticate.ts";
import { addDocsRoutes, docsFolder, readDocs } from "./http/docs.ts";
import { addHealthRoutes } from "./http/health.ts";
import { addOauthRoutes } from "./http/oauth/oauth-routes.ts";
import { routeTable } from "./http/routes.ts";
import { createHttpServer } from "./http/server.ts";
import { createUpkeep, type UpkeepKind } from "./maintain/upkeep.ts";
import type { Figures } from "./observe/families.ts";
import { KeyUsage } from "./manage/key-usage.ts";
import { openFirstConnections } from "./storage/pools.ts";

export interface RunningNode {
  readonly id: string;
  /** `http://127.0.0.1:8420` */
  readonly url: string;
  /** The IP address that it listens on; 0.0.0.0 or :: for all. */
  readonly address: string;
  /** What this process says of itself. */
  figures(): Figures;
  /** Runs one job of upkeep now, or joins the run of it that is under way. */
  runUpkeep(kind: UpkeepKind): Promise<void>;
  /** Finishes what runs, releases the lanes and closes everything; within 20 s. A second call waits for the first. */
  stop(): Promise<void>;
}

/** How long running requests may go on after the order to stop. */
const FINISH_MS = 14_000;
/** How long a node that starts waits for its first connections to the database. */
const FIRST_CONNECTIONS_MS = 15_000;

/** Starts a node on a migrated and bootstrapped database. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const ground = await buildGround(options, {
    onWebhooksChanged: (changed) => {
      for (const webhook of changed) {
        endpoints.webhookChanged(webhook);
        deliveries.webhookChanged(webhook);
      }
    },
    onDatabaseBack: () => deliveries.readEverything(),
  });
  const delivery: DeliveryParts = buildDelivery(ground, {
    wakeStoredWork: () => {
      capturing.fanOuts.wake();
      capturing.replayRunner.wake();
      capturing.snapshotRunner.wake();
    },
    onDeclaredDead: () => catchUpOrganisation(),
  });
  const capturing: CapturingParts = buildCapturing(ground, delivery);
  const { log, clock, ids, pools, offload, outbound, configuration, logFailure } = ground;
  const { signals, ownership, deliveries, gathering, dispatch, endpoints, recorder, oneRequests } = delivery;
  const { capture, fanOuts, replayRunner, snapshotRunner, organisationFollower } = capturing;
  const catchUpOrganisation = (): void =>
    void organisationFollower.catchUp().catch(logFailure("following the organisation"));

  let stage: "starting" | "open" | "stopping" = "starting";
  const documentationUrl = (code: ErrorCode): string => `/docs/errors#${code}`;
  const keyUsage = new KeyUsage({ engine: pools.engine, clock });
  const authenticator = new Authenticator({
    api: pools.api,
    clock,
    configuration,
    onUse: (key) => keyUsage.note(key),
  });
  const observing = buildObserving(ground, delivery, () => stage);
  const telling = buildTelling(ground);
  const handlers = buildHandlers(ground, delivery, capturing, {
    isOpen: () => stage === "open",
    documentationUrl,
    telling,
  });
  const http = createHttpServer({
    routes: routeTable(handlers),
    authenticator,
    clock,
    newRequestId: () => formatId("request", ids.next()),
    log,
    documentationUrl,
    metrics: { text: observing.metricsText, token: options.metricsToken },
    version: options.version,
  });
  addHealthRoutes(http, observing.readiness);
  addOauthRoutes(http, { clients: handlers.oauthClients, grants: handlers.oauthGrants, authenticator });
  addDocsRoutes(http, readDocs(docsFolder()));
  const upkeep = createUpkeep({
    pools,
    clock,
    log,
    writeKeyUses: () => keyUsage.flush(),
    publishOperational: publishOperational(capture, log),
    hasListener: async ({ tenant_id: uuid, livemode, type }) =>
      capturing.matcher.hasCandidates(await configuration.tenant(idFromUuid("tenant", uuid)), livemode, type),
    checkQuiet: () => delivery.quietChecks.look(),
    telling,
    hearing: capturing.hearing,
    disableFailed: disableFailed(ground, delivery),
    lookForAlarms: () => observing.alarms.look(),
    onRun: (kind, error) => observing.upkeepRun(kind, error !== undefined),
  });

  let stopping: Promise<void> | undefined;
  const stopOnce = async (): Promise<void> => {
    stage = "stopping";
    oneRequests.stop();
    await ownership.leave();
    await http.close();
    await capture.drained();
    await organisationFollower.stop();
    deliveries.stop();
    dispatch.stop();
    gathering.stop();
    const finished = dispatch.drained();
    const interruption = setTimeout(() => dispatch.interrupt(), FINISH_MS);
    await finished;
    clearTimeout(interruption);
    await gathering.drained();
    await recorder.drained();
    await endpoints.stop();
    await fanOuts.stop();
    await replayRunner.stop();
    await snapshotRunner.stop();
    await ownership.stop();
    await signals.stop();
    configuration.stop();
    observing.stop();
    telling.stop();
    await upkeep.stop();
    await keyUsage.flush().catch(logFailure("writing down when keys were last used"));
    await Promise.all([outbound.close(), offload.stop(), ground.tracing?.stop()]);
    await pools.end();
  };
  try {
    await openFirstConnections(pools, FIRST_CONNECTIONS_MS);
    await upkeep.runOnce("partitions");
    await configuration.start();
    deliveries.start();
    signals.start();
    await ownership.start();
    upkeep.start();
    await http.listen({ host: options.host, port: options.port });
    stage = "open";
    catchUpOrganisation();
  } catch (error) {
    await stopOnce().catch(logFailure("closing a node that could not start"));
    throw error;
  }
  const { address, port } = http.server.address() as AddressInfo;
  const shownHost = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    id: ownership.identity.id,
    url: `http://${shownHost}:${port}`,
    address,
    figures: () => observing.ownFigures(),
    runUpkeep: (kind) => upkeep.runOnce(kind),
    stop() {
      stopping ??= stopOnce();
      return stopping;
    },
  };
}
