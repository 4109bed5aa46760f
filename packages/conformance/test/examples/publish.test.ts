// The example that publishes, against a real node.
import { Posthorn } from "@posthorn/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishCustomers, publishPaidInvoice } from "../../../../examples/publish.ts";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";

let node: TestNode;
let posthorn: Posthorn;
beforeAll(async () => {
  node = await startTestNode();
  posthorn = new Posthorn({ url: node.node.url, apiKey: TEST_API_KEY });
});
afterAll(async () => node?.stop());

test("publishing an invoice twice stores it once", async () => {
  const first = await publishPaidInvoice(posthorn, { number: "INV-1", total: 12.5 });
  expect(await publishPaidInvoice(posthorn, { number: "INV-1", total: 12.5 })).toBe(first);
  expect((await posthorn.events.list({ reference: "INV-1" }).take(5)).map((event) => event.id)).toEqual([first]);
});

test("publishing customers takes all of them", async () => {
  expect(await publishCustomers(posthorn, ["A", "B", "C"])).toBe(3);
  expect(await posthorn.events.list({ type: "customer.created" }).take(5)).toHaveLength(3);
});
