// For each entry of the table of routes: what to send so that it succeeds. A route without a scenario fails the test.
import { until } from "../../support/until.ts";
import type { Request, World } from "./world.ts";

export type Scenario = (world: World) => Request | readonly Request[] | Promise<Request | readonly Request[]>;

const EVENT = { event: "invoice.sent", data: { object: { id: "inv_2" } } };

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  // --- events ------------------------------------------------------------------------------------------------------
  "POST /events": () => [
    { path: "/events", body: EVENT, headers: { "idempotency-key": "order 66" } },
    { path: "/events", body: EVENT, headers: { "idempotency-key": "order 66" } },
    {
      path: "/events",
      body: JSON.stringify({ specversion: "1.0", id: "ce-1", source: "/erp", type: EVENT.event, data: EVENT.data }),
      headers: { "content-type": "application/cloudevents+json" },
    },
    { path: "/events", body: { ...EVENT, id: "own-id", timestamp: "2026-11-23T08:00:00+08:00", context: { a: 1 } } },
  ],
  "POST /events/batch": () => [
    { path: "/events/batch", body: { events: [EVENT, { event: "no.such" }, EVENT] } },
    {
      path: "/events/batch",
      body: `${JSON.stringify(EVENT)}\n${JSON.stringify(EVENT)}\n`,
      headers: { "content-type": "application/x-ndjson" },
    },
    {
      path: "/events/batch",
      body: JSON.stringify([
        { specversion: "1.0", id: "ce-2", source: "/erp", type: EVENT.event, data: EVENT.data },
        7,
      ]),
      headers: { "content-type": "application/cloudevents-batch+json" },
    },
  ],
  "GET /events": () => [{ path: "/events" }, { path: "/events?type=invoice.*&reference=INV-00871&limit=1" }],
  "GET /events/{id}": (world) => ({ path: `/events/${world.eventId}` }),
  "POST /events/{id}/replay": (world) => [
    { path: `/events/${world.eventId}/replay`, body: { webhookId: world.webhookId } },
    { path: `/events/${world.eventId}/replay` },
  ],

  "POST /events/{id}/cancel": (world) => ({ path: `/events/${world.eventId}/cancel`, body: { dryRun: true } }),

  // --- deliveries --------------------------------------------------------------------------------------------------
  "GET /deliveries": (world) => [
    { path: "/deliveries" },
    { path: "/deliveries?state=dead_letter" },
    { path: `/deliveries?webhookId=${world.webhookId}&eventId=${world.eventId}` },
  ],
  "GET /deliveries/{id}": (world) => [
    { path: `/deliveries/${world.deliveredId}` },
    { path: `/deliveries/${world.deadId}` },
  ],
  "POST /deliveries/{id}/retry": (world) => ({ path: `/deliveries/${world.deadId}/retry` }),

  "POST /deliveries/{id}/cancel": async (world) => ({ path: `/deliveries/${await world.heldDelivery()}/cancel` }),
  "GET /deliveries/{id}/request": async (world) => [
    { path: `/deliveries/${await world.heldDelivery()}/request` },
    { path: `/deliveries/${world.deliveredId}/request` },
  ],

  "GET /parked-keys": async (world) => {
    await world.parkedDelivery();
    return { path: "/parked-keys" };
  },
  "POST /parked-keys/release": async (world) => {
    await world.parkedDelivery();
    return [
      { path: "/parked-keys/release", body: { how: "retry", dryRun: true } },
      { path: "/parked-keys/release", body: { how: "skip", webhookId: world.webhookId } },
    ];
  },
  "POST /deliveries/{id}/correct": async (world) => ({
    path: `/deliveries/${await world.parkedDelivery()}/correct`,
    body: { data: { object: { id: "req_2" } }, note: "A wrong id." },
  }),
  "POST /deliveries/{id}/skip": async (world) => ({ path: `/deliveries/${await world.parkedDelivery()}/skip` }),

  // Other scenarios retry the dead letter: it is pending for a moment, and dead again after its attempt.
  "GET /dead-letters": async (world) => {
    await until("a dead letter", async () => (await world.data("GET", "/dead-letters")).length > 0);
    return { path: "/dead-letters" };
  },
  "POST /dead-letters/retry": () => [
    { path: "/dead-letters/retry", body: { dryRun: true } },
    { path: "/dead-letters/retry", body: { limit: 1 } },
  ],

  // --- webhooks ----------------------------------------------------------------------------------------------------
  "POST /webhooks": (world) => ({
    path: "/webhooks",
    body: {
      url: `${world.receiver.origin}/ok`,
      events: ["bill.*"],
      name: "bills",
      description: "every bill",
      headers: { "X-Api-Key": "never shown", "X-Plain": "shown" },
      filters: ["bill.total > 100"],
      timeout: 5,
      retryPolicy: { maxRetries: 2 },
      maxInFlight: 8,
      priority: "high",
    },
  }),
  "POST /webhooks/subscribe": () => ({
    path: "/webhooks/subscribe",
    body: { url: "https://receiver.example.com/webhooks", events: ["bill.*"] },
  }),
  "GET /webhooks": () => [{ path: "/webhooks" }, { path: "/webhooks?status=enabled&name=ok" }],
  "GET /webhooks/{id}": (world) => ({ path: `/webhooks/${world.webhookId}` }),
  "PUT /webhooks/{id}": async (world) => ({ path: `/webhooks/${await world.newWebhook()}`, body: { active: false } }),
  "PATCH /webhooks/{id}": async (world) => ({
    path: `/webhooks/${await world.newWebhook()}`,
    body: { secret: "chosen by the integrator", description: null },
  }),
  "DELETE /webhooks/{id}": async (world) => ({ path: `/webhooks/${await world.newWebhook()}` }),
  "POST /webhooks/{id}/pause": async (world) => ({ path: `/webhooks/${await world.newWebhook()}/pause` }),
  "POST /webhooks/{id}/resume": async (world) => {
    const id = await world.newWebhook();
    await world.data("POST", `/webhooks/${id}/pause`);
    return { path: `/webhooks/${id}/resume` };
  },
  "GET /statistics": () => ({ path: "/statistics" }),
  "GET /webhooks/{id}/statistics": (world) => ({ path: `/webhooks/${world.webhookId}/statistics` }),
  "GET /webhooks/{id}/logs": (world) => [
    { path: `/webhooks/${world.webhookId}/logs?status=success` },
    { path: `/webhooks/${world.brokenWebhookId}/logs` },
  ],
  "POST /webhooks/{id}/replay": (world) => [
    { path: `/webhooks/${world.webhookId}/replay`, body: { from: "2020-01-01T00:00:00Z", dryRun: true } },
    { path: `/webhooks/${world.webhookId}/replay`, body: { from: "2020-01-01T00:00:00Z", states: ["delivered"] } },
  ],
  "POST /webhooks/{id}/cancel-pending": (world) => ({
    path: `/webhooks/${world.webhookId}/cancel-pending`,
    body: { dryRun: true },
  }),
  "POST /replays": (world) => ({ path: "/replays", body: replayOf(world) }),
  "GET /replays": (world) => [{ path: "/replays" }, { path: `/replays?webhookId=${world.webhookId}` }],
  "GET /replays/{id}": async (world) => {
    const { id } = await world.data("POST", "/replays", replayOf(world));
    await until("its end", async () => (await world.data("GET", `/replays/${id}`)).state === "done");
    return { path: `/replays/${id}` };
  },
  // Of events that are still to come, so that it waits.
  "POST /replays/{id}/cancel": async (world) => {
    const { id } = await world.data("POST", "/replays", {
      webhookId: world.webhookId,
      which: "missed",
      from: "2020-01-01T00:00:00Z",
    });
    return { path: `/replays/${id}/cancel` };
  },
  "POST /webhooks/{id}/snapshots": (world) => ({
    path: `/webhooks/${world.webhookId}/snapshots`,
    body: { token: "first", event: "customer.created" },
  }),
  "GET /snapshots": async (world) => {
    await world.newSnapshot();
    return { path: "/snapshots" };
  },
  "GET /snapshots/{id}": async (world) => ({ path: `/snapshots/${await world.newSnapshot()}` }),
  "POST /snapshots/{id}/records": async (world) => ({
    path: `/snapshots/${await world.newSnapshot()}/records`,
    body: { offset: 0, records: [{ id: "cust_1" }, { id: "cust_2" }] },
  }),
  "POST /snapshots/{id}/complete": async (world) => ({ path: `/snapshots/${await world.newSnapshot()}/complete` }),
  "POST /snapshots/{id}/cancel": async (world) => ({ path: `/snapshots/${await world.newSnapshot()}/cancel` }),
  "POST /preview": (world) => [
    { path: "/preview", body: { webhook: world.webhookId, event: { id: world.eventId } } },
    {
      path: "/preview",
      body: {
        webhook: {
          url: "https://receiver.example.com/hooks",
          events: ["invoice.paid"],
          filters: ["invoice.total > 100 && invoice.nothing == 1"],
          transform: { template: { total: "{{ invoice.total }}", missing: "{{ invoice.nothing }}" } },
        },
        event: { example: "invoice.paid" },
      },
    },
  ],
  "POST /webhooks/{id}/test": (world) => [
    { path: `/webhooks/${world.webhookId}/test`, body: { event: "invoice.paid" } },
    { path: `/webhooks/${world.brokenWebhookId}/test`, body: { event: "invoice.paid", testData: { any: ["thing"] } } },
  ],
  "POST /webhooks/{id}/diagnose": (world) => [
    { path: `/webhooks/${world.webhookId}/diagnose` },
    { path: `/webhooks/${world.brokenWebhookId}/diagnose`, body: { event: "invoice.paid" } },
    { path: `/webhooks/${world.webhookId}/diagnose`, body: { send: false } },
  ],
  "POST /webhooks/{id}/secret/rotate": async (world) => ({
    path: `/webhooks/${await world.newWebhook()}/secret/rotate`,
    body: { overlapSeconds: 60 },
  }),
  "POST /webhooks/{id}/secret/switch": async (world) => {
    const id = await world.newWebhook();
    await world.data("POST", `/webhooks/${id}/secret/rotate`, { secret: "the next secret" });
    return { path: `/webhooks/${id}/secret/switch` };
  },
  "POST /webhooks/apply": (world) => {
    const webhooks = [{ name: "applied", url: `${world.receiver.origin}/ok`, events: ["customer.*"] }];
    return [
      { path: "/webhooks/apply?dryRun=true", body: { webhooks } },
      { path: "/webhooks/apply", body: { webhooks } },
      { path: "/webhooks/apply", body: { webhooks: [{ ...webhooks[0], timeout: 20 }] } },
    ];
  },
  "GET /webhooks/{id}/versions": (world) => ({ path: `/webhooks/${world.webhookId}/versions` }),

  // --- event types -------------------------------------------------------------------------------------------------
  "GET /event-types": () => ({ path: "/event-types?type=invoice.*" }),
  "GET /event-types/{name}": () => ({ path: "/event-types/invoice.paid" }),
  "POST /event-types": () => ({
    path: "/event-types",
    body: { name: "crate.packed", description: "A crate is packed.", example: { data: { object: { id: "c1" } } } },
  }),
  "PATCH /event-types/{name}": async (world) => ({
    path: `/event-types/${await world.newEventType()}`,
    body: { description: "Changed." },
  }),
  "DELETE /event-types/{name}": async (world) => ({ path: `/event-types/${await world.newEventType()}` }),

  // --- rules and code tables ----------------------------------------------------------------------------------------
  "GET /rules": async (world) => {
    await world.newRule();
    return { path: "/rules" };
  },
  "POST /rules": () => ({ path: "/rules", body: { name: "large_invoice", expression: "invoice.total > 10000" } }),
  "GET /rules/{name}": async (world) => ({ path: `/rules/${await world.newRule()}` }),
  "PATCH /rules/{name}": async (world) => ({ path: `/rules/${await world.newRule()}`, body: { owner: "Finance" } }),
  "DELETE /rules/{name}": async (world) => ({ path: `/rules/${await world.newRule()}` }),
  "GET /rules/{name}/versions": async (world) => ({ path: `/rules/${await world.newRule()}/versions` }),
  "GET /code-tables": async (world) => {
    await world.newCodeTable();
    return { path: "/code-tables" };
  },
  "POST /code-tables": () => ({ path: "/code-tables", body: { name: "tax", entries: { "SST-6": "GST06" } } }),
  "GET /code-tables/{name}": async (world) => ({ path: `/code-tables/${await world.newCodeTable()}` }),
  "PATCH /code-tables/{name}": async (world) => ({
    path: `/code-tables/${await world.newCodeTable()}`,
    body: { entries: { "SST-6": "GST6" } },
  }),
  "DELETE /code-tables/{name}": async (world) => ({ path: `/code-tables/${await world.newCodeTable()}` }),
  "GET /code-tables/{name}/versions": async (world) => ({
    path: `/code-tables/${await world.newCodeTable()}/versions`,
  }),

  // --- access ------------------------------------------------------------------------------------------------------
  "GET /tenants": () => ({ path: "/tenants" }),
  "POST /tenants": () => ({ path: "/tenants", body: { name: "Second", company: { id: "company_2", name: "Two" } } }),
  "GET /tenants/current": () => ({ path: "/tenants/current" }),
  "PATCH /tenants/current": () => ({
    path: "/tenants/current",
    body: { administratorEmail: "it@example.com", timeZone: "Asia/Kuala_Lumpur" },
  }),
  "GET /tenants/{id}": async (world) => ({ path: `/tenants/${(await world.data("GET", "/tenants/current")).id}` }),
  "PATCH /tenants/{id}": async (world) => {
    const { id } = await world.data("POST", "/tenants", { name: "Third" });
    return { path: `/tenants/${id}`, body: { name: "Third, renamed", captureLimitPerSecond: 100 } };
  },
  "GET /digest": () => ({ path: "/digest" }),
  "PATCH /digest": (world) => ({
    path: "/digest",
    body: { emails: ["it@example.com"], chatUrl: `${world.receiver.origin}/chat`, chatForm: "card" },
  }),
  "POST /digest/test": () => ({ path: "/digest/test" }),
  // Written down by upkeep, some seconds after the first event.
  "GET /modules": async (world) => {
    await until("a module", async () => (await world.data("GET", "/modules")).length > 0, 60_000);
    return { path: "/modules" };
  },
  "GET /nodes": () => ({ path: "/nodes" }),
  "GET /companies": () => ({ path: "/companies" }),
  "POST /companies": () => ({ path: "/companies", body: { name: "Made" } }),
  "GET /companies/{id}": () => ({ path: "/companies/company_default" }),
  "PATCH /companies/{id}": () => ({ path: "/companies/company_default", body: { name: "Default, renamed" } }),
  "DELETE /companies/{id}": async (world) => ({
    path: `/companies/${(await world.data("POST", "/companies", { name: "Goes" })).id}`,
  }),
  "GET /routes": async (world) => {
    await world.data("PUT", "/routes/listed", ROUTE);
    return { path: "/routes" };
  },
  "GET /routes/{name}": async (world) => {
    await world.data("PUT", "/routes/read_one", ROUTE);
    return { path: "/routes/read_one" };
  },
  "PUT /routes/{name}": () => ({ path: "/routes/put_one", body: { ...ROUTE, owner: "Sales", matches: "all" } }),
  "DELETE /routes/{name}": async (world) => {
    await world.data("PUT", "/routes/goes", ROUTE);
    return { path: "/routes/goes" };
  },
  "GET /routes/{name}/versions": async (world) => {
    await world.data("PUT", "/routes/versioned", ROUTE);
    return { path: "/routes/versioned/versions" };
  },
  "GET /organisation": async (world) => {
    await world.data("POST", "/organisation/load", { branches: [{ id: "branch_kl", companyId: "company_default" }] });
    return { path: "/organisation?kind=branch" };
  },
  "POST /organisation/load": () => ({
    path: "/organisation/load",
    body: {
      locations: [{ id: "loc_1", branchId: "branch_kl", name: "Store" }],
      employees: [{ id: "emp_1", departments: ["Sales"] }],
      users: [{ id: "user_1", employeeId: "emp_1", teams: ["north"] }],
      asOf: "2026-03-12T02:30:00Z",
    },
  }),
  "DELETE /organisation/{id}": async (world) => {
    await world.data("POST", "/organisation/load", { companies: [{ id: "company_goes", name: "Goes" }] });
    return { path: "/organisation/company_goes?kind=company" };
  },
  "GET /api-keys": () => ({ path: "/api-keys?status=active" }),
  "POST /api-keys": () => ({
    path: "/api-keys",
    body: { name: "sender", scopes: ["write:events"], allowedIps: ["127.0.0.1/32"], companyId: "company_default" },
  }),
  "GET /api-keys/{id}": async (world) => ({ path: `/api-keys/${await world.newApiKey()}` }),
  "PATCH /api-keys/{id}": async (world) => ({
    path: `/api-keys/${await world.newApiKey()}`,
    body: { name: "renamed", expiresAt: "2099-01-01T00:00:00Z" },
  }),
  "DELETE /api-keys/{id}": async (world) => ({ path: `/api-keys/${await world.newApiKey()}` }),
  "GET /webhooks/{id}/read-keys": async (world) => {
    await world.newReadKey();
    return { path: `/webhooks/${world.webhookId}/read-keys` };
  },
  "POST /webhooks/{id}/read-keys": (world) => ({ path: `/webhooks/${world.webhookId}/read-keys` }),
  "GET /webhooks/{id}/read-keys/{keyId}": async (world) => ({
    path: `/webhooks/${world.webhookId}/read-keys/${await world.newReadKey()}`,
  }),
  "DELETE /webhooks/{id}/read-keys/{keyId}": async (world) => ({
    path: `/webhooks/${world.webhookId}/read-keys/${await world.newReadKey()}`,
  }),
  "GET /oauth-clients": async (world) => {
    await world.newOauthClient();
    return { path: "/oauth-clients" };
  },
  "POST /oauth-clients": () => ({
    path: "/oauth-clients",
    body: { name: "BI", redirectUris: ["https://bi.example.com/callback"], scopes: ["read:events"] },
  }),
  "GET /oauth-clients/{id}": async (world) => ({ path: `/oauth-clients/${await world.newOauthClient()}` }),
  "DELETE /oauth-clients/{id}": async (world) => ({ path: `/oauth-clients/${await world.newOauthClient()}` }),
  "GET /oauth-grants": async (world) => {
    await world.newOauthGrant();
    return { path: "/oauth-grants" };
  },
  "DELETE /oauth-grants/{id}": async (world) => ({ path: `/oauth-grants/${await world.newOauthGrant()}` }),
  "GET /audit": () => ({ path: "/audit" }),
};

/** Gives everything: other scenarios deliver to webhooks of the world. */
const ROUTE = { steps: [{ when: "true", webhooks: ["ok"] }], default: [] };

function replayOf({ webhookId }: World): Record<string, unknown> {
  return { webhookId, from: "2020-01-01T00:00:00Z", dryRun: true };
}
