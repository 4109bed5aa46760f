// The types of the catalogue, held against the catalogue itself: every type is there, every example fits, and wrong
// members are refused by the compiler (the lines marked so would fail the type check otherwise).
import { fileURLToPath } from "node:url";
import type { EventMap, EventType, NewEvent, objects, Posthorn, WebhookEvent } from "@posthorn/client";
import { readFileSync } from "node:fs";
import { expect, expectTypeOf, test } from "vitest";
import { loadCatalogue } from "../../server/src/catalogue/load.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

test("every type of the catalogue stands in the map, with nothing beside them", async () => {
  const catalogue = await loadCatalogue(`${ROOT}catalogue`);
  const map = readFileSync(`${ROOT}packages/client/src/generated/event-map.ts`, "utf8");
  const body = /export interface EventMap \{([\s\S]*?)^\}/m.exec(map)?.[1] ?? "";
  const names = [...body.matchAll(/^ {2}readonly "([^"]+)":/gm)].map((match) => match[1]);
  expect(names).toEqual([...catalogue.types.keys()]);
});

test("a type decides what its data is", () => {
  expectTypeOf<EventMap["invoice.paid"]["object"]>().toEqualTypeOf<objects.Invoice>();
  expectTypeOf<objects.Invoice["total"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<objects.Invoice["lastPaymentDate"]>().toEqualTypeOf<string | null | undefined>();
  expectTypeOf<NonNullable<objects.Payment["order"]>>().toEqualTypeOf<objects.SalesOrder>();
  expectTypeOf<WebhookEvent["event"]>().toEqualTypeOf<EventType>();
  expectTypeOf<NewEvent["data"]>().toEqualTypeOf<unknown>();
});

/** Compiled, never called. */
export async function whatTheCompilerSays(posthorn: Posthorn, event: WebhookEvent): Promise<unknown> {
  // Members that the examples do not show are the sender's own business.
  await posthorn.events.publish({ event: "invoice.paid", data: { object: { total: 1, ourOwnMember: true } } });
  // A type that the tenant registered itself takes anything.
  await posthorn.events.publish({ event: "parcel.weighed", data: [1, 2, 3] });
  // @ts-expect-error a known member has the type that the catalogue shows
  await posthorn.events.publish({ event: "invoice.paid", data: { object: { total: "1" } } });
  // @ts-expect-error data is not optional
  await posthorn.events.publish({ event: "invoice.paid" });
  if (event.event === "payment.received") return event.data.object.order?.total;
  // @ts-expect-error a customer has no invoiceNumber
  if (event.event === "customer.created") return event.data.object.invoiceNumber;
  return null;
}
