// How deliveries look in tables, and in which colour a state is.
import type { Delivery, DeliveryState } from "@posthorn/client";
import type { Colour, Io } from "./io.ts";
import type { Column } from "./table.ts";
import { shownTime } from "./values.ts";

const COLOURS: Readonly<Record<DeliveryState, Colour>> = {
  pending: "cyan",
  held: "yellow",
  delivered: "green",
  dead_letter: "red",
  cancelled: "dim",
};

export function paintState(io: Io, state: DeliveryState, text: string = state): string {
  return io.paint(COLOURS[state] ?? "bold", text);
}

/** Columns of deliveries; with `ofEvents` also what they bring. */
export function deliveryColumns<Row extends Delivery>(io: Io, ofEvents: readonly Column<Row>[] = []): Column<Row>[] {
  return [
    { title: "ID", text: (delivery) => delivery.id },
    { title: "STATE", text: (delivery) => delivery.state, paint: (cell, { state }) => paintState(io, state, cell) },
    ...ofEvents,
    { title: "TRIES", text: (delivery) => String(delivery.attemptCount), align: "right", goesAt: 2 },
    { title: "SINCE", text: (delivery) => shownTime(sinceOf(delivery)), goesAt: 3 },
    { title: "WHY", text: whyOf, shrinksTo: 10, goesAt: 4 },
    { title: "WEBHOOK", text: (delivery) => delivery.webhookId, goesAt: 5 },
  ];
}

function sinceOf(delivery: Delivery): string | null {
  return delivery.deliveredAt ?? delivery.deadAt ?? delivery.cancelledAt ?? delivery.createdAt;
}

function whyOf(delivery: Delivery): string {
  const { heldReason, deadReason, cancelledReason, nextAttemptAt } = delivery;
  const reason = heldReason ?? deadReason ?? cancelledReason;
  if (reason !== undefined && reason !== null) return reason;
  return delivery.state === "pending" && nextAttemptAt !== null ? `next ${shownTime(nextAttemptAt)}` : "";
}
