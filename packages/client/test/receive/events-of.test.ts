// The events of a request, whether it carries one, a batch, or only counts them.
import { expect, test } from "vitest";
import { eventsOf, isWebhookBatch, isWebhookDigest } from "../../src/index.ts";

const event = { id: "evt_1", event: "invoice.paid", data: {} };
const batch = { batch: true, events: [event, event], batchId: "batch_1", batchTimestamp: "2026-11-23T08:00:00.000Z" };
const digest = { digest: true, eventCount: 2, eventTypes: [], batchId: "batch_1" };

test("are its one event, those of a batch, and none of a digest", () => {
  expect(eventsOf<object>(event)).toEqual([event]);
  expect(eventsOf<object>(batch)).toEqual([event, event]);
  expect(eventsOf<object>(digest)).toEqual([]);
});

test("an event about a batch of goods is no batch", () => {
  const goods = { ...event, batch: true, batchId: "LOT-7" };
  expect([isWebhookBatch(goods), isWebhookDigest(goods), eventsOf<object>(goods)]).toEqual([false, false, [goods]]);
});

test("anything else is itself: what a template made, or nothing", () => {
  for (const body of [{ batch: true }, [1], null, "text"]) expect(isWebhookBatch(body)).toBe(false);
});
