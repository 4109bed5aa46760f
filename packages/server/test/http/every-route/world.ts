// What the scenarios of the test that calls every route start from: a node, a receiver, and things in each state.
import { createHash } from "node:crypto";
import { IdGenerator, uuidFromBytes } from "@posthorn/contract";
import { type ApiAnswer, callApi, startTestNode, TEST_API_KEY, type TestNode } from "../../support/node.ts";
import { type Receiver, startReceiver } from "../../support/receivers/receiver.ts";
import { until } from "../../support/until.ts";

/** One call to make; the runner makes it, with the administrator's key. */
export interface Request {
  /** With its query, below /v1. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface World {
  readonly node: TestNode;
  readonly receiver: Receiver;
  /** A webhook at /ok with a delivered event, and at /broken with a dead letter. */
  readonly webhookId: string;
  readonly brokenWebhookId: string;
  readonly eventId: string;
  readonly deliveredId: string;
  readonly deadId: string;
  /** `data` of a call that has to succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  readonly data: (method: string, path: string, body?: unknown) => Promise<any>;
  readonly as: (key: string, method: string, request: Request) => Promise<ApiAnswer>;
  /** A webhook of its own for a scenario that changes one. */
  readonly newWebhook: (fields?: Record<string, unknown>) => Promise<string>;
  /** A delivery that waits because its webhook is paused. */
  readonly heldDelivery: () => Promise<string>;
  /** A delivery that used up its attempts and holds its key. */
  readonly parkedDelivery: () => Promise<string>;
  /** The id of a snapshot that was begun. */
  readonly newSnapshot: () => Promise<string>;
  /** The name of a registered event type. */
  readonly newEventType: () => Promise<string>;
  readonly newRule: () => Promise<string>;
  readonly newCodeTable: () => Promise<string>;
  /** The id of a new key. */
  readonly newApiKey: () => Promise<string>;
  /** The id of a new read key of `webhookId`. */
  readonly newReadKey: () => Promise<string>;
  /** The id of a program that may ask for access. */
  readonly newOauthClient: () => Promise<string>;
  /** The id of what such a program was allowed to do. */
  readonly newOauthGrant: () => Promise<string>;
  /** The text of a new live key with exactly these scopes. */
  readonly newKey: (scopes: readonly string[]) => Promise<string>;
  readonly stop: () => Promise<void>;
}

const EVENT = { event: "invoice.paid", data: { object: { id: "inv_1", invoiceNumber: "INV-00871", total: 120 } } };

