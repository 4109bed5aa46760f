// How a request is shown that stands for many events.
import { expect, test } from "vitest";
import { describe as describeRequest, receivedLines } from "../../src/receiver/received.ts";

const io = { columns: 200, paint: (_colour: unknown, text: string) => text };
const found = { judgement: { kind: "unsigned" }, status: 200, isRepeated: false, atMs: 0 } as const;
const takenWith = (body: unknown) => ({
  method: "POST",
  path: "/",
  headers: { "x-bigledger-event": "batch", "webhook-id": "batch_1" },
  body: Buffer.from(JSON.stringify(body)),
});

test("a batch says what is in it", () => {
  const events = [{ event: "invoice.paid" }, { event: "invoice.paid" }, { event: "bill.paid" }];
  const received = describeRequest(takenWith({ batch: true, events, batchId: "batch_1" }), found);
  expect(received).toMatchObject({
    event: "batch",
    eventId: "batch_1",
    contents: { "invoice.paid": 2, "bill.paid": 1 },
  });
  expect(receivedLines(io, received).join("\n")).toContain("2 invoice.paid, 1 bill.paid");
});

test("a digest says what it counted", () => {
  const eventTypes = [{ event: "customer.created", count: 1_200 }];
  const received = describeRequest(
    takenWith({ digest: true, eventCount: 1_200, eventTypes, batchId: "batch_1" }),
    found,
  );
  expect(receivedLines(io, received).join("\n")).toContain("1200 customer.created");
});
