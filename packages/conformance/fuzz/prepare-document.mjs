// The reference as the fuzzer gets it: the node's own, with ids of things that are really there as examples. Without
// them nearly every request with an id would end at its 404.
// It must only add examples and leave out what would refuse every request; statuses and schemas stay as published.

import { createHash } from "node:crypto";

/** How many things there are of a kind that an operation uses up. */
const SPARE = 5;

/** @returns the document, and the id of the key that it is fuzzed with; the node then holds what its examples name */
export async function prepareDocument({ url, apiKey, receiver }) {
  const call = async (method, path, body) => {
    const response = await fetch(`${url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${JSON.stringify(answer)}`);
    return answer.data;
  };
  const [{ id: keyId }] = (await call("GET", "/api-keys")).filter((key) => apiKey.endsWith(key.lastCharacters));
  const examples = await makeThings(call, receiver, (clientId) => allow(url, apiKey, clientId));
  const document = await (await fetch(`${url}/v1/openapi.json`)).json();
  for (const [path, item] of Object.entries(document.paths)) {
    const segments = [...path.matchAll(/([^/]+)\/\{(\w+)\}/g)];
    for (const [method, operation] of Object.entries(item)) {
      for (const [, segment, name] of segments) {
        const there = examples[`${method.toUpperCase()} ${path}`]?.[name] ?? examples[segment];
        const parameter = operation.parameters.find((each) => each.in === "path" && each.name === name);
        if (there !== undefined) parameter.schema = { ...parameter.schema, examples: there };
      }
    }
  }
  // Any other company is a 403 before anything is looked at.
  document.components.parameters.CompanyId.schema = { enum: ["company_default"] };
  // Webhooks whose requests stay on this machine.
  const { WebhookToCreate } = document.components.schemas;
  WebhookToCreate.examples = [{ ...WebhookToCreate.examples[0], url: `${receiver}/hook` }];
  // Schemathesis cannot write this type.
  delete document.paths["/events/batch"].post.requestBody.content["application/x-ndjson"];
  return { document, keyId };
}

const REDIRECT_URI = "https://bi.example.com/callback";

/** A program is allowed something, and takes it up: without that there is no grant. */
async function allow(url, apiKey, clientId) {
  const verifier = "v".repeat(43);
  const post = (path, form) =>
    fetch(`${url}${path}`, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
  const allowed = await post("/oauth/authorize", {
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    response_type: "code",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    api_key: apiKey,
    decision: "allow",
  });
  const code = new URL(allowed.headers.get("location")).searchParams.get("code");
  const form = { client_id: clientId, redirect_uri: REDIRECT_URI, code, code_verifier: verifier };
  await post("/oauth/token", { ...form, grant_type: "authorization_code" });
}

/** @returns ids by the segment before them, or by operation and parameter where any other one would be refused */
async function makeThings(call, receiver, allowProgram) {
  const several = async (make) => {
    const ids = [];
    for (let index = 0; index < SPARE; index += 1) ids.push(await make(index));
    return ids;
  };
  const webhook = async (fields) =>
    (await call("POST", "/webhooks", { url: `${receiver}/hook`, events: ["bill.paid"], ...fields })).id;
  const publish = async (event) => (await call("POST", "/events", { event, data: { object: { id: "x_1" } } })).id;
  const inState = async (eventId, state) => {
    for (;;) {
      const [delivery] = await call("GET", `/deliveries?eventId=${eventId}&state=${state}`);
      if (delivery !== undefined) return delivery.id;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  const main = await webhook({ name: "fuzzed", events: ["invoice.*"] });
  const broken = { url: `${receiver}/broken`, events: ["payment.received"], retryPolicy: { maxRetries: 0 } };
  await webhook(broken);
  const paused = await webhook({ events: ["supplier.created"] });
  await call("POST", `/webhooks/${paused}/pause`);
  const event = await publish("invoice.paid");
  const rotating = async () => {
    const id = await webhook();
    await call("POST", `/webhooks/${id}/secret/rotate`, { overlapSeconds: 3_600 });
    return id;
  };
  const type = async (index) =>
    (await call("POST", "/event-types", { name: `crate.packed_${index}`, description: "A crate is packed." })).name;
  const readKey = async () => (await call("POST", `/webhooks/${main}/read-keys`)).id;
  const spareKey = async () => (await call("POST", "/api-keys", { name: "spare", scopes: ["read:events"] })).id;
  const program = { name: "BI", redirectUris: [REDIRECT_URI], scopes: ["read:events"] };
  const client = async () => (await call("POST", "/oauth-clients", program)).id;
  const grant = async () => {
    const id = await client();
    await allowProgram(id);
    return (await call("GET", `/oauth-grants?clientId=${id}`))[0].id;
  };
  // A range that reaches up to now waits some seconds for its end; paused meanwhile, it waits on and can be cancelled.
  const replay = async () => {
    const webhookId = await webhook({ events: ["supplier.updated"] });
    const { id } = await call("POST", "/replays", { webhookId, from: "2020-01-01T00:00:00Z", which: "all" });
    await call("POST", `/webhooks/${webhookId}/pause`);
    return id;
  };
  const types = await several(type);
  const readKeys = await several(readKey);
  return {
    webhooks: [main],
    events: [event],
    deliveries: [await inState(event, "delivered")],
    "event-types": ["invoice.paid"],
    companies: ["company_default"],
    tenants: [(await call("POST", "/tenants", { name: "Second" })).id],
    "api-keys": [await spareKey()],
    "read-keys": readKeys,
    "DELETE /webhooks/{id}": { id: await several(() => webhook()) },
    "POST /webhooks/{id}/secret/switch": { id: await several(rotating) },
    "POST /deliveries/{id}/retry": { id: [await inState(await publish("payment.received"), "dead_letter")] },
    "POST /deliveries/{id}/cancel": {
      id: await several(async () => inState(await publish("supplier.created"), "pending")),
    },
    "PATCH /event-types/{name}": { name: types },
    "DELETE /event-types/{name}": { name: types },
    "DELETE /companies/{id}": {
      id: await several(async (index) => (await call("POST", "/companies", { name: `Spare ${index}` })).id),
    },
    "oauth-clients": [await client()],
    "DELETE /oauth-clients/{id}": { id: await several(client) },
    "DELETE /oauth-grants/{id}": { id: await several(grant) },
    replays: [await replay()],
    "POST /replays/{id}/cancel": { id: await several(replay) },
    "DELETE /api-keys/{id}": { id: await several(spareKey) },
  };
}
