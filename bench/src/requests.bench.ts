// What building one signed request costs in each format, with a template and with privacy, beside the plain envelope. A
// ranking aid for this machine, never a CI gate.
// npx vitest bench --run bench/src/requests.bench.ts
import { bench, describe } from "vitest";
import { defaultCatalogueFolder } from "../../packages/server/src/catalogue/folder.ts";
import { loadCatalogue } from "../../packages/server/src/catalogue/load.ts";
import { resourceNamesOf } from "../../packages/server/src/catalogue/resource-names.ts";
import type { DeliverableEvent } from "../../packages/server/src/deliver/queue.ts";
import { Bodies } from "../../packages/server/src/deliver/render.ts";
import { prepareWebhook, requestHeaders, sealNow } from "../../packages/server/src/deliver/request.ts";
import { NO_DEFINITIONS } from "../../packages/server/src/expressions/definitions.ts";
import { webhookOfRow } from "../../packages/server/src/storage/configuration.ts";

const TURNS = 500;
const catalogue = await loadCatalogue(defaultCatalogueFolder());
const example = catalogue.get("sales_order.updated")?.example;
const data = Buffer.from(JSON.stringify(example?.data));
const context = Buffer.from(JSON.stringify(example?.context));
const nothingLarge = () => Promise.reject(new Error("nothing large here"));
const bodies = new Bodies({
  namesOf: (type) => resourceNamesOf(catalogue, type),
  tagsOf: (type) => catalogue.tagsOf(type),

  definitionsOf: () => NO_DEFINITIONS,
  renderLarge: nothingLarge,
  renderLargeBatch: nothingLarge,
});

/** A new event each time: nothing that is kept with one helps the next. */
const newEvent = (): DeliverableEvent => ({
  idBytes: new Uint8Array(16),
  publicId: "evt_01M8RTK46ZE4098W1SW6PX1B9G",
  type: "sales_order.updated",
  timestamp: "2026-11-23T08:00:00.000Z",
  livemode: true,
  retentionClass: 90,
  data,
  context,
});

const TEMPLATE = {
  order_id: "{{ order.id }}",
  customer_id: "{{ order.customer_id }}",
  total_amount: "{{ order.total }}",
  status: "{{ order.status }}",
  items: "{{ order.items }}",
  timestamp: "{{ event.timestamp }}",
};

const CASES: Readonly<Record<string, object>> = {
  "the envelope": {},
  "the payload alone": { format: "data" },
  "a structured CloudEvent": { format: "cloudEvents" },
  "a binary CloudEvent": { format: "cloudEventsBinary" },
  thin: { format: "thin" },
  "the applet page's template": { transform: { template: TEMPLATE } },
  "the same as a form": { transform: { template: TEMPLATE, contentType: "application/x-www-form-urlencoded" } },
  "the envelope, with an expression in the URL": { url: "https://example.com/orders/{{ order.id }}" },
  "the envelope without personal data": { privacy: { personal: "drop" } },
};

const ids = { tenant_id: "0192f0f0-0000-7000-8000-000000000001", id: "0192f0f0-0000-7000-8000-000000000002" };
const prepared = new Map<string, Awaited<ReturnType<typeof prepareWebhook>>>();
for (const [name, fields] of Object.entries(CASES)) {
  const webhook = webhookOfRow({
    ...ids,
    config_version: 1,
    version: 1,
    lane: 7,
    livemode: true,
    status: "enabled",
    disabled_reason: null,
    configuration: { url: "https://example.com/in", events: ["*"], ...fields },
    secrets: [{ id: "s", purpose: "signing", name: null, ciphertext: "a plain secret", valid_until_ms: null }],
  });
  prepared.set(name, await prepareWebhook(webhook, async (_webhook, secret) => secret.ciphertext));
}

/** The result is kept, so that the engine cannot drop the work. */
let built = 0;

describe(`${TURNS} turns each, a payload of ${data.length} bytes: hz × ${TURNS} is requests per second`, () => {
  for (const [name, each] of prepared) {
    bench(name, () => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        const event = newEvent();
        const body = bodies.bodyOf(each.webhook, event);
        if (body instanceof Promise || body.kind !== "body") throw new Error("not rendered");
        const identity = {
          publicEventId: event.publicId,
          eventType: event.type,
          deliveryId: "dlv_01M8RTK46ZE4098W1SW6PX1B9G",
          number: 1,
          timestampSeconds: 1_795_422_605,
        };
        built += requestHeaders(each, identity, sealNow(body.bytes, each, identity), body.parts).length;
      }
    });
  }
});