export async function openWorld(): Promise<World> {
  const receiver = await startReceiver({ answer: ({ path }) => (path === "/broken" ? 500 : 200) });
  const node = await startTestNode();
  const ids = new IdGenerator(
    () => Date.now(),
    (target) => void crypto.getRandomValues(target),
  );

  const as: World["as"] = (key, method, { path, body, headers }) =>
    callApi(node.node.url, method, `/v1${path}`, body, { authorization: `Bearer ${key}`, ...headers });
  const data: World["data"] = async (method, path, body) => {
    const answer = await as(TEST_API_KEY, method, { path, body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body.data;
  };
  const newWebhook: World["newWebhook"] = async (fields = {}) => {
    const created = await data("POST", "/webhooks", {
      url: `${receiver.origin}/ok`,
      events: ["bill.paid"],
      ...fields,
    });
    return created.id;
  };
  const newKey: World["newKey"] = async (scopes) => {
    const key = `blg_live_sk_${uuidFromBytes(ids.next()).replaceAll("-", "")}`;
    const [tenant] = await node.sql<{ id: string }>("select id from tenant order by created_at limit 1");
    await node.sql(
      `insert into api_key (tenant_id, id, created_at, config_version, livemode, key_hash, name, last_characters, scopes)
       values ($1, $2, now(), 1, true, $3, 'test', 'test', $4)`,
      [tenant?.id, uuidFromBytes(ids.next()), createHash("sha256").update(key).digest(), scopes],
    );
    return key;
  };

  const redirectUri = "https://bi.example.com/callback";
  const newOauthClient: World["newOauthClient"] = async () =>
    (await data("POST", "/oauth-clients", { name: "BI", redirectUris: [redirectUri], scopes: ["read:events"] })).id;
  const newOauthGrant: World["newOauthGrant"] = async () => {
    const verifier = "v".repeat(43);
    const clientId = await newOauthClient();
    const post = (path: string, form: Record<string, string>) =>
      fetch(node.node.url + path, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
    const allowed = await post("/oauth/authorize", {
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: "code",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      api_key: TEST_API_KEY,
      decision: "allow",
    });
    const code = new URL(allowed.headers.get("location") as string).searchParams.get("code") as string;
    const form = { client_id: clientId, redirect_uri: redirectUri, code, code_verifier: verifier };
    await post("/oauth/token", { ...form, grant_type: "authorization_code" });
    return (await data("GET", `/oauth-grants?clientId=${clientId}`))[0].id;
  };
  const heldDelivery: World["heldDelivery"] = async () => {
    const id = await newWebhook({ events: ["supplier.created"] });
    await data("POST", `/webhooks/${id}/pause`);
    await data("POST", "/events", { event: "supplier.created", data: { object: { id: "sup_1" } } });
    const [delivery] = await data("GET", `/deliveries?webhookId=${id}`);
    return delivery.id;
  };
  const parkedDelivery: World["parkedDelivery"] = async () => {
    const webhookId = await newWebhook({
      url: `${receiver.origin}/broken`,
      events: ["requisition.created"],
      orderingKey: true,
      retryPolicy: { maxRetries: 0 },
    });
    await data("POST", "/events", { event: "requisition.created", data: { object: { id: "req_1" } } });
    return until("a parked key", async () => (await data("GET", `/parked-keys?webhookId=${webhookId}`))[0]?.deliveryId);
  };
  let snapshotCount = 0;
  const newSnapshot: World["newSnapshot"] = async () => {
    snapshotCount += 1;
    const begun = { token: `token-${snapshotCount}`, event: "customer.created" };
    return (await data("POST", `/webhooks/${webhookId}/snapshots`, begun)).id;
  };
  let typeCount = 0;
  const newEventType: World["newEventType"] = async () => {
    typeCount += 1;
    const name = `crate.packed_${typeCount}`;
    await data("POST", "/event-types", { name, description: "A crate is packed." });
    return name;
  };
  const newRule: World["newRule"] = async () => {
    typeCount += 1;
    return (await data("POST", "/rules", { name: `rule_${typeCount}`, expression: "true" })).name;
  };
  const newCodeTable: World["newCodeTable"] = async () => {
    typeCount += 1;
    return (await data("POST", "/code-tables", { name: `table_${typeCount}`, entries: { a: 1 } })).name;
  };

  const webhookId = await newWebhook({ name: "ok", events: ["invoice.*"] });
  const brokenWebhookId = await newWebhook({
    name: "broken",
    url: `${receiver.origin}/broken`,
    events: ["invoice.paid"],
    retryPolicy: { maxRetries: 0 },
  });
  const { id: eventId } = await data("POST", "/events", { ...EVENT, context: { source: "test" } });
  const inState = (state: string): Promise<string> =>
    until(`a delivery that is ${state}`, async () => (await data("GET", `/deliveries?state=${state}`))[0]?.id);
  const deliveredId = await inState("delivered");
  const deadId = await inState("dead_letter");
  return {
    node,
    receiver,
    webhookId,
    brokenWebhookId,
    eventId,
    deliveredId,
    deadId,
    data,
    as,
    newWebhook,
    heldDelivery,
    parkedDelivery,
    newSnapshot,
    newEventType,
    newRule,
    newCodeTable,
    newApiKey: async () => (await data("POST", "/api-keys", { name: "test", scopes: ["read:events"] })).id,
    newReadKey: async () => (await data("POST", `/webhooks/${webhookId}/read-keys`)).id,
    newOauthClient,
    newOauthGrant,
    newKey,
    stop: async () => {
      await node.stop();
      await receiver.close();
    },
  };
}
